// Sparse vectors: `dot` and `topK` on them, one by one and as a SparseMatrix. The expected values are computed here, in the plainest way.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import vm from 'node:vm'
import { SparseMatrix, cosineSimilarity, dot, topK } from 'vecrank'
import { failure, golden, seeded } from './fixtures.mjs'

const bad = (pattern) => failure('ERR_INVALID_ARG', pattern)
const sparse = (...pairs) => ({ indices: Uint32Array.from(pairs, ([index]) => index), values: Float32Array.from(pairs, ([, value]) => value) })
const dense = (...numbers) => Float32Array.from(numbers)

function naive(a, b) {
  const values = new Map(Array.from(a.indices, (index, at) => [index, a.values[at]]))
  return Array.from(b.indices).reduce((sum, index, at) => sum + (values.get(index) ?? 0) * b.values[at], 0)
}

function naiveTopK(query, vectors, k) {
  return vectors.map((vector, index) => ({ index, score: naive(query, vector) })).sort((a, b) => b.score - a.score || a.index - b.index).slice(0, k)
}

/** Vectors whose numbers are small whole ones, so that sums are exact and ties are many. */
function some(count, seed) {
  const random = seeded(seed)
  return Array.from({ length: count }, () => {
    const indices = new Set(Array.from({ length: Math.floor(random() * 30) }, () => Math.floor(random() ** 2 * 200) * (random() < 0.1 ? 20_000_000 : 1)))
    return sparse(...[...indices].sort((a, b) => a - b).map((index) => [index, Math.floor(random() * 9) - 3]))
  })
}

test('dot is the sum of products at equal indices', () => {
  assert.equal(dot(sparse([1, 2], [5, 3]), sparse([0, 9], [1, 4], [5, -1])), 5)
  assert.equal(dot(sparse(), sparse([1, 1])), 0)
  assert.equal(dot(sparse([2 ** 32 - 1, 3]), sparse([0, 1], [2 ** 32 - 1, 7])), 21)
  const vectors = some(60, 1)
  for (const a of vectors) for (const b of vectors) assert.equal(dot(a, b), naive(a, b))
})

test('topK is the best dot products; of equal ones the lower index first', () => {
  for (const seed of [2, 3]) {
    const vectors = some(500, seed)
    const matrix = new SparseMatrix(vectors)
    assert.equal(matrix.rows, 500)
    for (const query of [...some(30, seed + 10), sparse(), sparse([7, -1]), sparse([2 ** 32 - 1, 1])]) {
      for (const k of [1, 7, 499, 500, 1e9]) {
        const expected = naiveTopK(query, vectors, k)
        assert.deepEqual(topK(query, vectors, k), expected)
        assert.deepEqual(topK(query, matrix, k), expected)
      }
    }
  }
})

test('a matrix has its own numbers, and scores are the same to the bit', () => {
  const random = seeded(4)
  const vectors = some(200, 5).map(({ indices }) => ({ indices, values: Float32Array.from(indices, () => random() - 0.3) }))
  const [query] = some(1, 12).map(({ indices }) => ({ indices, values: Float32Array.from(indices, () => random()) }))
  const matrix = new SparseMatrix(vectors)
  const before = topK(query, vectors, 200)
  assert.deepEqual(topK(query, matrix, 200), before)
  for (const vector of vectors) vector.values.fill(0)
  assert.deepEqual(topK(query, matrix, 200), before)
})

test('numbers that are none come last', () => {
  const vectors = [sparse([1, NaN]), sparse([1, -5]), sparse([2, 1]), sparse([1, Infinity])]
  for (const list of [vectors, new SparseMatrix(vectors)]) {
    assert.deepEqual(topK(sparse([1, 1]), list, 4).map(({ index }) => index), [3, 2, 1, 0])
  }
})

test('SPLADE vectors of the reference are compared as it compares them', () => {
  const { runs, texts } = golden('zoo/splade-mlm')
  const [run] = runs
  const vectors = run.single.map(({ indices, values }) => ({ indices: Uint32Array.from(indices), values: Float32Array.from(values) }))
  assert.equal(vectors.length, texts.length)
  const best = topK(vectors[0], new SparseMatrix(vectors), 3)
  assert.deepEqual(best, naiveTopK(vectors[0], vectors, 3))
})

test('nothing to search gives nothing', () => {
  assert.deepEqual(topK(sparse([1, 1]), [], 3), [])
  assert.deepEqual(topK(sparse([1, 1]), new SparseMatrix([]), 3), [])
  assert.equal(new SparseMatrix([]).rows, 0)
  assert.deepEqual(topK(sparse([1, 1]), [sparse()], 3), [{ index: 0, score: 0 }])
})

test('vectors of two kinds are not compared', () => {
  assert.throws(() => dot(sparse([1, 1]), dense(1)), bad(/a sparse vector \{indices, values\}, as `a` is one for `b` but received \[Float32Array\]/))
  assert.throws(() => dot(dense(1), sparse([1, 1])), bad(/a Float32Array, as `a` is one for `b` but received \[Object\]/))
  assert.throws(() => dot(sparse([1, 1]), [1]), bad(/for `b`/))
  assert.throws(() => dot([1], sparse([1, 1])), bad(/a Float32Array for `a`/))
  assert.throws(() => topK(sparse([1, 1]), dense(1, 2), 1), bad(/an array of sparse vectors or a SparseMatrix.* for `vectors` but received \[Float32Array\]/))
  assert.throws(() => topK(sparse([1, 1]), [sparse([1, 1]), dense(1)], 1), bad(/a sparse vector \{indices, values\} for `vectors\[1\]` but received \[Float32Array\]/))
  assert.throws(() => topK(sparse([1, 1]), { data: dense(1), rows: 1, dimensions: 1 }, 1), bad(/`vectors`/))
  assert.throws(() => topK(dense(1), [sparse([1, 1])], 1), bad(/a Float32Array for `vectors\[0\]` but received \[Object\]/))
  assert.throws(() => topK(dense(1), new SparseMatrix([sparse([1, 1])]), 1), bad(/as `vectors` are for `query` but received \[Float32Array\]/))
  assert.throws(() => cosineSimilarity(sparse([1, 1]), sparse([1, 1])), bad(/a Float32Array for `a`/))
})

// Each is wrong in one thing, and said to be so by name.
const wrong = {
  'no object': [null, /a sparse vector/],
  'no indices': [{ values: dense(1) }, /a Uint32Array for `NAME\.indices` but received undefined/],
  'an array of indices': [{ indices: [1], values: dense(1) }, /a Uint32Array for `NAME\.indices` but received \[Array\]/],
  'signed indices': [{ indices: Int32Array.of(1), values: dense(1) }, /`NAME\.indices`/],
  'double values': [{ indices: Uint32Array.of(1), values: Float64Array.of(1) }, /a Float32Array for `NAME\.values`/],
  'too few values': [{ indices: Uint32Array.of(1, 2), values: dense(1) }, /as many as there are indices \(2\) for `NAME\.values\.length` but received 1/],
  'equal indices': [sparse([1, 1], [4, 1], [4, 1]), /more than 4 .*for `NAME\.indices\[2\]` but received 4/],
  'descending indices': [sparse([4, 1], [3, 1]), /more than 4 .*for `NAME\.indices\[1\]` but received 3/],
}
for (const [name, [value, pattern]] of Object.entries(wrong)) {
  const named = (path) => bad(new RegExp(pattern.source.replace('NAME', path)))
  test(`refused: ${name}`, () => {
    if (value !== null) {
      assert.throws(() => dot(value, sparse([1, 1])), named('a'))
      assert.throws(() => topK(value, [sparse([1, 1])], 1), named('query'))
      assert.throws(() => topK(value, [], 1), named('query'))
    }
    assert.throws(() => dot(sparse([9, 1]), value), named('b'))
    assert.throws(() => topK(sparse([1, 1]), [sparse(), value], 1), named('vectors\\[1\\]'))
    assert.throws(() => new SparseMatrix([sparse(), sparse([1, 1]), value]), named('vectors\\[2\\]'))
  })
}

test('lists and counts are checked', () => {
  for (const value of [undefined, null, 'text', {}, sparse([1, 1]), new Set()]) assert.throws(() => new SparseMatrix(value), bad(/an array of sparse vectors for `vectors`/))
  // eslint-disable-next-line no-sparse-arrays
  assert.throws(() => new SparseMatrix([sparse(), , sparse()]), bad(/`vectors\[1\]` but received undefined/))
  for (const k of [0, -1, 1.5, NaN, '1', undefined]) {
    assert.throws(() => topK(sparse([1, 1]), [sparse()], k), bad(/at least 1 for `k`/))
    assert.throws(() => topK(sparse([1, 1]), new SparseMatrix([sparse()]), k), bad(/at least 1 for `k`/))
  }
  const endless = new Proxy([], { get: (target, name) => (name === 'length' ? Infinity : target[name]) })
  assert.throws(() => topK(sparse([1, 1]), endless, 1), bad(/a valid array length for `vectors\.length`/))
  assert.throws(() => SparseMatrix([]), TypeError)
  assert.throws(() => topK(sparse([1, 1]), Object.create(SparseMatrix.prototype), 1), bad(/`vectors`/))
})

test('memory that was handed over is no vector without numbers', () => {
  const gone = (vector, name) => (structuredClone(vector[name].buffer, { transfer: [vector[name].buffer] }), vector)
  for (const name of ['indices', 'values']) {
    assert.throws(() => dot(sparse([1, 1]), gone(sparse([1, 1]), name)), bad(/for `b\./))
    const empty = sparse()
    empty[name] = empty[name].subarray(0)
    structuredClone(empty[name].buffer, { transfer: [empty[name].buffer] })
    assert.throws(() => dot(sparse([1, 1]), empty), bad(/that was not transferred for `b\./))
    assert.throws(() => new SparseMatrix([empty]), bad(/that was not transferred for `vectors\[0\]\./))
  }
})

test('values of other realms, shared memory and getters are read once', () => {
  const [query, vectors] = vm.runInNewContext('[{ indices: Uint32Array.of(1), values: Float32Array.of(2) }, [{ indices: Uint32Array.of(0, 1), values: Float32Array.of(5, 3) }]]')
  assert.equal(dot(query, vectors[0]), 6)
  assert.deepEqual(topK(query, vectors, 1), [{ index: 0, score: 6 }])
  assert.deepEqual(topK(query, new SparseMatrix(vectors), 1), [{ index: 0, score: 6 }])
  const shared = { indices: new Uint32Array(new SharedArrayBuffer(4)), values: new Float32Array(new SharedArrayBuffer(4)) }
  shared.indices[0] = 1
  shared.values[0] = 4
  assert.equal(dot(query, shared), 8)
  assert.deepEqual(topK(shared, new SparseMatrix([shared]), 1), [{ index: 0, score: 16 }])
  let reads = 0
  const watched = { get indices() { return reads++, Uint32Array.of(1) }, get values() { return reads++, Float32Array.of(1) } }
  assert.equal(dot(watched, query), 2)
  assert.equal(reads, 2)
})
