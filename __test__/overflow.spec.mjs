// Documents that do not fit beside the query: in windows, of which the best counts. The oracle scores the windows one by one.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Reranker } from 'vecrank'
import { golden, tiny } from './fixtures.mjs'

const folder = tiny('zoo/bert-ranker-1')
const reranker = new Reranker(folder)
after(() => reranker.dispose())

/** Words that are one token each for this tokenizer, so that windows of tokens are windows of words. */
const WORDS = ['river', 'house', 'water', 'city', 'world', 'people', 'time', 'year', 'day', 'man']
let state = 7
const random = (below) => (state = (state * 48271) % 2147483647) % below
const words = (count) => Array.from({ length: count }, () => vocabulary[random(vocabulary.length)])
let vocabulary

const score = async (query, document) => (await reranker.score([[query, document]]))[0]
const chunked = (query, documents) => reranker.rerank(query, documents, { overflow: 'chunk' })

test('the words of this file are one token each', async () => {
  const { maxLength } = await reranker.info()
  const room = maxLength - 3
  const single = []
  for (const word of WORDS) {
    // As many as fit and no more: then each is one token.
    const [fits] = await reranker.rerank('', [`${word} `.repeat(room)])
    const [over] = await reranker.rerank('', [`${word} `.repeat(room + 1)])
    if (!fits.truncated && over.truncated) single.push(word)
  }
  assert.ok(single.length >= 3, `one token each: ${single}`)
  vocabulary = single
})

test('the best window counts, and nothing is cut', async () => {
  const { maxLength } = await reranker.info()
  const query = vocabulary[0]
  const room = maxLength - 4
  const step = room - Math.floor(room / 8)
  for (const count of [1, room - 1, room, room + 1, room + step, 2 * room + 3, 10 * room]) {
    const document = words(count)
    const windows = []
    if (count <= room) windows.push(document)
    else {
      for (let start = 0; start + room < count; start += step) windows.push(document.slice(start, start + room))
      windows.push(document.slice(count - room))
    }
    const scores = await Promise.all(windows.map((window) => score(query, window.join(' '))))
    const [result] = await chunked(query, [document.join(' ')])
    assert.ok(Math.abs(result.score - Math.max(...scores)) < 1e-4, `${count} words: ${result.score}, windows ${scores}`)
    assert.equal(result.truncated, false)
  }
})

test('documents of all lengths together are as each alone', async () => {
  const documents = Array.from({ length: 40 }, (_, index) => words(1 + ((index * 37) % 300)).join(' '))
  const together = await chunked('river', documents)
  for (const { index, score: best, truncated } of together) {
    const [alone] = await chunked('river', [documents[index]])
    assert.ok(Math.abs(alone.score - best) < 1e-5, `document ${index}`)
    assert.equal(truncated, false)
  }
  for (let place = 1; place < together.length; place++) assert.ok(together[place - 1].score >= together[place].score)
})

test('documents that fit have the scores that they have without it', async () => {
  const { pairs } = golden('zoo/bert-ranker-1')
  let fitting = 0
  for (const { query, document } of pairs) {
    const [plain] = await reranker.rerank(query, [document])
    if (plain.truncated) continue
    fitting++
    assert.deepEqual(await chunked(query, [document]), [plain])
  }
  assert.ok(fitting > 5)
})

test('a query that takes too much is cut, which is said', async () => {
  const { maxLength } = await reranker.info()
  const [result] = await chunked(words(maxLength).join(' '), [words(300).join(' ')])
  assert.equal(result.truncated, true)
})

test('a query is cut on the side that the model was loaded with, or refused', async (t) => {
  const { maxLength } = await reranker.info()
  const query = [...words(2 * maxLength), 'river', 'house'].join(' ')
  for (const truncation of ['left', 'right']) {
    const own = new Reranker(folder, { truncation })
    t.after(() => own.dispose())
    // With a document of no tokens both ways have the same room.
    const [cut] = await own.rerank(query, [''])
    const [windows] = await own.rerank(query, [''], { overflow: 'chunk' })
    assert.ok(Math.abs(cut.score - windows.score) < 1e-5, `${truncation}: ${cut.score}, ${windows.score}`)
    assert.deepEqual([cut.truncated, windows.truncated], [true, true])
  }
  const strict = new Reranker(folder, { truncation: 'error' })
  t.after(() => strict.dispose())
  await assert.rejects(strict.rerank(query, [words(300).join(' ')], { overflow: 'chunk' }), { code: 'ERR_TOO_LONG' })
  const [whole] = await strict.rerank('river', [words(300).join(' ')], { overflow: 'chunk' })
  assert.equal(whole.truncated, false)
})

test('a long document comes in parts and all of it is read; an abort ends it', async () => {
  const { maxLength } = await reranker.info()
  const needle = words(maxLength - 4).join(' ')
  const hay = 'river '.repeat(100_000)
  const [alone] = await chunked('house', [needle])
  const [hidden] = await chunked('house', [`${hay}${needle}`])
  assert.ok(hidden.score >= alone.score - 1e-4, 'the last window is the end of the document')
  await assert.rejects(reranker.rerank('house', [hay.repeat(20)], { overflow: 'chunk', signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' })
})

test('truncation has no meaning with it', async () => {
  for (const truncation of ['right', 'left', 'error']) {
    await assert.rejects(reranker.rerank('a', ['b'], { overflow: 'chunk', truncation }), { name: 'TypeError', code: 'ERR_INVALID_ARG' })
  }
  await assert.rejects(reranker.rerank('a', ['b'], { overflow: 'split' }), { name: 'TypeError', code: 'ERR_INVALID_ARG' })
  assert.deepEqual(await reranker.rerank('a', ['b'], { overflow: 'truncate', truncation: 'left' }), await reranker.rerank('a', ['b']))
})
