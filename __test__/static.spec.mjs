// Static embeddings against sentence-transformers' StaticEmbedding: golden files of the reference, and of model2vec where it is alone.

import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { Classifier, Embedder } from 'vecrank'
import { FakeHub } from './hub/hub.mjs'
import { temporary } from './hub/world.mjs'
import { assertNear, assertSameVector, copyOf, failure, golden as goldenOf, readJson, tiny, tinyOf } from './fixtures.mjs'

const POTION = 'beyond/model2vec-potion'
const potion = new Embedder(tiny(POTION))
after(() => potion.dispose())

/** A model that goes when the test ends. */
function using(t, model) {
  t.after(() => model.dispose())
  return model
}

const CALLS = {
  encode: (model, texts) => model.embed(texts),
  encode_query: (model, texts) => model.embedQuery(texts),
  encode_document: (model, texts) => model.embedDocument(texts),
  encode_normalized: (model, texts) => model.embed(texts, { normalize: true }),
}
/** The reference cuts behind its Normalize; by the contract a vector that a call cuts is normalised where the model's are. */
const cut = (id) => Number(/^truncate_(\d+)$/.exec(id)?.[1])
const scaled = (vector) => vector.map((value) => value / Math.max(Math.hypot(...vector), 1e-12))

const models = tinyOf('embedder').filter((name) => goldenOf(name).tensors !== undefined)
const loadable = models.filter((name) => goldenOf(name).runs !== undefined)

for (const name of loadable) {
  const golden = goldenOf(name)
  const texts = golden.texts.map(({ text }) => text)

  for (const { id, single, batch } of golden.runs) {
    test(`${name}: ${id}`, async (t) => {
      const model = using(t, new Embedder(tiny(name)))
      const info = await model.info()
      if (cut(id) > info.dimensions) return assert.rejects(model.embed(texts, { dimensions: cut(id) }), failure('ERR_INVALID_ARG', /dimensions/))
      const call = CALLS[id] ?? ((model, texts) => model.embed(texts, { dimensions: cut(id) }))
      const rows = await call(model, texts)
      // float16 tables are averaged in float16 by the reference: one part in 2,048. Its vector of a text without tokens is then no number.
      const same = golden.embedding_dtype === 'float16' ? (row, other, what) => assertNear(row, other, 2e-3, what) : assertSameVector
      rows.forEach((row, index) => {
        let expected = [single[index], batch?.[index]].find((vector) => Array.isArray(vector) && vector.every((value) => typeof value === 'number'))
        expected ??= row.map(() => 0)
        if (cut(id) && info.normalize) expected = scaled(expected)
        same(row, expected, golden.texts[index].id)
      })
    })
  }

  test(`${name}: a text in a batch equals the lone text, to the bit`, async (t) => {
    const model = using(t, new Embedder(tiny(name)))
    const all = await model.embed(texts)
    for (const [index, text] of texts.entries()) assert.deepEqual(await model.embed(text), all[index])
    const many = await model.embedMany(texts)
    texts.forEach((_, index) => assert.deepEqual(many.row(index), all[index]))
  })

  test(`${name}: tokens and what is told of it`, async (t) => {
    const model = using(t, new Embedder(tiny(name)))
    const info = await model.info()
    assert.deepEqual([info.kind, info.engine, info.device, info.pooling, info.onnxruntime], ['embedder', 'table', 'cpu', null, null])
    assert.equal(info.dimensions, golden.truncate_dim ?? golden.dimension)
    assert.equal(info.normalize, golden.modules.some((module) => /Normalize/.test(module.type ?? module)))
    assert.equal(info.maxLength, golden.truncation_in_tokenizer_json?.max_length ?? 2 ** 31 - 1)
    assert.deepEqual(info.assumed, [])
    assert.equal((await model.embedMany(texts)).tokens, golden.tokens.encode.input_ids.flat().length)
  })
}

test('there are models to test', () => {
  assert.ok(loadable.length >= 8, `found ${loadable}`)
})

test('an int8 table without weights is averaged as it is, as by model2vec', async (t) => {
  const name = 'beyond/model2vec-int8'
  const { texts, model2vec } = goldenOf(name)
  const model = using(t, new Embedder(tiny(name)))
  const rows = await model.embed(texts.map(({ text }) => text))
  const counts = await model.tokenCounts(texts.map(({ text }) => text))
  let compared = 0
  rows.forEach((row, index) => {
    // model2vec leaves unknown tokens out, which sentence-transformers does not.
    if (model2vec.tokens[index].length !== counts[index]) return
    assertSameVector(row, model2vec.single[index], texts[index].id)
    compared++
  })
  assert.ok(compared > 5)
})

test('a repository of model2vec without modules.json is normalised by its config.json', async (t) => {
  for (const [name, normalize] of [[POTION, true], ['beyond/model2vec-weights', false]]) {
    const folder = copyOf(name, t)
    rmSync(path.join(folder, 'modules.json'))
    // As repositories on the Hub say.
    const file = path.join(folder, 'config.json')
    writeFileSync(file, JSON.stringify({ ...readJson(file), model_type: 'model2vec' }))
    const [bare, whole] = [new Embedder(folder), new Embedder(tiny(name))].map((model) => using(t, model))
    assert.equal((await bare.info()).normalize, normalize)
    assert.deepEqual(await bare.embed('the river bank'), await whole.embed('the river bank'))
  }
})

test('all outputs, streams, dimensions and prompts are those of any embedder', async () => {
  const texts = ['the river', 'Berlin is a large city', '']
  const [plain, bits, few] = await Promise.all([
    potion.embed(texts),
    potion.embed(texts, { output: 'ubinary' }),
    potion.embed(texts, { dimensions: 4 }),
  ])
  assert.deepEqual(Array.from(bits[0]), [0, 1].map((byte) => parseInt(Array.from(plain[0].slice(byte * 8, byte * 8 + 8), (value) => (value > 0 ? 1 : 0)).join(''), 2)))
  assertNear(few[0], scaled(Array.from(plain[0].slice(0, 4))), 1e-6, 'four dimensions')
  assert.deepEqual(Array.from(plain[2]), Array(16).fill(0))
  const streamed = []
  for await (const { embedding } of potion.embedStream(texts)) streamed.push(embedding)
  assert.deepEqual(streamed, plain)
  assert.deepEqual(await potion.embed('river', { promptText: 'the ' }), await potion.embed('the river'))
})

test('many texts, long and short, are each as they are alone', async (t) => {
  const model = using(t, new Embedder(tiny('beyond/model2vec-weights'), { maxLength: 100_000 }))
  const texts = Array.from({ length: 3000 }, (_, index) => 'the river bank of Berlin '.repeat(index % 1000 === 7 ? 4000 : index % 9))
  const { data, rows, dimensions, truncated } = await model.embedMany(texts)
  assert.deepEqual([rows, data.length, truncated], [3000, 3000 * dimensions, 0])
  for (const index of [0, 1, 7, 8, 512, 1007, 2999]) {
    assert.deepEqual(data.slice(index * dimensions, (index + 1) * dimensions), await model.embed(texts[index]), `text ${index}`)
  }
})

test('a text without end of tokens is read to its end, in parts', async (t) => {
  const folder = copyOf('beyond/static-normalize', t)
  const model = using(t, new Embedder(folder))
  const words = 600_000
  const { tokens, data } = await model.embedMany(['river '.repeat(words)], { promptText: '' })
  const [one] = await model.tokenCounts(['river'])
  assert.equal(tokens, words * one)
  assertNear(data, await model.embed('river', { promptText: '' }), 1e-4, 'the mean of one word')
})

test('limits: the file\'s own, the option\'s, and an error where that is asked for', async () => {
  const long = 'river '.repeat(100)
  const { maxLength } = await potion.info()
  assert.equal(maxLength, 20)
  const { tokens, truncated } = await potion.embedMany([long])
  assert.deepEqual([tokens, truncated], [20, 1])
  assert.equal((await potion.embedMany([long], { maxLength: 7 })).tokens, 7)
  await assert.rejects(potion.embed(['a', long], { truncation: 'error' }), failure('ERR_TOO_LONG', /`texts\[1\]`/))
})

test('what a table cannot do is refused by name', async (t) => {
  const refused = (options, code, pattern) => assert.rejects(using(t, new Embedder(tiny(POTION), options)).load(), failure(code, pattern))
  await refused({ engine: 'graph' }, 'ERR_MODEL_UNSUPPORTED', /engine/)
  await refused({ engine: 'encoder' }, 'ERR_MODEL_UNSUPPORTED', /engine/)
  await refused({ dtype: 'q8' }, 'ERR_MODEL_UNSUPPORTED', /dtype/)
  await refused({ pooling: 'cls' }, 'ERR_MODEL_UNSUPPORTED', /pooling/)
  await refused({ file: 'tokenizer.json' }, 'ERR_FILE_NOT_FOUND', /tokenizer\.json/)
  await assert.rejects(potion.embed('a', { pooling: 'mean' }), failure('ERR_MODEL_UNSUPPORTED', /pooling/))
  await assert.rejects(using(t, new Classifier(tiny(POTION))).load(), failure('ERR_MODEL_UNSUPPORTED', /`Embedder`/))
  assert.equal((await using(t, new Embedder(tiny(POTION), { dtype: 'fp32', file: 'model.safetensors', device: 'cpu' })).info()).file, 'model.safetensors')
})

test('a damaged table is named', async (t) => {
  const damaged = (change) => {
    const folder = copyOf('beyond/model2vec-vocabulary', t)
    change(path.join(folder, 'model.safetensors'), folder)
    return assert.rejects(using(t, new Embedder(folder)).embed('the river'), (error) => {
      assert.ok(['ERR_MODEL_INVALID', 'ERR_FILE_NOT_FOUND'].includes(error.code), error.stack)
      assert.match(error.message, /model\.safetensors|no row/)
      return true
    })
  }
  await damaged((file) => rmSync(file))
  await damaged((file) => writeFileSync(file, ''))
  await damaged((file) => writeFileSync(file, 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'))
  await damaged((file) => writeFileSync(file, safetensors({ embeddings: ['F32', [2, 2]] }, 16).subarray(0, -1)))
  await damaged((file) => writeFileSync(file, safetensors({ other: ['F32', [2, 2]] }, 16)))
  await damaged((file) => writeFileSync(file, safetensors({ embeddings: ['F32', [4]] }, 16)))
  // A table of two rows for a vocabulary of hundreds, and a mapping that leads out of it.
  await damaged((file) => writeFileSync(file, safetensors({ embeddings: ['F32', [2, 2]] }, 16)))
  await damaged((file) => writeFileSync(file, safetensors({ embeddings: ['F32', [2, 2]], mapping: ['I32', [2]] }, 24, 0xff)))
})

/** A safetensors file of tensors one after the other. */
function safetensors(tensors, bytes, filling = 0) {
  let at = 0
  const size = { F32: 4, I32: 4 }
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, [dtype, shape]]) => {
      const start = at
      at += size[dtype] * shape.reduce((all, axis) => all * axis, 1)
      return [name, { dtype, shape, data_offsets: [start, at] }]
    }),
  )
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, Buffer.alloc(bytes, filling)])
}

test('the folder of a table may be another than the root', async (t) => {
  const folder = copyOf(POTION, t)
  mkdirSync(path.join(folder, '0_StaticEmbedding'))
  for (const file of ['model.safetensors', 'tokenizer.json']) renameSync(path.join(folder, file), path.join(folder, '0_StaticEmbedding', file))
  const modules = readJson(path.join(folder, 'modules.json'))
  modules[0].path = './0_StaticEmbedding'
  writeFileSync(path.join(folder, 'modules.json'), JSON.stringify(modules))
  const model = using(t, new Embedder(folder))
  assert.deepEqual(await model.embed('the river'), await potion.embed('the river'))
})

test('from the Hub only what is read is fetched, and the cache does without it', async (t) => {
  const hub = await FakeHub.start({ resolveCache: true })
  t.after(() => hub.close())
  const cacheDir = temporary(t)
  for (const name of ['beyond/static-normalize', 'beyond/static-plain', POTION]) {
    const id = `tiny/${name.replace('/', '-')}`
    hub.add(id, tiny(name))
    const online = using(t, new Embedder(id, { endpoint: hub.url, cacheDir }))
    const vector = await online.embed('the river')
    const before = hub.requests.length
    const offline = using(t, new Embedder(id, { endpoint: hub.url, cacheDir, offline: true, threads: 1 }))
    assert.deepEqual(await offline.embed('the river'), vector, name)
    assert.equal(hub.requests.length, before)
  }
  assert.equal(hub.count({ file: 'README.md', status: 200 }) + hub.count({ file: 'golden.json' }), 0)
})
