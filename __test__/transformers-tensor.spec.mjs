// Tensors and their functions beside those of the real Transformers.js, whose answers `transformers/record.mjs` wrote down.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as library from 'vecrank/transformers'
import { failure, readJson } from './fixtures.mjs'
import { assertSame } from './transformers/comparison.mjs'
import { answers, cases, plain } from './transformers/tensor-cases.mjs'

const { Tensor } = library
const recorded = readJson(new URL('transformers/tensors.json', import.meta.url))
const given = await answers(cases, library)

test('every recorded case is asked, and no other', () => {
  assert.deepEqual(Object.keys(given).sort(), Object.keys(recorded).sort())
})

for (const name of Object.keys(recorded)) {
  test(`as Transformers.js: ${name}`, () => assertSame(given[name], recorded[name]))
}

// ---------- what the peer has not, or has wrong -------------------------------------------------------------------------

const tensor = (data, dims) => new Tensor('float32', data, dims)

test('a norm is of absolute values', () => {
  assert.equal(tensor([3, -4], [2]).norm(1).item(), 7)
  assert.equal(tensor([3, -4], [2]).norm(Infinity).item(), 4)
  assert.ok(Math.abs(tensor([1, -2], [2]).norm(3).item() - 9 ** (1 / 3)) < 1e-6)
  assert.throws(() => tensor([1], [1]).norm('nuc'), failure('ERR_INVALID_ARG'))
})

test('a part without direction stays zero when it is normalised, and one without tokens when it is pooled', () => {
  assert.deepEqual(tensor([0, 0, 3, 4], [2, 2]).normalize().tolist(), [
    [0, 0],
    [Math.fround(0.6), Math.fround(0.8)],
  ])
  const pooled = library.mean_pooling(tensor([1, 2, 3, 4], [1, 2, 2]), new Tensor('int64', [0n, 0n], [1, 2]))
  assert.deepEqual(pooled.tolist(), [[0, 0]])
})

test('a place among parts without end in a tensor without rows is told', () => {
  assert.deepEqual(tensor([], [2, 0]).tolist(), [[], []])
  assert.throws(() => tensor([], [0, 2])[0], failure('ERR_INVALID_ARG', /out of bounds/))
})

test('assigning by index is refused, as nothing would read it', () => {
  const given = tensor([1, 2], [2])
  assert.throws(() => (given[0] = 5), failure('ERR_INVALID_ARG', /tensor\.data/))
  given.note = 0
  assert.equal(given.note, 0)
})

test('whole numbers of 64 bits take ordinary numbers, but no fractions', () => {
  const given = new Tensor('int64', [1n, 2n], [2])
  assert.deepEqual(plain(given.mul(3)).data, ['3n', '6n'])
  assert.throws(() => given.add(0.5), failure('ERR_INVALID_ARG', /whole number/))
})

test('largest and smallest along a dimension, also their places, and a NaN does not hide', () => {
  const given = tensor([1, 5, 2, 9, 0, 3], [2, 3])
  assert.deepEqual(plain(given.argmax(1)), { type: 'int64', dims: [2], data: ['1n', '0n'] })
  assert.deepEqual(plain(given.argmin(0, true)), { type: 'int64', dims: [1, 3], data: ['0n', '1n', '0n'] })
  assert.ok(Number.isNaN(tensor([1, NaN, 3], [3]).max().item()))
  const whole = new Tensor('int64', [3n, 1n, 2n, 9n], [2, 2])
  assert.deepEqual(plain(whole.max(1)).data, ['3n', '9n'])
})

test('softmax and tanh of a tensor', () => {
  const given = tensor([1, 2, 3, 4], [2, 2])
  assertSame(given.softmax().tolist().flat(), [0.26894142, 0.73105858, 0.26894142, 0.73105858])
  assertSame(given.softmax(0).tolist().flat(), [0.11920292, 0.11920292, 0.88079708, 0.88079708])
  assertSame(given.tanh().tolist().flat(), [0.76159416, 0.96402758, 0.99505475, 0.9993293])
})

test('16-bit floats: rounded to even on the way in, exact on the way out', () => {
  const numbers = [1, -2, 0.1, 65504, 65519.9, 65520, 1e-8, 6e-8, 2 ** -14, 2 ** -14 * 1.0005, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -0, Infinity, NaN]
  // By NumPy: np.array(numbers).astype(np.float16).
  const bits = [0x3c00, 0xc000, 0x2e66, 0x7bff, 0x7bff, 0x7c00, 0, 1, 0x400, 0x401, 0x3c00, 0x3c02, 0x8000, 0x7c00, 0x7e00]
  const half = new Tensor('float64', numbers, [numbers.length]).to('float16')
  assert.equal(half.type, 'float16')
  assert.deepEqual(Array.from(new Uint16Array(half.data.buffer)), bits)
  const back = Array.from(half.to('float32').data)
  assertSame(back.slice(0, 4), [1, -2, 0.0999755859375, 65504], 0)
  assert.ok(Object.is(back[12], -0) && back[13] === Infinity && Number.isNaN(back[14]))
  assert.equal(back[7], 2 ** -24)
})

test('a tensor that was disposed of says so', () => {
  const given = tensor([1, 2], [2])
  given.dispose()
  assert.equal(given.location, 'none')
  assert.throws(() => given.data, failure('ERR_INVALID_ARG', /disposed/))
})

test('an error says what was wrong and what to do', () => {
  assert.throws(() => tensor([1, 2, 3], [2, 2]), failure('ERR_INVALID_ARG', /4 values.*\[2, 2\].*3/))
  assert.throws(() => new Tensor('float33', [1], [1]), failure('ERR_INVALID_ARG', /float32.*float33/))
  assert.throws(() => tensor([1, 2], [2]).item(), failure('ERR_INVALID_ARG', /tolist/))
  assert.throws(() => library.cat([tensor([1], [1]), tensor([1, 2], [1, 2])]), failure('ERR_INVALID_ARG', /tensors\[1\]/))
  assert.throws(() => library.mean(new Tensor('int32', [1], [1])), failure('ERR_INVALID_ARG', /to\('float32'\)/))
})
