// examples/next as a user has it: vecrank from the packed packages, Next.js and React from e2e/, in a folder of its own.

import { spawn } from 'node:child_process'
import { constants, cpSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { npm } from '../../scripts/npm.mjs'
import { root } from '../fixtures.mjs'
import { thirdParty } from '../pack/programs.mjs'
import { cleanEnvironment, npmInstall, project } from '../pack/project.mjs'
import { registry } from '../pack/registry.mjs'
import { MODELS, OFFLINE } from '../pack/smoke.mjs'

const example = join(root, 'examples', 'next')
const modules = join(root, 'e2e', 'node_modules')
/** No network: neither for a model nor for Next.js' own statistics. */
const QUIET = { ...OFFLINE, NEXT_TELEMETRY_DISABLED: '1' }
const PATIENCE = 60_000

/** Why the tests of Next.js cannot run here, or false. In CI only the platform is a reason. */
export function skipped() {
  if (process.platform !== 'linux') return 'memory is read from /proc: Next.js is NOT tested on this system'
  if (existsSync(join(modules, 'next'))) return false
  if (process.env.CI === 'true') throw new Error('CI=true and e2e/node_modules has no next')
  return 'next is not installed, so it is NOT tested. Run: npm ci --prefix e2e --ignore-scripts'
}

/** What is installed: vecrank, its models, and vecrank under the name of Transformers.js, for one of the places. */
const PACKAGES = ['vecrank', ...MODELS, '@huggingface/transformers@npm:vecrank-transformers']

/** Installers of our packages. pnpm shows every package what it declares and nothing else. */
const INSTALL = {
  npm: (app, served) => npmInstall(app, served, PACKAGES),
  pnpm(app, served) {
    const { program, args } = thirdParty('pnpm')
    const env = { ...OFFLINE, pnpm_config_registry: served.url, pnpm_config_hoist: 'false', pnpm_config_auto_install_peers: 'false' }
    return app.run(program, [...args, 'add', '--ignore-scripts', ...PACKAGES], { env })
  },
}

/** The application. `t` may be `{ after }` of node:test: making it takes seconds, so a spec file has one for most of its tests. */
export async function nextApplication(t, { installer = 'npm' } = {}) {
  const app = project(t)
  await INSTALL[installer](app, await registry(t))
  // What was left by somebody who tried the example where it lies.
  const left = /[\\/](node_modules|\.next|next-env\.d\.ts|vectors\.f32|tsconfig\.tsbuildinfo)$/
  cpSync(example, app.folder, { recursive: true, filter: (file) => !left.test(file) })
  for (const [name, folder] of others()) {
    cpSync(folder, join(app.folder, 'node_modules', name), { recursive: true, mode: constants.COPYFILE_FICLONE })
  }
  mkdirSync(join(app.folder, 'node_modules', '.bin'), { recursive: true })
  symlinkSync(join('..', 'next', 'dist', 'bin', 'next'), join(app.folder, 'node_modules', '.bin', 'next'))
  const servers = serversOf(t, app.home)
  return {
    ...app,
    /** A program of the application. */
    node: (args) => app.run(process.execPath, args, { env: OFFLINE }),
    /** A file of the application, changed. */
    change: (name, how) => app.write(name, how(readFileSync(join(app.folder, name), 'utf8'))),
    /** `npm run build`; the standalone folder, moved out of the project, with the files that the browser loads. */
    async build(name, ...flags) {
      const [program, ...before] = npm
      const { stdout, stderr } = await app.run(program, [...before, 'run', 'build', '--', ...flags], { env: QUIET, timeout: 280_000 })
      const folder = join(app.base, name)
      renameSync(join(app.folder, '.next', 'standalone'), folder)
      renameSync(join(app.folder, '.next', 'static'), join(folder, '.next', 'static'))
      return { folder, log: stdout + stderr }
    },
    /** `next dev`. */
    develop: async (...flags) => {
      const port = await freePort()
      const args = ['node_modules/next/dist/bin/next', 'dev', '--hostname', '127.0.0.1', '--port', String(port), ...flags]
      return servers(args, { cwd: app.folder, port })
    },
    /** `node server.js` in a standalone folder. */
    start: async (folder) => {
      const port = await freePort()
      return servers(['server.js'], { cwd: folder, port, env: { HOSTNAME: '127.0.0.1', PORT: String(port) } })
    },
  }
}

/** Packages of the example that are not ours, with all that they need: the name of each and where it lies. */
function others() {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(example, 'package.json'), 'utf8'))
  const found = new Map()
  const visit = (names, from, mayLack) => {
    for (const name of names) {
      if (found.has(name)) continue
      const folder = locate(name, from)
      // Native packages of other platforms are not there.
      if (folder === undefined && mayLack) continue
      if (folder === undefined) throw new Error(`${name}, needed by ${basename(from)}, is missing: npm ci --prefix e2e --ignore-scripts`)
      found.set(name, folder)
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      visit(Object.keys(manifest.dependencies ?? {}), folder, false)
      visit(Object.keys(manifest.optionalDependencies ?? {}), folder, true)
    }
  }
  // The repository's own TypeScript: others in e2e/ have brought an old one along.
  visit(Object.keys(devDependencies).filter((name) => name !== '@types/react'), root, false)
  visit(['@types/react', ...Object.keys(dependencies).filter((name) => !name.startsWith('vecrank'))], join(root, 'e2e'), false)
  return found
}

/** Where Node finds a package from a folder. */
function locate(name, from) {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return candidate
  }
  return undefined
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** Starts servers that end with the test. */
function serversOf(t, home) {
  const running = new Set()
  t.after(() => Promise.all([...running].map((server) => server.stop())))
  return async (args, { cwd, port, env = {} }) => {
    // A group of its own: `next dev` has children.
    const options = { cwd, env: cleanEnvironment(home, { ...QUIET, ...env }), detached: true, stdio: ['ignore', 'pipe', 'pipe'] }
    const child = spawn(process.execPath, args, options)
    const printed = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => printed.push(chunk))
    const ended = new Promise((resolve) => child.on('close', resolve))
    const server = {
      url: `http://127.0.0.1:${port}`,
      pid: child.pid,
      log: () => Buffer.concat(printed).toString('utf8'),
      async stop() {
        running.delete(server)
        if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL')
        await ended
      },
    }
    running.add(server)
    const start = performance.now()
    while (!(await listens(port))) {
      if (child.exitCode !== null) throw new Error(`${args.join(' ')} ended with ${child.exitCode}\n${server.log()}`)
      if (performance.now() - start > PATIENCE) throw new Error(`${args.join(' ')} does not listen\n${server.log()}`)
      await pause(50)
    }
    return server
  }
}

async function listens(port) {
  try {
    // Any answer will do, and nothing of the application is run for it.
    await (await fetch(`http://127.0.0.1:${port}/_next/static/none`)).arrayBuffer()
    return true
  } catch {
    return false
  }
}

/** `POST /api/search`: the answer's status, its events, and in which pieces they came. */
export async function search({ url }, body, { signal } = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`${url}/api/search`, { method: 'POST', body: text, signal })
  const pieces = []
  for await (const piece of response.body) pieces.push(Buffer.from(piece).toString('utf8'))
  const events = pieces.join('').trim().split('\n').map((line) => JSON.parse(line))
  return {
    status: response.status,
    headers: response.headers,
    pieces,
    events,
    progress: events.filter(({ type }) => type === 'progress'),
    result: events.find(({ type }) => type === 'result'),
  }
}
