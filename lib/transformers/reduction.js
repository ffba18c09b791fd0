'use strict'

/**
 * Many values to one: over a whole tensor, or over one of its dimensions. Sums are in double precision and are rounded once, to the type of the
 * tensor; those of integers are of integers.
 */

const { argumentError } = require('../errors.js')
const { axisOf } = require('./dimensions.js')
const { assertNumbers, isBig } = require('./storage.js')

/**
 * Calls `one(values)` for every row of values along `dim` (all values as one row, where it is null or absent) and makes a tensor of what it
 * gives. `make` makes a tensor of a type, values and dimensions.
 */
function alongEach(tensor, dim, keepdim, make, one, type = tensor.type) {
  assertNumbers(tensor, 'This reduction')
  const { data, dims } = tensor
  if (dim === null || dim === undefined) return make(type, [one(data)], keepdim ? dims.map(() => 1) : [])
  const axis = axisOf(dim, dims.length)
  const size = dims[axis]
  const step = dims.slice(axis + 1).reduce((product, each) => product * each, 1)
  const results = []
  const row = new Array(size)
  const count = dims.reduce((product, each, index) => (index === axis ? product : product * each), 1)
  for (let index = 0; index < count; index++) {
    const from = Math.floor(index / step) * size * step + (index % step)
    for (let place = 0; place < size; place++) row[place] = data[from + place * step]
    results.push(one(row))
  }
  return make(type, results, keepdim ? dims.map((each, index) => (index === axis ? 1 : each)) : dims.filter((_, index) => index !== axis))
}

function sumOf(type) {
  return isBig(type) ? (row) => row.reduce((sum, value) => sum + value, 0n) : (row) => row.reduce((sum, value) => sum + value, 0)
}

/** The length by the norm `p` of a row. */
function normOf(p) {
  if (p === 'fro' || p === 2) return (row) => Math.sqrt(row.reduce((sum, value) => sum + value * value, 0))
  if (typeof p !== 'number' || !(p > 0)) throw argumentError(`Expected 'fro' or a number above 0 for \`p\` but received ${String(p)}.`)
  if (p === Infinity) return (row) => row.reduce((highest, value) => Math.max(highest, Math.abs(value)), 0)
  return (row) => row.reduce((sum, value) => sum + Math.abs(value) ** p, 0) ** (1 / p)
}

function meanOf(row) {
  return row.reduce((sum, value) => sum + value, 0) / row.length
}

/** Standard deviation; `correction` 1 is that of a sample. */
function deviationOf(correction) {
  return (row) => {
    const mean = meanOf(row)
    return Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (row.length - correction))
  }
}

/** The place of the best value, the first of equal ones; a NaN is better than every number, as it must not go unseen. */
function placeOfBest(isBetter) {
  return (row) => {
    if (row.length === 0) throw argumentError('A tensor without values has no largest and no smallest one.')
    let best = 0
    for (let index = 1; index < row.length && row[best] === row[best]; index++) {
      if (isBetter(row[index], row[best]) || row[index] !== row[index]) best = index
    }
    return best
  }
}

const placeOfLargest = placeOfBest((value, best) => value > best)
const placeOfSmallest = placeOfBest((value, best) => value < best)

/** Whether a tensor has a mean: those of integers have none of their type. */
function assertFloat(tensor, what) {
  if (!tensor.type.startsWith('float')) {
    throw argumentError(
      `Expected a tensor of floating point numbers for ${what} but received one of ${tensor.type}. Convert it first: tensor.to('float32').`,
    )
  }
}

module.exports = { alongEach, assertFloat, deviationOf, meanOf, normOf, placeOfLargest, placeOfSmallest, sumOf }
