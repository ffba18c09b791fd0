// Scratch projects: a folder outside the repository, made like a user's, with packages installed in it from the registry on loopback.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { npm } from '../../scripts/npm.mjs'
import { platformNamed } from '../../scripts/platforms.mjs'
import { tarballs } from './tarballs.mjs'

const run = promisify(execFile)

/** The row of this machine's platform. A machine without one cannot run these tests. */
export const here = platformNamed(createRequire(import.meta.url)('../../lib/platform.js').platform())

/** Environment of a user who has no settings of package managers, no proxy and no cache: what the test's own npm has set must not reach another. */
export function cleanEnvironment(home, more = {}) {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|pnpm_|yarn_|bun_|deno_|node_|init_cwd|(https?|all|no)_proxy$|hf_|vecrank_|xdg_)/i.test(name),
  )
  return { ...Object.fromEntries(kept), HOME: home, USERPROFILE: home, CI: 'true', ...more }
}

/**
 * A project that is gone when the test ends.
 *
 * @param {{ manifest?: object, files?: Record<string, string> }} [content] its package.json, and other files by name
 */
export function project(t, { manifest = {}, files = {} } = {}) {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'vecrank-pack-')))
  t.after(() => rmSync(base, { recursive: true, force: true, maxRetries: 3 }))
  const folder = join(base, 'project')
  const home = join(base, 'home')
  mkdirSync(home)
  const write = (name, text) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  write('package.json', `${JSON.stringify({ name: 'scratch', private: true, version: '1.0.0', ...manifest }, null, 2)}\n`)
  for (const [name, text] of Object.entries(files)) write(name, text)
  return {
    base,
    folder,
    home,
    write,
    /** Runs a program in the project; its output, or an error that shows it. */
    async run(program, args, { env = {}, cwd = folder, timeout = 120_000 } = {}) {
      try {
        const { stdout, stderr } = await run(program, args, { cwd, env: cleanEnvironment(home, env), timeout, maxBuffer: 1 << 26 })
        return { stdout, stderr }
      } catch (error) {
        throw new Error(`${[program, ...args].join(' ')} ended with ${error.signal ?? error.code}\n${error.stdout}\n${error.stderr}`, {
          cause: error,
        })
      }
    },
  }
}

/** An npm command, with that registry and no other. */
export function runNpm(scratch, registry, args, options) {
  const [program, ...before] = npm
  return scratch.run(program, [...before, ...args, '--ignore-scripts', '--no-audit', '--no-fund', `--registry=${registry.url}`], options)
}

/** `npm install`. */
export function npmInstall(scratch, registry, args = []) {
  return runNpm(scratch, registry, ['install', ...args])
}

/** Packages in node_modules without a package manager: for tests of something else than the installation. */
export function place(scratch, names, wanted = () => true) {
  for (const name of names) {
    for (const [file, content] of tarballs().get(name).files) if (wanted(file)) scratch.write(join('node_modules', name, file), content)
  }
}

/** The packages that lie in node_modules, sorted. */
export function installed(scratch) {
  return readdirSync(join(scratch.folder, 'node_modules'))
    .filter((name) => !name.startsWith('.'))
    .sort()
}
