// BM25 as sparse vectors: scores are those of rank_bm25 and of bm25s (Lucene's formula), made by tests/fixtures/bm25/make_bm25.py.

import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import vm from 'node:vm'
import { Bm25, SparseMatrix, dot, topK } from 'vecrank'
import { assertNear, failure, readJson, root, seeded } from './fixtures.mjs'

const bad = (pattern) => failure('ERR_INVALID_ARG', pattern)
const golden = readJson(path.join(root, 'tests', 'fixtures', 'bm25', 'golden.json'))
const blanks = (text) => text.split(' ').filter((word) => word !== '')

for (const method of ['okapi', 'lucene']) {
  test(`scores are those of ${method === 'okapi' ? "rank_bm25's BM25Okapi" : "Lucene's formula"}`, () => {
    assert.ok(golden.cases.length >= 5)
    for (const { k1, b, scores } of golden.cases) {
      // The fixture's words are split at blanks by both tokenisers.
      for (const tokenize of [undefined, blanks]) {
        const bm25 = Bm25.fit(golden.documents, { method, k1, b, tokenize })
        const documents = bm25.encodeDocument(golden.documents)
        golden.queries.forEach((text, at) => {
          const query = bm25.encodeQuery(text)
          const found = documents.map((document) => dot(query, document))
          // Values are float32.
          const largest = Math.max(1, ...scores[at][method].map(Math.abs))
          assertNear(found, scores[at][method], 1e-6 * largest, `${method} k1=${k1} b=${b} "${text}"`)
        })
      }
    }
  })
}

test('by default the method is Lucene, k1 is 1.5 and b is 0.75', () => {
  const [bm25, explicit] = [Bm25.fit(golden.documents), Bm25.fit(golden.documents, { method: 'lucene', k1: 1.5, b: 0.75 })]
  assert.deepEqual(bm25.toJSON(), explicit.toJSON())
  assert.deepEqual({ ...bm25.toJSON(), terms: 0, frequencies: 0 }, {
    version: 1, method: 'lucene', k1: 1.5, b: 0.75, tokenizer: 'words', documents: golden.documents.length,
    tokens: golden.documents.flatMap(blanks).length, terms: 0, frequencies: 0,
  })
})

test("Lucene's scores are never negative, Okapi's can be", () => {
  const texts = ['a b', 'a c', 'a']
  const of = (method) => Bm25.fit(texts, { method })
  const score = (bm25) => dot(bm25.encodeQuery('a'), bm25.encodeDocument('a'))
  assert.ok(score(of('lucene')) > 0)
  assert.ok(score(of('okapi')) < 0)
})

test('a text gives a vector, a list gives a list; vectors have their own memory', () => {
  const bm25 = Bm25.fit(['one two two', 'three'])
  const one = bm25.encodeDocument('two one two')
  assert.deepEqual([...one.indices], [0, 1])
  assert.ok(one.indices instanceof Uint32Array && one.values instanceof Float32Array)
  assert.deepEqual(bm25.encodeDocument(['two one two', '', 'three']), [one, { indices: new Uint32Array(), values: new Float32Array() }, bm25.encodeDocument('three')])
  const [first] = bm25.encodeDocument(['two', 'one'])
  assert.equal(first.indices.buffer.byteLength, 4)
  structuredClone(first, { transfer: [first.indices.buffer, first.values.buffer] })
  assert.deepEqual(bm25.encodeDocument([]), [])
  assert.deepEqual(bm25.encodeQuery([]), [])
})

test('words that the corpus lacks are left out, and count for the length', () => {
  const bm25 = Bm25.fit(['one two', 'three'])
  assert.equal(bm25.encodeQuery('four five').indices.length, 0)
  const [short, long] = bm25.encodeDocument(['one', 'one four five six'])
  assert.deepEqual([...long.indices], [...short.indices])
  assert.ok(long.values[0] < short.values[0])
})

test('the default words are those of Unicode, in lower case', () => {
  const texts = [
    'The Quick-brown FOX can’t jump 32.3 feet, right?', "don't e-mail me@example.com v1.2.3 snake_case a.b", 'Übergröße ΣΊΣΥΦΟΣ İstanbul naïve',
    'Привет, мир! Съешь ещё', 'مرحبا بالعالم', 'שלום עולם', '한국어 단어', 'हिन्दी शब्द', 'x₂ ½ 3rd № 5', '🙂 👩‍👩‍👧 --- ...', '', '\0 \ud800 a\u0301',
  ]
  const segmenter = new Intl.Segmenter('en', { granularity: 'word' })
  for (const text of texts) {
    const well = text.toWellFormed?.() ?? text.replace(/[\ud800-\udfff]/gu, '\ufffd')
    // What ICU calls a word has a letter or a number in it; its own flag leaves out numbers such as ½.
    const words = [...segmenter.segment(well)].map(({ segment }) => segment).filter((segment) => /[\p{Alphabetic}\p{N}]/u.test(segment))
    const bm25 = Bm25.fit([text])
    assert.deepEqual(bm25.toJSON().terms, [...new Set(words.map((word) => word.toLowerCase()))], text)
    assert.equal(bm25.toJSON().tokens, words.length, text)
  }
  // No dictionaries: a Chinese or Japanese character is a word, and a Thai one.
  assert.deepEqual(Bm25.fit(['東京 カタカナ ไทย']).toJSON().terms, ['東', '京', 'カタカナ', 'ไ', 'ท', 'ย'])
})

test('tokenize replaces it, for the fit and for both kinds of vectors', () => {
  const seen = []
  const tokenize = (text) => (seen.push(text), text.split(';'))
  const bm25 = Bm25.fit(['New York;new', 'York', ''], { tokenize })
  assert.deepEqual(bm25.toJSON().terms, ['New York', 'new', 'York', ''])
  assert.deepEqual(bm25.toJSON().frequencies, [1, 1, 1, 1])
  assert.deepEqual([...bm25.encodeQuery('York;New York').indices], [0, 2])
  assert.deepEqual([...bm25.encodeDocument('new').indices], [1])
  assert.deepEqual(seen, ['New York;new', 'York', '', 'York;New York', 'new'])
})

test('many texts make the same as few at a time', () => {
  const random = seeded(3)
  const texts = Array.from({ length: 10_000 }, () => Array.from({ length: Math.floor(random() * 20) }, () => `w${Math.floor(random() ** 3 * 5000)}`).join(' '))
  const bm25 = Bm25.fit(texts)
  // Counted here in the plainest way.
  const frequencies = new Map()
  for (const text of texts) for (const word of new Set(blanks(text))) frequencies.set(word, (frequencies.get(word) ?? 0) + 1)
  const { terms, frequencies: found, documents, tokens } = bm25.toJSON()
  assert.deepEqual(new Map(terms.map((term, at) => [term, found[at]])), frequencies)
  assert.equal(documents, texts.length)
  assert.equal(tokens, texts.reduce((sum, text) => sum + blanks(text).length, 0))
  const vectors = bm25.encodeDocument(texts)
  for (const at of [0, 4095, 4096, 9999]) assert.deepEqual(vectors[at], bm25.encodeDocument(texts[at]))
  assert.deepEqual(Bm25.fit(texts, { tokenize: blanks }).toJSON(), { ...bm25.toJSON(), tokenizer: 'custom' })
})

test('topK finds what scoring every document finds', () => {
  const bm25 = Bm25.fit(golden.documents)
  const documents = bm25.encodeDocument(golden.documents)
  for (const vectors of [documents, new SparseMatrix(documents)]) {
    golden.queries.forEach((text, at) => {
      const scores = golden.cases[0].scores[at].lucene
      const best = topK(bm25.encodeQuery(text), vectors, 5)
      const expected = scores.map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score || a.index - b.index).slice(0, 5)
      assertNear(best.map(({ score }) => score), expected.map(({ score }) => score), 1e-6 * 10, text)
    })
  }
})

// ---------- JSON ---------------------------------------------------------------------------------------------------------

test('JSON holds all of it', () => {
  for (const options of [{}, { method: 'okapi', k1: 0.9, b: 1 }]) {
    const bm25 = Bm25.fit(golden.documents, options)
    const text = JSON.stringify(bm25)
    const again = Bm25.fromJSON(JSON.parse(text))
    assert.equal(JSON.stringify(again), text)
    assert.deepEqual(again.encodeQuery(golden.queries), bm25.encodeQuery(golden.queries))
    assert.deepEqual(again.encodeDocument(golden.documents), bm25.encodeDocument(golden.documents))
  }
})

test('a tokeniser is not in the JSON, and is asked for', () => {
  const json = JSON.parse(JSON.stringify(Bm25.fit(['a;b'], { tokenize: (text) => text.split(';') })))
  assert.equal(json.tokenizer, 'custom')
  assert.throws(() => Bm25.fromJSON(json), bad(/fitted with \(JSON does not hold it\) for `options\.tokenize`/))
  assert.deepEqual([...Bm25.fromJSON(json, { tokenize: (text) => text.split(';') }).encodeQuery('b;a').indices], [0, 1])
  const plain = Bm25.fit(['a']).toJSON()
  assert.throws(() => Bm25.fromJSON(plain, { tokenize: (text) => [text] }), bad(/nothing \(the texts were fitted without one\)/))
})

test('JSON from outside is believed in nothing', () => {
  const good = Bm25.fit(['a b', 'a']).toJSON()
  assert.ok(Bm25.fromJSON(good))
  const wrong = {
    version: [0, 2, '1', null, undefined],
    method: ['bm25', null, undefined, 1],
    k1: [-1, NaN, Infinity, '1.5', undefined, null],
    b: [-0.1, 1.1, NaN, undefined],
    tokenizer: ['word', undefined, true],
    documents: [0, 1.5, -1, 2 ** 32, '2', undefined, 1],
    tokens: [-1, 1.5, 2 ** 53, undefined, 2],
    terms: [['a'], ['a', 'a'], ['a', 1], 'ab', undefined, { length: 2, 0: 'a', 1: 'b' }, ['a', 'b', 'c']],
    frequencies: [[1], [2, 0], [2, 3], [2, 1.5], [2, -1], [2, '1'], undefined, [2, 1, 1], Uint32Array.of(2, 1)],
  }
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) assert.throws(() => Bm25.fromJSON({ ...good, [field]: value }), bad(/Expected/), `${field}: ${String(value)}`)
  }
  for (const value of [undefined, null, 'text', JSON.stringify(good), [], 5, () => {}]) assert.throws(() => Bm25.fromJSON(value), bad(/`json`/))
  assert.throws(() => Bm25.fromJSON({ ...good, more: 1 }), bad(/a known option .* but received "more"/))
  assert.throws(() => Bm25.fromJSON(good, { k1: 1 }), bad(/a known option \(tokenize\)/))
  const inherited = JSON.parse('{"__proto__": {"version": 1}}')
  assert.throws(() => Bm25.fromJSON(inherited), bad(/Expected/))
})

// ---------- arguments ----------------------------------------------------------------------------------------------------

test('arguments', () => {
  assert.throws(() => new Bm25(), bad(/use Bm25\.fit/))
  for (const value of [undefined, null, 'text', {}, new Set(['a'])]) assert.throws(() => Bm25.fit(value), bad(/an array of strings for `texts`/))
  assert.throws(() => Bm25.fit([]), bad(/at least one text/))
  assert.throws(() => Bm25.fit(['a', 5]), bad(/a string for `texts\[1\]` but received 5/))
  // eslint-disable-next-line no-sparse-arrays
  assert.throws(() => Bm25.fit(['a', , 'b']), bad(/`texts\[1\]` but received undefined/))
  for (const [options, pattern] of [
    [{ k1: -1 }, /at least 0 for `options\.k1`/], [{ k1: NaN }, /k1/], [{ k1: '1' }, /k1/], [{ k1: Infinity }, /k1/],
    [{ b: 1.1 }, /from 0 to 1 for `options\.b`/], [{ b: -1 }, /b/], [{ method: 'bm25+' }, /"lucene", "okapi" for `options\.method`/],
    [{ tokenize: 'words' }, /a function for `options\.tokenize`/], [{ stemmer: 'en' }, /a known option \(method, k1, b, tokenize\)/], [[], /an object/],
  ]) assert.throws(() => Bm25.fit(['a'], options), bad(pattern))
  const bm25 = Bm25.fit(['a'])
  for (const value of [undefined, null, 5, {}]) {
    assert.throws(() => bm25.encodeDocument(value), bad(/a string or an array of strings for `text`/))
    assert.throws(() => bm25.encodeQuery(value), bad(/for `text`/))
  }
  assert.throws(() => bm25.encodeDocument(['a', null]), bad(/`text\[1\]` but received null/))
})

test('what a tokeniser gives is checked', () => {
  const fit = (result) => () => Bm25.fit(['first', 'second'], { tokenize: (text) => (text === 'first' ? ['a'] : result) })
  assert.throws(fit('words'), bad(/an array of strings for `tokenize\(texts\[1\]\)` but received "words"/))
  assert.throws(fit(Promise.resolve(['a'])), bad(/but received \[Promise\]/))
  assert.throws(fit(['a', 5]), bad(/a string for `tokenize\(texts\[1\]\)\[1\]` but received 5/))
  assert.throws(fit(['a\0b']), bad(/without U\+0000/))
  assert.throws(fit(new Proxy([], { get: (target, name) => (name === 'length' ? -1 : target[name]) })), bad(/a valid array length/))
  const own = new Error('mine')
  assert.throws(() => Bm25.fit(['a'], { tokenize: () => { throw own } }), own)
  const bm25 = Bm25.fit(['a'], { tokenize: (text) => (text === 'bad' ? null : [text]) })
  assert.throws(() => bm25.encodeQuery('bad'), bad(/`tokenize\(text\)` but received null/))
  assert.throws(() => bm25.encodeDocument(['a', 'bad']), bad(/`tokenize\(text\[1\]\)`/))
})

test('texts, options and tokens of other realms are as good as ours', () => {
  const [texts, options] = vm.runInNewContext('[["a b", "b"], { k1: 1, tokenize: (text) => text.split(" ") }]')
  assert.deepEqual(Bm25.fit(texts, options).toJSON().terms, ['a', 'b'])
})
