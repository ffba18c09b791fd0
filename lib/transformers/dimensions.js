'use strict'

/** Dimensions of tensors: how many values they hold, where a value lies, and what becomes of them. Plain arrays; nothing here touches values. */

const { argumentError, expected } = require('../errors.js')

/** How many values. No dimensions: one, a scalar. */
function countOf(dims) {
  return dims.reduce((product, size) => product * size, 1)
}

/** Steps in the flat array from one value to the next, for each dimension. */
function strides(dims) {
  const steps = new Array(dims.length)
  for (let axis = dims.length - 1, step = 1; axis >= 0; axis--) {
    steps[axis] = step
    step *= dims[axis]
  }
  return steps
}

/** A dimension by its number; negative ones count from the end. */
function axisOf(dim, count, path = 'dim') {
  if (!Number.isInteger(dim) || dim < -count || dim >= count) {
    throw expected(count === 0 ? 'nothing (a scalar has no dimensions)' : `a whole number from ${-count} to ${count - 1}`, path, dim)
  }
  return dim < 0 ? dim + count : dim
}

/** A place in a dimension, likewise. */
function placeOf(index, size, dim) {
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw argumentError(`Index ${index} is out of bounds for dimension ${dim}, which has size ${size}.`)
  }
  return index < 0 ? index + size : index
}

/** The bound of a range: beyond the ends it is the end. */
function boundOf(index, size) {
  if (!Number.isInteger(index)) throw expected('a whole number', 'slice', index)
  return index < 0 ? Math.max(index + size, 0) : Math.min(index, size)
}

/** Without the dimensions of size 1: all of them, one, or some. */
function squeezed(dims, dim) {
  if (dim === null || dim === undefined) return dims.filter((size) => size !== 1)
  const chosen = new Set([dim].flat().map((each) => axisOf(each, dims.length)))
  return dims.filter((size, axis) => size !== 1 || !chosen.has(axis))
}

/** With one more dimension, of size 1. */
function unsqueezed(dims, dim) {
  const axis = axisOf(dim, dims.length + 1)
  return [...dims.slice(0, axis), 1, ...dims.slice(axis)]
}

/** With those from `start` to `end`, both included, as one. */
function flattened(dims, start, end) {
  if (dims.length === 0) return [1]
  const first = axisOf(start, dims.length, 'start_dim')
  const last = axisOf(end, dims.length, 'end_dim')
  if (last < first) throw expected(`at least ${first} (start_dim)`, 'end_dim', end)
  return [...dims.slice(0, first), countOf(dims.slice(first, last + 1)), ...dims.slice(last + 1)]
}

/** Of `count` values, with a -1 replaced by what is left. */
function inferred(dims, count) {
  const open = dims.indexOf(-1)
  if (open === -1) return dims
  if (dims.indexOf(-1, open + 1) !== -1) throw argumentError('Only one dimension of a view can be -1.')
  const rest = countOf(dims.filter((size) => size !== -1))
  return dims.map((size) => (size === -1 ? count / rest : size))
}

module.exports = { axisOf, boundOf, countOf, flattened, inferred, placeOf, squeezed, strides, unsqueezed }
