// chunk(): what holds for every text and every tokenizer, and what a reader expects of single ones. Token counts are those of tokenCounts().

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { Classifier, Embedder, LateEmbedder, Reranker, chunk, dispose } from 'vecrank'
import { failure, seeded, someTexts, tiny, tinyOf } from './fixtures.mjs'

const bad = (pattern) => failure('ERR_INVALID_ARG', pattern)
const model = new Embedder(tiny('zoo/bert-mean'))
const texts = (chunks) => chunks.map(({ text }) => text)

const BLANK = /^(?:(?!\ufeff)\s)*$/

/** Checks what holds for all chunks of all texts, and returns them. */
async function checked(embedder, text, { maxTokens, overlap = 0 }) {
  const chunks = await chunk(text, { model: embedder, maxTokens, overlap })
  const counts = await embedder.tokenCounts(chunks.map((one) => one.text))
  const special = (await embedder.tokenCounts(['']))[0]
  let last = { start: -1, end: 0 }
  for (const [at, { text: own, start, end, tokens }] of chunks.entries()) {
    assert.equal(own, text.slice(start, end))
    assert.equal(tokens, counts[at], `chunk ${at}: ${JSON.stringify(own.slice(0, 80))}`)
    assert.ok(tokens <= maxTokens, `chunk ${at} has ${tokens} tokens`)
    // U+FEFF is white for JavaScript alone, U+0085 for Unicode alone: neither is left out.
    assert.ok(own !== '' && !/^(?!\ufeff)\s|(?!\ufeff)\s$/.test(own), `chunk ${at} has blanks at its ends`)
    assert.ok(start > last.start && end > last.end)
    assert.ok(!/^[\udc00-\udfff]/.test(own) || !/[\ud800-\udbff]$/.test(text.slice(0, start)), 'a surrogate pair is cut')
    if (start >= last.end) assert.match(text.slice(last.end, start), BLANK)
    else assert.ok((await embedder.tokenCounts([text.slice(start, last.end)]))[0] - special <= overlap, 'the overlap is too long')
    last = { start, end }
  }
  assert.match(text.slice(last.end), BLANK, 'the end is lost')
  return chunks
}

const PARTS = [
  'The river', ' runs', ' by the city', '. ', '.', '! ', '? ', ', ', '; ', ' ', '  ', '\n', '\n\n', '\r\n', '\r\n\r\n', '\t', '\u2029', '\u00a0', '\u0085', '\ufeff', '\0', '(', ') ', '"',
  'Museum', 'café', 'cafe\u0301', 'Übung', '東京', '首都です', '。', 'ไทย', 'مرحبا', '👩‍👩‍👧', '🎉', '🇫🇷', '\ud800', '\udc00', 'antidisestablishmentarianism', 'https://example.com/a?b=c', '3.14159',
  '[MASK]', '[SEP]', '</s>', '<mask>', '<|endoftext|>', 'ﷺ', '\u0301', '\u200b', 'a'.repeat(130), ' '.repeat(40),
]
const random = seeded(7)
const someText = (parts) => Array.from({ length: 1 + Math.floor(random() * parts) }, () => PARTS[Math.floor(random() * PARTS.length)]).join('')

// One of every tokenizer that the zoo and its supplement have.
for (const name of tinyOf('embedder').filter((name) => !name.startsWith('beyond/'))) {
  test(`${name}: nothing is lost, nothing is too long`, async () => {
    const embedder = new Embedder(tiny(name))
    const special = (await embedder.tokenCounts(['']))[0]
    for (let round = 0; round < 12; round++) {
      const text = someText(120)
      // Some characters have many tokens: as many as their bytes, and a beginning.
      const maxTokens = special + 20 + Math.floor(random() * 60)
      await checked(embedder, text, { maxTokens, overlap: Math.floor(random() * (maxTokens / 2 - 1)) })
      await checked(embedder, text, { maxTokens })
    }
    await embedder.dispose()
  })
}

test('texts longer than what is read at once', async () => {
  for (const name of ['zoo/bert-mean', 'zoo/xlmr-mean-prefix', 'zoo/qwen3-lasttoken', 'zoo/modernbert-cls']) {
    const embedder = new Embedder(tiny(name))
    await checked(embedder, someText(20_000), { maxTokens: 64, overlap: 20 })
    await checked(embedder, someText(20_000), { maxTokens: 5000 })
  }
})

test('a text is not handed over with a surrogate pair cut in two', async () => {
  // Parts have 2 ** 20 units. Halves of the pair there would be other characters, with other tokens.
  const embedder = new Embedder(tiny('zoo/qwen3-lasttoken'))
  const text = `a${'🎉'.repeat(2 ** 19 + 1000)}`
  await checked(embedder, text, { maxTokens: 20_000 })
})

// ---------- where a text is parted --------------------------------------------------------------------------------------

test('paragraphs first, as many as fit', async () => {
  const text = 'The river runs.\n\nThe city is large.\r\n\r\nIt has a museum.\n \t\nPeople live there.'
  assert.deepEqual(texts(await checked(model, text, { maxTokens: 100 })), [text])
  const whole = (await model.tokenCounts([text]))[0]
  assert.deepEqual(texts(await checked(model, text, { maxTokens: whole - 1 })), ['The river runs.\n\nThe city is large.\r\n\r\nIt has a museum.', 'People live there.'])
})

test('then sentences, then words, then what is left', async () => {
  const counts = async (...parts) => Math.max(...(await model.tokenCounts(parts)))
  const text = 'The river runs by the city. The museum is large! Is it near?\n\nPeople live there.'
  const maxTokens = await counts('The river runs by the city. The museum is large!')
  assert.deepEqual(texts(await checked(model, text, { maxTokens })), ['The river runs by the city. The museum is large!', 'Is it near?\n\nPeople live there.'])
  const words = 'one river, two rivers (and a museum) and the city'
  const cut = await checked(model, words, { maxTokens: await counts('one river, two rivers (and') })
  assert.equal(cut[0].text.at(-1) === '(', false)
  for (const { text: own, start } of cut.slice(1)) {
    assert.ok(/\s/.test(words[start - 1]), `"${own}" begins inside a word`)
    assert.doesNotMatch(own, /^[,)]/)
  }
  const endless = 'ab'.repeat(40)
  // The zoo's vocabulary has single letters: more tokens than one chunk may have.
  const pieces = await checked(new Embedder(tiny('zoo/qwen3-lasttoken')), endless, { maxTokens: 10 })
  assert.ok(pieces.length > 1)
  assert.equal(pieces.map((one) => one.text).join(''), endless)
})

test('a chunk ends with the last paragraph or sentence that fits', async () => {
  // Of a tokenizer that reads word by word, so that tokens of parts add up; sentences are those of the platform's ICU.
  const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })
  const sentence = () => `${['The', 'A', 'Our'][Math.floor(random() * 3)]} ${someTexts(1, 9, Math.floor(random() * 1e6))[0]}${'.!?'[Math.floor(random() * 3)]}`
  const paragraph = () => Array.from({ length: 1 + Math.floor(random() * 5) }, sentence).join(' ')
  let compared = 0
  for (let round = 0; round < 30; round++) {
    const text = Array.from({ length: 1 + Math.floor(random() * 6) }, paragraph).join('\n\n')
    const maxTokens = 12 + Math.floor(random() * 60)
    for (const { start, end } of await checked(model, text, { maxTokens })) {
      const rest = text.slice(start)
      const paragraphs = [...rest.matchAll(/\n\n|$/g)].map(({ index }) => index)
      const sentences = [...segmenter.segment(rest)].map(({ index, segment }) => index + segment.trimEnd().length)
      const fits = async (places) => {
        const counts = await model.tokenCounts(places.map((place) => rest.slice(0, place)))
        return places.filter((place, at) => place > 0 && counts[at] <= maxTokens).at(-1)
      }
      const expected = (await fits(paragraphs)) ?? (await fits(sentences))
      if (expected === undefined) continue
      assert.equal(end - start, expected, JSON.stringify(rest.slice(0, 300)))
      compared++
    }
  }
  assert.ok(compared > 100, `only ${compared} were compared`)
})

test('offsets are those of the caller\'s own string', async () => {
  const text = '👩‍👩‍👧 in the café.\n\n\ud800 alone. 🎉 the end\udc00'
  const chunks = await checked(model, text, { maxTokens: 12 })
  assert.equal(chunks[0].start, 0)
  assert.equal(chunks.at(-1).end, text.length)
  assert.ok(chunks.some((one) => one.text.includes('\ud800')), 'a lone surrogate stays what it is')
})

test('an overlap begins with whole sentences, or with whole words', async () => {
  const text = someTexts(40, 8, 3).map((words) => `The ${words}.`).join(' ')
  const chunks = await checked(model, text, { maxTokens: 40, overlap: 15 })
  assert.ok(chunks.length > 3)
  let shared = 0
  for (const [at, { start }] of chunks.entries()) {
    if (at === 0 || start >= chunks[at - 1].end) continue
    shared++
    assert.ok(/\s/.test(text[start - 1]), `chunk ${at} begins inside a word`)
  }
  assert.ok(shared >= chunks.length - 2, `${shared} of ${chunks.length} chunks begin with the one before`)
  const sentences = ['It is.', 'It was.', 'It will be.', 'It could be.', 'It should be.', 'It must be.']
  const longest = Math.max(...(await model.tokenCounts(sentences)))
  const found = await checked(model, sentences.join(' '), { maxTokens: 2 * longest + 3, overlap: longest })
  assert.ok(found.length > 1)
  for (const { text: own } of found) assert.match(own, /^It/)
})

test('texts without anything give nothing', async () => {
  for (const text of ['', ' ', '\n\n \t\n', '\u3000\u00a0']) assert.deepEqual(await chunk(text, { model }), [])
  assert.deepEqual(await chunk('  a  ', { model }), [{ text: 'a', start: 2, end: 3, tokens: 3 }])
})

test('by default a chunk may be as long as the model\'s longest input', async () => {
  const long = someTexts(60, 30).join(' ')
  const { maxLength } = await model.info()
  assert.deepEqual(await chunk(long, { model }), await chunk(long, { model, maxTokens: maxLength }))
  const short = new Embedder(tiny('zoo/bert-mean'), { maxLength: 20 })
  assert.deepEqual(await chunk(long, { model: short }), await chunk(long, { model, maxTokens: 20 }))
})

test('by default chunks are as long as documents may be, beside what a prompt or a template adds', async (t) => {
  const long = someTexts(60, 30).join(' ')
  for (const [Class, name, call] of [
    [LateEmbedder, 'beyond/colbert-stanford', 'embedDocument'],
    [LateEmbedder, 'beyond/colbert-pylate', 'embedDocument'],
    [Embedder, 'beyond/chat-embedder', 'embed'],
    [Embedder, 'beyond/chat-embedder', 'embedDocument'],
    [Embedder, 'zoo/xlmr-mean-prefix', 'embedDocument'],
    [Embedder, 'extra/default-prompt', 'embed'],
  ]) {
    const instance = new Class(tiny(name))
    t.after(() => instance.dispose())
    const chunks = await chunk(long, { model: instance })
    // None is cut, and none could be much longer.
    await instance[call](chunks.map(({ text }) => text), { truncation: 'error' })
    const longer = await chunk(long, { model: instance, maxTokens: Math.max(...chunks.map(({ tokens }) => tokens)) + 12 })
    await assert.rejects(instance[call](longer.map(({ text }) => text), { truncation: 'error' }), { code: 'ERR_TOO_LONG' }, name)
  }
})

test('a mark without a token of its own does not keep a paragraph out', async () => {
  for (const end of ['e\u0301', '\u2764\ufe0f', 'x\u200d']) {
    const text = `the fox\n\nthe dog ${end}`
    const [maxTokens] = await model.tokenCounts([text])
    assert.deepEqual((await chunk(text, { model, maxTokens })).map((each) => each.text), [text], JSON.stringify(end))
  }
})

// ---------- the model ----------------------------------------------------------------------------------------------------

test('a model is an instance of any class, or a name', async () => {
  const text = someTexts(20, 30).join('. ')
  for (const [Class, name] of [[Embedder, 'zoo/bert-mean'], [Reranker, 'zoo/bert-ranker-1'], [Classifier, 'zoo/distilbert-classifier-2']]) {
    const instance = new Class(tiny(name))
    const chunks = await chunk(text, { model: instance, maxTokens: 30 })
    assert.ok(chunks.length > 1)
    await instance.dispose()
    await assert.rejects(chunk(text, { model: instance, maxTokens: 30 }), { code: 'ERR_DISPOSED' })
  }
  const folder = tiny('zoo/bert-mean')
  const expected = await chunk(text, { model, maxTokens: 30 })
  assert.deepEqual(await chunk(text, { model: folder, maxTokens: 30 }), expected)
  assert.deepEqual(await chunk(text, { model: folder, load: { maxLength: 30 } }), expected)
  await dispose()
  await assert.rejects(chunk('a', { model: './no/such/folder' }), { code: 'ERR_MODEL_NOT_FOUND' })
})

test('arguments', async () => {
  for (const value of [undefined, null, 5, ['a'], {}]) await assert.rejects(chunk(value, { model }), bad(/a string for `text`/))
  const refused = [
    [{ maxTokens: 0 }, /`options\.maxTokens`/], [{ maxTokens: 1.5 }, /`options\.maxTokens`/], [{ maxTokens: '10' }, /`options\.maxTokens`/], [{ maxTokens: NaN }, /`options\.maxTokens`/],
    [{ maxTokens: 2 }, /at least 3 for `maxTokens`, as this model adds 2 special tokens/],
    [{ maxTokens: 10, overlap: 5 }, /less than half of `options\.maxTokens` \(10\) for `options\.overlap` but received 5/],
    [{ overlap: 1000 }, /less than half of `maxTokens`/], [{ overlap: -1 }, /`options\.overlap`/], [{ overlap: 0.5 }, /`options\.overlap`/],
    [{ size: 10 }, /a known option \(maxTokens, overlap, signal\)/], [{ signal: 'no' }, /an AbortSignal for `options\.signal`/],
    [{ load: {} }, /an instance already\) for `options\.load`/],
  ]
  for (const [options, pattern] of refused) await assert.rejects(chunk('a b c', { model, ...options }), bad(pattern))
  for (const options of [null, [], 'text', 5]) await assert.rejects(chunk('a', options), bad(/an object for `options`/))
  await assert.rejects(chunk('a', { model: 5 }), bad(/`model`/))
  assert.ok(await chunk('a b c', { model, maxTokens: 3 }))
  const bounded = new Embedder(tiny('zoo/bert-mean'), { maxInputChars: 5 })
  await assert.rejects(chunk('longer', { model: bounded }), { code: 'ERR_TOO_LONG' })
})

test('a character that has more tokens than a chunk may have is named', async () => {
  const bytes = new Embedder(tiny('zoo/qwen3-lasttoken'))
  const [needed] = await bytes.tokenCounts(['👩'])
  const text = 'a b 👩 c'
  await checked(bytes, text, { maxTokens: needed })
  await assert.rejects(chunk(text, { model: bytes, maxTokens: needed - 1 }), failure('ERR_TOO_LONG', new RegExp(`at least ${needed} for \`maxTokens\`, which "👩" alone needs`)))
})

// ---------- time and memory ----------------------------------------------------------------------------------------------

test('a signal ends it, before and during', async () => {
  const reason = new Error('the caller has left')
  const text = someTexts(20_000, 60).join('. ')
  await assert.rejects(chunk(text, { model, signal: AbortSignal.abort(reason) }), (error) => error === reason)
  for (const delay of [0, 20]) {
    const controller = new AbortController()
    const pending = chunk(text, { model, maxTokens: 20, signal: controller.signal })
    setTimeout(() => controller.abort(reason), delay)
    await assert.rejects(pending, (error) => error === reason)
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
  }
  const { signal } = new AbortController()
  assert.equal((await chunk('a', { model, signal })).length, 1)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

const SHAPES = {
  prose: `${someTexts(200, 30).join('. ')}\n\n`, 'one endless word': 'a', 'another one': 'ab1', blanks: ' ', 'a word and blanks': `a${' '.repeat(100_000)}`, CJK: '東京は日本の首都です。大きな都市である',
  'line breaks': '\n', paragraphs: 'a\n\n', 'full stops': '. ', brackets: 'end.)(', marks: '\u0301', emoji: '👩‍👩‍👧', controls: 'a\u0001', Thai: 'สวัสดี',
}
for (const name of ['zoo/bert-mean', 'zoo/xlmr-mean-prefix', 'zoo/qwen3-lasttoken', 'zoo/modernbert-cls']) {
  const embedder = new Embedder(tiny(name))
  for (const [shape, unit] of Object.entries(SHAPES)) {
    test(`${name}: half a million characters of ${shape}, and the loop is free`, async () => {
      const text = unit.repeat(Math.ceil(500_000 / unit.length))
      await embedder.load()
      const before = performance.eventLoopUtilization()
      const start = performance.now()
      const chunks = await chunk(text, { model: embedder, maxTokens: 256, overlap: 20 })
      const busy = performance.eventLoopUtilization(before).active
      const time = performance.now() - start
      // Twice as long a text takes twice the time: docs/performance.md has the figures. Quadratic time would be minutes.
      assert.ok(time < 20_000, `${time.toFixed(0)} ms`)
      assert.ok(busy < 150 + time / 4, `${busy.toFixed(0)} of ${time.toFixed(0)} ms on the JavaScript thread`)
      const sample = chunks.filter((_, at) => at % Math.ceil(chunks.length / 50) === 0)
      const counts = await embedder.tokenCounts(sample.map((one) => one.text))
      sample.forEach(({ tokens }, at) => assert.ok(tokens === counts[at] && tokens <= 256, `${tokens} and ${counts[at]} tokens`))
    })
  }
}

test('calls of others have their turn while a text is cut', async () => {
  const one = new Embedder(tiny('zoo/bert-mean'), { threads: 1 })
  await one.load()
  const order = []
  const long = chunk('東京は日本の首都です。'.repeat(200_000), { model: one, maxTokens: 20 }).then(() => order.push('long'))
  const short = one.embed('text').then(() => order.push('short'))
  await Promise.all([long, short])
  assert.deepEqual(order, ['short', 'long'])
})
