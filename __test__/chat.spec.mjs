// Models that read chats: yes/no rerankers and decoder embedders, against the golden files of sentence-transformers.

import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { assertNear, copyOf, golden, readJson, tiny, tinyOf } from './fixtures.mjs'

const engines = (name) => ['encoder', 'graph'].filter((engine) => engine === 'graph' || readdirSync(tiny(name)).includes('model.safetensors'))
const using = (t, model) => {
  t.after(() => model.dispose())
  return model
}

for (const name of tinyOf('logit-reranker')) {
  const { pairs, runs } = golden(name)
  const lists = pairs.map(({ query, document }) => [query, document])
  const expected = runs.find(({ id }) => id === 'logits').single.map((score) => (Array.isArray(score) ? score[0] : score))

  for (const engine of engines(name)) {
    test(`${name} gives the reference's scores by the ${engine}`, async (t) => {
      const model = using(t, new Reranker(tiny(name), { engine }))
      assertNear(await model.score(lists), expected, 1e-4, 'logits')
      for (const [index, pair] of lists.entries()) assertNear(await model.score([pair]), [expected[index]], 1e-4, `the lone pair ${pairs[index].id}`)
      const declared = runs.find(({ id }) => id === 'default').single.map((score) => (Array.isArray(score) ? score[0] : score))
      for (const [index, [query, document]] of lists.entries()) {
        const [{ score }] = await model.rerank(query, [document], { activation: 'default' })
        assert.ok(Math.abs(score - declared[index]) < 1e-4, pairs[index].id)
      }
    })
  }
}

for (const name of ['beyond/chat-embedder', 'beyond/no-modules-chat-decoder']) {
  const { texts, runs } = golden(name)
  const given = texts.map(({ text }) => text)
  for (const engine of engines(name)) {
    test(`${name} gives the reference's vectors by the ${engine}`, async (t) => {
      const model = using(t, new Embedder(tiny(name), { engine, pooling: 'last', normalize: name === 'beyond/chat-embedder' }))
      for (const { id, prompt, single } of runs) {
        const vectors = id === 'encode_query' ? await model.embedQuery(given) : await model.embed(given, { promptText: prompt })
        vectors.forEach((vector, index) => assertNear(vector, single[index], 1e-4, `${id}: ${texts[index].id}`))
      }
      const all = await model.embed(given)
      for (const [index, text] of given.entries()) assertNear(await model.embed(text), all[index], 1e-5, `the lone text ${texts[index].id}`)
    })
  }
}

test('a chat that is too long is cut at one of its ends, or refused; windows have no meaning', async (t) => {
  const model = using(t, new Reranker(tiny('zoo/qwen3-yesno-reranker')))
  const long = 'river '.repeat(5000)
  assert.deepEqual((await model.rerank('river', [long, 'river'])).map(({ index, truncated }) => [index, truncated]).sort(), [[0, true], [1, false]])
  await assert.rejects(model.score([['a', 'b'], ['a', long]], { truncation: 'error' }), { code: 'ERR_TOO_LONG', message: /pairs\[1\]/ })
  // What stands at the beginning of the chat is cut then, so that another query makes no difference.
  const ends = (query) => model.score([[query, long]], { truncation: 'left' })
  assert.deepEqual(await ends('river'), await ends('a very different query'))
  assert.notDeepEqual(await model.score([['river', long]]), await model.score([['a very different query', long]]))
  await assert.rejects(model.rerank('a', ['b'], { overflow: 'chunk' }), { code: 'ERR_INVALID_ARG' })
})

test('a template that does not show the document is refused, and one that is no Jinja', async (t) => {
  for (const [template, code] of [
    ["{{ messages[0]['content'] }}", 'ERR_MODEL_UNSUPPORTED'],
    ['{% for message in messages %}', 'ERR_MODEL_INVALID'],
    ["{{ raise_exception('no') }}", 'ERR_INVALID_ARG'],
  ]) {
    const folder = copyOf('zoo/qwen3-yesno-reranker', t)
    writeFileSync(path.join(folder, 'chat_template.jinja'), template)
    await assert.rejects(using(t, new Reranker(folder)).rerank('a', ['b']), { code })
  }
})

test('a language model is no reranker by other words than its own', async (t) => {
  const folder = copyOf('zoo/qwen3-yesno-reranker', t)
  const file = path.join(folder, '1_LogitScore', 'config.json')
  writeFileSync(file, JSON.stringify({ ...readJson(file), true_token_id: 10_000_000 }))
  await assert.rejects(using(t, new Reranker(folder)).load(), { name: 'VecrankError' })
})
