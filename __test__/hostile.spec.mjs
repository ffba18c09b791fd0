// Odd JavaScript values: whatever comes in, the answer is a result or an error with a code (or the caller's own exception), and the process lives.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bm25, Embedder, Reranker, SparseMatrix, VecrankError, chunk, cosineSimilarity, dot, embed, fuse, maxSim, rerank, topK } from 'vecrank'
import { assertNear, seeded, tiny } from './fixtures.mjs'

const ROUNDS = 50_000
const embedder = await Embedder.load(tiny('zoo/bert-mean'))
const reranker = await Reranker.load(tiny('zoo/bert-ranker-1'))

class Own extends Error {}

/** Values by name; each is made anew, as some can be used up. */
const odd = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  zero: () => -0,
  NaN: () => NaN,
  infinity: () => -Infinity,
  huge: () => Number.MAX_VALUE,
  bigint: () => 2n ** 70n,
  symbol: () => Symbol('odd'),
  'symbol without description': () => Symbol(),
  function: () => () => 'text',
  class: () => class {},
  object: () => ({}),
  'null prototype': () => Object.create(null),
  date: () => new Date(NaN),
  regexp: () => /x/g,
  map: () => new Map([['text', 'a']]),
  promise: () => Promise.resolve('text'),
  error: () => new Error('odd'),
  'boxed string': () => new String('text'),
  buffer: () => Buffer.from('text'),
  'data view': () => new DataView(new ArrayBuffer(8)),
  'shared memory': () => new SharedArrayBuffer(8),
  'float array': () => Float32Array.of(1, NaN, Infinity),
  'empty float array': () => new Float32Array(0),
  'detached float array': () => {
    const array = new Float32Array(4)
    structuredClone(array.buffer, { transfer: [array.buffer] })
    return array
  },
  'float array that lies': () => Object.defineProperty(new Float32Array(2), 'length', { value: 1e9 }),
  'sparse array': () => new Array(5),
  'enormous sparse array': () => new Array(2 ** 32 - 1),
  'array with a hole': () => ['a', , 'b'],
  'nested arrays': () => [['a'], ['b']],
  'array of odd': () => [Symbol('x'), 5n],
  'array of itself': () => {
    const array = ['a']
    array.push(array)
    return array
  },
  'array that throws': () => Object.defineProperty(['a', 'b'], 1, { get: () => { throw new Own() } }),
  'getter that throws': () => ({ get text() { throw new Own() }, get data() { throw new Own() }, get signal() { throw new Own() } }),
  'toString that throws': () => ({ toString() { throw new Own() }, [Symbol.toPrimitive]() { throw new Own() }, get [Symbol.toStringTag]() { throw new Own() } }),
  'inspect that throws': () => ({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Own() } }),
  'thenable that throws': () => ({ get then() { throw new Own() } }),
  'iterator that throws': () => ({ [Symbol.iterator]() { throw new Own() } }),
  'proxy of an array': () => new Proxy(['a', 'b'], {}),
  'proxy of an array that lies': () => new Proxy(['a'], { get: (target, key) => (key === 'length' ? 1.5 : target[key]) }),
  'proxy that throws': () => new Proxy({}, Object.fromEntries(['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'].map((trap) => [trap, () => { throw new Own() }]))),
  'array proxy that throws': () => new Proxy([], { get() { throw new Own() } }),
  'revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'revoked array': () => {
    const { proxy, revoke } = Proxy.revocable([], {})
    revoke()
    return proxy
  },
  'revoked function': () => {
    const { proxy, revoke } = Proxy.revocable(() => {}, {})
    revoke()
    return proxy
  },
  arguments: () => (function () { return arguments })('a'),
  globalThis: () => globalThis,
}
const names = Object.keys(odd)

const texts = ['', ' ', 'text', 'a\0b', '\ud800', '\udc00\ud800', '\ufffe\uffff', '\u202etxet', '👩‍👩‍👧‍👦', 'é'.normalize('NFD'), '[SEP]', '[PAD] [MASK]', '__proto__', '\u0085\u2028', 'ﷺ', '0'.repeat(500)]
const options = ['prompt', 'promptText', 'normalize', 'pooling', 'dimensions', 'output', 'ranges', 'truncation', 'maxLength', 'signal', 'onProgress', 'topK', 'returnDocuments', 'activation', 'timeoutMs', 'model', 'load', 'dtype', 'threads', '__proto__', 'indices', 'values', 'data', 'rows', 'index', 'k', 'weights', 'k1', 'b', 'tokenize', 'maxTokens', 'overlap']

const targets = {
  embed: (a, b) => embedder.embed(a, b),
  embedQuery: (a, b) => embedder.embedQuery(a, b),
  embedMany: (a, b) => embedder.embedMany(a, b),
  tokenCounts: (a, b) => embedder.tokenCounts(a, b),
  stream: (a, b) => embedder.embedStream(a, b).next(),
  rerank: (a, b, c) => reranker.rerank(a, b, c),
  score: (a, b) => reranker.score(a, b),
  'embed function': (a, b) => embed(a, b ?? { model: embedder }),
  'rerank function': (a, b, c) => rerank(a, b, c ?? { model: reranker }),
  row: async (a) => (await embedder.embedMany(['a'])).row(a),
  cosineSimilarity: async (a, b) => cosineSimilarity(a, b),
  dot: async (a, b) => dot(a, b),
  topK: async (a, b, c) => topK(a, b, c),
  'topK of sparse vectors': async (a, b) => topK({ indices: Uint32Array.of(1), values: Float32Array.of(1) }, a, b),
  SparseMatrix: async (a) => new SparseMatrix(a),
  maxSim: async (a, b) => maxSim(a, b),
  'maxSim with a query': async (a) => maxSim({ data: Float32Array.of(1), rows: 1, dimensions: 1 }, a),
  fuse: async (a, b) => fuse(a, b),
  'Bm25.fit': async (a, b) => Bm25.fit(a, b),
  'Bm25.fit with tokens': async (a) => Bm25.fit(['text'], { tokenize: () => a }),
  'Bm25.fromJSON': async (a, b) => Bm25.fromJSON(a, b),
  ...Object.fromEntries(['terms', 'frequencies', 'tokens'].map((name) => [`Bm25.fromJSON, ${name}`, async (a) => Bm25.fromJSON({ ...Bm25.fit(['a b']).toJSON(), [name]: a })])),
  encodeQuery: async (a) => Bm25.fit(['text']).encodeQuery(a),
  chunk: (a, b) => chunk(a, b ?? { model: embedder }),
  constructor: async (a, b) => new Embedder(a, b),
}

test('any values in any place', { timeout: 300_000 }, async () => {
  const random = seeded(42)
  const pick = (list) => list[Math.floor(random() * list.length)]
  // A value and how it was made, so that a failure can be told.
  const value = (depth = 0) => {
    const dice = random()
    if (dice < 0.45) {
      const name = pick(names)
      return [odd[name](), name]
    }
    if (dice < 0.6 || depth > 1) return [pick(texts), 'text']
    if (dice < 0.8) {
      const items = Array.from({ length: Math.floor(random() * 4) }, () => value(depth + 1))
      return [items.map(([item]) => item), `[${items.map(([, name]) => name)}]`]
    }
    const chosen = Array.from({ length: Math.floor(random() * 3) }, () => [pick(options), value(depth + 1)])
    return [Object.fromEntries(chosen.map(([name, [item]]) => [name, item])), `{${chosen.map(([name, [, of]]) => `${name}: ${of}`)}}`]
  }
  const results = { fulfilled: 0, rejected: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const name = pick(Object.keys(targets))
    const given = [value(), value(), value()]
    const told = `round ${round}: ${name}(${given.map(([, made]) => made).join(', ')})`
    let promise
    try {
      promise = targets[name](...given.map(([item]) => item))
    } catch (error) {
      assert.fail(`${told} threw ${error?.stack}`)
    }
    try {
      await promise
      results.fulfilled++
    } catch (error) {
      results.rejected++
      const known = error instanceof Own || error instanceof VecrankError || (error instanceof TypeError && error.code === 'ERR_INVALID_ARG')
      assert.ok(known, `${told} rejected with ${error?.stack ?? String(error)}`)
      assert.notEqual(error.code, 'ERR_INTERNAL', `${told}: ${error.message}`)
    }
  }
  assert.ok(results.fulfilled > 100 && results.rejected > 1000, JSON.stringify(results))
})

test("the caller's own exception comes through", async () => {
  for (const [method, ...given] of [
    ['embed', odd['array that throws']()],
    ['embed', odd['array proxy that throws']()],
    ['embed', 'a', odd['proxy that throws']()],
    ['embed', 'a', odd['getter that throws']()],
  ]) {
    await assert.rejects(embedder[method](...given), Own)
  }
  await assert.rejects(reranker.rerank('q', [odd['getter that throws']()]), Own)
  await assert.rejects(embedder.embed(['a', 'b'], { onProgress() { throw new Own() } }), Own)
})

test('odd text is text: order and length are kept', async () => {
  const random = seeded(5)
  const units = [0, 9, 10, 32, 65, 0x301, 0x200d, 0x202e, 0x4e00, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xfeff, 0xfffe, 0xffff, 0x1f600 & 0xffff]
  const many = Array.from({ length: 500 }, () => String.fromCharCode(...Array.from({ length: Math.floor(random() * 30) }, () => units[Math.floor(random() * units.length)])))
  const rows = await embedder.embed(many)
  const formed = await embedder.embed(many.map((text) => text.toWellFormed?.() ?? Buffer.from(text, 'utf8').toString('utf8')))
  assert.equal(rows.length, many.length)
  rows.forEach((row, index) => assertNear(row, formed[index], 1e-5, JSON.stringify(many[index])))
  const scores = await reranker.score(many.map((text) => [text, text]))
  assert.ok(scores.every(Number.isFinite))
})

test('duplicates have equal vectors', async () => {
  const rows = await embedder.embed(Array(700).fill('the same text'))
  for (const row of rows) assertNear(row, rows[0], 1e-5, 'duplicate')
})

test('prompts named like properties of objects are only names', async () => {
  for (const prompt of ['__proto__', 'constructor', 'toString']) await assert.rejects(embedder.embed('a', { prompt }), { code: 'ERR_INVALID_ARG' })
  const own = new Embedder(tiny('zoo/bert-mean'), { prompts: JSON.parse('{"__proto__": "query: "}') })
  assertNear(await own.embed('a', { prompt: '__proto__' }), await embedder.embed('query: a'), 1e-5, 'a prompt of that name')
})
