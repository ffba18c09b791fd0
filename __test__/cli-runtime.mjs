// What the specs of `vecrank runtime` share: the command with a data folder of its own, on a system of the test's choice, and a wheel.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { elf, wheelOf } from './archives.mjs'
import { starting } from './hub/cli.mjs'
import { temporary } from './hub/world.mjs'

export const SONAME = 'libonnxruntime.so.1'

/** ONNX Runtime's library as Microsoft builds it, as far as it is looked at. */
export const main = () => elf(SONAME, { text: 'code' })

/** A file of that name in a folder that is gone when the test ends. */
export function written(t, name, content) {
  const file = join(temporary(t), name)
  writeFileSync(file, content)
  return file
}

export const describedIn = (place) => JSON.parse(readFileSync(join(place, 'runtime.json'), 'utf8'))

/** The files of a wheel for GPUs. */
export const gpuFiles = (version = '1.31.1') => ({
  'onnxruntime/__init__.py': 'import os',
  'onnxruntime/LICENSE': 'MIT',
  'onnxruntime/ThirdPartyNotices.txt': 'of others',
  [`onnxruntime/capi/libonnxruntime.so.${version}`]: main(),
  'onnxruntime/capi/libonnxruntime_providers_cuda.so': elf('libonnxruntime_providers_cuda.so'),
  'onnxruntime/capi/libonnxruntime_providers_shared.so': elf('libonnxruntime_providers_shared.so'),
  'onnxruntime/capi/libonnxruntime_providers_tensorrt.so': elf('libonnxruntime_providers_tensorrt.so'),
  'onnxruntime/capi/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so': elf('python'),
})

export const gpuWheel = (version = '1.31.1') => wheelOf('onnxruntime_gpu', version, gpuFiles(version))

/** Starts `vecrank runtime` with a data folder, on what it takes for another system. */
export function startingRuntime(t, data, words, { platform = 'linux', arch = 'x64', env } = {}) {
  const pretence = written(t, 'pretence.cjs', `for (const [key, value] of Object.entries(${JSON.stringify({ platform, arch })})) Object.defineProperty(process, key, { value })`)
  return starting(t, ['runtime', ...words], { env: { VECRANK_DATA: data, NODE_OPTIONS: `--require "${pretence.replaceAll('\\', '/')}"`, ...env } })
}

/** Runs `vecrank runtime` to its end. */
export const runtime = (t, ...rest) => startingRuntime(t, ...rest).ended
