// The native tokenizer object: ids and texts against the golden files of transformers.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { golden, tiny, tinyOf } from './fixtures.mjs'

const require = createRequire(import.meta.url)
const { addon } = require('../lib/addon.js')
const { unwrap } = require('../lib/errors.js')

const load = async (path) => {
  const native = addon()
  return unwrap(await native.loadTokenizer({ path }, new native.LoadWait()))
}

for (const name of [...tinyOf('reranker'), ...tinyOf('classifier')].filter((name) => golden(name).pairs !== undefined || golden(name).pair !== undefined)) {
  test(`${name}: pairs have the reference's ids`, async () => {
    const { kind, pair, tokens = {}, max_seq_length: longest } = golden(name)
    const pairs = kind === 'reranker' ? golden(name).pairs : []
    const tokenizer = await load(tiny(name))
    if (pair?.input_ids) assert.deepEqual([...unwrap(tokenizer.encode(pair.text, pair.text_pair, true)).ids], pair.input_ids)
    const prompt = tokens.prompt ?? ''
    let compared = 0
    pairs.forEach(({ query, document }, index) => {
      const expected = tokens.input_ids?.[index]
      const { ids, typeIds } = unwrap(tokenizer.encode(`${prompt}${query}`, document, true))
      assert.equal(ids.length, typeIds.length)
      // An empty second text is none to transformers.
      if (!Array.isArray(expected) || document === '' || ids.length > longest || expected.length >= longest) return
      assert.deepEqual([...ids], expected, `pair ${index}`)
      compared++
    })
    assert.ok(kind !== 'reranker' || compared > 0, `${compared} pairs were compared`)
  })
}

for (const name of tinyOf('classifier')) {
  test(`${name}: texts have the reference's ids, and without special tokens they are inside`, async () => {
    const { texts, tokens, max_seq_length: longest } = golden(name)
    const tokenizer = await load(tiny(name))
    texts.forEach(({ text }, index) => {
      const expected = tokens.input_ids[index]
      const { ids } = unwrap(tokenizer.encode(text, undefined, true))
      if (!Array.isArray(expected) || ids.length > longest) return
      assert.deepEqual([...ids], expected, texts[index].id)
      const plain = unwrap(tokenizer.encode(text, undefined, false)).ids
      assert.deepEqual([...ids].slice(1, -1), [...plain], texts[index].id)
    })
  })
}

test('names are the vocabulary\'s, and decoding gives the text back', async () => {
  const tokenizer = await load(tiny('zoo/bert-ranker-1'))
  const { ids } = unwrap(tokenizer.encode('the river', undefined, true))
  assert.deepEqual(unwrap(tokenizer.tokens('the river', undefined, true)), ['[CLS]', 'the', 'river', '[SEP]'].slice(0, ids.length))
  assert.equal(unwrap(tokenizer.decode(ids, true)), 'the river')
  assert.equal(unwrap(tokenizer.decode(ids, false)), '[CLS] the river [SEP]')
  assert.equal(unwrap(tokenizer.decode(Uint32Array.of(4_000_000_000), true)), '')
})

test('what is not there is an error', async () => {
  await assert.rejects(load('/nowhere/at/all'), { code: 'ERR_MODEL_NOT_FOUND' })
})
