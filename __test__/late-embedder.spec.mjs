// Late interaction against the reference's MultiVectorEncoder: golden files of sentence-transformers.

import assert from 'node:assert/strict'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { Embedder, LateEmbedder } from 'vecrank'
import { assertNear, copyOf, failure, golden as goldenOf, readJson, tiny, tinyOf } from './fixtures.mjs'

const ZOO = 'zoo/colbert-multi-vector'
const colbert = new LateEmbedder(tiny(ZOO))
after(() => colbert.dispose())

/** A model that goes when the test ends. */
function using(t, model) {
  t.after(() => model.dispose())
  return model
}

const METHODS = { encode_query: 'embedQuery', encode_document: 'embedDocument' }
const models = tinyOf('multi-vector')

for (const name of models) {
  const golden = goldenOf(name)
  const texts = golden.texts.map(({ text }) => text)
  const runs = golden.runs.filter(({ id }) => METHODS[id])

  for (const engine of ['encoder', 'graph']) {
    test(`${name} gives the reference's vectors of tokens by the ${engine}`, async (t) => {
      const model = using(t, new LateEmbedder(tiny(name), { engine, device: 'cpu' }))
      assert.equal(runs.length, 2)
      for (const { id, single } of runs) {
        const matrices = await model[METHODS[id]](texts)
        matrices.forEach(({ data, rows, dimensions }, index) => {
          const what = `${id} of ${golden.texts[index].id}`
          assert.equal(rows, single[index].length, `rows of ${what}`)
          assert.equal(data.length, rows * dimensions)
          assertNear(data, single[index].flat(), 1e-4, what)
        })
      }
      assert.equal((await model.info()).dimensions, runs[0].single[0][0].length)
    })

    test(`${name} ranks as the reference by the ${engine}`, async (t) => {
      const model = using(t, new LateEmbedder(tiny(name), { engine, device: 'cpu' }))
      const expected = golden.similarity_query_by_document ?? golden.maxsim_query_by_document
      for (const [at, query] of texts.entries()) {
        const ranked = await model.rank(query, texts)
        const scores = new Array(texts.length)
        for (const { index, score } of ranked) scores[index] = score
        assertNear(scores, expected[at], 1e-3, `scores of ${golden.texts[at].id}`)
      }
      for (const { query, documents, smallest_gap: gap } of golden.rank ?? []) {
        // Texts with the same tokens are equal, and keep their order.
        assert.ok(gap === 0 || gap > 1e-5, `documents of ${query} are too near each other for an order`)
        const ranked = await model.rank(golden.texts.find(({ id }) => id === query).text, texts)
        assert.deepEqual(ranked.map(({ index }) => golden.texts[index].id), documents, `order for ${query}`)
      }
    })
  }

  test(`${name}: a text in a batch equals the lone text, to the bit`, async (t) => {
    const model = using(t, new LateEmbedder(tiny(name), { engine: 'encoder' }))
    for (const method of Object.values(METHODS)) {
      const all = await model[method](texts)
      for (const [index, text] of texts.entries()) assert.deepEqual(await model[method](text), all[index])
    }
  })
}

test('there are models to test: of sentence-transformers, of PyLate and of Stanford', () => {
  for (const name of [ZOO, 'beyond/colbert-pylate', 'beyond/colbert-pylate-v3', 'beyond/colbert-stanford']) assert.ok(models.includes(name), name)
})

test('a graph that asks for positions counts on through what fills up a query', async (t) => {
  // The network of another model, which has such an input, with the layers of this one. A query that is filled up with a token, and sees it, has
  // the tokens of a text that ends so.
  const [filling, plain] = [{ strategy: 'fixed', attend: true, token: '[SEP]', length: 24 }, undefined].map((expansion) => {
    const folder = copyOf('extra/onnx-position-ids-bert', t)
    const parts = ['2_MultiVectorMask', '3_Normalize']
    for (const part of ['config_sentence_transformers.json', ...parts]) cpSync(path.join(tiny(ZOO), part), path.join(folder, part), { recursive: true })
    const modules = readJson(path.join(tiny(ZOO), 'modules.json')).filter((module) => module.path === '' || parts.includes(module.path))
    writeFileSync(path.join(folder, 'modules.json'), JSON.stringify(modules))
    writeFileSync(path.join(folder, 'sentence_bert_config.json'), JSON.stringify({ query_expansion: expansion }))
    return using(t, new LateEmbedder(folder, { engine: 'graph', device: 'cpu' }))
  })
  const { rows: own } = await plain.embedQuery('the river')
  assert.ok(own < 24)
  const [filled, written] = [await filling.embedQuery('the river'), await plain.embedQuery(`the river${' [SEP]'.repeat(24 - own)}`)]
  assert.deepEqual([filled.rows, written.rows], [24, 24])
  assertNear(filled.data, written.data, 1e-6, 'the vectors')
})

test('rank: best first, ties keep the order, topK keeps the best, documents may be objects', async () => {
  const documents = ['the river bank', { text: 'Berlin is a city' }, 'the river bank', 'quick', '']
  const all = await colbert.rank('the river', documents)
  assert.equal(all.length, documents.length)
  for (let place = 1; place < all.length; place++) assert.ok(all[place - 1].score >= all[place].score)
  const equal = all.filter(({ index }) => index === 0 || index === 2)
  assert.deepEqual(equal.map(({ index }) => index), [0, 2])
  assert.equal(equal[0].score, equal[1].score)
  assert.deepEqual(await colbert.rank('the river', documents, { topK: 2 }), all.slice(0, 2))
  assert.deepEqual(await colbert.rank('the river', documents, { topK: 100 }), all)
})

test('the score is the sum of the largest products, over more documents than one request holds', async () => {
  const documents = Array.from({ length: 700 }, (_, index) => `the ${['river', 'bank', 'city', 'museum'][index % 4]} ${index}`)
  const [query, matrices, ranked] = await Promise.all([
    colbert.embedQuery('a large city'),
    colbert.embedDocument(documents),
    colbert.rank('a large city', documents),
  ])
  const row = ({ data, dimensions }, at) => data.subarray(at * dimensions, (at + 1) * dimensions)
  const product = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0)
  for (const { index, score } of [...ranked.slice(0, 20), ...ranked.slice(-20)]) {
    let sum = 0
    for (let at = 0; at < query.rows; at++) {
      let best = -Infinity
      for (let other = 0; other < matrices[index].rows; other++) best = Math.max(best, product(row(query, at), row(matrices[index], other)))
      sum += best
    }
    assert.ok(Math.abs(sum - score) < 1e-4, `document ${index}: ${score} and not ${sum}`)
  }
})

test('every matrix has memory of its own, which can be handed over', async () => {
  const [first, second] = await colbert.embedDocument(['the river', 'the city'])
  const before = Float32Array.from(second.data)
  first.data.fill(0)
  assert.deepEqual(second.data, before)
  assert.equal(structuredClone(second.data, { transfer: [second.data.buffer] }).length, before.length)
})

test('an empty list loads nothing; wrong arguments are refused before anything is loaded', async () => {
  const unloaded = new LateEmbedder('./no-such-model')
  assert.deepEqual(await unloaded.embedQuery([]), [])
  assert.deepEqual(await unloaded.embedDocument([]), [])
  assert.deepEqual(await unloaded.rank('a', []), [])
  const wrong = { name: 'TypeError', code: 'ERR_INVALID_ARG' }
  for (const texts of [undefined, null, 7, {}, ['a', 7]]) {
    await assert.rejects(unloaded.embedQuery(texts), wrong)
    await assert.rejects(unloaded.embedDocument(texts), wrong)
    await assert.rejects(unloaded.rank('a', texts), wrong)
  }
  await assert.rejects(unloaded.rank(7, ['a']), wrong)
  for (const options of [{ topK: 0 }, { returnDocuments: true }, { maxLength: 0 }]) await assert.rejects(unloaded.rank('a', ['a'], options), wrong)
  await assert.rejects(unloaded.embedQuery('a', { topK: 1 }), wrong)
  for (const options of [{ pooling: 'mean' }, { normalize: true }]) assert.throws(() => new LateEmbedder('./a', options), wrong)
  assert.throws(() => new LateEmbedder(), wrong)
})

test('lengths: a query is as long as the model wants it, a document as long as the caller does', async (t) => {
  const long = 'river '.repeat(500)
  const [query, document] = [await colbert.embedQuery(long), await colbert.embedDocument(long)]
  assert.equal(query.rows, 24)
  assert.equal(document.rows, 48)
  assert.equal((await colbert.embedDocument(long, { maxLength: 10 })).rows, 10)
  assert.deepEqual(await colbert.embedQuery(long, { maxLength: 24 }), query)
  await assert.rejects(colbert.embedQuery('a', { maxLength: 10 }), failure('ERR_INVALID_ARG', /24/))
  await assert.rejects(colbert.embedDocument('a', { maxLength: 65 }), failure('ERR_INVALID_ARG', /64/))
  // Not for the query.
  assert.equal((await colbert.rank('river', [long], { maxLength: 10 })).length, 1)
  await assert.rejects(colbert.embedDocument(['short', long], { truncation: 'error' }), failure('ERR_TOO_LONG', /`texts\[1\]`/))
  await assert.rejects(colbert.rank('a', ['short', long], { truncation: 'error' }), failure('ERR_TOO_LONG', /`documents\[1\]`/))
  await assert.rejects(colbert.embedQuery(long, { truncation: 'error' }), failure('ERR_TOO_LONG', /`texts`/))
  const least = using(t, new LateEmbedder(tiny('beyond/colbert-min-expansion')))
  const { length } = goldenOf('beyond/colbert-min-expansion').query_expansion
  await assert.rejects(least.embedQuery('a', { maxLength: length - 1 }), failure('ERR_INVALID_ARG', /at least/))
  assert.ok((await least.embedQuery(long, { maxLength: length + 1 })).rows <= length + 1)
})

test('prompts of the options take the place of those of the files', async (t) => {
  const model = using(t, new LateEmbedder(tiny(ZOO), { prompts: { query: '[D] ', document: '' } }))
  const tokens = await model.embedDocument('the river')
  assert.equal(tokens.rows, (await colbert.embedDocument('the river')).rows - 1)
  assert.notDeepEqual(await model.embedQuery('the river'), await colbert.embedQuery('the river'))
})

test('a signal ends a call', async () => {
  const reason = new Error('enough')
  await assert.rejects(colbert.rank('a', Array(5000).fill('the river bank'), { signal: AbortSignal.abort(reason) }), reason)
  const controller = new AbortController()
  const call = colbert.rank('a', Array(5000).fill('the river bank'), { signal: controller.signal })
  setImmediate(() => controller.abort(reason))
  await assert.rejects(call, reason)
})

test('models of another kind are refused, and the class is named', async (t) => {
  for (const [name, owner] of [['zoo/bert-mean', 'Embedder'], ['zoo/bert-multilabel-3', 'Classifier'], ['zoo/splade-mlm', 'SparseEmbedder']]) {
    await assert.rejects(using(t, new LateEmbedder(tiny(name))).load(), failure('ERR_MODEL_UNSUPPORTED', new RegExp(`\`${owner}\``)))
  }
  // Stanford's, without modules.json, is read as the reference reads it: mean pooling.
  for (const name of models.filter((name) => !name.startsWith('beyond/colbert-stanford'))) {
    await assert.rejects(using(t, new Embedder(tiny(name))).load(), failure('ERR_MODEL_UNSUPPORTED', /`LateEmbedder`/), name)
  }
  const folder = copyOf('zoo/bert-mean', t)
  rmSync(path.join(folder, 'modules.json'))
  await assert.rejects(using(t, new LateEmbedder(folder)).load(), failure('ERR_MODEL_UNSUPPORTED', /modules\.json/))
})

test('what does not fit is said when the model is loaded', async (t) => {
  const cases = [
    [{ strategy: 'fixed', length: 65 }, 'ERR_MODEL_INVALID', /65.*64/],
    [{ strategy: 'fixed', length: 24, token: 'no such token' }, 'ERR_MODEL_INVALID', /no such token/],
    [{ strategy: 'other', length: 24 }, 'ERR_MODEL_INVALID', /strategy/],
    [{ strategy: 'fixed' }, 'ERR_MODEL_INVALID', /length/],
    [{ strategy: 'fixed', length: 24, more: 1 }, 'ERR_MODEL_INVALID', /more/],
  ]
  for (const [expansion, code, pattern] of cases) {
    const folder = copyOf(ZOO, t)
    const file = path.join(folder, 'sentence_bert_config.json')
    writeFileSync(file, JSON.stringify({ ...readJson(file), query_expansion: expansion }))
    await assert.rejects(using(t, new LateEmbedder(folder)).load(), failure(code, pattern))
  }
  const folder = copyOf(ZOO, t)
  const file = path.join(folder, 'tokenizer_config.json')
  writeFileSync(file, JSON.stringify({ ...readJson(file), padding_side: 'left' }))
  await assert.rejects(using(t, new LateEmbedder(folder)).load(), failure('ERR_MODEL_UNSUPPORTED', /left/))
})
