// Every way in which a device can fail, on a machine without a GPU: each ends in a typed error that names what is missing and the next step, or on the CPU
// with a warning where that was allowed, and none is silent. ONNX Runtime is chosen once in a process, so each case has a process of its own, whose
// libraries of NVIDIA are stubs (`stubs.mjs`). What is expected of messages is what a user has to learn from them, not their sentences.

import assert from 'node:assert/strict'
import { copyFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { AT_THE_END, EXPECTED, WAYS, assertOnCpu, bare, everything, stubbed, stubbedAndBare } from './device-cases.mjs'
import { assertNear, failure, root, tiny } from './fixtures.mjs'
import { vecrank } from './hub/cli.mjs'
import { temporary } from './hub/world.mjs'
import { assertDevice, assertOnlyWarnings, compiled, driverFolder, met, named, nvml, quietly } from './stubs.mjs'

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
  assertDevice(after, ...WAYS)
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
