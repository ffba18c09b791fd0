// maxSim: the scores of sentence-transformers' MultiVectorEncoder, and of the definition, computed here.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import vm from 'node:vm'
import { maxSim } from 'vecrank'
import { assertNear, failure, golden, seeded } from './fixtures.mjs'

const bad = (pattern) => failure('ERR_INVALID_ARG', pattern)

/** A matrix from its rows. */
function matrix(rows, dimensions = rows[0].length) {
  return { data: Float32Array.from(rows.flat()), rows: rows.length, dimensions }
}

function naive(query, document) {
  const row = ({ data, dimensions }, at) => data.subarray(at * dimensions, (at + 1) * dimensions)
  const product = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0)
  let score = 0
  for (let at = 0; at < query.rows; at++) {
    let best = -Infinity
    for (let other = 0; other < document.rows; other++) best = Math.max(best, product(Float64Array.from(row(query, at)), Float64Array.from(row(document, other))))
    score += best
  }
  return score
}

function random(rows, dimensions, seed) {
  const next = seeded(seed)
  return { data: Float32Array.from({ length: rows * dimensions }, () => next() * 2 - 1), rows, dimensions }
}

test('scores are those of the reference', () => {
  const { runs, maxsim_query_by_document: expected } = golden('zoo/colbert-multi-vector')
  const matrices = (id) => runs.find((run) => run.id === id).single.map((rows) => matrix(rows))
  const [queries, documents] = [matrices('encode_query'), matrices('encode_document')]
  assert.ok(queries.length > 5)
  queries.forEach((query, at) => {
    assertNear(maxSim(query, documents), expected[at], 1e-4, `query ${at}`)
    documents.forEach((document, other) => assertNear([maxSim(query, document)], [expected[at][other]], 1e-4, `query ${at}, document ${other}`))
  })
})

test('every shape has the score of the definition', () => {
  for (const dimensions of [1, 7, 48, 128]) {
    for (const rows of [1, 31, 32, 33, 100]) {
      const query = random(rows, dimensions, rows)
      const documents = [1, 2, 11, 12, 13, 180, 1000].map((count) => random(count, dimensions, count + dimensions))
      const scores = maxSim(query, documents)
      assert.ok(scores instanceof Float32Array && scores.length === documents.length)
      documents.forEach((document, at) => {
        assertNear([scores[at]], [naive(query, document)], 1e-5 * Math.max(1, Math.abs(scores[at])), `${rows} · ${document.rows} · ${dimensions}`)
        assert.equal(maxSim(query, document), scores[at])
      })
    }
  }
})

test('matrices without rows have the scores that the reference gives them', () => {
  const empty = { data: new Float32Array(0), rows: 0, dimensions: 2 }
  // sentence_transformers/util/similarity.py: _EMPTY_DOCUMENT_SCORE, below every real document; a sum over nothing.
  assert.equal(maxSim(matrix([[1, 0]]), empty), -1e9)
  assert.equal(maxSim(empty, matrix([[1, 0]])), 0)
  assert.equal(maxSim(empty, empty), -1e9)
  assert.deepEqual([...maxSim(matrix([[1, 0]]), [matrix([[-5, 0]]), empty])], [-5, -1e9])
  assert.deepEqual(maxSim(empty, []), new Float32Array(0))
  assert.deepEqual(maxSim(matrix([[1, 0]]), []), new Float32Array(0))
})

test('a number that is none gives none', () => {
  const [good, broken] = [matrix([[1, 0], [0, 1]]), matrix([[1, 0], [NaN, 1]])]
  assert.ok(Number.isNaN(maxSim(broken, good)))
  assert.deepEqual([...maxSim(good, [broken, good])], [NaN, 2])
})

test('arguments', () => {
  const good = matrix([[1, 2]])
  for (const value of [undefined, null, 5, 'text', new Float32Array(2), [good]]) assert.throws(() => maxSim(value, good), bad(/for `query/))
  for (const value of [undefined, null, 5, 'text', new Float32Array(2)]) assert.throws(() => maxSim(good, value), bad(/for `document/))
  for (const [change, pattern] of [
    [{ data: [1, 2] }, /a Float32Array for `document\.data`/],
    [{ data: new Float64Array(2) }, /a Float32Array for `document\.data`/],
    [{ rows: 2 }, /rows times dimensions \(4\) for `document\.data\.length` but received 2/],
    [{ rows: -1 }, /`document\.rows`/], [{ rows: 0.5 }, /`document\.rows`/], [{ rows: undefined }, /`document\.rows`/],
    [{ dimensions: 0 }, /`document\.dimensions`/], [{ dimensions: '2' }, /`document\.dimensions`/],
    [{ rows: 2, dimensions: 1 }, /as many as the query has \(2\) for `document\.dimensions` but received 1/],
  ]) assert.throws(() => maxSim(good, { ...good, ...change }), bad(pattern))
  assert.throws(() => maxSim(good, [good, { ...good, rows: 3 }]), bad(/`document\[1\]\.data\.length`/))
  assert.throws(() => maxSim(good, [good, null]), bad(/a matrix \{data, rows, dimensions\} for `document\[1\]` but received null/))
  // eslint-disable-next-line no-sparse-arrays
  assert.throws(() => maxSim(good, [good, , good]), bad(/`document\[1\]` but received undefined/))
})

test('memory that was handed over, of other realms, shared', () => {
  const good = matrix([[1, 2]])
  const gone = matrix([[1, 2]])
  structuredClone(gone.data.buffer, { transfer: [gone.data.buffer] })
  assert.throws(() => maxSim(good, gone), bad(/`document\.data\.length` but received 0/))
  assert.throws(() => maxSim(good, { ...gone, rows: 0 }), bad(/that was not transferred/))
  assert.equal(maxSim(good, vm.runInNewContext('({ data: Float32Array.of(3, 4), rows: 1, dimensions: 2 })')), 11)
  const shared = { data: new Float32Array(new SharedArrayBuffer(8)), rows: 1, dimensions: 2 }
  shared.data.set([5, 6])
  assert.equal(maxSim(shared, good), 17)
  // A part of a larger memory, at an odd place in it.
  const part = { data: new Float32Array(new ArrayBuffer(44), 4, 2), rows: 1, dimensions: 2 }
  part.data.set([1, 1])
  assert.equal(maxSim(good, part), 3)
})

test('VECRANK_CPU that names no instruction set is an error that says so', () => {
  const before = process.env.VECRANK_CPU
  process.env.VECRANK_CPU = 'abacus'
  try {
    assert.throws(() => maxSim(matrix([[1, 2]]), matrix([[1, 2]])), bad(/VECRANK_CPU/))
    process.env.VECRANK_CPU = 'portable'
    assert.equal(maxSim(matrix([[1, 2]]), matrix([[3, 4]])), 11)
  } finally {
    if (before === undefined) delete process.env.VECRANK_CPU
    else process.env.VECRANK_CPU = before
  }
})
