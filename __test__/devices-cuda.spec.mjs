// The libraries that a GPU build of ONNX Runtime needs: where they are found, and what is said of each that is missing, old or damaged. All are stubs
// (`stubs.mjs`), and each case has a process of its own.

import assert from 'node:assert/strict'
import { copyFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { AT_THE_END, WAYS, assertOnCpu, everything, stubbed } from './device-cases.mjs'
import { temporary } from './hub/world.mjs'
import { NEEDED, OTHER, PINNED, SHIPPED, VERSION, assertDevice, compiled, named, put, quietly, sitePackages } from './stubs.mjs'

test('with all in place a load gets as far as ONNX Runtime, whose words are the error', stubbed, async (t) => {
  const { env, drivers } = everything(t, { providers: ['cuda'] })
  const [cuda, auto, tensorrt] = await quietly(
    t,
    `return [await attempt({ device: 'cuda' }), await attempt({ device: 'auto', engine: 'graph' }), await attempt({ device: 'tensorrt' })]`,
    { env, drivers },
  )
  assertDevice(cuda, AT_THE_END, /CUDAExecutionProvider/)
  const [{ device, reason }] = assertOnCpu(auto, 'auto').passedOver
  assert.equal(device, 'cuda')
  assert.match(reason, AT_THE_END)
  assertDevice(tensorrt, /no provider for it/, ...WAYS)
})

test('an error has one period behind a sentence', stubbed, async (t) => {
  const { env, drivers } = everything(t)
  const { error } = await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers })
  assert.doesNotMatch(error.message, /\.\./)
})

test('a library of CUDA that is missing is named, whichever it is', stubbed, async (t) => {
  const { env, drivers, libraries, folder } = everything(t)
  for (const name of NEEDED) {
    const [file, away] = [join(libraries, name), join(folder, name)]
    renameSync(file, away)
    // What was opened stays open, so each has a process.
    const one = await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers })
    renameSync(away, file)
    assertDevice(one, new RegExp(`${name} is missing`), /libonnxruntime_providers_cuda\.so needs/, new RegExp(`Looked at .*${libraries}`))
    assert.match(one.error.message, name.startsWith('libcudnn') ? /Install cuDNN.*nvidia-cudnn/ : /Install CUDA 99 .*CUDA_PATH/)
    for (const other of NEEDED) assert.ok(other === name || !one.error.message.includes(`${other} is missing`), other)
  }
})

test('what is advised serves for every library that is missing', stubbed, async (t) => {
  const { env, drivers } = everything(t, { without: [named('cufft'), named('cudnn')] })
  const one = await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers })
  assertDevice(one, /libcufft\.so\.99 is missing/, /libcudnn\.so\.99 is missing/, /CUDA_PATH/, /nvidia-cufft/, /nvidia-cudnn/)
})

test('one of another version in its place is named, with both versions', stubbed, async (t) => {
  const { env, drivers, libraries } = everything(t, { without: [named('cublas')] })
  put(libraries, [named('cublas', OTHER)])
  const one = await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers })
  assertDevice(one, new RegExp(`libcublas\\.so\\.${VERSION} is missing.*${libraries}/libcublas\\.so\\.${OTHER} is there.*${OTHER}.*${VERSION}`))
  assert.doesNotMatch(one.error.message, /libcublasLt|libcudart/)
})

test('one that is no library cannot be opened, and the system says why', stubbed, async (t) => {
  const contents = [['', 'file too short'], ['version https://git-lfs.github.com/spec/v1\n', 'file too short'], ['x'.repeat(100_000), 'invalid ELF header']]
  const { env, drivers, libraries } = everything(t)
  for (const [content, reason] of contents) {
    writeFileSync(join(libraries, named('curand')), content)
    const one = await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers })
    assertDevice(one, new RegExp(`libcurand\\.so\\.99 cannot be opened \\(${libraries}/libcurand\\.so\\.99: ${reason}\\)`))
  }
})

// The system's loader maps what the headers say and does not look whether the file has it: the process ends with SIGBUS.

test('one that is cut is an error and not the end of the process', stubbed, async (t) => {
  const { env, drivers, libraries } = everything(t)
  truncateSync(join(libraries, named('curand')), 4096)
  assertDevice(await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers }), /libcurand\.so\.99.*(cut|damaged)/)
})

test('so is a cut library of ONNX Runtime', stubbed, async (t) => {
  const { env, drivers, ort } = everything(t)
  const library = join(ort, `libonnxruntime.so.${PINNED}`)
  rmSync(library)
  copyFileSync(SHIPPED, library)
  truncateSync(library, 100_000)
  const { error } = await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers })
  assert.equal(error.code, 'ERR_RUNTIME')
  assert.match(error.message, /libonnxruntime\.so.*(cut|damaged)/)
})

test('so is a cut plugin', stubbed, async (t) => {
  const library = compiled(temporary(t), 'plugin.so', 'int nothing(void) { return 0; }')
  truncateSync(library, 4096)
  const one = await quietly(t, `return attempt({ device: 'webgpu', providers: [{ name: 'webgpu', path: ${JSON.stringify(library)} }] })`)
  assertDevice(one, /plugin\.so.*(cut|damaged)/)
})

test('a provider that is no library is named', stubbed, async (t) => {
  const { env, drivers, ort } = everything(t)
  writeFileSync(join(ort, 'libonnxruntime_providers_cuda.so'), 'no library')
  assertDevice(await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers }), /libonnxruntime_providers_cuda\.so/)
})

test('one whose own library is missing is told apart from one that is missing', stubbed, async (t) => {
  const { env, drivers } = everything(t, { without: [named('cublasLt')] })
  const one = await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers })
  assertDevice(one, /libcublasLt\.so\.99 is missing; libcublas\.so\.99 cannot be opened \(libcublasLt\.so\.99: /)
})

test('libraries are found by CUDA_PATH, CUDA_HOME, beside the provider, and in the wheels of a Python environment', stubbed, async (t) => {
  const { env, drivers, ort, folder, libraries } = everything(t)
  const venv = join(folder, 'venv')
  const wheels = (...parts) => join(sitePackages(venv), 'nvidia', ...parts, 'lib')
  const to = { env: { VECRANK_ORT_DIR: ort }, drivers }
  const attempted = (more) => quietly(t, `return attempt({ device: 'cuda' })`, { ...to, env: { ...to.env, ...more } })
  assertDevice(await attempted({ CUDA_PATH: env.CUDA_PATH }), AT_THE_END)
  assertDevice(await attempted({ CUDA_HOME: env.CUDA_PATH }), AT_THE_END)
  assertDevice(await attempted({ CUDA_PATH: libraries }), AT_THE_END)
  // Relative ones count for nothing, as the working folder must not decide which code runs.
  assertDevice(await attempted({ CUDA_PATH: 'cuda' }), /libcudart\.so\.99 is missing/)
  put(wheels('cublas'), [named('cublas'), named('cublasLt')])
  put(wheels('cu13'), NEEDED.filter((name) => !/cublas|cudnn/.test(name)))
  assertDevice(await attempted({ VIRTUAL_ENV: venv }), /libcudnn\.so\.99 is missing\. Install cuDNN/)
  put(wheels('cudnn'), [named('cudnn')])
  assertDevice(await attempted({ VIRTUAL_ENV: venv }), AT_THE_END)
  assertDevice(await attempted({ CONDA_PREFIX: venv }), AT_THE_END)
  // One that is found first and cannot be opened is not the last word.
  writeFileSync(join(libraries, named('cudart')), 'no library')
  assertDevice(await attempted({ CUDA_PATH: env.CUDA_PATH }), /libcudart\.so\.99 cannot be opened/)
  assertDevice(await attempted({ CUDA_PATH: env.CUDA_PATH, VIRTUAL_ENV: venv }), AT_THE_END)
  put(ort, NEEDED)
  assertDevice(await attempted({}), AT_THE_END)
})

test('for TensorRT its own libraries are named when those of CUDA are there', stubbed, async (t) => {
  const { env, drivers, libraries } = everything(t, { providers: ['cuda', 'tensorrt'] })
  const missing = await quietly(t, `return attempt({ device: 'tensorrt' })`, { env, drivers })
  assertDevice(missing, /libnvinfer\.so\.99 is missing/, /libnvonnxparser\.so\.99 is missing/, /Install TensorRT 99, or use `device: 'cuda'`/)
  put(libraries, [named('nvinfer'), named('nvonnxparser')])
  const [one, cuda] = await quietly(t, `return [await attempt({ device: 'tensorrt' }), await attempt({ device: 'cuda' })]`, { env, drivers })
  assertDevice(one, /TensorRT execution provider is not enabled in this build/i)
  assertDevice(cuda, AT_THE_END)
})

test('a number of a GPU that there is not, and whatever else CUDA refuses, is said in its own words', stubbed, async (t) => {
  const { env, drivers } = everything(t)
  const [there, absent, most] = await quietly(
    t,
    `const found = []
    for (const deviceId of [1, 3, 2 ** 31 - 1]) found.push(await attempt({ device: 'cuda', deviceId }))
    return found`,
    { env, drivers },
  )
  assertDevice(there, AT_THE_END)
  assertDevice(absent, /CUDA says of device 3: invalid device ordinal/)
  assertDevice(most, /CUDA says of device 2147483647: invalid device ordinal/)
  for (const [variable, words] of [['STUB_CUDA_REFUSES', 'no CUDA-capable device is detected'], ['STUB_CUDA_EXHAUSTED', 'out of memory']]) {
    const one = await quietly(t, `return attempt({ device: 'cuda' })`, { env: { ...env, [variable]: words }, drivers })
    assertDevice(one, new RegExp(`CUDA says of device 0: ${words}`))
  }
})

test('a runtime of CUDA without its functions is an error', stubbed, async (t) => {
  const { env, drivers, libraries } = everything(t)
  compiled(libraries, named('cudart'), 'int nothing(void) { return 0; }')
  assertDevice(await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers }))
})

test('and names the one that is missing', stubbed, async (t) => {
  const { env, drivers, libraries } = everything(t)
  compiled(libraries, named('cudart'), 'int nothing(void) { return 0; }')
  assertDevice(await quietly(t, `return attempt({ device: 'cuda' })`, { env, drivers }), /cudaSetDevice/)
})
