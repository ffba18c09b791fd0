// A runtime.json for libraries that came without one, as those of an unpacked wheel do. scripts/cuda-package.mjs has the format.

import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../../scripts/pypi.mjs'

export function describe({ libraries }) {
  const target = join(libraries, 'runtime.json')
  if (existsSync(target)) return
  const names = readdirSync(libraries).filter((name) => /^libonnxruntime(_providers_\w+)?\.so(\.[\d.]+)?$/.test(name))
  const library = names.find((name) => /^libonnxruntime\.so\.\d+\.\d+\.\d+$/.test(name))
  if (library === undefined) throw new Error(`No libonnxruntime.so.X.Y.Z is in ${libraries}.`)
  const contents = Object.fromEntries(names.map((name) => [name, readFileSync(join(libraries, name))]))
  const files = Object.fromEntries(names.map((name) => [name, { size: contents[name].length, sha256: sha256(contents[name]) }]))
  const devices = ['cuda', 'tensorrt'].filter((device) => names.includes(`libonnxruntime_providers_${device}.so`))
  const version = library.slice('libonnxruntime.so.'.length)
  const head = { format: 1, kind: 'onnxruntime', name: 'onnxruntime-gpu', version, library, devices, source: 'unpacked', sha256: files[library].sha256 }
  writeFileSync(target, `${JSON.stringify({ ...head, files }, null, 2)}\n`)
}
