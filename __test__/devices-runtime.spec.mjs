// Which ONNX Runtime a process opens, where it was looked for, and what is said of one that cannot be. Each case has a process of its own, as it is
// chosen once; libraries of NVIDIA are stubs (`stubs.mjs`).

import assert from 'node:assert/strict'
import { copyFileSync, cpSync, mkdirSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { AT_THE_END, WAYS, assertOnCpu, everything, stubbed, stubbedAndBare } from './device-cases.mjs'
import { root } from './fixtures.mjs'
import { vecrank } from './hub/cli.mjs'
import { temporary } from './hub/world.mjs'
import { NEEDED, PINNED, SHIPPED, assertDevice, describedBuild, driverFolder, gpuBuild, onnxruntimeStub, quietly, sitePackages } from './stubs.mjs'

test('with a driver and no ONNX Runtime for it, the ways to one are named', stubbed, async (t) => {
  const body = `return [await attempt({ device: 'cuda' }), await attempt({ device: 'tensorrt' }), await attempt({})]`
  const found = await quietly(t, body, { drivers: driverFolder(t) })
  for (const one of found.slice(0, 2)) assertDevice(one, ...WAYS, /start the program again/)
  const [{ device, reason }] = assertOnCpu(found[2], 'auto').passedOver
  assert.equal(device, 'cuda')
  for (const way of WAYS) assert.match(reason, way)
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
  assertDevice(found.cuda, ...reasons, ...WAYS)
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
