// Plugin providers for the specs in __test__/providers: the official wheels, pinned, and added to a data folder as a user adds them.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SetupError, pinnedWheel, root } from './pypi.mjs'

/** The wheel of a plugin provider: its path in the cache folder. */
export function pluginWheel(name) {
  return pinnedWheel(JSON.parse(readFileSync(join(root, 'scripts', 'providers.json'), 'utf8'))[name]).path
}

/** Adds plugins to a data folder, by the command that users have. */
export function addPlugins(data, names) {
  const words = ['runtime', 'add', ...names.map((name) => pluginWheel(name))]
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'bin', 'vecrank.js'), ...words], {
    encoding: 'utf8',
    env: { ...process.env, VECRANK_DATA: data },
  })
  if (status !== 0) throw new SetupError(`vecrank ${words.join(' ')} ended with ${status}: ${stderr}`)
}
