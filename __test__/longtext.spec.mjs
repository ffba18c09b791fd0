// A long text that is truncated on the right costs what its first tokens cost. Limits are loose: the benchmark has the figures.

import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { assertNear, root, tiny } from './fixtures.mjs'

const LENGTH = 10_000_000
const shapes = {
  words: 'the capital of France is a large city near the river where many people live ',
  punctuation: '!?.,:;()-[]{}"\'/\\|<>=+*&^%$#@~` ',
  cjk: '東京は日本の首都です。機械学習は人工知能の一分野である。',
  code: 'for (let i = 0; i < n; i++) {\n  if (a[i] > b[i]) { swap(a, b, i); }\n}\n',
  emoji: '👩‍👩‍👧‍👦🎉 é ü 👍🏽 ',
}
const long = (unit) => unit.repeat(Math.ceil(LENGTH / unit.length)).slice(0, LENGTH)

for (const name of ['zoo/bert-mean', 'zoo/xlmr-mean-prefix', 'zoo/qwen3-lasttoken', 'zoo/modernbert-cls']) {
  const embedder = new Embedder(tiny(name))
  for (const [shape, unit] of Object.entries(shapes)) {
    test(`${name}: 10 MB of ${shape}`, async () => {
      const text = long(unit)
      const expected = await embedder.embed(text.slice(0, 20_000 - (20_000 % unit.length)))
      const start = performance.now()
      const vector = await embedder.embed(text)
      const time = performance.now() - start
      assertNear(vector, expected, 1e-5, 'the embedding of its beginning')
      assert.ok(time < 2000, `${time.toFixed(0)} ms`)
    })
  }
}

test('texts of every length around the first prefix are cut alike', async () => {
  const embedder = new Embedder(tiny('zoo/bert-mean'))
  const base = long('a bc def. ')
  const lengths = [...Array(40).keys()].map((step) => 200 + step * 97)
  const rows = await embedder.embed(lengths.map((length) => base.slice(0, length)))
  const expected = await embedder.embed(base.slice(0, 10_000))
  rows.forEach((row, index) => assertNear(row, expected, 1e-5, `length ${lengths[index]}`))
})

test('a text that needs a longer prefix gets it: blanks, then words', async () => {
  const embedder = new Embedder(tiny('zoo/bert-mean'))
  const expected = await embedder.embed('the river near Paris')
  for (const blanks of [100, 10_000, 1_000_000]) {
    const [vector, other] = await embedder.embed([`${' '.repeat(blanks)}the river near Paris`, 'the river near Paris'])
    assertNear(vector, expected, 1e-5, `${blanks} blanks`)
    assertNear(other, expected, 1e-5, 'its neighbour')
  }
  const nothing = await embedder.embed([' '.repeat(1_000_000), ''])
  assertNear(nothing[0], nothing[1], 1e-5, 'blanks alone')
  const word = await embedder.embed(['a'.repeat(1_000_000), 'a'.repeat(2_000)])
  assertNear(word[0], word[1], 1e-5, 'one endless word')
})

test('a long prompt costs what its first tokens cost, and has a bound', async () => {
  const folder = tiny('zoo/bert-mean')
  const embedder = new Embedder(folder)
  const promptText = 'prompt '.repeat(300_000)
  const start = performance.now()
  const [vector] = await embedder.embed(Array(20).fill('text'), { promptText })
  assert.ok(performance.now() - start < 3000, 'read whole, it takes half a minute')
  assertNear(vector, await embedder.embed(promptText), 1e-5, 'the prompt fills the limit')
  const bounded = new Embedder(folder, { maxInputChars: 5 })
  await assert.rejects(bounded.embed('text', { promptText: 'longer' }), { code: 'ERR_TOO_LONG' })
})

// Values of transformers 5.24 with tokenizers 0.23 and onnxruntime on the same files are in the Rust tests' oracle, the library itself; here
// the shape that was cut by mistake: 8 tokens.
test('blanks before a token that swallows them are not taken for the text', async () => {
  for (const [name, mask] of [['extra/family-roberta', '<mask>'], ['zoo/modernbert-cls', '[MASK]'], ['zoo/xlmr-mean-prefix', '<mask>']]) {
    const embedder = new Embedder(tiny(name))
    const expected = await embedder.embed(`river ${mask} bridge`)
    const tokens = await embedder.tokenCounts([`river ${mask} bridge`])
    for (const blanks of [742, 100_000]) {
      const text = `river${' '.repeat(blanks)}${mask} bridge`
      assert.deepEqual(await embedder.tokenCounts([text]), tokens, `${name}: the blanks are part of ${mask}`)
      assertNear(await embedder.embed(text), expected, 1e-5, `${name}: ${blanks} blanks`)
      assertNear(await embedder.embed(text, { truncation: 'error' }), expected, 1e-5, `${name}: nothing is cut`)
    }
  }
})

const MOST = 32 * 1024 * 1024
const fill = (unit) => unit.repeat(Math.ceil(MOST / unit.length)).slice(0, MOST)
const endless = { 'one word': () => 'a'.repeat(MOST), blanks: () => ' '.repeat(MOST), Thai: () => fill('ภาษาไทยเป็นภาษาที่สวยงาม'), numbers: () => fill('0123456789') }

for (const name of ['zoo/bert-mean', 'zoo/xlmr-mean-prefix', 'zoo/qwen3-lasttoken', 'zoo/modernbert-cls', 'extra/family-gemma', '../models/all-MiniLM-L6-v2']) {
  const folder = name.startsWith('..') ? path.join(root, name.slice(3)) : tiny(name)
  test(`${name}: 32 Mi characters without an end of a word`, async () => {
    const embedder = new Embedder(folder, { threads: 1 })
    await embedder.load()
    for (const [shape, make] of Object.entries(endless)) {
      const text = make()
      const expected = await embedder.embed(text.slice(0, 24 * 2000))
      const start = performance.now()
      assertNear(await embedder.embed(text), expected, 1e-5, shape)
      const time = performance.now() - start
      assert.ok(time < 2000, `${shape}: ${time.toFixed(0)} ms`)
    }
    await embedder.dispose()
  })
}

// What has to be read to its end is read in steps: with one worker, others have their turn, and a signal ends it.
test('a text that is read to its end does not hold its worker, and its signal ends it', async () => {
  const embedder = new Embedder(tiny('zoo/qwen3-lasttoken'), { threads: 1 })
  await embedder.embed('warm')
  const text = fill('for (let i = 0; i < n; i++) { swap(a, b, i); } ')
  for (const work of [(signal) => embedder.embed(text, { truncation: 'left', signal }), (signal) => embedder.tokenCounts([text], { signal })]) {
    const controller = new AbortController()
    let over = false
    const working = work(controller.signal).finally(() => (over = true))
    working.catch(() => {})
    const waits = []
    for (let round = 0; round < 10; round++) {
      const start = performance.now()
      await embedder.embed(`river ${round}`)
      waits.push(performance.now() - start)
    }
    assert.equal(over, false, 'the long text is still being read')
    waits.sort((a, b) => a - b)
    assert.ok(waits[5] < 200, `others waited ${waits.map((wait) => wait.toFixed(0))} ms`)
    controller.abort()
    await assert.rejects(working, { name: 'AbortError' })
    const start = performance.now()
    await embedder.embed('river')
    const free = performance.now() - start
    assert.ok(free < 100, `the worker was free after ${free.toFixed(0)} ms`)
  }
  await embedder.dispose()
})

test('truncation on the left reads the end', async () => {
  const embedder = new Embedder(tiny('zoo/bert-mean'), { truncation: 'left' })
  const start = long(shapes.words).slice(0, 1_000_000)
  const end = ' flour water salt yeast bread'.repeat(30)
  assertNear(await embedder.embed(start + end), await embedder.embed(`other ${end}`), 1e-5, 'only the end counts')
  await assert.rejects(embedder.embed(start, { truncation: 'error' }), { code: 'ERR_TOO_LONG' })
})

test('long queries and documents are ranked by their beginnings', async () => {
  const reranker = new Reranker(tiny('zoo/bert-ranker-1'))
  const document = long(shapes.words)
  const start = performance.now()
  const scores = await reranker.score([
    ['what is the capital', document],
    ['what is the capital', document.slice(0, 20_000)],
    [document, 'Paris'],
    [document.slice(0, 20_000), 'Paris'],
    [document, document],
    [document.slice(0, 20_000), document.slice(0, 20_000)],
  ])
  assert.ok(performance.now() - start < 2000)
  for (let index = 0; index < scores.length; index += 2) assert.ok(Math.abs(scores[index] - scores[index + 1]) < 1e-4, `pair ${index}`)
  const blanks = ' '.repeat(1_000_000)
  const [shifted, plain] = await reranker.score([[`${blanks}what is`, `${blanks}Paris`], ['what is', 'Paris']])
  assert.ok(Math.abs(shifted - plain) < 1e-4)
  const [first] = await reranker.rerank(`${blanks}what is`, [`${blanks}Paris`])
  assert.ok(Math.abs(first.score - plain) < 1e-4)
})

test('tokenCounts reads a long text to its end', async () => {
  const embedder = new Embedder(tiny('zoo/bert-mean'))
  const [one, many] = await embedder.tokenCounts(['city river ', 'city river '.repeat(100_000)])
  assert.equal(many - 2, (one - 2) * 100_000)
})
