// Every wrong argument has one code and one shape of sentence: what was expected, where, what came in.

import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import vm from 'node:vm'
import { Embedder, Reranker, cosineSimilarity, dot, embed, hardware, pipeline, rerank, topK } from 'vecrank'
import { failure, tiny } from './fixtures.mjs'

const model = tiny('zoo/bert-mean')
const embedder = new Embedder(model)
const reranker = new Reranker(tiny('zoo/bert-ranker-1'))
const bad = (pattern) => failure('ERR_INVALID_ARG', pattern)
const vector = (...values) => Float32Array.from(values)
const ranges = (length = 32) => ({ min: new Float32Array(length).fill(-1), max: new Float32Array(length).fill(1) })

function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

const loadOptions = [
  [null, /^Expected an object for `options` but received null of type object\.$/],
  ['fp32', /`options` but received "fp32" of type string/],
  [[], /an object for `options`/],
  [revoked({}), /an object for `options`/],
  [{ quantized: true }, /^Expected a known option \(dtype, .*\) for `options` but received "quantized" of type string\.$/],
  [{ dtype: 'q5' }, /^Expected one of "auto", "fp32", .* for `options\.dtype` but received "q5" of type string\.$/],
  [{ dtype: 8 }, /`options\.dtype` but received 8 of type number/],
  [{ file: '' }, /a non-empty string for `options\.file`/],
  [{ device: 'rocm' }, /^Expected one of "auto", "gpu", "cpu", "cuda", .* for `options\.device` but received "rocm" of type string\.$/],
  [{ device: null }, /`options\.device` but received null/],
  [{ fallback: 1 }, /a boolean for `options\.fallback`/],
  [{ deviceId: -1 }, /a whole number from 0 to 2147483647 for `options\.deviceId`/],
  [{ deviceId: '0' }, /`options\.deviceId` but received "0"/],
  [{ gpuMemoryLimit: 0 }, /a whole number of at least 1 for `options\.gpuMemoryLimit`/],
  [{ gpuMemoryLimit: '1GB' }, /`options\.gpuMemoryLimit` but received "1GB"/],
  [{ gpuMemoryLimit: 0.5 }, /`options\.gpuMemoryLimit`/],
  [{ providers: {} }, /an array of \{name, path, options\} objects for `options\.providers`/],
  [{ providers: ['openvino'] }, /an object for `options\.providers\[0\]`/],
  [{ providers: [{ path: '/a' }] }, /a name of its own .* for `options\.providers\[0\]\.name` but received undefined/],
  [{ providers: [{ name: 'cpu', path: '/a' }] }, /not auto, gpu, cpu.* for `options\.providers\[0\]\.name` but received "cpu"/],
  [{ providers: [{ name: 'a', path: '/a' }, { name: 'a', path: '/b' }] }, /`options\.providers\[1\]\.name`/],
  [{ providers: [{ name: 'a' }] }, /the path of a library for `options\.providers\[0\]\.path`/],
  [{ providers: [{ name: 'a', path: '' }] }, /a path or a file: URL for `options\.providers\[0\]\.path`/],
  [{ providers: [{ name: 'a', path: 5 }] }, /a path or a file: URL for `options\.providers\[0\]\.path` but received 5/],
  [{ providers: [{ name: 'a', path: new URL('https://example.com/a.so') }] }, /a path or a file: URL for `options\.providers\[0\]\.path`/],
  [{ providers: [{ name: 'a', path: 'https://example.com/a.so' }] }, /a path or a file: URL for .* but received "https:\/\/example\.com\/a\.so"/],
  [{ providers: [{ name: 'a', path: 'file:///a%2Fb.so' }] }, /a path or a file: URL of a local file for `options\.providers\[0\]\.path`/],
  [{ providers: [{ name: 'a', path: '/a', options: { cache: 1 } }] }, /a string for `options\.providers\[0\]\.options\.cache`/],
  [{ providers: [{ name: 'a', path: '/a', library: '/b' }] }, /a known option \(name, path, options\) for `options\.providers\[0\]`/],
  [{ threads: 0 }, /^Expected a whole number from 1 to 1024 for `options\.threads` but received 0 of type number\.$/],
  [{ threads: 1025 }, /`options\.threads`/],
  [{ threads: 1.5 }, /`options\.threads`/],
  [{ threads: '2' }, /`options\.threads` but received "2" of type string/],
  [{ threads: 2n }, /`options\.threads` but received 2n of type bigint/],
  [{ maxLength: 0 }, /`options\.maxLength`/],
  [{ maxLength: NaN }, /`options\.maxLength` but received NaN/],
  [{ maxLength: 2 ** 40 }, /`options\.maxLength`/],
  [{ truncation: true }, /`options\.truncation`/],
  [{ queue: 5 }, /an object for `options\.queue`/],
  [{ queue: { maxCalls: 0 } }, /`options\.queue\.maxCalls`/],
  [{ queue: { maxTokens: Infinity } }, /`options\.queue\.maxTokens`/],
  [{ queue: { calls: 1 } }, /a known option \(maxCalls, maxTokens\) for `options\.queue`/],
  [{ maxInputChars: 0 }, /`options\.maxInputChars`/],
  [{ signal: {} }, /an AbortSignal for `options\.signal`/],
  [{ pooling: 'sum' }, /`options\.pooling`/],
  [{ normalize: 1 }, /a boolean for `options\.normalize`/],
  [{ prompts: ['a'] }, /an object of strings for `options\.prompts`/],
  [{ prompts: { query: 1 } }, /a string for `options\.prompts\.query`/],
]

test('load options', async () => {
  for (const [options, pattern] of loadOptions) {
    assert.throws(() => new Embedder(model, options), bad(pattern))
    await assert.rejects(Embedder.load(model, options), bad(pattern))
  }
  await assert.rejects(embed('text', { model, load: { threads: 0 } }), bad(/`options\.load\.threads`/))
  for (const name of ['pooling', 'normalize', 'prompts']) {
    assert.throws(() => new Reranker('./x', { [name]: 'x' }), bad(new RegExp(`known option .* received "${name}"`)))
  }
})

test('options of the Hub, of which only a revision is refused for a folder, and a token is never shown', async () => {
  for (const [options, pattern] of [
    [{ revision: '' }, /a non-empty string for `options\.revision`/],
    [{ revision: 'main' }, /only a model on the Hub has revisions/],
    [{ cacheDir: 5 }, /`options\.cacheDir`/],
    [{ endpoint: '' }, /`options\.endpoint`/],
    [{ offline: 1 }, /a boolean for `options\.offline`/],
    [{ refresh: 'yes' }, /a boolean for `options\.refresh`/],
    [{ lock: true }, /`options\.lock`/],
    [{ onDownload: {} }, /a function for `options\.onDownload`/],
  ]) {
    assert.throws(() => new Embedder(model, options), bad(pattern))
  }
  for (const token of [['canary'], '']) {
    assert.throws(() => new Embedder('owner/name', { token }), (error) => {
      assert.doesNotMatch(error.message, /canary/)
      return bad(/`options\.token`/)(error)
    })
  }
  const given = { cacheDir: '/nowhere', endpoint: 'https://hub.invalid', token: 'secret', offline: true, refresh: true, lock: 'x', onDownload() {} }
  assert.equal((await new Embedder(model, given).embed('a')).length, 32)
})

test('options of a later version are refused, not ignored', async () => {
  for (const name of ['timeoutMs', 'priority']) {
    await assert.rejects(embedder.embed('a', { [name]: 1 }), bad(/not in this version/))
    await assert.rejects(reranker.rerank('a', ['b'], { [name]: 1 }), bad(/not in this version/))
  }
  await assert.rejects(pipeline('ner'), bad(/vecrank\/transformers/))
})

test('options of devices', async () => {
  // What has no effect on a device that is named is refused; where the device is chosen, it is for those that it is for.
  const info = await new Embedder(model, { device: 'cpu', fallback: true, providers: [] }).info()
  const plugin = { name: 'openvino', path: 'a.so' }
  const refused = [
    [{ device: 'cpu', deviceId: 1 }, /nothing \(`options\.device` is "cpu", of which there is one\) for `options\.deviceId` but received 1/],
    [{ device: 'coreml', deviceId: 1 }, /deviceId/],
    [{ device: 'cpu', gpuMemoryLimit: 1 }, /gpuMemoryLimit/],
    [{ device: 'dml', gpuMemoryLimit: 1 }, /gpuMemoryLimit/],
    [{ device: 'cpu', providers: [plugin] }, /nothing \(`options\.device` is "cpu", which no plugin serves\) for `options\.providers`/],
    [{ device: 'cuda', providers: [plugin] }, /providers\[0\]\.name/],
    [{ device: 'cuda', engine: 'encoder' }, /^Expected 'auto' or 'cpu' for `options\.device` with `engine: 'encoder'`, which runs on the CPU, but received 'cuda'\.$/],
    [{ device: 'gpu', engine: 'encoder', fallback: true }, /for `options\.device` with .* but received 'gpu'/],
  ]
  for (const [options, named] of refused) assert.throws(() => new Embedder(model, options), bad(named))
  // The first of one is what it is by default.
  for (const engine of ['auto', 'encoder']) assert.equal((await new Embedder(model, { device: 'cpu', engine, deviceId: 0 }).embed('a')).length, 32)
  new Embedder(model, { device: 'coreml', deviceId: 0 })
  const chosen = await new Embedder(model, { deviceId: 0, gpuMemoryLimit: 2 ** 30 }).info()
  assert.ok(['cpu', 'cuda', 'dml'].includes(chosen.device))
  assert.deepEqual([info.requested, info.device, info.passedOver, info.deviceMemory], ['cpu', 'cpu', [], null])

  const library = path.resolve('no', 'such', 'library.so')
  const providers = [{ name: 'openvino', path: pathToFileURL(library) }]
  for (const Class of [Embedder, Reranker]) {
    await assert.rejects(new Class(Class === Embedder ? model : tiny('zoo/bert-ranker-1'), { device: 'openvino', providers }).load(), (error) => {
      assert.ok(error.message.includes(library), error.message)
      return failure('ERR_DEVICE', /^The device 'openvino' cannot be used: .*fallback: true/)(error)
    })
  }
  const fallen = await new Embedder(model, { device: 'openvino', providers, fallback: true }).info()
  assert.deepEqual([fallen.requested, fallen.device, fallen.passedOver.map(({ device }) => device)], ['openvino', 'cpu', ['openvino']])
  // A plugin of any name is tried before the platform's devices.
  const auto = await new Embedder(model, { providers: [{ name: 'acme', path: 'no/such/library.so' }] }).info()
  assert.equal(auto.passedOver[0].device, 'acme')
  assert.ok(auto.passedOver[0].reason.includes(path.resolve('no/such/library.so')), auto.passedOver[0].reason)
})

test('hardware() names every device, with the reason why one does not work', async () => {
  const { cpu, memory, gpus, providers, onnxruntime } = await hardware()
  assert.ok(cpu.cores >= 1 && cpu.allowed >= 1 && cpu.instructions.length > 0 && Array.isArray(cpu.features))
  assert.ok(memory.total > 0 && (memory.limit === null || memory.limit > 0))
  assert.ok(Array.isArray(gpus))
  assert.deepEqual(providers.map(({ device }) => device), ['cuda', 'tensorrt', 'dml', 'coreml', 'webgpu', 'openvino', 'cpu'])
  for (const { device, available, reason } of providers) assert.equal(available, reason === null, device)
  assert.equal(providers.at(-1).available, true)
  assert.deepEqual([providers.at(-1).library, providers.at(-1).version], [onnxruntime.path, onnxruntime.version])
  assert.match(onnxruntime.version, /^1\.\d+\.\d+$/)
  assert.deepEqual([onnxruntime.error, path.isAbsolute(onnxruntime.path)], [null, true])
})

test('an option that is undefined is absent', async () => {
  const names = ['fallback', 'deviceId', 'gpuMemoryLimit', 'providers', 'dtype', 'threads', 'unknown']
  const options = Object.fromEntries(names.map((name) => [name, undefined]))
  assert.equal((await new Embedder(model, options).embed('a', { output: undefined, timeoutMs: undefined })).length, 32)
})

test('names of models', () => {
  // Windows has folders of other machines, and no folder without a drive.
  const nowhere = process.platform === 'win32' ? 'file:///x' : 'file://elsewhere/x'
  const names = ['', 'a/b/c', 'a b', '~/model', 'https://example.com/model', null, 5, {}, [], Symbol('x'), new URL('https://example.com'), nowhere, 'a\0']
  for (const name of names) assert.throws(() => new Embedder(name), bad(/^Expected .* for `model` but received /), String(name))
})

const embedArguments = [
  [undefined, undefined, /^Expected a string or an array of strings for `texts` but received undefined of type undefined\.$/],
  [5, undefined, /`texts` but received 5 of type number/],
  [{ length: 1, 0: 'a' }, undefined, /`texts`/],
  [new Set(['a']), undefined, /`texts` but received \[Set\]/],
  [new String('a'), undefined, /`texts`/],
  [new Uint8Array(2), undefined, /`texts`/],
  [revoked([]), undefined, /`texts`/],
  [['a', 'b', 'c', 3], undefined, /^Expected a string for `texts\[3\]` but received 3 of type number\.$/],
  [['a', , 'c'], undefined, /`texts\[1\]` but received undefined/],
  [['a', null], undefined, /`texts\[1\]` but received null of type object/],
  [[['a']], undefined, /`texts\[0\]`/],
  [[Symbol('s')], undefined, /`texts\[0\]` but received Symbol\(s\) of type symbol/],
  [[10n], undefined, /`texts\[0\]` but received 10n of type bigint/],
  [[new String('a')], undefined, /`texts\[0\]`/],
  ['a', null, /an object for `options`/],
  ['a', 'float32', /an object for `options`/],
  ['a', { batchSize: 8 }, /a known option .* received "batchSize"/],
  ['a', { prompt: 5 }, /`options\.prompt`/],
  ['a', { prompt: 'a', promptText: 'b' }, /nothing \(`options\.prompt` is set too\) for `options\.promptText`/],
  ['a', { prompt: 'no such prompt' }, /no such prompt/],
  ['a', { normalize: 'yes' }, /`options\.normalize`/],
  ['a', { pooling: 'Mean' }, /`options\.pooling`/],
  ['a', { dimensions: 0 }, /`options\.dimensions`/],
  ['a', { output: 'float64' }, /`options\.output`/],
  ['a', { output: 'int8' }, /`options\.ranges` but received undefined/],
  ['a', { output: 'uint8' }, /`options\.ranges`/],
  ['a', { output: 'binary', ranges: ranges() }, /nothing .* for `options\.ranges`/],
  ['a', { ranges: ranges() }, /nothing .* for `options\.ranges`/],
  ['a', { output: 'int8', ranges: ranges(31) }, /31|32/],
  ['a', { output: 'int8', ranges: { ...ranges(), max: ranges().min.map((value) => value * 2) } }, /at least .* for `options\.ranges\.max\[0\]`/],
  ['a', { output: 'int8', ranges: { min: vector(0) } }, /`options\.ranges\.max`/],
  ['a', { output: 'int8', ranges: { min: [0], max: [1] } }, /a Float32Array for `options\.ranges\.min`/],
  ['a', { output: 'int8', ranges: { min: vector(0), max: vector(1, 2) } }, /`options\.ranges\.max\.length` but received 2/],
  ['a', { output: 'int8', ranges: { min: vector(NaN), max: vector(1) } }, /a finite number for `options\.ranges\.min\[0\]` but received NaN/],
  ['a', { maxLength: 1e6 }, /maxLength/],
  ['a', { truncation: 'both' }, /`options\.truncation`/],
  ['a', { onProgress: 1 }, /a function for `options\.onProgress`/],
  ['a', { signal: 'stop' }, /an AbortSignal for `options\.signal`/],
]

test('embed, embedQuery, embedDocument, embedMany', async () => {
  for (const [texts, options, pattern] of embedArguments) {
    for (const method of ['embed', 'embedQuery', 'embedDocument']) await assert.rejects(embedder[method](texts, options), bad(pattern))
    if (texts !== 'a') await assert.rejects(embed(texts, options), bad(pattern))
    const list = texts === 'a' ? ['a'] : texts
    await assert.rejects(embedder.embedMany(list, options), bad(/a string or an array/.test(pattern.source) ? /an array of strings for `texts`/ : pattern))
  }
  await assert.rejects(embedder.embedMany('a'), bad(/an array of strings for `texts` but received "a" of type string/))
})

test('embedStream', async () => {
  const first = (source, options) => embedder.embedStream(source, options).next()
  for (const source of [undefined, null, 5, 'text', {}, { [Symbol.iterator]: 1 }, { [Symbol.iterator]: () => 5 }, { [Symbol.asyncIterator]: () => ({}) }, new Float32Array(2), revoked([])]) await assert.rejects(first(source), bad(/for `source`/))
  await assert.rejects(first({ [Symbol.iterator]: () => ({ next: () => 5 }) }), bad(/the result of an iterator for `source\[0\]` but received 5/))
  await assert.rejects(first([5]), bad(/`source\[0\]` but received 5/))
  await assert.rejects(first(['a'], { onProgress() {} }), bad(/known option/))
  await assert.rejects(first(['a'], { dimensions: -1 }), bad(/`options\.dimensions`/))
})

test('tokenCounts', async () => {
  await assert.rejects(embedder.tokenCounts('a'), bad(/an array of strings for `texts`/))
  await assert.rejects(embedder.tokenCounts(['a', 1]), bad(/`texts\[1\]`/))
  await assert.rejects(embedder.tokenCounts(['a'], { maxLength: 1 }), bad(/known option/))
})

const rerankArguments = [
  [undefined, ['a'], undefined, /a string for `query` but received undefined/],
  [['q'], ['a'], undefined, /`query`/],
  ['q', 'a', undefined, /an array of strings or \{text\} objects for `documents`/],
  ['q', ['a', 5], undefined, /a string or an object with a text for `documents\[1\]` but received 5/],
  ['q', [{}], undefined, /a string for `documents\[0\]\.text` but received undefined/],
  ['q', [{ text: 5 }], undefined, /`documents\[0\]\.text` but received 5/],
  ['q', [null], undefined, /`documents\[0\]` but received null/],
  ['q', [revoked({})], undefined, /`documents\[0\]`/],
  ['q', ['a'], { topK: 0 }, /a whole number of at least 1 for `options\.topK`/],
  ['q', ['a'], { topK: 1.5 }, /`options\.topK`/],
  ['q', ['a'], { topK: Infinity }, /`options\.topK`/],
  ['q', ['a'], { topN: 1 }, /known option .* received "topN"/],
  ['q', ['a'], { returnDocuments: 1 }, /`options\.returnDocuments`/],
  ['q', ['a'], { activation: 'softmax' }, /`options\.activation`/],
  ['q', ['a'], { maxLength: 0 }, /`options\.maxLength`/],
]

test('rerank and score', async () => {
  for (const [query, documents, options, pattern] of rerankArguments) {
    await assert.rejects(reranker.rerank(query, documents, options), bad(pattern))
    await assert.rejects(rerank(query, documents, options), bad(pattern))
  }
  await assert.rejects(reranker.score('a'), bad(/for `pairs`/))
  await assert.rejects(reranker.score([['a', 'b'], ['a']]), bad(/a pair \[query, document\] for `pairs\[1\]`/))
  await assert.rejects(reranker.score([['a', 5]]), bad(/`pairs\[0\]\[1\]` but received 5/))
  await assert.rejects(reranker.score([['a', 'b']], { activation: 'sigmoid' }), bad(/known option/))
})

test('vectors', () => {
  for (const measure of [cosineSimilarity, dot]) {
    assert.throws(() => measure([1], [1]), bad(/a Float32Array for `a` but received \[Array\] of type object/))
    assert.throws(() => measure(vector(1), new Float64Array(1)), bad(/for `b` but received \[Float64Array\]/))
    assert.throws(() => measure(vector(1, 2), vector(1)), bad(/as many values as `a` has \(2\) for `b\.length` but received 1/))
    assert.throws(() => measure(vector(), vector()), bad(/at least one value for `a`/))
    const detached = vector(1, 2)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    assert.throws(() => measure(detached, vector(1, 2)), bad(/at least one value for `a`/))
  }
  assert.throws(() => topK([1], vector(1), 1), bad(/`query`/))
  // A block alone cannot tell, the result of embedMany can.
  assert.throws(() => topK(vector(1, 2), { data: vector(1, 2, 3, 4), rows: 1, dimensions: 4 }, 1), bad(/`vectors\.dimensions`/))
  assert.throws(() => topK(vector(1, 2), vector(1, 2, 3), 1), bad(/a multiple of the query's length \(2\)/))
  assert.throws(() => topK(vector(1, 2), [vector(1, 2), vector(1)], 1), bad(/`vectors\[1\]\.length` but received 1/))
  assert.throws(() => topK(vector(1), 'vectors', 1), bad(/`vectors`/))
  for (const k of [0, -1, 1.5, NaN, '1', undefined]) assert.throws(() => topK(vector(1), vector(1), k), bad(/a whole number of at least 1 for `k`/))
  const gone = vector(1, 2)
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  assert.throws(() => topK(vector(1), gone, 1), bad(/`vectors`/))
})

test('vectors: what they give', () => {
  assert.ok(Math.abs(cosineSimilarity(vector(1, 0), vector(1, 1)) - Math.SQRT1_2) < 1e-6)
  assert.equal(dot(vector(1, 2, 3), vector(4, 5, 6)), 32)
  const rows = [vector(0, 1), vector(1, 0), vector(1, 1), vector(2, 0)]
  const block = Float32Array.from(rows.flatMap((row) => [...row]))
  for (const vectors of [rows, block, { data: block, rows: 4, dimensions: 2 }]) {
    assert.deepEqual(topK(vector(1, 0), vectors, 3).map(({ index }) => index), [1, 3, 2])
    assert.deepEqual(topK(vector(1, 0), vectors, 100).map(({ index }) => index), [1, 3, 2, 0])
  }
  assert.deepEqual(topK(vector(1, 0), [], 3), [])
  assert.deepEqual(topK(vector(1, 0), vector(), 3), [])
})

test('values of other realms are as good as ours', async () => {
  const [texts, vectors, options] = vm.runInNewContext('[["a", "b"], [Float32Array.of(1, 2), Float32Array.of(2, 1)], { normalize: false }]')
  assert.equal((await embedder.embed(texts, options)).length, 2)
  assert.equal(dot(...vectors), 4)
  assert.equal(topK(vectors[0], vectors, 1)[0].index, 0)
})

test('shared memory is read', () => {
  const shared = new Float32Array(new SharedArrayBuffer(8))
  shared.set([3, 4])
  assert.equal(dot(shared, shared), 25)
})

test('too long a text is refused by its length', async () => {
  const small = new Embedder('./no/such/folder', { maxInputChars: 10 })
  await assert.rejects(small.embed(['short', 'longer than ten']), failure('ERR_TOO_LONG', /`texts\[1\]` has 15 characters; at most 10/))
  await assert.rejects(small.embed('longer than ten'), failure('ERR_TOO_LONG', /`texts` has 15/))
  await assert.rejects(small.tokenCounts(['longer than ten']), failure('ERR_TOO_LONG'))
  await assert.rejects(small.embedStream(['longer than ten']).next(), failure('ERR_TOO_LONG', /`source\[0\]`/))
  const ranker = new Reranker('./no/such/folder', { maxInputChars: 10 })
  await assert.rejects(ranker.rerank('longer than ten', ['a']), failure('ERR_TOO_LONG', /`query`/))
  await assert.rejects(ranker.rerank('q', [{ text: 'longer than ten' }]), failure('ERR_TOO_LONG', /`documents\[0\]\.text`/))
  await assert.rejects(embedder.embed('a'.repeat(32 * 2 ** 20 + 1)), failure('ERR_TOO_LONG', /33554432/))
})
