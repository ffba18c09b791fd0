// A user's application: the packed packages installed in a scratch project, and programs from hosted/ beside them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../fixtures.mjs'
import { npmInstall, project } from '../pack/project.mjs'
import { registry } from '../pack/registry.mjs'
import { MODELS, OFFLINE } from '../pack/smoke.mjs'

/** Full counts instead of those that fit into CI. */
export const soak = process.env.VECRANK_SOAK === '1'

/**
 * Installs it; gone when `t` ends. Installing takes seconds, so a spec file has one for all of its tests: `t` is `{ after }` of node:test.
 *
 * @param {{ after: Function }} t
 * @param {{ programs?: string[], files?: Record<string, string>, packages?: string[] }} content names of files in hosted/, texts by name, and what is
 *   installed besides
 */
export async function application(t, { programs = [], files = {}, packages = [] } = {}) {
  const hosted = programs.map((name) => [name, readFileSync(join(root, '__test__', 'e2e', 'hosted', name), 'utf8')])
  const scratch = project(t, { files: { ...Object.fromEntries(hosted), ...files } })
  await npmInstall(scratch, await registry(t), ['vecrank', ...MODELS, ...packages])
  /** Runs a program that may look for nothing on the Hub. It must end by itself, with 0. */
  const run = (path, args, { env = {}, ...options } = {}) => scratch.run(path, args, { env: { ...OFFLINE, ...env }, ...options })
  return {
    ...scratch,
    run,
    node: (args, options) => run(process.execPath, args, options),
    /** Runs a program that is to fail: how it ended and what it printed. */
    async failure(path, args, options) {
      const ended = await run(path, args, options).then((output) => ({ code: 0, ...output }), (error) => error.cause)
      const { code, signal, stdout, stderr } = ended
      return { code, signal, stdout, stderr }
    },
  }
}

/** The last line that a program printed, as JSON. */
export function answer({ stdout }) {
  return JSON.parse(stdout.trim().split('\n').at(-1))
}
