'use strict'

/** Functions that make tensors: of one value, of random ones, of others joined. */

const { argumentError, expected } = require('../errors.js')
const { isArray } = require('../shape.js')
const { axisOf, countOf } = require('./dimensions.js')
const { random } = require('./random.js')
const { Tensor, isTensor } = require('./tensor.js')

/** Tensors one after the other along a dimension. All other dimensions are equal. */
function cat(tensors, dim = 0) {
  const first = firstOf(tensors)
  const axis = axisOf(dim, first.dims.length)
  tensors.forEach((tensor, index) => {
    if (tensor.type !== first.type) throw expected(`a tensor of ${first.type}, as the first one is`, `tensors[${index}].type`, tensor.type)
    const fits = tensor.dims.length === first.dims.length && tensor.dims.every((size, place) => place === axis || size === first.dims[place])
    if (!fits)
      throw argumentError(
        `Expected the dimensions [${first.dims.join(', ')}], but for number ${axis}, for \`tensors[${index}]\` but received [${tensor.dims.join(', ')}].`,
      )
  })
  const dims = first.dims.map((size, place) => (place === axis ? tensors.reduce((sum, tensor) => sum + tensor.dims[axis], 0) : size))
  const data = new first.data.constructor(countOf(dims))
  const rows = countOf(dims.slice(0, axis))
  // Read once: a tensor is a proxy, and every look at it costs.
  const parts = tensors.map((tensor) => ({ values: tensor.data, width: countOf(tensor.dims.slice(axis)) }))
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (const { values, width } of parts) {
      for (let from = row * width; from < (row + 1) * width; from++) data[at++] = values[from]
    }
  }
  return new Tensor(first.type, data, dims)
}

/** Tensors of equal dimensions, side by side in a new one. */
function stack(tensors, dim = 0) {
  firstOf(tensors)
  return cat(
    tensors.map((tensor) => tensor.unsqueeze(dim)),
    dim,
  )
}

function firstOf(tensors) {
  if (!isArray(tensors) || tensors.length === 0) throw expected('an array with at least one tensor', 'tensors', tensors)
  tensors.forEach((tensor, index) => {
    if (!isTensor(tensor)) throw expected('a Tensor', `tensors[${index}]`, tensor)
  })
  return tensors[0]
}

/** Filled with one value, which says the type: a number is float32, a bigint int64, a boolean bool. */
function full(size, fill_value) {
  switch (typeof fill_value) {
    case 'number':
      return filled('float32', Float32Array, size, fill_value)
    case 'bigint':
      return filled('int64', BigInt64Array, size, fill_value)
    case 'boolean':
      return filled('bool', Uint8Array, size, fill_value)
    default:
      throw expected('a number, a bigint or a boolean', 'fill_value', fill_value)
  }
}

function filled(type, Class, size, value) {
  return new Tensor(type, new Class(countOf(sizeOf(size))).fill(value), [...size])
}

function sizeOf(size) {
  if (!isArray(size)) throw expected('an array of whole numbers', 'size', size)
  return size
}

function full_like(tensor, fill_value) {
  return full(tensor.dims, fill_value)
}

function ones(size) {
  return full(size, 1n)
}

function ones_like(tensor) {
  return ones(tensor.dims)
}

function zeros(size) {
  return full(size, 0n)
}

function zeros_like(tensor) {
  return zeros(tensor.dims)
}

/** Evenly distributed from 0 up to 1. */
function rand(size) {
  return new Tensor(
    'float32',
    Float32Array.from({ length: countOf(sizeOf(size)) }, () => random.random()),
    [...size],
  )
}

/** Normally distributed. */
function randn(size) {
  return new Tensor(
    'float32',
    Float32Array.from({ length: countOf(sizeOf(size)) }, () => random.gauss()),
    [...size],
  )
}

module.exports = { cat, full, full_like, ones, ones_like, rand, randn, stack, zeros, zeros_like }
