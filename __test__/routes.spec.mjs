// Dense models that treat queries and documents in different ways (sentence-transformers' Router), against the golden file of the reference.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Embedder } from 'vecrank'
import { assertNear, golden, tiny } from './fixtures.mjs'

const { texts, runs } = golden('beyond/router-dense')
const CALLS = {
  encode: (model, text) => model.embed(text),
  encode_query: (model, text) => model.embedQuery(text),
  encode_document: (model, text) => model.embedDocument(text),
  'encode_query, prompt': (model, text) => model.embedQuery(text, { promptText: 'find: ' }),
}

for (const { id, single } of runs) {
  test(`${id} goes the way of the reference`, async () => {
    const model = new Embedder(tiny('beyond/router-dense'))
    const given = texts.map(({ text }) => text)
    const together = await CALLS[id](model, given)
    let compared = 0
    for (const [index, expected] of single.entries()) {
      // Where the reference fails (a text without tokens) there is nothing to compare.
      if (!Array.isArray(expected)) continue
      assertNear(await CALLS[id](model, given[index]), expected, 1e-4, texts[index].id)
      assertNear(together[index], expected, 1e-4, `${texts[index].id}, in a list`)
      compared++
    }
    assert.ok(compared > 10, `${compared} texts`)
    await model.dispose()
  })
}

test('chunks are of the length of documents', async () => {
  const { chunk } = await import('vecrank')
  const model = new Embedder(tiny('beyond/router-dense'))
  const chunks = await chunk('The river runs through the city and under the old bridge. '.repeat(20), { model })
  await model.embedDocument(chunks.map(({ text }) => text), { truncation: 'error' })
  assert.ok(chunks.some(({ tokens }) => tokens > 15), JSON.stringify(chunks.map(({ tokens }) => tokens)))
  await model.dispose()
})
