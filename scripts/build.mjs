// `npm run build`: ONNX Runtime's library, then the addon in release mode with its generated types.
//
// Cargo decides what has to be compiled; when nothing changed, all of this takes a few seconds.

import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fetchLibrary } from './onnxruntime.mjs'
import { root, runScript } from './pypi.mjs'

const options = ['--platform', '--release', '--no-const-enum', '--output-dir', '.', '--no-js', '--dts', 'binding.d.ts']

/** The script of napi's command line, as its package.json names it. */
function napiCli() {
  const manifest = createRequire(import.meta.url).resolve('@napi-rs/cli/package.json')
  return join(dirname(manifest), createRequire(import.meta.url)(manifest).bin.napi)
}

runScript(() => {
  fetchLibrary()
  const { status, error } = spawnSync(process.execPath, [napiCli(), 'build', ...options], { cwd: root, stdio: 'inherit' })
  if (error !== undefined) throw error
  process.exitCode = status ?? 1
})
