// Models on a plugin provider, for real: OpenVINO on this machine's processor, compared with sentence-transformers and with ONNX Runtime's own CPU
// provider.

import assert from 'node:assert/strict'
import { cpSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { assertNear, assertSameVector, copyOf, cosine, failure, fullSize, golden, largestDifference, root, someTexts, tiny } from '../fixtures.mjs'
import { temporary } from '../hub/world.mjs'
import { maskless } from '../onnx.mjs'
import { inChild, libraryOf, unavailable, withPlugins } from './plugins.mjs'

const options = { skip: unavailable }
const { Embedder, Reranker, hardware, data } = unavailable ? {} : await withPlugins('openvino')
const path = data && libraryOf(data, 'openvino')
const PROVIDER = 'OpenVINOExecutionProvider'
const CPU = 'CPUExecutionProvider'
const texts = someTexts(60, 40)

async function using(model, use) {
  try {
    return await use(model)
  } finally {
    await model.dispose()
  }
}

test('a graph on the CPU before any plugin is registered runs on the CPU provider', options, async () => {
  await using(new Embedder(tiny('zoo/bert-mean'), { engine: 'graph' }), async (embedder) => {
    const { device, nodes, requested } = await embedder.info()
    assert.equal(device, 'cpu')
    assert.equal(requested, 'auto')
    assert.deepEqual(Object.keys(nodes), [CPU])
  })
})

test('an added plugin is found by the name of its device, and takes the graph', options, async () => {
  await using(new Embedder(tiny('zoo/bert-mean'), { device: 'openvino' }), async (embedder) => {
    const { device, provider, nodes, passedOver, requested, engine, deviceMemory } = await embedder.info()
    assert.deepEqual({ device, provider, requested, engine, passedOver, deviceMemory }, { device: 'openvino', provider: PROVIDER, requested: 'openvino', engine: 'graph', passedOver: [], deviceMemory: null })
    assert.ok(nodes[PROVIDER] > 10, JSON.stringify(nodes))
    assert.equal(nodes[CPU] ?? 0, 0)
  })
})

test('a graph on the CPU stays there when a plugin is registered for another model', options, async () => {
  const onPlugin = new Embedder(tiny('zoo/bert-mean'), { device: 'openvino' })
  const onCpu = new Embedder(tiny('zoo/bert-cls'), { device: 'cpu', engine: 'graph' })
  await onPlugin.load()
  const { nodes } = await onCpu.info()
  assert.deepEqual(Object.keys(nodes), [CPU])
  const [a, b] = await Promise.all([onPlugin.embed(texts), onCpu.embed(texts)])
  const alone = await Promise.all(texts.map((text) => onCpu.embed(text)))
  b.forEach((vector, index) => assertNear(vector, alone[index], 1e-5, texts[index]))
  assert.equal(a.length, texts.length)
  await Promise.all([onPlugin.dispose(), onCpu.dispose()])
})

for (const name of ['zoo/bert-mean', 'zoo/bert-cls']) {
  test(`${name} has the vectors of sentence-transformers`, options, async () => {
    const { texts: given, runs } = golden(name)
    const { single } = runs.find((run) => run.id === 'encode')
    await using(new Embedder(tiny(name), { device: 'openvino' }), async (embedder) => {
      const found = await embedder.embed(given.map(({ text }) => text))
      single.forEach((expected, index) => assertSameVector(found[index], expected, `${name}: ${given[index].id}`))
    })
  })
}

const real = fullSize('all-MiniLM-L6-v2')
test('the real embedder differs from the CPU provider by rounding, in a batch and alone', { skip: unavailable || real.skip }, async () => {
  const device = new Embedder(real.folder, { device: 'openvino', dtype: 'fp32' })
  const cpu = new Embedder(real.folder, { device: 'cpu', engine: 'graph', dtype: 'fp32' })
  const [found, expected] = [await device.embed(texts), await cpu.embed(texts)]
  found.forEach((vector, index) => assertNear(vector, expected[index], 2e-5, texts[index]))
  // Together with others, in one run.
  const together = await Promise.all(texts.map((text) => device.embed(text)))
  together.forEach((vector, index) => assertNear(vector, expected[index], 2e-5, texts[index]))
  const { nodes } = await device.info()
  assert.ok(nodes[PROVIDER] > 200, JSON.stringify(nodes))
  await Promise.all([device.dispose(), cpu.dispose()])
})

/** A model most of whose nodes only ONNX Runtime's CPU provider has. */
function strange(t) {
  const folder = copyOf('zoo/bert-mean', t)
  writeFileSync(join(folder, 'onnx', 'model.onnx'), maskless({ own: 12 }))
  return folder
}

test('a device that takes the lesser part of a graph is used where it is named, and that is said', options, async (t) => {
  const warned = new Promise((resolve) => process.once('warning', resolve))
  const folder = strange(t)
  await using(new Embedder(folder, { device: 'openvino' }), async (embedder) => {
    const { device, nodes } = await embedder.info()
    assert.equal(device, 'openvino')
    assert.equal(nodes[CPU], 12)
    assert.ok(nodes[PROVIDER] >= 1 && nodes[PROVIDER] < 12, JSON.stringify(nodes))
    const { code, message } = await warned
    assert.equal(code, 'VECRANK_DEVICE')
    assert.match(message, new RegExp(`takes ${nodes[PROVIDER]} of the graph's ${nodes[PROVIDER] + 12} nodes`))
    await using(new Embedder(folder, { device: 'cpu', engine: 'graph' }), async (cpu) => assertNear(await embedder.embed(texts[0]), await cpu.embed(texts[0]), 1e-5, 'both'))
  })
})

test('where the device is chosen, such a one is passed over with the reason', options, async (t) => {
  await using(new Embedder(strange(t), { providers: [{ name: 'mine', path }], engine: 'graph' }), async (embedder) => {
    const { device, nodes, passedOver } = await embedder.info()
    assert.equal(device, 'cpu')
    assert.deepEqual(Object.keys(nodes), [CPU])
    assert.match(passedOver[0].reason, /nodes, and the CPU would run the others/)
  })
})

test('a model without an ONNX file goes on to the CPU, and is an error on a device that is named', options, async () => {
  const folder = join(root, 'tests', 'fixtures', 'encoder', 'bert-one-type')
  await assert.rejects(Embedder.load(folder, { device: 'openvino' }), failure('ERR_MODEL_UNSUPPORTED', /no ONNX file/))
  await using(new Embedder(folder, { providers: [{ name: 'mine', path }] }), async (embedder) => {
    const { device, engine, passedOver } = await embedder.info()
    assert.deepEqual([device, engine, passedOver[0].device], ['cpu', 'encoder', 'mine'])
    assert.match(passedOver[0].reason, /no ONNX file/)
  })
})

test('8-bit files run there too', options, async () => {
  const name = 'vecrank-model-all-minilm-l6-v2'
  const device = new Embedder(name, { device: 'openvino' })
  const cpu = new Embedder(name, { device: 'cpu' })
  const [found, expected] = [await device.embed(texts.slice(0, 12)), await cpu.embed(texts.slice(0, 12))]
  found.forEach((vector, index) => assert.ok(cosine(vector, expected[index]) > 0.98, `cosine ${cosine(vector, expected[index])}`))
  await Promise.all([device.dispose(), cpu.dispose()])
})

test('a reranker has its scores', options, async () => {
  const name = 'zoo/bert-ranker-1'
  const pairs = texts.slice(0, 20).map((text, index) => [text, texts[index + 20]])
  const device = new Reranker(tiny(name), { device: 'openvino' })
  const cpu = new Reranker(tiny(name), { device: 'cpu', engine: 'graph' })
  assertNear(await device.score(pairs), await cpu.score(pairs), 1e-4, 'logits')
  await Promise.all([device.dispose(), cpu.dispose()])
})

test("the provider's own options reach it", options, async () => {
  const bf16 = JSON.stringify({ CPU: { INFERENCE_PRECISION_HINT: 'bf16' } })
  const plain = new Embedder(tiny('zoo/bert-mean'), { providers: [{ name: 'openvino', path }], device: 'openvino' })
  const short = new Embedder(tiny('zoo/bert-mean'), { providers: [{ name: 'openvino', path, options: { load_config: bf16 } }], device: 'openvino' })
  const [a, b] = [await plain.embed(texts[0]), await short.embed(texts[0])]
  const { cpu } = await hardware()
  const difference = largestDifference(a, b)
  if (cpu.features.includes('avx512bf16') || cpu.features.includes('amx')) assert.ok(difference > 1e-5, `bf16 differs by ${difference}`)
  else assert.ok(difference < 0.05)
  await Promise.all([plain.dispose(), short.dispose()])
})

test('a plugin by a name of its own is tried first by auto', options, async () => {
  await using(new Embedder(tiny('zoo/bert-mean'), { providers: [{ name: 'mine', path }] }), async (embedder) => {
    const { device, provider, requested, passedOver } = await embedder.info()
    assert.deepEqual({ device, provider, requested, passedOver }, { device: 'mine', provider: PROVIDER, requested: 'auto', passedOver: [] })
  })
})

test('under another name it computes in the same numbers', options, async () => {
  const named = new Embedder(tiny('zoo/bert-mean'), { providers: [{ name: 'openvino', path }], device: 'openvino' })
  const other = new Embedder(tiny('zoo/bert-mean'), { providers: [{ name: 'acme', path }] })
  assertNear(await other.embed(texts[1]), await named.embed(texts[1]), 1e-6, 'both')
  await Promise.all([named.dispose(), other.dispose()])
})

test("a processor is no GPU: device 'gpu' passes it over", options, async () => {
  await assert.rejects(Embedder.load(tiny('zoo/bert-mean'), { device: 'gpu', providers: [{ name: 'openvino', path }] }), failure('ERR_DEVICE', /openvino: it works here, but on the processor/))
})

test('a library beside the plugin that is cut is an error and not the end of the process', options, (t) => {
  const copy = temporary(t)
  cpSync(data, copy, { recursive: true })
  const beside = join(libraryOf(copy, 'openvino'), '..', 'libopenvino_intel_cpu_plugin.so')
  truncateSync(beside, 5_000_000)
  const { status, stdout } = inChild(copy, `console.log(await Embedder.load(${JSON.stringify(tiny('zoo/bert-mean'))}, { device: 'openvino' }).then(() => 'loaded', (error) => error.code + ' ' + error.message))`)
  assert.equal(status, 0)
  assert.match(stdout, /^ERR_DEVICE .*libopenvino_intel_cpu_plugin\.so is cut: it has 5000000 bytes of \d+/)
})

test('a device that the plugin does not have is an error that says which it has', options, async () => {
  await assert.rejects(Embedder.load(tiny('zoo/bert-mean'), { device: 'openvino', deviceId: 7 }), failure('ERR_DEVICE', /no device 7: it found 1 \(CPU\)/))
})

test('hardware() has run a graph on it', options, async () => {
  const { providers } = await hardware()
  const found = Object.fromEntries(providers.map(({ device, available }) => [device, available]))
  assert.equal(found.openvino, true)
  assert.equal(found.cpu, true)
  assert.equal(found.cuda, false)
})

test('a hundred times loaded and disposed of, the memory is what it was', options, async () => {
  const once = () => using(new Embedder(tiny('zoo/bert-mean'), { device: 'openvino' }), (embedder) => embedder.embed('a text'))
  for (let round = 0; round < 20; round++) await once()
  const before = process.memoryUsage.rss()
  for (let round = 0; round < 100; round++) await once()
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20
  assert.ok(grown < 24, `grew by ${grown.toFixed(1)} MiB in 100 rounds`)
})

test('many callers at once have the vectors that each has alone', options, async () => {
  await using(new Embedder(tiny('zoo/bert-mean'), { device: 'openvino' }), async (embedder) => {
    const alone = []
    for (const text of texts) alone.push(await embedder.embed(text))
    // A long one among them, which must not make all of them long.
    texts.push(Array.from({ length: 200 }, () => 'river').join(' '))
    alone.push(await embedder.embed(texts.at(-1)))
    const calls = Array.from({ length: 6 }, () => texts).flat()
    const found = await Promise.all(calls.map((text) => embedder.embed(text)))
    found.forEach((vector, index) => assertNear(vector, alone[index % texts.length], 1e-5, calls[index]))
  })
})

test('nothing is printed, unless VECRANK_LOG asks for it', options, () => {
  const source = `await (await Embedder.load(${JSON.stringify(tiny('zoo/bert-mean'))}, { device: 'openvino' })).embed('a text'); console.log('done')`
  const quiet = inChild(data, source)
  assert.deepEqual([quiet.status, quiet.stdout, quiet.stderr], [0, 'done\n', ''])
  const loud = inChild(data, source, { VECRANK_LOG: 'verbose' })
  assert.equal(loud.status, 0)
  assert.match(loud.stderr, /^vecrank: onnxruntime (verbose|info|warning): /m)
})

test('worker threads and the main thread share a plugin', options, async () => {
  const model = tiny('zoo/bert-mean')
  const program = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Embedder } = require(workerData.vecrank)
    Embedder.load(workerData.model, { device: 'openvino' }).then(async (embedder) => {
      parentPort.postMessage({ vector: await embedder.embed('a text'), device: (await embedder.info()).device })
    })`
  await using(await Embedder.load(model, { device: 'openvino' }), async (embedder) => {
    const worker = new Worker(program, { eval: true, workerData: { model, vecrank: join(root, 'index.js') } })
    const theirs = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    assert.equal(theirs.device, 'openvino')
    assertNear(theirs.vector, await embedder.embed('a text'), 1e-6, 'the vector of the worker')
    await worker.terminate()
  })
})
