// Every way in which a device can fail, on a machine without a GPU: each ends in a typed error that names what is missing and the next step, or on the CPU
// with a warning where that was allowed, and none is silent. ONNX Runtime is chosen once in a process, so each case has a process of its own, whose
// libraries of NVIDIA are stubs (`stubs.mjs`). What is expected of messages is what a user has to learn from them, not their sentences.

import assert from 'node:assert/strict'
import { copyFileSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { assertNear, failure, golden, root, tiny } from './fixtures.mjs'
import { vecrank } from './hub/cli.mjs'
import { temporary } from './hub/world.mjs'
import { NEEDED, OTHER, PINNED, SHIPPED, VERSION, compiled, cudaFolder, driverFolder, named, nvml, put } from './stubs.mjs'
import { assertDevice, assertOnlyWarnings, describedBuild, gpuBuild, met, noBareMachine, noStubs, onnxruntimeStub, quietly, sitePackages } from './stubs.mjs'

const bare = { skip: noBareMachine }
const stubbed = { skip: noStubs }
const stubbedAndBare = { skip: noStubs || noBareMachine }

/** What a GPU build of the stubs ends with when all that it needs is there: the words of ONNX Runtime's build for the CPU. */
const AT_THE_END = /CUDA execution provider is not enabled in this build/
const THREE_WAYS = [/vecrank runtime add/, /VECRANK_ORT_DIR/]

/** The vector that Python's sentence-transformers gives for `hello world`. */
const EXPECTED = (() => {
  const { texts, runs } = golden('zoo/bert-mean')
  return runs.find(({ id }) => id === 'encode').batch[texts.findIndex(({ text }) => text === 'hello world')]
})()

/** A load came to its end on the CPU, with the right numbers. */
function assertOnCpu({ error, value }, requested) {
  assert.equal(error, undefined, error?.message)
  assert.deepEqual({ device: value.info.device, requested: value.info.requested }, { device: 'cpu', requested })
  assertNear(value.vector, EXPECTED, 1e-4, 'the vector')
  return value.info
}

/** A GPU build with all that it needs: `{ drivers, env }` for a process, and the folders. */
function everything(t, { without = [], providers } = {}) {
  const folder = temporary(t)
  const ort = gpuBuild(join(folder, 'ort'), { providers })
  const cuda = join(folder, 'cuda')
  const libraries = cudaFolder(join(cuda, 'lib64'), without)
  return { folder, ort, cuda, libraries, drivers: driverFolder(t), env: { VECRANK_ORT_DIR: ort, CUDA_PATH: cuda } }
}

// ---------- nothing is there ------------------------------------------------------------------------------------------

/** What is missing, and what can be done. */
const MISSING = {
  cuda: [/driver/, /libcuda\.so\.1/, /Install it/],
  tensorrt: [/driver/, /libcuda\.so\.1/, /Install it/],
  dml: [/DirectML is a part of Windows/, /another device/],
  coreml: [/Core ML is a part of macOS/, /another device/],
  webgpu: [/plugin was not found/, /onnxruntime-ep-webgpu/, /vecrank runtime add/, /providers: \[\{ name: 'webgpu'/],
  openvino: [/plugin was not found/, /onnxruntime-ep-openvino/, /vecrank runtime add/, /providers: \[\{ name: 'openvino'/],
}

test('a device that is named and not there is an error within two seconds, and says what is missing and what to do', bare, async (t) => {
  const devices = Object.keys(MISSING)
  const found = await quietly(t, `
    const found = []
    for (const device of ${JSON.stringify(devices)}) found.push(await attempt({ device }))
    const ranker = ${JSON.stringify(tiny('zoo/bert-ranker-1'))}
    for (const device of ${JSON.stringify(devices)}) found.push(await outcome(() => Reranker.load(ranker, { device })))
    return found`)
  for (const [index, one] of found.entries()) {
    const device = devices[index % devices.length]
    assertDevice(one, new RegExp(`'${device}'`), ...MISSING[device], /fallback: true/)
    assert.ok(one.ms < 2000, `${device} took ${one.ms} ms`)
  }
})

test("device 'gpu' tells of every GPU why it was not taken", bare, async (t) => {
  const one = await quietly(t, `return attempt({ device: 'gpu' })`)
  assertDevice(one, /'gpu'/, /cuda: .*driver/, /webgpu: .*plugin was not found/)
  assert.ok(one.ms < 2000)
})

test("device 'auto' takes the CPU in silence, and info() says why no GPU was taken", bare, async (t) => {
  const found = await quietly(t, `return [await attempt({ device: 'auto' }), await attempt({ device: 'auto', engine: 'graph' }), await attempt({})]`)
  for (const [index, one] of found.entries()) {
    const info = assertOnCpu(one, 'auto')
    assert.equal(info.engine, index === 1 ? 'graph' : 'encoder')
    assert.deepEqual(info.passedOver.map(({ device }) => device), ['cuda'])
    assert.match(info.passedOver[0].reason, /driver is not there/)
    assert.ok(one.ms < 2000)
  }
})

test("device 'cpu' is asked for nothing: no device was passed over", async (t) => {
  const one = await quietly(t, `return attempt({ device: 'cpu' })`)
  assert.deepEqual(assertOnCpu(one, 'cpu').passedOver, [])
})

test('a driver that cannot be opened is told of in the words of the system', stubbed, async (t) => {
  const drivers = temporary(t)
  writeFileSync(join(drivers, 'libcuda.so.1'), 'no library')
  const one = await quietly(t, `return attempt({ device: 'cuda' })`, { drivers })
  assertDevice(one, /driver/, /libcuda\.so\.1: file too short/)
})

// ---------- which ONNX Runtime ----------------------------------------------------------------------------------------

test('with a driver and no ONNX Runtime for it, the three ways to one are named', stubbed, async (t) => {
  const body = `return [await attempt({ device: 'cuda' }), await attempt({ device: 'tensorrt' }), await attempt({})]`
  const found = await quietly(t, body, { drivers: driverFolder(t) })
  for (const one of found.slice(0, 2)) assertDevice(one, ...THREE_WAYS, /start the program again/)
  const [{ device, reason }] = assertOnCpu(found[2], 'auto').passedOver
  assert.equal(device, 'cuda')
  for (const way of THREE_WAYS) assert.match(reason, way)
})

/** An application with a copy of this package, and beside it the one with CUDA. */
function application(t) {
  const modules = join(temporary(t), 'node_modules')
  const own = join(modules, 'vecrank')
  mkdirSync(own, { recursive: true })
  for (const name of ['index.js', 'package.json', 'lib']) cpSync(join(root, name), join(own, name), { recursive: true })
  const native = readdirSync(root).filter((name) => /^vecrank\..*\.node$|^libvecrank-onnxruntime\.so\.1$/.test(name))
  for (const name of native) copyFileSync(join(root, name), join(own, name))
  const beside = join(modules, 'vecrank-cuda-linux-x64')
  describedBuild(beside)
  writeFileSync(join(beside, 'package.json'), JSON.stringify({ name: 'vecrank-cuda-linux-x64', version: PINNED, main: 'index.js' }))
  return { own, beside }
}

test('an ONNX Runtime for GPUs is looked for in one order, and a graph runs with the one that is found', stubbed, async (t) => {
  const folder = temporary(t)
  const { own, beside } = application(t)
  const capi = (environment) => gpuBuild(join(sitePackages(join(folder, environment)), 'onnxruntime', 'capi'))
  const library = (place) => join(place, `libonnxruntime.so.${PINNED}`)
  const chosen = gpuBuild(join(folder, 'chosen'))
  const home = join(folder, 'home')
  // The best first: what takes it away is done before the next is expected.
  const env = { HOME: home, VECRANK_ONNXRUNTIME: library(chosen), VECRANK_DATA: join(folder, 'data') }
  for (const [name, place] of [['VIRTUAL_ENV', 'venv'], ['CONDA_PREFIX', 'conda']]) env[name] = join(folder, place)
  env.VECRANK_ORT_DIR = gpuBuild(join(folder, 'named'))
  const added = describedBuild(join(env.VECRANK_DATA, 'runtimes', `onnxruntime-gpu-${PINNED}`))
  const gone = (name) => () => delete env[name]
  const order = [
    ['VECRANK_ONNXRUNTIME', chosen, gone('VECRANK_ONNXRUNTIME')],
    ['VECRANK_ORT_DIR', env.VECRANK_ORT_DIR, gone('VECRANK_ORT_DIR')],
    ['the installed package', beside, () => rmSync(beside, { recursive: true })],
    ['`vecrank runtime add`', added, gone('VECRANK_DATA')],
    ['a Python environment', capi('venv'), gone('VIRTUAL_ENV')],
    ['a Python environment', capi('conda'), gone('CONDA_PREFIX')],
    ['a Python environment', capi('home/.local'), () => rmSync(home, { recursive: true })],
  ]
  const drivers = driverFolder(t)
  for (const [place, found, takeAway] of order) {
    const { onnxruntime, graph, cuda } = await quietly(
      t,
      `const { onnxruntime } = await hardware()
      return { onnxruntime, graph: await attempt({ device: 'cpu', engine: 'graph' }), cuda: await attempt({ device: 'cuda' }) }`,
      { env, drivers, vecrank: own },
    )
    assert.equal(onnxruntime.path, library(found))
    assert.ok(onnxruntime.place.startsWith(place), onnxruntime.place)
    assert.deepEqual([onnxruntime.version, onnxruntime.error, onnxruntime.passedOver], [PINNED, null, []])
    assert.equal(assertOnCpu(graph, 'cpu').onnxruntime, PINNED)
    // It has a provider, and nothing that this needs.
    assertDevice(cuda, /libcudart\.so\.99 is missing/)
    takeAway()
  }
  const last = await quietly(t, `return (await hardware()).onnxruntime`, { env, drivers, vecrank: own })
  assert.deepEqual([last.path, last.place], [join(own, 'libvecrank-onnxruntime.so.1'), 'the package'])
})

test('without a driver none of them is taken but one that is named', stubbedAndBare, async (t) => {
  const folder = temporary(t)
  const env = { VIRTUAL_ENV: join(folder, 'venv'), VECRANK_DATA: join(folder, 'data') }
  gpuBuild(join(sitePackages(env.VIRTUAL_ENV), 'onnxruntime', 'capi'))
  describedBuild(join(env.VECRANK_DATA, 'runtimes', `onnxruntime-gpu-${PINNED}`))
  const shipped = await quietly(t, `return (await hardware()).onnxruntime`, { env })
  assert.equal(shipped.path, SHIPPED)
  const ort = gpuBuild(join(folder, 'ort'))
  const named = await quietly(t, `return (await hardware()).onnxruntime`, { env: { ...env, VECRANK_ORT_DIR: ort } })
  assert.equal(named.path, join(ort, `libonnxruntime.so.${PINNED}`))
})

test('what `vecrank runtime add` has unpacked is found', stubbed, async (t) => {
  const data = join(temporary(t), 'data')
  const capi = gpuBuild(join(temporary(t), 'onnxruntime', 'capi'))
  const { code, stderr } = await vecrank(t, ['runtime', 'add', capi], { env: { VECRANK_DATA: data } })
  assert.equal(code, 0, stderr)
  const found = await quietly(
    t,
    `const { onnxruntime } = await hardware()
    return { onnxruntime, graph: await attempt({ device: 'cpu', engine: 'graph' }), cuda: await attempt({ device: 'cuda' }) }`,
    { env: { VECRANK_DATA: data }, drivers: driverFolder(t) },
  )
  assert.equal(found.onnxruntime.path, join(data, 'runtimes', `onnxruntime-gpu-${PINNED}`, `libonnxruntime.so.${PINNED}`))
  assertOnCpu(found.graph, 'cpu')
  assertDevice(found.cuda, new RegExp(NEEDED[0]))
})

test('VECRANK_ORT_DIR may be the folder of a release, of a wheel or of a Python package', stubbed, async (t) => {
  for (const inside of ['lib', 'onnxruntime/capi', 'capi']) {
    const folder = temporary(t)
    const ort = gpuBuild(join(folder, inside))
    const { path, place } = await quietly(t, `return (await hardware()).onnxruntime`, { env: { VECRANK_ORT_DIR: folder } })
    assert.deepEqual({ path, place }, { path: join(ort, `libonnxruntime.so.${PINNED}`), place: 'VECRANK_ORT_DIR' })
  }
})

test('a runtime that is too old or damaged is passed over, and the error for the device says which and why', stubbed, async (t) => {
  const folder = temporary(t)
  const env = { VECRANK_DATA: join(folder, 'data'), VIRTUAL_ENV: join(folder, 'venv') }
  const runtimes = join(env.VECRANK_DATA, 'runtimes')
  describedBuild(join(runtimes, 'onnxruntime-gpu-1.20.0'), { version: '1.20.0' })
  describedBuild(join(runtimes, 'onnxruntime-gpu-1.31.0'), { version: '1.31.0' })
  truncateSync(join(runtimes, 'onnxruntime-gpu-1.31.0', 'libonnxruntime_providers_cuda.so'), 4096)
  describedBuild(join(runtimes, 'onnxruntime-gpu-1.30.0'), { version: '1.30.0', library: 'libonnxruntime.so.7' })
  describedBuild(join(runtimes, 'onnxruntime-gpu-1.29.0'), { version: '1.29.0', files: { 'libonnxruntime_providers_shared.so': { size: 1 } } })
  gpuBuild(join(sitePackages(env.VIRTUAL_ENV), 'onnxruntime', 'capi'), { version: '1.20.1' })
  const reasons = [
    /onnxruntime-gpu-1\.31\.0 .*damaged.*libonnxruntime_providers_cuda\.so is cut/,
    /onnxruntime-gpu-1\.30\.0 .*damaged.*its library is missing/,
    /onnxruntime-gpu-1\.29\.0 .*damaged.*libonnxruntime_providers_shared\.so is missing/,
    /onnxruntime-gpu-1\.20\.0 .*is version 1\.20\.0; 1\.24 or newer is needed/,
    /libonnxruntime\.so\.1\.20\.1 .*is version 1\.20\.1; 1\.24 or newer is needed/,
  ]
  const found = await quietly(
    t,
    `return { cuda: await attempt({ device: 'cuda' }), auto: await attempt({ device: 'auto', engine: 'graph' }), onnxruntime: (await hardware()).onnxruntime }`,
    { env, drivers: driverFolder(t) },
  )
  assertDevice(found.cuda, ...reasons, ...THREE_WAYS)
  const [{ device, reason }] = assertOnCpu(found.auto, 'auto').passedOver
  assert.equal(device, 'cuda')
  assert.equal(found.onnxruntime.path, SHIPPED)
  assert.equal(found.onnxruntime.passedOver.length, reasons.length)
  for (const [index, pattern] of reasons.entries()) {
    assert.match(found.onnxruntime.passedOver[index], pattern)
    assert.match(reason, pattern)
  }
})

test('a runtime whose description is no JSON is passed over with a reason too', stubbed, async (t) => {
  const data = join(temporary(t), 'data')
  const place = describedBuild(join(data, 'runtimes', `onnxruntime-gpu-${PINNED}`))
  truncateSync(join(place, 'runtime.json'), 100)
  const one = await quietly(t, `return attempt({ device: 'cuda' })`, { env: { VECRANK_DATA: data }, drivers: driverFolder(t) })
  assertDevice(one, /onnxruntime-gpu-[\d.]+ .*runtime\.json/)
})

/** What a user may write there, and what the error says of it. */
const WRONG_FOLDERS = {
  'a relative one': ['ort', /VECRANK_ORT_DIR is ort.*no absolute path/],
  'one that is not there': ['/nowhere/at/all', /VECRANK_ORT_DIR is \/nowhere\/at\/all.*no library/],
}

test('a VECRANK_ORT_DIR that is wrong is the error of whatever needs ONNX Runtime', stubbed, async (t) => {
  const empty = temporary(t)
  const drivers = driverFolder(t)
  for (const [value, pattern] of [...Object.values(WRONG_FOLDERS), [empty, /VECRANK_ORT_DIR.*no library.*absolute path of the folder/]]) {
    const found = await quietly(
      t,
      `const found = []
      for (const device of ['cpu', 'auto']) found.push(await attempt({ device, engine: 'graph' }))
      return { found, onnxruntime: (await hardware()).onnxruntime }`,
      { env: { VECRANK_ORT_DIR: value }, drivers },
    )
    for (const { error } of found.found) {
      assert.equal(error?.code, 'ERR_RUNTIME')
      assert.match(error.message, pattern)
    }
    assert.match(found.onnxruntime.error, pattern)
    assert.equal(found.onnxruntime.path, null)
  }
})

test('it is the error of a device that is named as well, and nothing else is advised', stubbed, async (t) => {
  const drivers = driverFolder(t)
  for (const [value, pattern] of Object.values(WRONG_FOLDERS)) {
    const { error } = await quietly(t, `return attempt({ device: 'cuda' })`, { env: { VECRANK_ORT_DIR: value }, drivers })
    assert.match(error.message, pattern)
    assert.equal(error.code, 'ERR_RUNTIME')
    assert.doesNotMatch(error.message, /npm install/)
  }
})

test('a relative VECRANK_DATA is an error, as native code is loaded from there', async (t) => {
  const { error } = await quietly(t, `return attempt({ device: 'cuda' })`, { env: { VECRANK_DATA: 'data' } })
  assert.equal(error.code, 'ERR_RUNTIME')
  assert.match(error.message, /VECRANK_DATA is "data".*absolute path/)
})

test('a folder that was empty is looked into again', stubbed, async (t) => {
  const { env, drivers, ort } = everything(t)
  const later = join(temporary(t), 'later')
  const [before, after] = await quietly(
    t,
    `const { renameSync } = await import('node:fs')
    const before = await attempt({ device: 'cuda' })
    renameSync(${JSON.stringify(ort)}, ${JSON.stringify(later)})
    return [before, await attempt({ device: 'cuda' })]`,
    { env: { ...env, VECRANK_ORT_DIR: later }, drivers },
  )
  assert.match(before.error.message, /no library of ONNX Runtime/)
  assertDevice(after, AT_THE_END)
})

test('a library that was found and cannot be opened is the error of all that needs it, in the words of the system', stubbed, async (t) => {
  const { env, drivers, ort } = everything(t)
  const library = join(ort, `libonnxruntime.so.${PINNED}`)
  rmSync(library)
  writeFileSync(library, 'no library')
  const [cuda, cpu] = await quietly(t, `return [await attempt({ device: 'cuda' }), await attempt({ device: 'cpu', engine: 'graph' })]`, { env, drivers })
  // It was named, so nothing else is taken.
  for (const { error } of [cuda, cpu]) {
    assert.equal(error.code, 'ERR_RUNTIME')
    assert.match(error.message, /libonnxruntime\.so\.[\d.]+: file too short/)
  }
})

test('a library that says it is too old, whatever its name says, or that is another, is the error of all that needs it', stubbed, async (t) => {
  for (const [version, pattern] of [['1.20.0', /is version "1\.20\.0"; vecrank needs 1\.\d+ or newer/], [undefined, /not ONNX Runtime/]]) {
    const { env, drivers, ort } = everything(t)
    rmSync(join(ort, `libonnxruntime.so.${PINNED}`))
    onnxruntimeStub(ort, version)
    const [cuda, cpu] = await quietly(t, `return [await attempt({ device: 'cuda' }), await attempt({ device: 'cpu', engine: 'graph' })]`, { env, drivers })
    for (const { error } of [cuda, cpu]) {
      assert.equal(error.code, 'ERR_RUNTIME')
      assert.match(error.message, pattern)
    }
  }
})

test('one that nobody named leaves the CPU the shipped one', stubbed, async (t) => {
  const environment = join(temporary(t), 'venv')
  const capi = gpuBuild(join(sitePackages(environment), 'onnxruntime', 'capi'))
  const library = join(capi, `libonnxruntime.so.${PINNED}`)
  rmSync(library)
  writeFileSync(library, 'no library')
  const one = await quietly(t, `return attempt({ device: 'cpu', engine: 'graph' })`, { env: { VIRTUAL_ENV: environment }, drivers: driverFolder(t) })
  assertOnCpu(one, 'cpu')
})

// ---------- the libraries of CUDA -------------------------------------------------------------------------------------

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
  assertDevice(tensorrt, /no provider for it/, ...THREE_WAYS)
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

// ---------- in place of a device --------------------------------------------------------------------------------------

test('with `fallback` the CPU takes the place, with one warning and the reasons in info()', bare, async (t) => {
  for (const [device, passed] of [['cuda', ['cuda']], ['gpu', ['cuda', 'webgpu']], ['dml', ['dml']]]) {
    const { value, warnings, stderr } = await met(t, `return attempt({ device: ${JSON.stringify(device)}, fallback: true })`)
    const info = assertOnCpu(value, device)
    assert.deepEqual(info.passedOver.map((one) => one.device), passed)
    assert.deepEqual(warnings.map(({ name, code }) => ({ name, code })), [{ name: 'VecrankWarning', code: 'VECRANK_DEVICE' }])
    assert.match(warnings[0].message, /runs on the CPU/)
    for (const one of info.passedOver) assert.ok(warnings[0].message.includes(`${one.device}: ${one.reason}`), warnings[0].message)
    assertOnlyWarnings(stderr, warnings)
  }
})

test('handles that share a model warn once, at the same time or one after the other', bare, async (t) => {
  const { value, warnings, stderr } = await met(
    t,
    `const options = { device: 'cuda', fallback: true }
    const together = await Promise.all([Embedder.load(model, options), Embedder.load(model, options)])
    const later = await Embedder.load(model, options)
    const one = await embed('hello world', { model, load: options })
    await embed('hello world', { model, load: options })
    const infos = await Promise.all([...together, later].map((handle) => handle.info()))
    return { infos, vector: Array.from(one) }`,
  )
  assertNear(value.vector, EXPECTED, 1e-4, 'the vector')
  // Whoever asks is told, though nobody is warned again.
  for (const info of value.infos) assert.deepEqual([info.device, info.requested, info.passedOver.length], ['cpu', 'cuda', 1])
  assert.deepEqual(warnings.map(({ code }) => code), ['VECRANK_DEVICE'])
  assertOnlyWarnings(stderr, warnings)
})

test('models of other folders and devices have a warning each', bare, async (t) => {
  const { warnings } = await met(
    t,
    `await Embedder.load(model, { device: 'cuda', fallback: true })
    await Embedder.load(model, { device: 'dml', fallback: true })
    await Reranker.load(${JSON.stringify(tiny('zoo/bert-ranker-1'))}, { device: 'cuda', fallback: true })`,
  )
  assert.deepEqual(warnings.map(({ code }) => code), ['VECRANK_DEVICE', 'VECRANK_DEVICE', 'VECRANK_DEVICE'])
})

test('`fallback` helps against a missing device and against nothing else', async (t) => {
  const found = await quietly(
    t,
    `return [
      await attempt({ device: 'cuda', fallback: true, engine: 'encoder' }),
      await attempt({ device: 'cuda', fallback: true }, model + '-nowhere'),
    ]`,
  )
  assert.deepEqual(found.map(({ error }) => error.code), ['ERR_INVALID_ARG', 'ERR_MODEL_NOT_FOUND'])
})

test('a device that is named and the encoder contradict each other', async () => {
  for (const device of ['cuda', 'gpu', 'webgpu']) {
    await assert.rejects(Embedder.load(tiny('zoo/bert-mean'), { device, engine: 'encoder' }), failure('ERR_INVALID_ARG', new RegExp(`'encoder'.*'${device}'`)))
  }
  const auto = await Embedder.load(tiny('zoo/bert-mean'), { device: 'auto', engine: 'encoder' })
  assert.equal((await auto.info()).device, 'cpu')
})

// ---------- plugins ---------------------------------------------------------------------------------------------------

/** Values of `providers`, and where what is wrong with them is. */
const WRONG_PROVIDERS = [
  ['openvino', /array.*`options\.providers`/],
  [{ name: 'openvino', path: '/a.so' }, /array.*`options\.providers`/],
  [null, /array.*`options\.providers`/],
  [[null], /object.*`options\.providers\[0\]`/],
  [['openvino'], /object.*`options\.providers\[0\]`/],
  [[{ path: '/a.so' }], /`options\.providers\[0\]\.name`/],
  [[{ name: '', path: '/a.so' }], /`options\.providers\[0\]\.name`/],
  [[{ name: 1, path: '/a.so' }], /`options\.providers\[0\]\.name`/],
  ...['auto', 'gpu', 'cpu'].map((name) => [[{ name, path: '/a.so' }], new RegExp(`auto, gpu, cpu.*\`options\\.providers\\[0\\]\\.name\`.*"${name}"`)]),
  [[{ name: 'mine', path: '/a.so' }, { name: 'mine', path: '/b.so' }], /`options\.providers\[1\]\.name`/],
  [[{ name: 'mine' }], /path of a library.*`options\.providers\[0\]\.path`/],
  [[{ name: 'mine', path: '' }], /`options\.providers\[0\]\.path`/],
  [[{ name: 'mine', path: 7 }], /`options\.providers\[0\]\.path`/],
  [[{ name: 'mine', path: new URL('https://example.com/a.so') }], /`options\.providers\[0\]\.path`/],
  [[{ name: 'mine', path: '/a.so', options: 'fast' }], /object.*`options\.providers\[0\]\.options`/],
  [[{ name: 'mine', path: '/a.so', options: ['fast'] }], /object.*`options\.providers\[0\]\.options`/],
  [[{ name: 'mine', path: '/a.so', options: { device_type: 1 } }], /string.*`options\.providers\[0\]\.options\.device_type`/],
  [[{ name: 'mine', path: '/a.so', device: 0 }], /known option \(name, path, options\).*"device"/],
  [Object.assign([], { length: 1 }), /`options\.providers\[0\]\.name`/],
]

test('providers of a wrong shape are wrong arguments, found before anything is opened', () => {
  for (const [providers, pattern] of WRONG_PROVIDERS) {
    for (const Kind of [Embedder, Reranker]) assert.throws(() => new Kind(tiny('zoo/bert-mean'), { providers }), failure('ERR_INVALID_ARG', pattern))
  }
})

test('a file: URL that is no path here is a wrong argument as well', { skip: process.platform === 'win32' && 'there it is a path on another host' }, () => {
  const refused = failure('ERR_INVALID_ARG', /file: URL of a local file for `options\.providers\[0\]\.path`/)
  for (const path of ['file://host/a.so', new URL('file://host/a.so'), 'file:///a%2Fb.so']) {
    assert.throws(() => new Embedder(tiny('zoo/bert-mean'), { providers: [{ name: 'mine', path }] }), refused)
  }
})

test('other options of devices that are no number of their kind are wrong arguments', () => {
  const wrong = { deviceId: [-1, 0.5, '0', 2 ** 31], gpuMemoryLimit: [0, -1, 0.5, '1GB'], fallback: ['yes', 1, null], device: ['CUDA', 'gpu0', '', 0, 'mine'] }
  for (const [name, values] of Object.entries(wrong)) {
    const refused = failure('ERR_INVALID_ARG', new RegExp(`\`options\\.${name}\``))
    for (const value of values) assert.throws(() => new Embedder(tiny('zoo/bert-mean'), { [name]: value }), refused)
  }
})

/** Libraries that are no plugin, and what is said of each. */
function noPlugins(t) {
  const folder = temporary(t)
  const text = join(folder, 'text.so')
  writeFileSync(text, 'no library')
  return [
    [join(folder, 'nowhere.so'), /its library .*nowhere\.so is not there/],
    [folder, /is not there/],
    [text, /does not take .*text\.so.*file too short/],
    [compiled(folder, 'library.so', 'int nothing(void) { return 0; }'), /does not take .*library\.so.*CreateEpFactories/],
  ]
}

test('a plugin that is none is the error of its device', stubbed, async (t) => {
  const given = noPlugins(t)
  const found = await quietly(
    t,
    `const found = []
    const tried = (path, more) => attempt({ device: 'webgpu', providers: [{ name: 'webgpu', path }], ...more })
    const paths = ${JSON.stringify(given.map(([path]) => path))}
    // More than once: a library that was refused has taken nobody's place.
    for (const path of [...paths, ...paths]) found.push(await tried(path))
    found.push(...(await Promise.all(paths.map((path, index) => tried(path, { threads: 1 + index })))))
    return { found, cpu: await attempt({ device: 'cpu', engine: 'graph' }) }`,
  )
  for (const [index, one] of found.found.entries()) assertDevice(one, given[index % given.length][1])
  assertOnCpu(found.cpu, 'cpu')
})

test("with device 'auto' the CPU takes its place, with a warning and the reason in info()", stubbedAndBare, async (t) => {
  for (const [path, pattern] of noPlugins(t)) {
    const { value, warnings, stderr } = await met(t, `return attempt({ providers: [{ name: 'mine', path: ${JSON.stringify(path)} }] })`)
    const info = assertOnCpu(value, 'auto')
    assert.deepEqual(info.passedOver.map(({ device }) => device), ['mine', 'cuda'])
    assert.match(info.passedOver[0].reason, pattern)
    assert.deepEqual(warnings.map(({ code }) => code), ['VECRANK_DEVICE'])
    assert.match(warnings[0].message, pattern)
    assertOnlyWarnings(stderr, warnings)
  }
})

test("device 'gpu' tells of a plugin and of the platform's own", bare, async (t) => {
  const one = await quietly(t, `return attempt({ device: 'gpu', providers: [{ name: 'mine', path: '/nowhere.so' }] })`)
  assertDevice(one, /mine: its library \/nowhere\.so is not there/, /cuda: .*driver/, /webgpu: /)
})

test('a plugin for a device that is not asked for is not passed over in silence', async (t) => {
  const { value, warnings } = await met(t, `return attempt({ device: 'cpu', providers: [{ name: 'mine', path: '/nowhere.so' }] })`)
  assert.ok(value.error?.code === 'ERR_INVALID_ARG' || warnings.length > 0)
})

// ---------- what is printed -------------------------------------------------------------------------------------------

test('VECRANK_LOG shows what ONNX Runtime says, and without it nothing is shown', stubbed, async (t) => {
  const { env, drivers } = everything(t)
  const body = `return [await attempt({ device: 'cuda' }), await attempt({ device: 'auto', engine: 'graph' })]`
  await quietly(t, body, { env, drivers })
  const { stderr, value } = await met(t, body, { env: { ...env, VECRANK_LOG: 'verbose' }, drivers })
  const lines = stderr.trim().split('\n')
  assert.ok(lines.some((line) => /^vecrank: onnxruntime (verbose|info): /.test(line)), stderr)
  assertDevice(value[0], AT_THE_END)
  const errors = await met(t, body, { env: { ...env, VECRANK_LOG: 'error' }, drivers })
  assert.doesNotMatch(errors.stderr, /onnxruntime (verbose|info|warning): /)
})

// ---------- hardware() ------------------------------------------------------------------------------------------------

const GPUS = [
  { name: 'NVIDIA GeForce RTX 4070', total: 12 * 2 ** 30, free: 11 * 2 ** 30 },
  { name: 'NVIDIA L4', total: 24 * 2 ** 30, free: 3 * 2 ** 30 },
]
const described = ({ name, total, free }, { driver = '580.65.06', cuda = '13.0' } = {}) => ({ vendor: 'NVIDIA', name, driver, cuda, memory: total, free })

test('hardware() lists the GPUs that NVML tells of', stubbed, async (t) => {
  const drivers = driverFolder(t)
  const gpus = () => quietly(t, `return (await hardware()).gpus`, { drivers })
  nvml(drivers, GPUS)
  assert.deepEqual(await gpus(), GPUS.map((gpu) => described(gpu)))
  nvml(drivers, [GPUS[1]], { version: '535.288.01', cuda: 12020 })
  assert.deepEqual(await gpus(), [described(GPUS[1], { driver: '535.288.01', cuda: '12.2' })])
  nvml(drivers, [])
  assert.deepEqual(await gpus(), [])
})

test('hardware() without NVML, or with one that does not answer, lists none and does not fail', stubbedAndBare, async (t) => {
  const drivers = driverFolder(t)
  const look = async () => {
    const { gpus, providers } = await quietly(t, `return hardware()`, { drivers })
    assert.deepEqual(providers.filter(({ available }) => available).map(({ device }) => device), ['cpu'])
    for (const { available, reason } of providers) assert.ok(available === (reason === null) && reason !== '')
    return gpus
  }
  assert.deepEqual(await look(), [])
  // NVML_ERROR_DRIVER_NOT_LOADED
  nvml(drivers, GPUS, { status: 9 })
  assert.deepEqual(await look(), [])
  nvml(drivers, GPUS, { without: ['nvmlDeviceGetMemoryInfo'] })
  assert.deepEqual(await look(), [])
  writeFileSync(join(drivers, 'libnvidia-ml.so.1'), 'no library')
  assert.deepEqual(await look(), [])
})

test('hardware() leaves out a GPU that does not answer, and lists the others', stubbed, async (t) => {
  const drivers = driverFolder(t)
  // NVML_ERROR_GPU_IS_LOST
  nvml(drivers, [{ fails: true }, GPUS[0]])
  assert.deepEqual(await quietly(t, `return (await hardware()).gpus`, { drivers }), [described(GPUS[0])])
})

test('hardware() gives for each device the reason that a load of it gives', stubbed, async (t) => {
  const { env, drivers } = everything(t, { without: [named('cufft')] })
  const { providers, loads } = await quietly(
    t,
    `const { providers } = await hardware()
    const loads = {}
    for (const { device } of providers) loads[device] = await attempt({ device })
    return { providers, loads }`,
    { env, drivers },
  )
  assert.deepEqual(providers.map(({ device }) => device), ['cuda', 'tensorrt', 'dml', 'coreml', 'webgpu', 'openvino', 'cpu'])
  for (const { device, reason, available } of providers) {
    if (available) assertOnCpu(loads[device], device)
    else assert.ok(loads[device].error.message.includes(reason), `${device}: ${reason}`)
  }
})

// ---------- many at once, and afterwards ------------------------------------------------------------------------------

test('many loads at once fail each for itself, and when the library is there the next gets further', stubbed, async (t) => {
  const { env, drivers, libraries, folder } = everything(t)
  const file = join(libraries, named('cublasLt'))
  const away = join(folder, 'away')
  const found = await quietly(
    t,
    `const { renameSync } = await import('node:fs')
    renameSync(${JSON.stringify(file)}, ${JSON.stringify(away)})
    const equal = await Promise.all(Array.from({ length: 8 }, () => attempt({ device: 'cuda' })))
    const others = await Promise.all(Array.from({ length: 8 }, (_, index) => attempt({ device: 'cuda', maxLength: 8 + index })))
    const auto = await attempt({ device: 'auto' })
    renameSync(${JSON.stringify(away)}, ${JSON.stringify(file)})
    return { equal, others, auto, after: await attempt({ device: 'cuda' }), handle: await attempt({ device: 'auto', maxLength: 16 }) }`,
    { env, drivers },
  )
  for (const one of [...found.equal, ...found.others]) assertDevice(one, /libcublasLt\.so\.99 is missing/)
  assert.match(assertOnCpu(found.auto, 'auto').passedOver[0].reason, /libcublasLt\.so\.99 is missing/)
  assertDevice(found.after, AT_THE_END)
  assert.match(assertOnCpu(found.handle, 'auto').passedOver[0].reason, AT_THE_END)
})

test('a handle whose load has failed tries again with its next call', stubbed, async (t) => {
  const { env, drivers, libraries, folder } = everything(t)
  const file = join(libraries, named('cudart'))
  const away = join(folder, 'away')
  const [before, after] = await quietly(
    t,
    `const { renameSync } = await import('node:fs')
    renameSync(${JSON.stringify(file)}, ${JSON.stringify(away)})
    const embedder = new Embedder(model, { device: 'cuda' })
    const before = await outcome(() => embedder.embed('hello world'))
    renameSync(${JSON.stringify(away)}, ${JSON.stringify(file)})
    return [before, await outcome(() => embedder.embed('hello world'))]`,
    { env, drivers },
  )
  assertDevice(before, /libcudart\.so\.99 is missing/)
  assertDevice(after, AT_THE_END)
})

test('a driver that comes later is found', stubbedAndBare, async (t) => {
  const drivers = temporary(t)
  const from = driverFolder(t)
  const [before, after] = await quietly(
    t,
    `const { copyFileSync } = await import('node:fs')
    const before = await attempt({ device: 'cuda' })
    copyFileSync(${JSON.stringify(join(from, 'libcuda.so.1'))}, ${JSON.stringify(join(drivers, 'libcuda.so.1'))})
    return [before, await attempt({ device: 'cuda' })]`,
    { drivers },
  )
  assertDevice(before, /driver is not there/)
  assertDevice(after, ...THREE_WAYS)
})

test('in worker threads it is the same: errors of the same kind, the CPU afterwards, and one that ends meanwhile harms nobody', stubbed, async (t) => {
  const { env, drivers } = everything(t, { without: [named('cufft')] })
  const program = `
    const { parentPort, workerData: { vecrank, model } } = require('node:worker_threads')
    const { Embedder } = require(vecrank)
    const load = (options) => Embedder.load(model, options).then((embedder) => embedder.embed('hello world')).then((vector) => ({ value: Array.from(vector) }))
    const failed = ({ name, code, message }) => ({ error: { name, code, message } })
    const twice = [load({ device: 'cuda' }).catch(failed), load({ device: 'cuda', threads: 1 }).catch(failed)]
    Promise.all(twice).then(async (cuda) => parentPort.postMessage({ cuda, cpu: await load({ device: 'auto', engine: 'graph' }).catch(failed) }))`
  const { own, workers } = await quietly(
    t,
    `const { Worker } = await import('node:worker_threads')
    const start = () => new Worker(${JSON.stringify(program)}, { eval: true, execArgv: [], workerData: { vecrank: ${JSON.stringify(root)}, model } })
    const told = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    const ended = start()
    const workers = [start(), start(), start()].map(told)
    const own = attempt({ device: 'cuda' })
    await ended.terminate()
    return { own: await own, workers: await Promise.all(workers) }`,
    { env, drivers },
  )
  for (const one of [own, ...workers.flatMap(({ cuda }) => cuda)]) assertDevice(one, /libcufft\.so\.99 is missing/)
  for (const { cpu } of workers) assertNear(cpu.value, EXPECTED, 1e-4, 'the vector')
})
