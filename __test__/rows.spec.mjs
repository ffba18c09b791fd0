// An error that one of many texts causes names that text as the caller counts them, whatever requests the list was parted into.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { copyOf, failure, readJson, tiny } from './fixtures.mjs'
import { withNumbers } from './onnx.mjs'

const GOOD = 'the river'
const BAD = 'museum'

/** A copy of a model whose network gives NaN for texts with the word `BAD`: its row of the word embeddings is NaN. */
function poisoned(name, t) {
  const folder = copyOf(name, t)
  const id = readJson(path.join(folder, 'tokenizer.json')).model.vocab[BAD]
  assert.ok(id > 0, `"${BAD}" is a word of the vocabulary`)
  const { hidden_size: width } = readJson(path.join(folder, 'config.json'))
  const file = path.join(folder, 'onnx', 'model.onnx')
  const bytes = width * Float32Array.BYTES_PER_ELEMENT
  writeFileSync(file, withNumbers(readFileSync(file), 'word_embeddings.weight', (table) => table.fill(0xff, id * bytes, (id + 1) * bytes)))
  return folder
}

const listOf = (count, at, bad = BAD) => Array.from({ length: count }, (_, index) => (index === at ? bad : GOOD))

test('a number that is not finite is reported with the text that gave it', async (t) => {
  const embedder = new Embedder(poisoned('zoo/bert-mean', t))
  await embedder.embed(GOOD)
  for (const at of [0, 63, 64, 511, 512, 777, 999]) {
    const named = failure('ERR_NUMERIC', new RegExp(`^\`texts\\[${at}\\]\`: `))
    const texts = listOf(1000, at)
    await assert.rejects(embedder.embed(texts), named)
    await assert.rejects(embedder.embedMany(texts), named)
    await assert.rejects(embedder.embedMany(texts, { onProgress() {} }), named)
  }
  // Requests are bounded in characters as well: of these long texts each holds a few.
  await assert.rejects(embedder.embedMany(listOf(800, 777).map((text) => `${text} ${'river '.repeat(1000)}`)), failure('ERR_NUMERIC', /^`texts\[777\]`/))
  await assert.rejects(embedder.embed(BAD), failure('ERR_NUMERIC', /^`texts`: /))
})

test('in a stream it is the text of the source', async (t) => {
  const embedder = new Embedder(poisoned('zoo/bert-mean', t))
  let seen = 0
  const stream = async () => {
    for await (const { index } of embedder.embedStream(listOf(1000, 777))) assert.equal(index, seen++)
  }
  await assert.rejects(stream(), failure('ERR_NUMERIC', /^`source\[777\]`: /))
  assert.ok(seen <= 777, 'nothing behind it was given')
})

test('a reranker names documents and pairs', async (t) => {
  const reranker = new Reranker(poisoned('zoo/bert-ranker-1', t))
  const documents = listOf(1000, 777)
  await assert.rejects(reranker.rerank(GOOD, documents), failure('ERR_NUMERIC', /^`documents\[777\]`: /))
  await assert.rejects(reranker.rerank(GOOD, documents.map((text) => ({ text }))), failure('ERR_NUMERIC', /^`documents\[777\]`: /))
  await assert.rejects(reranker.score(documents.map((text) => [GOOD, text])), failure('ERR_NUMERIC', /^`pairs\[777\]`: /))
  await assert.rejects(reranker.score([[GOOD, BAD]]), failure('ERR_NUMERIC', /^`pairs\[0\]`: /))
})

test('a text that is too long is named where nothing may be cut', async () => {
  const long = 'river '.repeat(5000)
  const options = { truncation: 'error' }
  const embedder = new Embedder(tiny('zoo/bert-mean'))
  const reranker = new Reranker(tiny('zoo/bert-ranker-1'))
  await assert.rejects(embedder.embed(listOf(1000, 777, long), options), failure('ERR_TOO_LONG', /^`texts\[777\]`: Expected at most \d+ tokens/))
  await assert.rejects(embedder.embed(long, options), failure('ERR_TOO_LONG', /^`texts`: /))
  await assert.rejects(reranker.rerank(GOOD, listOf(1000, 777, long), options), failure('ERR_TOO_LONG', /^`documents\[777\]`: /))
  await assert.rejects(reranker.score(listOf(1000, 777, long).map((text) => [text, GOOD]), options), failure('ERR_TOO_LONG', /^`pairs\[777\]`: /))
  const stream = embedder.embedStream(listOf(1000, 777, long), options)
  await assert.rejects(async () => { for await (const _ of stream); }, failure('ERR_TOO_LONG', /^`source\[777\]`: /))
  const bounded = new Embedder(tiny('zoo/bert-mean'), { maxInputChars: 100 })
  await assert.rejects(bounded.embed(listOf(1000, 777, long)), failure('ERR_TOO_LONG', /texts\[777\]/))
})
