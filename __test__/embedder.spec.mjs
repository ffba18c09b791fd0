import assert from 'node:assert/strict'
import path from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Embedder } from 'vecrank'
import { assertNear, assertSameVector, golden, tiny } from './fixtures.mjs'

const folder = tiny('zoo/bert-mean')
const embedder = new Embedder(folder)
after(() => embedder.dispose())

test('one text gives one vector, a list gives a list', async () => {
  const vector = await embedder.embed('some text')
  assert.ok(vector instanceof Float32Array)
  assert.equal(vector.length, 32)
  const vectors = await embedder.embed(['some text', 'another'])
  assert.equal(vectors.length, 2)
  assertNear(vectors[0], vector, 1e-5, 'the same text')
  assert.deepEqual(await embedder.embed([]), [])
})

test('every vector has its own memory', async () => {
  const [a, b] = await embedder.embed(['one', 'two'])
  assert.notEqual(a.buffer, b.buffer)
  assert.equal(a.buffer.byteLength, a.byteLength)
  const before = Float32Array.from(a)
  b.fill(9)
  await embedder.embed(['three', 'four'])
  assert.deepEqual(a, before)
})

test('embedMany gives the same vectors in one block', async () => {
  const texts = golden('zoo/bert-mean').texts.map(({ text }) => text)
  const many = await embedder.embedMany(texts)
  const list = await embedder.embed(texts)
  assert.equal(many.rows, texts.length)
  assert.equal(many.dimensions, 32)
  assert.equal(many.data.length, texts.length * 32)
  assert.ok(many.tokens > texts.length)
  assert.ok(many.truncated >= 1, 'some of these texts are longer than the model reads')
  for (let row = 0; row < texts.length; row++) assertNear(many.row(row), list[row], 1e-5, `row ${row}`)
  assert.equal(many.row(1).buffer, many.data.buffer)
  for (const row of [-1, texts.length, 0.5, '0']) assert.throws(() => many.row(row), { code: 'ERR_INVALID_ARG' })
})

test('embedMany of nothing has no rows and the array of its output type', async () => {
  const none = await embedder.embedMany([])
  assert.deepEqual({ ...none }, { data: new Float32Array(0), rows: 0, dimensions: 0, tokens: 0, truncated: 0 })
  assert.ok((await embedder.embedMany([], { output: 'binary' })).data instanceof Int8Array)
})

test('an empty string is a text, a lone surrogate is U+FFFD', async () => {
  const [empty, lone, replaced] = await embedder.embed(['', 'a \ud800 b', 'a \ufffd b'])
  assert.equal(empty.length, 32)
  assertNear(lone, replaced, 1e-5, 'lone surrogate')
})

test('prompts: by name, as text, by method', async () => {
  const model = new Embedder(tiny('zoo/xlmr-mean-prefix'))
  const text = 'how to cook rice'
  const plain = await model.embed(text)
  const query = await model.embed(`query: ${text}`)
  assertNear(await model.embedQuery(text), query, 1e-5, 'embedQuery')
  assertNear(await model.embed(text, { prompt: 'query' }), query, 1e-5, 'prompt')
  assertNear(await model.embed(text, { promptText: 'query: ' }), query, 1e-5, 'promptText')
  assertNear(await model.embedDocument(text), await model.embed(`passage: ${text}`), 1e-5, 'embedDocument: passage, as document is empty')
  assertNear(await model.embed(text, { prompt: 'document' }), plain, 1e-5, 'the prompt named document is the empty one')
  assertNear(await model.embedQuery(text, { promptText: '' }), plain, 1e-5, 'a prompt of the caller wins over the method')
  const own = new Embedder(tiny('zoo/xlmr-mean-prefix'), { prompts: { query: 'passage: ' } })
  assertNear(await own.embedQuery(text), await model.embed(`passage: ${text}`), 1e-5, 'prompts of the options')
})

test('normalize, pooling, dimensions, maxLength for one call', async () => {
  const text = 'The capital of France is Paris.'
  const length = (vector) => Math.hypot(...vector)
  assert.ok(Math.abs(length(await embedder.embed(text)) - 1) < 1e-5)
  const raw = await embedder.embed(text, { normalize: false })
  assert.ok(Math.abs(length(raw) - 1) > 1e-2)
  const cut = await embedder.embed(text, { dimensions: 8 })
  assert.equal(cut.length, 8)
  assert.ok(Math.abs(length(cut) - 1) < 1e-5, 'normalised after the cut')
  assertNear(await embedder.embed(text, { dimensions: 8, normalize: false }), raw.slice(0, 8), 1e-5, 'only cut')
  const cls = new Embedder(folder, { pooling: 'cls' })
  assertNear(await embedder.embed(text, { pooling: 'cls' }), await cls.embed(text), 1e-5, 'pooling')
  const short = new Embedder(folder, { maxLength: 5 })
  const shorter = await short.embed(text)
  assertNear(await embedder.embed(text, { maxLength: 5 }), shorter, 1e-5, 'maxLength')
  assert.ok(Math.abs(shorter[0] - (await embedder.embed(text))[0]) > 1e-6)
})

test('truncation drops the right or the left end, or refuses', async () => {
  const long = golden('zoo/bert-mean').texts.find(({ id }) => id === 'long').text
  const right = await embedder.embed(long)
  const left = await embedder.embed(long, { truncation: 'left' })
  assertNear(await embedder.embed(`${long} and words at the end`), right, 1e-5, 'the end has no effect')
  assert.throws(() => assertSameVector(left, right, 'left is not right'))
  await assert.rejects(embedder.embed(['fits', long], { truncation: 'error' }), { code: 'ERR_TOO_LONG', name: 'VecrankError' })
  assert.equal((await embedder.embed('fits', { truncation: 'error' })).length, 32)
})

test('tokenCounts counts whole texts with special tokens', async () => {
  const { texts, tokens } = golden('zoo/bert-mean')
  const counts = await embedder.tokenCounts(texts.map(({ text }) => text))
  assert.ok(counts instanceof Uint32Array)
  const fed = tokens.encode.input_ids.map((ids) => ids.length)
  // Where nothing was cut, the network is fed what was counted.
  for (let index = 0; index < fed.length; index++) {
    if (fed[index] < 48) assert.equal(counts[index], fed[index], texts[index].id)
    else assert.ok(counts[index] >= 48, texts[index].id)
  }
  assert.ok(counts.some((count) => count > 48))
  assert.deepEqual(await embedder.tokenCounts([]), new Uint32Array(0))
})

test('info says what was loaded', async () => {
  const info = await embedder.info()
  assert.equal(info.model, folder)
  assert.equal(info.source, 'folder')
  assert.equal(info.path, folder)
  assert.equal(info.kind, 'embedder')
  assert.equal(info.dtype, 'fp32')
  assert.equal(info.file, 'onnx/model.onnx')
  assert.equal(info.dimensions, 32)
  assert.equal(info.maxLength, 48)
  assert.equal(info.pooling, 'mean')
  assert.equal(info.normalize, true)
  assert.equal(info.device, 'cpu')
  assert.equal(info.engine, 'encoder')
  assert.match(info.instructions, /^(amx|avx|neon|portable)/)
  assert.deepEqual([info.provider, info.onnxruntime], [null, null])
  const graph = await new Embedder(folder, { engine: 'graph' }).info()
  assert.deepEqual([graph.engine, graph.provider, graph.instructions], ['graph', 'CPUExecutionProvider', null])
  assert.match(graph.onnxruntime, /^\d+\.\d+/)
  assert.deepEqual(info.assumed, [])
})

test('a model is named by a folder, a relative folder, a file: URL or a package', async () => {
  const expected = await embedder.embed('text')
  const relative = `.${path.sep}${path.relative(process.cwd(), folder)}`
  for (const name of [relative, pathToFileURL(folder), pathToFileURL(folder).href]) {
    const named = new Embedder(name)
    assert.equal((await named.info()).path, folder)
    assertNear(await named.embed('text'), expected, 1e-5, String(name))
  }
  const packaged = new Embedder('vecrank-model-all-minilm-l6-v2')
  assert.equal((await packaged.info()).source, 'package')
  assert.equal((await packaged.info()).dimensions, 384)
})

test('without a name the installed model package answers', async (t) => {
  delete process.env.VECRANK_EMBEDDER
  const info = await new Embedder().info()
  assert.equal(info.model, 'vecrank-model-all-minilm-l6-v2')
  process.env.VECRANK_EMBEDDER = folder
  t.after(() => delete process.env.VECRANK_EMBEDDER)
  assert.equal((await new Embedder().info()).dimensions, 32)
})

test('a repository that does not say how to pool is read as the reference reads it, and says so once', async () => {
  const warnings = []
  const listen = (warning) => warnings.push(warning)
  process.on('warning', listen)
  const model = new Embedder(tiny('extra/no-modules-bert'))
  const info = await model.info()
  await new Embedder(tiny('extra/no-modules-bert'), { threads: 1 }).load()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  assert.equal(info.pooling, 'mean')
  assert.equal(info.normalize, false)
  assert.ok(info.assumed.includes('pooling') && info.assumed.includes('normalize'), info.assumed.join())
  const ours = warnings.filter(({ code }) => code === 'VECRANK_ASSUMED')
  assert.equal(ours.length, 1)
  assert.match(ours[0].message, /pooling.*normalize/)
})
