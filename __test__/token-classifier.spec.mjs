// Token classifiers against the reference's pipeline: golden files of transformers, and windows.json for texts that are longer than a model takes.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { Classifier, TokenClassifier } from 'vecrank'
import { copyOf, failure, golden as goldenOf, readJson, root, seeded, tiny, tinyOf } from './fixtures.mjs'

const STRATEGIES = ['none', 'simple', 'first', 'average', 'max']
const models = tinyOf('token-classifier')
const folder = tiny('beyond/token-classifier-uncased')
const classifier = new TokenClassifier(folder)
after(() => classifier.dispose())

/** A model that goes when the test ends. */
function using(t, model) {
  t.after(() => model.dispose())
  return model
}

/** The reference's span, whose places count characters, with places of JavaScript. */
function inUnits(text, [label, score, start, end]) {
  const characters = [...text]
  const units = (count) => characters.slice(0, count).join('').length
  return { label, score, start: units(start), end: units(end) }
}

/**
 * How many characters of a text the reference's result holds for. It cuts longer texts in silence: then its row is our first window, which speaks for half of
 * its tokens at least; a span that reaches the last of them may go on.
 */
function reach(golden, { input_ids: ids, offsets_code_points: offsets, special_tokens_mask: special }) {
  if (ids.length < golden.max_seq_length) return Infinity
  const room = special.filter((one) => one === 0).length
  return offsets[special.indexOf(0) + Math.floor(room / 2)][0]
}

const ofPipeline = ({ entity, entity_group: group, score, start, end }) => [entity ?? group, score, start, end]

function assertSpans(found, expected, text, what) {
  const shown = (spans) => spans.map(({ label, start, end }) => `${label} ${start}-${end}`)
  assert.deepEqual(shown(found), shown(expected), what)
  found.forEach((span, at) => {
    assert.ok(Math.abs(span.score - expected[at].score) <= 1e-4, `${what}: span ${at} has ${span.score}, expected ${expected[at].score}`)
    assert.equal(span.text, text.slice(span.start, span.end), what)
    assert.deepEqual(Object.keys(span), ['label', 'score', 'start', 'end', 'text'])
  })
}

test('there are token classifiers to test', () => {
  assert.ok(models.length >= 5, `found ${models}`)
})

for (const name of models) {
  const golden = goldenOf(name)
  const texts = golden.texts.map(({ text }) => text)
  /** Compares what was found in a text with the spans of the reference's pipeline, as far as these hold. */
  const compare = (found, expected, text, tokens, what) => {
    const within = expected.filter(({ end }) => end <= reach(golden, tokens)).map((span) => inUnits(text, ofPipeline(span)))
    const isWhole = reach(golden, tokens) === Infinity
    assertSpans(isWhole ? found : found.slice(0, within.length), within, text, what)
    return within.length
  }

  for (const engine of ['encoder', 'graph']) {
    test(`${name}: every aggregation gives the reference's spans by the ${engine}`, async (t) => {
      const model = using(t, new TokenClassifier(tiny(name), { engine }))
      const info = await model.info()
      assert.deepEqual([info.kind, info.engine, info.labels], ['token-classifier', engine, Object.values(golden.id2label)])
      for (const aggregation of STRATEGIES) {
        const results = await model.classify(texts, { aggregation })
        let compared = 0
        texts.forEach((text, at) => {
          const what = `${aggregation}, ${golden.texts[at].id}`
          compared += compare(results[at], golden.hf_pipeline[aggregation][at], text, golden.tokens[at], what)
        })
        assert.ok(compared > 20, `${compared} spans`)
      }
    })
  }

  test(`${name}: a text in a batch equals the lone text`, async (t) => {
    const model = using(t, new TokenClassifier(tiny(name)))
    const all = await model.classify(texts, { aggregation: 'average' })
    for (const [index, text] of texts.entries()) assert.deepEqual(await model.classify(text, { aggregation: 'average' }), all[index])
    assert.ok(all.flat().length > 10)
  })

  for (const { aggregation_strategy: aggregation, ignore_labels: ignore, ids, results } of golden.hf_pipeline_ignore_labels ?? []) {
    test(`${name}: ${aggregation} without ${JSON.stringify(ignore)}`, async (t) => {
      const model = using(t, new TokenClassifier(tiny(name)))
      for (const [at, id] of ids.entries()) {
        const index = golden.texts.findIndex((one) => one.id === id)
        compare(await model.classify(texts[index], { aggregation, ignore }), results[at], texts[index], golden.tokens[index], id)
      }
    })
  }

  for (const { tokenizer_config_patch: patch, ids, ...variant } of golden.tokenizer_config_variants ?? []) {
    test(`${name} with ${JSON.stringify(patch)} in tokenizer_config.json`, async (t) => {
      const copy = copyOf(name, t)
      const file = path.join(copy, 'tokenizer_config.json')
      writeFileSync(file, JSON.stringify({ ...readJson(file), ...patch }))
      const model = using(t, new TokenClassifier(copy))
      let compared = 0
      for (const aggregation of STRATEGIES.filter((strategy) => strategy in variant)) {
        for (const [at, id] of ids.entries()) {
          const { text } = golden.texts.find((one) => one.id === id)
          const [input_ids, offsets] = [variant.input_ids[at], variant.offsets_code_points[at]]
          const tokens = { input_ids, offsets_code_points: offsets, special_tokens_mask: input_ids.map((_, place) => Number([0, input_ids.length - 1].includes(place))) }
          compared += compare(await model.classify(text, { aggregation }), variant[aggregation][at], text, tokens, `${aggregation}, ${id}`)
        }
      }
      assert.ok(compared > 0)
    })
  }
}

// ---------- long texts --------------------------------------------------------------------------------------------------

const windows = readJson(path.join(root, 'tests', 'fixtures', 'beyond', 'windows.json'))

for (const [name, { texts }] of Object.entries(windows)) {
  for (const engine of ['encoder', 'graph']) {
    test(`${name}: long texts run in windows, and a span over an edge is one, by the ${engine}`, async (t) => {
      const model = using(t, new TokenClassifier(tiny(`beyond/${name}`), { engine }))
      for (const { text, spans, tokens, windows: count } of texts) {
        // The outside label of one model is not called O; the recipe leaves out the name O and no other.
        for (const [aggregation, expected] of Object.entries(spans)) {
          const found = await model.classify(text, { aggregation })
          assertSpans(found, expected.map((span) => inUnits(text, span)), text, `${aggregation}, ${tokens} tokens in ${count} windows`)
        }
      }
    })
  }
}

test('maxLength bounds a window; where a text fits it does not matter', async (t) => {
  const text = 'John Smith works in Berlin'
  const expected = await classifier.classify(text, { aggregation: 'none', ignore: [] })
  const own = using(t, new TokenClassifier(folder, { maxLength: expected.length + 2 }))
  assert.deepEqual(await own.classify(text, { aggregation: 'none', ignore: [] }), expected)
  // Windows of a few tokens give other scores for the same tokens.
  const narrow = await classifier.classify(text, { aggregation: 'none', ignore: [], maxLength: 4 })
  assert.deepEqual(narrow.map(({ start, end }) => [start, end]), expected.map(({ start, end }) => [start, end]))
  assert.notDeepEqual(narrow, expected)
  await assert.rejects(classifier.classify(text, { maxLength: 2 }), failure('ERR_INVALID_ARG', /at least 3 for `maxLength`/))
  await assert.rejects(classifier.classify(text, { maxLength: 41 }), failure('ERR_INVALID_ARG', /at most 40/))
})

test('a text of half a million characters has each of its tokens once', async () => {
  const text = 'John met Zoë 👍 in Berlin. '.repeat(20_000)
  const once = await classifier.classify('John met Zoë 👍 in Berlin. ', { aggregation: 'none', ignore: [] })
  const spans = await classifier.classify(text, { aggregation: 'none', ignore: [] })
  assert.equal(spans.length, 20_000 * once.length)
  spans.forEach((span, at) => {
    const shift = Math.floor(at / once.length) * 27
    const { start, end } = once[at % once.length]
    assert.deepEqual([span.start, span.end], [start + shift, end + shift])
  })
})

test('an abort ends a long text', async () => {
  const controller = new AbortController()
  const text = 'John met Zoë in Berlin. '.repeat(400_000)
  const started = performance.now()
  const call = classifier.classify(text, { signal: controller.signal })
  setTimeout(() => controller.abort(new Error('enough')), 200)
  await assert.rejects(call, /enough/)
  // What was aborted is not computed: another call has its turn.
  await classifier.classify('John met Zoë')
  assert.ok(performance.now() - started < 5000)
})

// ---------- properties --------------------------------------------------------------------------------------------------

const PIECES = [
  'John Smith', 'Berlin', 'Zoë', 'e\u0301\u0302', 'A\u030angstro\u0308m', 'ﬁﬂ', '½', 'İstanbul', '👍🏽', '👩‍👩‍👧‍👦', '🇩🇪', '東京は日本の首都です', '한국어', 'مرحبا', '\u00ad', '\u200b', '\0',
  '\ud83d', '\udc4d', '\ufffd', '[SEP]', '<unk>', '</s>', ' ', '  ', '\t', '\n', '\u00a0', '\u3000', ',', '—', '...', 'x'.repeat(40), 'a-b/c', '123',
]

for (const name of models) {
  test(`${name}: spans of any text are in order and are what the text says there`, async (t) => {
    const model = using(t, new TokenClassifier(tiny(name)))
    const random = seeded(7)
    const texts = Array.from({ length: 150 }, () => {
      const count = Math.floor(random() * 30)
      return Array.from({ length: count }, () => PIECES[Math.floor(random() * PIECES.length)] + (random() < 0.5 ? ' ' : '')).join('')
    })
    // Of WordPiece a character is one token's, so spans do not overlap.
    const isApart = !/roberta|xlmr/.test(name)
    for (const aggregation of STRATEGIES) {
      const results = await model.classify(texts, { aggregation, ignore: [] })
      for (const [index, text] of texts.entries()) {
        let before = { start: 0, end: 0 }
        for (const span of results[index]) {
          const { start, end, score } = span
          assert.ok(start <= end && end <= text.length && score > 0 && score <= 1, JSON.stringify({ text, span }))
          assert.equal(span.text, text.slice(start, end))
          assert.ok(start >= before.start, JSON.stringify({ text, before, span }))
          if (isApart) assert.ok(start >= before.end, JSON.stringify({ text, before, span }))
          // No place is inside a character.
          for (const at of [start, end]) assert.ok(!/^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(Math.max(at - 1, 0), at + 1)) || at === 0)
          before = span
        }
      }
    }
  })
}

// ---------- arguments and errors ----------------------------------------------------------------------------------------

test('an empty list loads nothing; wrong arguments are refused before anything is loaded', async () => {
  const unloaded = new TokenClassifier('./no-such-model')
  assert.deepEqual(await unloaded.classify([]), [])
  for (const wrong of [undefined, null, 7, {}, { text: 'a' }, ['a', 7], [['a']]]) {
    await assert.rejects(unloaded.classify(wrong), failure('ERR_INVALID_ARG'))
  }
  for (const options of [{ aggregation: 'mean' }, { ignore: 'O' }, { ignore: [7] }, { aggregation_strategy: 'simple' }, { truncation: 'right' }, { topK: 1 }]) {
    await assert.rejects(unloaded.classify('a', options), failure('ERR_INVALID_ARG'))
  }
  assert.throws(() => new TokenClassifier(), failure('ERR_INVALID_ARG'))
  assert.throws(() => new TokenClassifier(folder, { truncation: 'right' }), failure('ERR_INVALID_ARG', /truncation/))
})

test('a network that gives NaN is an error that names the text', async (t) => {
  const name = 'beyond/token-classifier-uncased'
  const copy = copyOf(name, t)
  // The vector of one token is no number.
  const file = path.join(copy, 'model.safetensors')
  const bytes = readFileSync(file)
  const header = Number(bytes.readBigUInt64LE(0))
  const tensors = JSON.parse(bytes.subarray(8, 8 + header))
  const { data_offsets: [from], shape: [, width] } = tensors['bert.embeddings.word_embeddings.weight']
  const { model: { vocab } } = readJson(path.join(copy, 'tokenizer.json'))
  bytes.writeFloatLE(NaN, 8 + header + from + 4 * width * vocab['[MASK]'])
  writeFileSync(file, bytes)
  const model = using(t, new TokenClassifier(copy, { engine: 'encoder' }))
  assert.notDeepEqual(await model.classify(['John Smith', 'Zoë']), [[], []])
  await assert.rejects(model.classify(['John Smith', 'Zoë', 'a [MASK]', 'John']), failure('ERR_NUMERIC', /^`texts\[2\]`: /))
  await assert.rejects(model.classify(`${'John Smith '.repeat(5000)}[MASK]`), failure('ERR_NUMERIC', /^`texts`: /))
})

test('a text without tokens has no spans', async (t) => {
  assert.deepEqual(await classifier.classify(''), [])
  assert.deepEqual(await classifier.classify(['', '   ', '\n'], { ignore: [] }), [[], [], []])
  const bytes = using(t, new TokenClassifier(tiny('beyond/token-classifier-roberta')))
  assert.deepEqual(await bytes.classify(''), [])
  assert.notDeepEqual(await bytes.classify('   ', { ignore: [] }), [])
})

test('a call and a question meet the end of their model with ERR_DISPOSED or a result', async () => {
  for (const ask of [(model) => model.classify('John met Zoë'), (model) => model.info()]) {
    const model = await TokenClassifier.load(folder)
    const asked = ask(model).then(() => {}, failure('ERR_DISPOSED'))
    await model.dispose()
    await asked
    await assert.rejects(ask(model), failure('ERR_DISPOSED'))
  }
})

test('a model of another kind is refused, and its class is named', async (t) => {
  const model = using(t, new TokenClassifier(tiny('zoo/bert-multilabel-3')))
  await assert.rejects(model.load(), failure('ERR_MODEL_UNSUPPORTED', /`Classifier`/))
  await assert.rejects(using(t, new Classifier(folder)).load(), failure('ERR_MODEL_UNSUPPORTED', /`TokenClassifier`/))
})
