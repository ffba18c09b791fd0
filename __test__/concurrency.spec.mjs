import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Embedder, Reranker, embed } from 'vecrank'
import { assertNear, fullSize, golden, seeded, someTexts, tiny, tinyOf } from './fixtures.mjs'

for (const name of tinyOf('embedder').filter((name) => name.startsWith('zoo/'))) {
  test(`${name}: a row in a batch equals the lone row`, async () => {
    const embedder = new Embedder(tiny(name))
    const texts = [...golden(name).texts.map(({ text }) => text), ...someTexts(60)]
    const rows = await embedder.embed(texts)
    for (let index = 0; index < texts.length; index++) assertNear(await embedder.embed(texts[index]), rows[index], 1e-5, JSON.stringify(texts[index].slice(0, 40)))
    await embedder.dispose()
  })
}

const minilm = fullSize('all-MiniLM-L6-v2')
test('all-MiniLM-L6-v2 fp32: a row in a batch equals the lone row', { skip: minilm.skip }, async () => {
  const embedder = new Embedder(minilm.folder, { dtype: 'fp32' })
  const texts = someTexts(40, 60)
  const rows = await embedder.embed(texts)
  for (let index = 0; index < texts.length; index++) assertNear(await embedder.embed(texts[index]), rows[index], 1e-5, `text ${index}`)
})

test('shuffling inputs shuffles outputs', async () => {
  const embedder = new Embedder(tiny('zoo/modernbert-cls'))
  const texts = someTexts(700, 40)
  const order = [...texts.keys()]
  const random = seeded(7)
  for (let index = order.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    ;[order[index], order[other]] = [order[other], order[index]]
  }
  const straight = await embedder.embedMany(texts)
  const shuffled = await embedder.embedMany(order.map((index) => texts[index]))
  order.forEach((index, place) => assertNear(shuffled.row(place), straight.row(index), 1e-5, `text ${index}`))
  const listed = await embedder.embed(texts, { onProgress() {} })
  listed.forEach((vector, index) => assertNear(vector, straight.row(index), 1e-5, `text ${index} of the list`))
})

test('1,000 parallel calls keep their results apart', async () => {
  const embedder = new Embedder(tiny('zoo/bert-mean'))
  const texts = someTexts(1000, 20, 3)
  const expected = await embedder.embedMany(texts)
  const vectors = await Promise.all(texts.map((text) => embedder.embed(text)))
  vectors.forEach((vector, index) => assertNear(vector, expected.row(index), 1e-5, `call ${index}`))
})

test('embedding and reranking at once', async () => {
  const embedder = new Embedder(tiny('zoo/bert-mean'))
  const reranker = new Reranker(tiny('zoo/bert-ranker-1'))
  const documents = someTexts(100)
  const [vector, ranking] = [await embedder.embed('query'), await reranker.rerank('query', documents)]
  const mixed = await Promise.all(Array.from({ length: 40 }, (_, index) => (index % 2 ? embedder.embed('query') : reranker.rerank('query', documents))))
  mixed.forEach((result, index) => {
    if (index % 2) assertNear(result, vector, 1e-5, 'vector')
    else assertNear(result.map(({ score }) => score), ranking.map(({ score }) => score), 1e-3, 'ranking')
  })
})

test('200 first calls make one load', async () => {
  const model = tiny('zoo/bert-cls')
  let loads = 0
  // The registry holds one instance for all of them, and an instance holds one load.
  const load = Embedder.prototype.load
  const instances = globalThis[Symbol.for('vecrank.instances')] ?? new Map()
  const before = instances.size
  await Promise.all(Array.from({ length: 200 }, () => embed('text', { model })))
  const after = globalThis[Symbol.for('vecrank.instances')]
  assert.equal(after.size, before + 1)
  const embedder = new Embedder(model)
  const handles = await Promise.all(Array.from({ length: 200 }, () => load.call(embedder).then((handle) => (loads++, handle))))
  assert.equal(loads, 200)
  assert.ok(handles.every((handle) => handle === embedder))
})

test('equal instances share one session: a second costs neither time nor memory', async () => {
  const first = new Embedder('vecrank-model-all-minilm-l6-v2')
  await first.embed('warm')
  const before = process.memoryUsage.rss()
  const others = Array.from({ length: 20 }, () => new Embedder('vecrank-model-all-minilm-l6-v2'))
  await Promise.all(others.map((embedder) => embedder.load()))
  // One copy of the weights is 23 MB; twenty would be 460.
  assert.ok(process.memoryUsage.rss() - before < 100 * 2 ** 20)
  assertNear(await others[19].embed('text'), await first.embed('text'), 1e-5, 'the same session')
})

test('texts are read when the call is made', async () => {
  const embedder = new Embedder(tiny('zoo/bert-mean'))
  const texts = ['one', 'two']
  const expected = await embedder.embed([...texts])
  const calls = [embedder.embed(texts), embedder.embedMany(texts)]
  texts[0] = 'changed'
  texts.length = 1
  const [listed, many] = await Promise.all(calls)
  listed.forEach((vector, index) => assertNear(vector, expected[index], 1e-5, `text ${index}`))
  assert.equal(many.rows, 2)
  assertNear(many.row(0), expected[0], 1e-5, 'embedMany')
})
