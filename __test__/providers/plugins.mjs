// Plugin providers as the specs of this folder have them: added to a data folder by `vecrank runtime add` before the package is loaded, and
// child processes with that folder.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { addPlugins } from '../../scripts/providers.mjs'
import { root } from '../fixtures.mjs'
import { isIntel, onIntel } from './vendor.mjs'

/** Why the specs cannot run here, or false. */
export const unavailable =
  process.platform !== 'linux' || process.arch !== 'x64' ? 'the pinned plugins are for Linux x64: plugins are NOT tested' : false

/** Adds plugins, and loads the package of a process that knows them. */
export async function withPlugins(...names) {
  const data = mkdtempSync(join(tmpdir(), 'vecrank-providers-'))
  after(() => rmSync(data, { recursive: true, force: true }))
  addPlugins(data, names)
  if (!isIntel && names.includes('openvino')) onIntel(join(libraryOf(data, 'openvino'), '..'))
  process.env.VECRANK_DATA = data
  const vecrank = await import('../../index.js')
  return { ...vecrank, data }
}

/** The library of an added plugin. */
export function libraryOf(data, name) {
  const folder = join(data, 'runtimes', readdirSync(join(data, 'runtimes')).find((entry) => entry.includes(name)))
  return join(folder, readdirSync(folder).find((file) => /^libonnxruntime_providers_\w+\.so$/.test(file)))
}

/** Runs a module in a process of its own: `{ status, stdout, stderr }`. */
export function inChild(data, source, env = {}) {
  const words = ['--input-type=module', '--eval', `import { Embedder, Reranker, hardware } from ${JSON.stringify(join(root, 'index.js'))}\n${source}`]
  return spawnSync(process.execPath, words, { encoding: 'utf8', env: { ...process.env, VECRANK_DATA: data, NODE_OPTIONS: '', ...env } })
}
