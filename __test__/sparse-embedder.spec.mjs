// Sparse embedders against sentence-transformers' SparseEncoder: golden files.

import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { Embedder, SparseEmbedder } from 'vecrank'
import { assertNear, copyOf, failure, golden as goldenOf, readJson, someTexts, tiny, tinyOf } from './fixtures.mjs'

const embedder = new SparseEmbedder(tiny('beyond/splade-max-relu'))
after(() => embedder.dispose())

/** A model that goes when the test ends. */
function using(t, model) {
  t.after(() => model.dispose())
  return model
}

function assertSameSparse(actual, expected, what) {
  assert.ok(actual.indices instanceof Uint32Array && actual.values instanceof Float32Array, what)
  assert.deepEqual(Array.from(actual.indices), expected.indices, `${what}: indices`)
  assertNear(actual.values, expected.values, 1e-4, what)
}

/** The golden vectors of a run, by text: `single`, where the reference's batch has faults of its own, else `batch`. */
function vectorsOf(golden, run) {
  const { same_as: other } = run
  return other === undefined ? (run.single ?? run.batch) : vectorsOf(golden, golden.runs.find(({ id }) => id === other))
}

/** The call of ours that a run is of; `undefined` for runs of other files. */
function callOf({ id, call = 'encode(texts)' }) {
  if (id.startsWith('variant_')) return undefined
  const most = /max_active_dims=(\d+)/.exec(call)
  const options = most === null ? undefined : { maxActive: Number(most[1]) }
  const method = { encode: 'embed', encode_query: 'embedQuery', encode_document: 'embedDocument' }[/^\w+/.exec(call)[0]]
  return (model, texts) => model[method](texts, options)
}

const models = tinyOf('sparse')

test('there are sparse embedders to test', () => {
  assert.ok(models.length >= 9, `found ${models}`)
})

for (const name of models) {
  const golden = goldenOf(name)
  const texts = golden.texts.map(({ text }) => text)
  const hasGraph = golden.onnx.length > 0
  // Of zoo/splade-mlm the tests have no safetensors: the encoder reads its ONNX file.
  for (const engine of hasGraph ? ['encoder', 'graph'] : ['auto']) {
    test(`${name} gives the reference's vectors by the ${engine}`, async (t) => {
      const model = using(t, new SparseEmbedder(tiny(name), { engine }))
      const info = await model.info()
      assert.equal(info.kind, 'sparse-embedder')
      assert.equal(info.engine, hasGraph ? engine : 'encoder')
      for (const run of golden.runs) {
        const call = callOf(run)
        if (call === undefined) continue
        const vectors = await call(model, texts)
        vectorsOf(golden, run).forEach((expected, index) => {
          if (expected.error === undefined) assertSameSparse(vectors[index], expected, `${run.id} of ${golden.texts[index].id}`)
        })
      }
    })
  }

  test(`${name}: a text in a batch equals the lone text`, async (t) => {
    const model = using(t, new SparseEmbedder(tiny(name)))
    for (const method of ['embed', 'embedQuery', 'embedDocument']) {
      const all = await model[method](texts)
      for (const [index, text] of texts.entries()) assert.deepEqual(await model[method](text), all[index])
    }
  })

  test(`${name}: decode gives the reference's tokens`, async (t) => {
    const model = using(t, new SparseEmbedder(tiny(name)))
    const inPairs = (decoded) => decoded.map(({ token, weight }) => [token, weight])
    const compare = (vector, expected, what) => {
      const found = inPairs(model.decode(vector)).slice(0, expected.length)
      assert.deepEqual(found.map(([token]) => token), expected.map(([token]) => token), what)
      assertNear(found.map(([, weight]) => weight), expected.map(([, weight]) => weight), 1e-4, what)
    }
    const first = await model.embed(texts.slice(0, 4))
    golden.decode_top_5_first_4_texts?.forEach((expected, index) => compare(first[index], expected, `text ${index}`))
    if (golden.decode_query_first_text) compare(await model.embedQuery(texts[0]), golden.decode_query_first_text, 'the query')
    for (let place = 1, all = model.decode(first[0]); place < all.length; place++) assert.ok(all[place - 1].weight >= all[place].weight)
  })
}

// ---------- pooling ------------------------------------------------------------------------------------------------------

for (const name of ['zoo/splade-mlm', 'beyond/splade-sum-relu']) {
  const golden = goldenOf(name)
  for (const run of golden.runs.filter(({ id }) => id.startsWith('variant_'))) {
    for (const engine of ['encoder', 'graph']) {
      test(`${name}, ${run.pooling_strategy} and ${run.activation_function}, by the ${engine}`, async (t) => {
        const folder = copyOf(name, t)
        const { pooling_strategy, activation_function } = run
        writeFileSync(path.join(folder, '1_SpladePooling/config.json'), JSON.stringify({ pooling_strategy, activation_function }))
        const model = using(t, new SparseEmbedder(folder, { engine }))
        const { sparse } = await model.info()
        assert.deepEqual([sparse.embed.pooling, sparse.embed.activation], [pooling_strategy, activation_function])
        const vectors = await model.embed(golden.texts.map(({ text }) => text))
        vectorsOf(golden, run).forEach((expected, index) => assertSameSparse(vectors[index], expected, golden.texts[index].id))
      })
    }
  }
}

test('many texts at once, on several threads, are each the lone text', async (t) => {
  for (const [name, engine] of [['beyond/splade-sum-relu', 'encoder'], ['beyond/splade-max-relu', 'encoder'], ['beyond/splade-max-relu', 'graph']]) {
    const model = using(t, new SparseEmbedder(tiny(name), { engine, threads: 4 }))
    const texts = someTexts(700, 60)
    const all = await model.embed(texts)
    for (let index = 0; index < texts.length; index += 70) assert.deepEqual(await model.embed(texts[index]), all[index], `${name} ${index}`)
  }
})

// ---------- routes -------------------------------------------------------------------------------------------------------

for (const name of ['beyond/splade-inference-free', 'beyond/splade-inference-free-root']) {
  for (const [number, variant] of goldenOf(name).router_variants.entries()) {
    test(`${name}, router ${number}: ${variant.why}`, async (t) => {
      const folder = copyOf(name, t)
      rmSync(path.join(folder, 'router_config.json'), { force: true })
      if (variant.router_config) writeFileSync(path.join(folder, variant.file), JSON.stringify(variant.router_config))
      const golden = goldenOf(name)
      const texts = golden.texts.map(({ text }) => text)
      const model = using(t, new SparseEmbedder(folder))
      if (variant.load?.error !== undefined || variant.error !== undefined) {
        await assert.rejects(model.load(), { name: 'VecrankError' })
        return
      }
      for (const [method, call] of [['embed', 'encode'], ['embedQuery', 'encode_query'], ['embedDocument', 'encode_document']]) {
        const expected = variant[call]
        if (expected === undefined) continue
        if (expected.error !== undefined) {
          await assert.rejects(model[method](texts), failure('ERR_MODEL_UNSUPPORTED', /route/))
          continue
        }
        const run = golden.runs.find(({ id }) => id === expected.gives_what)
        const vectors = await model[method](texts)
        vectorsOf(golden, run).forEach((vector, index) => {
          if (vector.error === undefined) assertSameSparse(vectors[index], vector, `${call} of ${golden.texts[index].id}`)
        })
      }
    })
  }
}

test('queries of an inference-free model are read to the limit of their own tokenizer, and have no special tokens', async (t) => {
  const model = using(t, new SparseEmbedder(tiny('beyond/splade-inference-free')))
  const { sparse, dimensions, assumed } = await model.info()
  assert.equal(sparse.embedQuery.pooling, null)
  assert.equal(sparse.embedDocument.pooling, 'max')
  assert.equal(dimensions, goldenOf('beyond/splade-inference-free').dimension)
  assert.deepEqual(assumed.filter((name) => name.startsWith('sparse')), [])
  const tokens = model.decode(await model.embedQuery('hello world')).map(({ token }) => token)
  assert.ok(!tokens.includes('[CLS]') && !tokens.includes('[SEP]'), `${tokens}`)
  await assert.rejects(model.embedQuery(['a', 'river '.repeat(5000)], { truncation: 'error', maxLength: 100 }), failure('ERR_TOO_LONG', /`texts\[1\]`/))
})

// ---------- options ------------------------------------------------------------------------------------------------------

test('maxActive keeps the largest values, and more than there are are all', async () => {
  const [all] = await embedder.embed(['the capital of France'], { maxActive: 100_000 })
  const few = await embedder.embed('the capital of France', { maxActive: 3 })
  const largest = Array.from(all.values).sort((a, b) => b - a).slice(0, 3)
  assert.deepEqual(Array.from(few.values).sort((a, b) => b - a), largest)
  assert.deepEqual(Array.from(few.indices), Array.from(few.indices).sort((a, b) => a - b))
})

test('a prompt is text before the text, by name or as it is', async (t) => {
  const model = using(t, new SparseEmbedder(tiny('beyond/splade-sum-relu')))
  const { prompts } = await model.info()
  const plain = await model.embed(`${prompts.query}hello world`, { promptText: '' })
  assert.deepEqual(await model.embed('hello world', { prompt: 'query' }), plain)
  assert.deepEqual(await model.embedDocument('hello world', { prompt: 'query' }), plain)
  assert.deepEqual(await model.embed('hello world', { promptText: prompts.query }), plain)
  assert.deepEqual(await model.embedQuery('hello world'), plain)
  await assert.rejects(model.embed('a', { prompt: 'no such' }), failure('ERR_INVALID_ARG', /no such/))
  const own = using(t, new SparseEmbedder(tiny('beyond/splade-sum-relu'), { prompts: { query: 'abc ' } }))
  assert.deepEqual(await own.embedQuery('hello world'), await own.embed('abc hello world', { promptText: '' }))
})

test('maxLength and truncation are those of other models', async () => {
  const long = 'river '.repeat(500)
  assert.deepEqual(await embedder.embed(long, { maxLength: 4 }), await embedder.embed('river river', { maxLength: 4 }))
  await assert.rejects(embedder.embed(long, { truncation: 'error' }), failure('ERR_TOO_LONG', /`texts`/))
  await assert.rejects(embedder.embed('a', { maxLength: 1 }), failure('ERR_INVALID_ARG', /special tokens/))
})

test('an empty list loads nothing; wrong arguments are refused before anything is loaded', async () => {
  const unloaded = new SparseEmbedder('./no-such-model')
  assert.deepEqual(await unloaded.embed([]), [])
  for (const wrong of [undefined, null, 7, {}, ['a', 7]]) await assert.rejects(unloaded.embed(wrong), failure('ERR_INVALID_ARG'))
  for (const options of [{ maxActive: 0 }, { maxActive: 1.5 }, { max_active: 1 }, { pooling: 'max' }, { prompt: 'a', promptText: 'b' }]) {
    await assert.rejects(unloaded.embedQuery('a', options), failure('ERR_INVALID_ARG'))
  }
  assert.throws(() => new SparseEmbedder(), failure('ERR_INVALID_ARG'))
  assert.throws(() => new SparseEmbedder('./m', { pooling: 'mean' }), failure('ERR_INVALID_ARG', /pooling/))
  assert.throws(() => unloaded.decode({ indices: new Uint32Array(0), values: new Float32Array(0) }), failure('ERR_INVALID_ARG', /load\(\)/))
})

test('a signal ends a call with its reason', async () => {
  const controller = new AbortController()
  const call = embedder.embed(someTexts(2000, 40), { signal: controller.signal })
  controller.abort(new Error('enough'))
  await assert.rejects(call, /enough/)
})

test('decode takes vectors of this vocabulary, heaviest first and of equal ones the lower index', async () => {
  await embedder.load()
  const decoded = embedder.decode({ indices: Uint32Array.of(5, 9, 20), values: Float32Array.of(1, 2, 1) })
  const [five, nine, twenty] = ['5', '9', '20'].map((index) => embedder.decode({ indices: Uint32Array.of(index), values: Float32Array.of(1) })[0].token)
  assert.deepEqual(decoded, [{ token: nine, weight: 2 }, { token: five, weight: 1 }, { token: twenty, weight: 1 }])
  assert.deepEqual(embedder.decode({ indices: new Uint32Array(0), values: new Float32Array(0) }), [])
  const { dimensions } = await embedder.info()
  for (const wrong of [undefined, [1], { indices: [1], values: [1] }, { indices: Uint32Array.of(1), values: new Float32Array(2) }]) {
    assert.throws(() => embedder.decode(wrong), failure('ERR_INVALID_ARG'))
  }
  assert.throws(() => embedder.decode({ indices: Uint32Array.of(dimensions), values: Float32Array.of(1) }), failure('ERR_INVALID_ARG', /vocabulary/))
})

// ---------- what is refused ----------------------------------------------------------------------------------------------

/** A copy of a model with another file in it. */
function changed(t, name, file, value) {
  const folder = copyOf(name, t)
  writeFileSync(path.join(folder, file), JSON.stringify(value))
  return using(t, new SparseEmbedder(folder))
}

test('a model of another kind is refused, and its class is named', async (t) => {
  for (const [name, owner] of [['zoo/bert-mean', 'Embedder'], ['zoo/bert-ranker-1', 'Reranker'], ['zoo/bert-token-classifier', 'TokenClassifier'], ['zoo/colbert-multi-vector', 'LateEmbedder']]) {
    await assert.rejects(using(t, new SparseEmbedder(tiny(name))).load(), failure('ERR_MODEL_UNSUPPORTED', new RegExp(`\`${owner}\``)))
  }
  await assert.rejects(using(t, new Embedder(tiny('beyond/splade-max-relu'))).load(), failure('ERR_MODEL_UNSUPPORTED', /SparseEncoder/))
})

test('modules that are not known are named', async (t) => {
  const modules = readJson(path.join(tiny('beyond/splade-max-relu'), 'modules.json'))
  const type = 'sentence_transformers.sparse_encoder.modules.sparse_auto_encoder.SparseAutoEncoder'
  const list = [...modules, { idx: 2, name: '2', path: '2_SparseAutoEncoder', type }]
  await assert.rejects(changed(t, 'beyond/splade-max-relu', 'modules.json', list).load(), failure('ERR_MODEL_UNSUPPORTED', /SparseAutoEncoder/))
  await assert.rejects(changed(t, 'beyond/splade-max-relu', 'modules.json', modules.slice(0, 1)).load(), failure('ERR_MODEL_UNSUPPORTED', /SpladePooling/))
  const pooling = '1_SpladePooling/config.json'
  await assert.rejects(changed(t, 'beyond/splade-max-relu', pooling, { pooling_strategy: 'mean' }).load(), failure('ERR_MODEL_UNSUPPORTED', /mean/))
  await assert.rejects(changed(t, 'beyond/splade-max-relu', pooling, { activation_function: 'gelu' }).load(), failure('ERR_MODEL_UNSUPPORTED', /gelu/))
})

test('a network without its head for masked tokens is refused', async (t) => {
  const settings = readJson(path.join(tiny('beyond/splade-max-relu'), 'sentence_bert_config.json'))
  const { transformer_task, modality_config, ...rest } = settings
  await assert.rejects(changed(t, 'beyond/splade-max-relu', 'sentence_bert_config.json', rest).load(), failure('ERR_MODEL_UNSUPPORTED', /transformer_task/))
})

test('a plain masked language model is read as the reference reads it, and that is said', async (t) => {
  const model = using(t, new SparseEmbedder(tiny('beyond/masked-lm')))
  const { assumed, sparse } = await model.info()
  assert.ok(assumed.includes('sparse.pooling') && assumed.includes('sparse.activation'), `${assumed}`)
  assert.deepEqual([sparse.embed.pooling, sparse.embed.activation, sparse.maxActive], ['max', 'relu', null])
})

test('numbers that are none are an error that names the text', async (t) => {
  // A weight of a token that only the second text has.
  const folder = copyOf('beyond/sparse-static', t)
  const model = using(t, new SparseEmbedder(folder))
  const { indices } = await model.embed('brown')
  const file = path.join(folder, 'model.safetensors')
  const bytes = readFileSync(file)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  bytes.writeFloatLE(NaN, start + 4 * indices[0])
  writeFileSync(file, bytes)
  const broken = using(t, new SparseEmbedder(folder))
  await assert.rejects(broken.embed(['hello', 'brown']), failure('ERR_NUMERIC', /`texts\[1\]`/))
})

test('a file cannot be named for a model of several networks', async (t) => {
  const folder = copyOf('beyond/splade-inference-free', t)
  cpSync(path.join(folder, 'document_0_Transformer'), path.join(folder, 'query_0_Transformer'), { recursive: true })
  const config = readJson(path.join(folder, 'router_config.json'))
  config.types['query_0_Transformer'] = config.types['document_0_Transformer']
  config.structure.query = ['query_0_Transformer', 'document_1_SpladePooling']
  writeFileSync(path.join(folder, 'router_config.json'), JSON.stringify(config))
  const model = using(t, new SparseEmbedder(folder))
  assert.deepEqual(await model.embedQuery('hello world'), await model.embedDocument('hello world'))
  const named = using(t, new SparseEmbedder(folder, { file: 'document_0_Transformer/model.safetensors' }))
  await assert.rejects(named.load(), failure('ERR_INVALID_ARG', /2 networks/))
})
