import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Embedder, Reranker, embed, rerank } from 'vecrank'
import { assertNear, tiny } from './fixtures.mjs'

const folder = tiny('zoo/bert-ranker-1')
const reranker = new Reranker(folder)
after(() => reranker.dispose())

const query = 'what is the capital of France'
const documents = ['Paris is the capital of France.', 'Berlin is in Germany.', 'Mix flour and water.', 'The Seine runs through Paris.', '']

test('documents come best first with their index and raw logit', async () => {
  const ranking = await reranker.rerank(query, documents)
  assert.equal(ranking.length, documents.length)
  assert.deepEqual(ranking.map(({ index }) => index).sort(), [0, 1, 2, 3, 4])
  for (let place = 1; place < ranking.length; place++) assert.ok(ranking[place - 1].score >= ranking[place].score)
  const logits = await reranker.score(documents.map((document) => [query, document]))
  assert.ok(logits instanceof Float32Array)
  for (const { index, score, truncated, ...rest } of ranking) {
    assert.ok(Math.abs(score - logits[index]) < 1e-4)
    assert.equal(truncated, false)
    assert.deepEqual(rest, {})
  }
})

test('a result says whether its pair was cut', async () => {
  const { maxLength } = await reranker.info()
  const words = (count) => 'river '.repeat(count)
  // Three special tokens, a word of the query, and the document's: one token more than fits is cut.
  const fits = maxLength - 4
  for (const many of [1, 700]) {
    const texts = Array.from({ length: many * 3 }, (_, index) => [words(fits), words(fits + 1), 'river'][index % 3])
    for (const { index, truncated } of await reranker.rerank('river', texts)) assert.equal(truncated, index % 3 === 1, `document ${index}`)
  }
  assert.deepEqual((await reranker.rerank(words(1000), ['river'])).map(({ truncated }) => truncated), [true], 'the query counts as well')
})

test('topK keeps the best; more than there are is all', async () => {
  const all = await reranker.rerank(query, documents)
  const best = await reranker.rerank(query, documents, { topK: 2 })
  assert.deepEqual(best.map(({ index }) => index), all.slice(0, 2).map(({ index }) => index))
  assert.equal((await reranker.rerank(query, documents, { topK: 1e9 })).length, documents.length)
})

test("returnDocuments gives the caller's own values", async () => {
  const own = [{ text: documents[0], id: 7 }, documents[1]]
  for (const { index, document } of await reranker.rerank(query, own, { returnDocuments: true })) assert.equal(document, own[index])
})

test('equal scores keep the order of the input', async () => {
  const ranking = await reranker.rerank(query, Array(50).fill('the same document'))
  assert.deepEqual(ranking.map(({ index }) => index), [...Array(50).keys()])
})

test('activation: none, sigmoid, what the model declares', async () => {
  const sigmoid = (logit) => 1 / (1 + Math.exp(-logit))
  const scores = async (model, activation) => (await model.rerank(query, documents, { activation })).map(({ score }) => score)
  const logits = await scores(reranker, 'none')
  assertNear(await scores(reranker), logits, 1e-4, 'no activation by default')
  assertNear(await scores(reranker, 'sigmoid'), logits.map(sigmoid), 1e-5, 'sigmoid')
  assertNear(await scores(reranker, 'default'), logits, 1e-4, 'this model declares Identity')
  const undeclared = new Reranker(tiny('zoo/xlmr-ranker-1-undeclared'))
  assertNear(await scores(undeclared, 'default'), (await scores(undeclared, 'none')).map(sigmoid), 1e-5, 'nothing declared is a sigmoid')
})

test('nothing to rank loads nothing', async () => {
  const missing = new Reranker('./no/such/folder')
  assert.deepEqual(await missing.rerank(query, []), [])
  assert.deepEqual(await missing.score([]), new Float32Array(0))
  assert.deepEqual(await rerank(query, [], { model: './no/such/folder' }), [])
})

test('scores of many pairs come in the order of the input', async () => {
  const pairs = Array.from({ length: 1500 }, (_, index) => [`question ${index % 7}`, documents[index % documents.length]])
  const scores = await reranker.score(pairs)
  assert.equal(scores.length, pairs.length)
  const period = 7 * documents.length
  for (let index = period; index < scores.length; index++) {
    assert.ok(Math.abs(scores[index] - scores[index % period]) < 1e-4, `pair ${index}`)
  }
  const unlike = new Set(Array.from(scores.slice(0, period), (score) => score.toFixed(3)))
  assert.ok(unlike.size > documents.length, 'different pairs have different scores')
})

test('the default model is the installed package, and it knows what it ranks', async () => {
  delete process.env.VECRANK_RERANKER
  const ranking = await rerank('How many people live in Berlin?', [
    'Berlin is well known for its museums.',
    'New York has eight million inhabitants.',
    'Berlin has a population of 3.5 million registered inhabitants.',
  ])
  assert.equal(ranking[0].index, 2)
  const info = await new Reranker().info()
  assert.equal(info.model, 'vecrank-model-reranker-mini')
  assert.equal(info.kind, 'reranker')
})

test('a model of the other kind is refused', async () => {
  await assert.rejects(new Reranker(tiny('zoo/bert-mean')).load(), { name: 'VecrankError' })
  await assert.rejects(embed('text', { model: reranker }), { code: 'ERR_INVALID_ARG' })
  await assert.rejects(rerank(query, documents, { model: new Embedder(tiny('zoo/bert-mean')) }), { code: 'ERR_INVALID_ARG' })
})

test('more than two labels are not a ranking', async () => {
  await assert.rejects(new Reranker(tiny('zoo/bert-multilabel-3')).load(), { code: 'ERR_MODEL_UNSUPPORTED' })
})
