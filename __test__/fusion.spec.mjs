// Reciprocal rank fusion: Cormack, Clarke, Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods" (SIGIR 2009).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import vm from 'node:vm'
import { fuse } from 'vecrank'
import { assertNear, failure, seeded } from './fixtures.mjs'

const bad = (pattern) => failure('ERR_INVALID_ARG', pattern)
const order = (results) => results.map(({ index }) => index)

test('a score is the sum of 1 / (60 + rank), ranks from 1', () => {
  const fused = fuse([[{ index: 7, score: 0.9 }, { index: 2, score: 0.1 }], [{ index: 2 }, { index: 5 }, { index: 7 }]])
  assert.deepEqual(order(fused), [2, 7, 5])
  assertNear(fused.map(({ score }) => score), [1 / 62 + 1 / 61, 1 / 61 + 1 / 63, 1 / 62], 1e-15, 'scores')
  assert.deepEqual(Object.keys(fused[0]), ['index', 'score'])
})

test('indices are as good as results', () => {
  assert.deepEqual(fuse([[7, 2], [2, 5, 7]]), fuse([[{ index: 7 }, { index: 2 }], [2, { index: 5 }, 7]]))
})

test('k and weights', () => {
  const fused = fuse([[1, 2], [2, 3]], { k: 0, weights: [3, 0.5] })
  assert.deepEqual(fused, [{ index: 1, score: 3 }, { index: 2, score: 3 / 2 + 0.5 }, { index: 3, score: 0.25 }])
  // A ranking without weight still names its things.
  assert.deepEqual(fuse([[1], [2]], { weights: [1, 0], k: 1 }), [{ index: 1, score: 0.5 }, { index: 2, score: 0 }])
})

test('of equal scores the one that comes up first is first, and equal is equal', () => {
  assert.deepEqual(order(fuse([[5, 3], [3, 5]])), [5, 3])
  assert.deepEqual(order(fuse([[9], [1], [4]])), [9, 1, 4])
  // One thing at the same three places, in every order of the rankings: added up as they come, some sums would differ in the last bit.
  const random = seeded(1)
  const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
  for (let round = 0; round < 200; round++) {
    const rankings = Array.from({ length: 3 }, () => [...Array(Math.floor(random() * 500)).keys(), 1000])
    const scores = orders.map((order) => fuse(order.map((at) => rankings[at])).find(({ index }) => index === 1000).score)
    assert.equal(new Set(scores).size, 1, `places ${rankings.map((ranking) => ranking.length)}`)
  }
})

test('nothing to fuse gives nothing', () => {
  assert.deepEqual(fuse([]), [])
  assert.deepEqual(fuse([[], []]), [])
  assert.deepEqual(fuse([[], [4]]), [{ index: 4, score: 1 / 61 }])
  assert.deepEqual(fuse([], { weights: [] }), [])
})

test('arguments', () => {
  for (const value of [undefined, null, 'text', {}, new Set()]) assert.throws(() => fuse(value), bad(/an array of rankings for `rankings`/))
  for (const value of [undefined, null, 'text', 5, { index: 1 }, Uint32Array.of(1)]) {
    assert.throws(() => fuse([[1], value]), bad(/an array of \{index\} objects or of indices for `rankings\[1\]`/))
  }
  for (const value of [-1, 1.5, NaN, '1', 2 ** 53, null, undefined, [1]]) assert.throws(() => fuse([[0, value]]), bad(/an index .*for `rankings\[0\]\[1\]`/))
  for (const value of [-1, undefined, '0', NaN]) assert.throws(() => fuse([[{ index: value }]]), bad(/an index .*for `rankings\[0\]\[0\]\.index`/))
  assert.throws(() => fuse([[1, 2, 1]]), bad(/does not have already for `rankings\[0\]\[2\]` but received 1/))
  assert.throws(() => fuse([[0, -0]]), bad(/does not have already/))
  for (const k of [-1, NaN, Infinity, '60', null]) assert.throws(() => fuse([[1]], { k }), bad(/a finite number of at least 0 for `options\.k`/))
  assert.throws(() => fuse([[1], [2]], { weights: [1] }), bad(/a weight for each ranking \(2\) for `options\.weights\.length` but received 1/))
  for (const weight of [-1, NaN, '1', undefined, Infinity]) assert.throws(() => fuse([[1]], { weights: [weight] }), bad(/`options\.weights\[0\]`/))
  assert.throws(() => fuse([[1]], { weights: 1 }), bad(/an array of numbers for `options\.weights`/))
  assert.throws(() => fuse([[1]], { topK: 1 }), bad(/a known option \(k, weights\)/))
  assert.throws(() => fuse([[1]], []), bad(/an object for `options`/))
  assert.deepEqual(fuse(...vm.runInNewContext('[[[{ index: 1 }]], { k: 1 }]')), [{ index: 1, score: 0.5 }])
})
