'use strict'

/**
 * Tensors: values of one type in a block of dimensions, as models take and give them. `tensor[0]` is the first of its parts, and shares their
 * memory, as do `view`, `squeeze` and `unsqueeze`; everything else gives new memory, but for methods whose name ends in `_`, which change the
 * tensor.
 */

const { argumentError, expected } = require('../errors.js')
const { isArray, isObject } = require('../shape.js')
const { axisOf, boundOf, countOf, flattened, inferred, placeOf, squeezed, strides, unsqueezed } = require('./dimensions.js')
const { sigmoid, softmax } = require('./maths.js')
const { alongEach, assertFloat, meanOf, normOf, placeOfLargest, placeOfSmallest, sumOf } = require('./reduction.js')
const { ARRAYS, assertNumbers, fromHalf, isBig, storageOf, toHalf } = require('./storage.js')

const INDEX = /^(?:0|-?[1-9]\d*)$/

/** What makes `tensor[0]` work. */
const indexed = {
  get(tensor, key) {
    return typeof key === 'string' && INDEX.test(key) ? tensor._getitem(Number(key)) : Reflect.get(tensor, key)
  },
  set(tensor, key, value) {
    // It would be a property that nothing reads.
    if (typeof key === 'string' && INDEX.test(key)) throw argumentError(`tensor[${key}] cannot be assigned. Write into tensor.data.`)
    return Reflect.set(tensor, key, value)
  },
}

class Tensor {
  constructor(type, data, dims) {
    this.ort_tensor = storageOf(type, data, dims)
    return new Proxy(this, indexed)
  }

  get dims() {
    return this.ort_tensor.dims
  }
  set dims(dims) {
    this.ort_tensor.dims = dims
  }

  get type() {
    return this.ort_tensor.type
  }

  get data() {
    return this.ort_tensor.data
  }

  get size() {
    return this.ort_tensor.size
  }

  get location() {
    return this.ort_tensor.location
  }

  dispose() {
    this.ort_tensor.dispose()
  }

  // ---------- parts -----------------------------------------------------------------------------------------------------

  *[Symbol.iterator]() {
    const [size, ...inner] = this.dims
    if (size === undefined) throw argumentError('A scalar tensor has no parts to iterate over. Its value is tensor.item().')
    if (inner.length === 0) yield* this.data
    else for (let index = 0; index < size; index++) yield this._subarray(index, countOf(inner), inner)
  }

  _getitem(index) {
    const [size = 0, ...inner] = this.dims
    return this._subarray(placeOf(index, size, 0), countOf(inner), inner)
  }

  _subarray(index, size, dims) {
    const { data } = this
    const part = ArrayBuffer.isView(data) ? data.subarray(index * size, (index + 1) * size) : data.slice(index * size, (index + 1) * size)
    return new Tensor(this.type, part, dims)
  }

  item() {
    if (this.data.length !== 1) throw argumentError(`item() needs a tensor of one value; this one has ${this.data.length}. Use tolist().`)
    return this.data[0]
  }

  tolist() {
    const { data, dims } = this
    if (dims.length === 0) return data[0]
    const list = (axis, from, step) => {
      const inner = step / dims[axis]
      if (axis === dims.length - 1) return Array.from(data.slice(from, from + dims[axis]))
      return Array.from({ length: dims[axis] }, (_, index) => list(axis + 1, from + index * inner, inner))
    }
    return list(0, 0, data.length)
  }

  indexOf(value) {
    return this.data.indexOf(value)
  }

  clone() {
    return new Tensor(this.type, this.data.slice(), [...this.dims])
  }

  /** For each dimension: a number (that place), `[from, to]` (`null`: the end), or `null` (all of it). */
  slice(...slices) {
    const { data, dims } = this
    if (slices.length > dims.length) throw expected(`at most ${dims.length} slices, one for each dimension`, 'slices', slices)
    const kept = []
    const ranges = dims.map((size, axis) => {
      const slice = slices[axis]
      if (typeof slice === 'number') {
        const place = placeOf(slice, size, axis)
        return [place, place + 1]
      }
      if (slice !== null && slice !== undefined && !(isArray(slice) && slice.length === 2)) {
        throw expected('a number, an array [from, to] or null', `slices[${axis}]`, slice)
      }
      const [from, to] = slice ?? [null, null]
      const range = [boundOf(from ?? 0, size), boundOf(to ?? size, size)]
      if (range[0] > range[1]) throw expected(`an end that is not before the start (${from})`, `slices[${axis}][1]`, to)
      kept.push(range[1] - range[0])
      return range
    })
    const steps = strides(dims)
    const result = new data.constructor(countOf(ranges.map(([from, to]) => to - from)))
    let written = 0
    const copy = (axis, offset) => {
      if (axis === dims.length) result[written++] = data[offset]
      else for (let place = ranges[axis][0]; place < ranges[axis][1]; place++) copy(axis + 1, offset + place * steps[axis])
    }
    copy(0, 0)
    return new Tensor(this.type, result, kept)
  }

  // ---------- dimensions ------------------------------------------------------------------------------------------------

  stride() {
    return strides(this.dims)
  }

  view(...dims) {
    return new Tensor(this.type, this.data, inferred(dims, this.data.length))
  }

  squeeze(dim = null) {
    return new Tensor(this.type, this.data, squeezed(this.dims, dim))
  }

  squeeze_(dim = null) {
    this.dims = squeezed(this.dims, dim)
    return this
  }

  unsqueeze(dim) {
    return new Tensor(this.type, this.data, unsqueezed(this.dims, dim))
  }

  unsqueeze_(dim) {
    this.dims = unsqueezed(this.dims, dim)
    return this
  }

  flatten(start_dim = 0, end_dim = -1) {
    return this.clone().flatten_(start_dim, end_dim)
  }

  flatten_(start_dim = 0, end_dim = -1) {
    this.dims = flattened(this.dims, start_dim, end_dim)
    return this
  }

  /** Dimensions in another order. */
  permute(...axes) {
    const { data, dims } = this
    if (axes.length !== dims.length || dims.some((_, axis) => !axes.includes(axis))) {
      throw expected(`each of the dimensions 0 to ${dims.length - 1} once`, 'dims', axes)
    }
    const steps = strides(dims)
    const result = new data.constructor(data.length)
    let written = 0
    const copy = (level, offset) => {
      if (level === axes.length) result[written++] = data[offset]
      else for (let place = 0; place < dims[axes[level]]; place++) copy(level + 1, offset + place * steps[axes[level]])
    }
    copy(0, 0)
    return new Tensor(
      this.type,
      result,
      axes.map((axis) => dims[axis]),
    )
  }

  transpose(...axes) {
    return this.permute(...axes)
  }

  /** The tensor so many times along each dimension; with more numbers than dimensions, it gets new ones in front. */
  repeat(...repeats) {
    if (repeats.length < this.dims.length) throw expected(`at least ${this.dims.length} numbers, one for each dimension`, 'repeats', repeats)
    const { data } = this
    const dims = [...new Array(repeats.length - this.dims.length).fill(1), ...this.dims]
    const steps = strides(dims)
    const result = new data.constructor(data.length * countOf(repeats))
    let written = 0
    const copy = (axis, offset) => {
      if (axis === dims.length) result[written++] = data[offset]
      else for (let place = 0; place < dims[axis] * repeats[axis]; place++) copy(axis + 1, offset + (place % dims[axis]) * steps[axis])
    }
    copy(0, 0)
    return new Tensor(
      this.type,
      result,
      dims.map((size, axis) => size * repeats[axis]),
    )
  }

  tile(...repeats) {
    return this.repeat(...new Array(Math.max(this.dims.length - repeats.length, 0)).fill(1), ...repeats)
  }

  // ---------- values ----------------------------------------------------------------------------------------------------

  /** The same values as another type; the tensor itself where it has that type. */
  to(type) {
    if (this.type === type) return this
    if (!Object.hasOwn(ARRAYS, type) || type === 'string' || this.type === 'string') {
      throw expected(
        `one of ${Object.keys(ARRAYS)
          .filter((name) => name !== 'string')
          .join(', ')}`,
        'type',
        type,
      )
    }
    const values = this.type === 'float16' ? fromHalf(this.data) : this.data
    const converted = () => {
      if (type === 'float16') return toHalf(Array.from(values, Number))
      if (type === 'bool') return Uint8Array.from(values, (value) => (value ? 1 : 0))
      if (isBig(type) === isBig(this.type)) return ARRAYS[type].from(values)
      return isBig(type) ? ARRAYS[type].from(values, (value) => BigInt(Math.floor(value))) : ARRAYS[type].from(values, Number)
    }
    return new Tensor(type, converted(), this.dims)
  }

  map(callback) {
    return this.clone().map_(callback)
  }

  map_(callback) {
    const { data } = this
    for (let index = 0; index < data.length; index++) data[index] = callback(data[index], index, data)
    return this
  }

  gt(value) {
    assertNumbers(this, 'gt()')
    return new Tensor(
      'bool',
      Uint8Array.from(this.data, (each) => (each > value ? 1 : 0)),
      this.dims,
    )
  }

  lt(value) {
    assertNumbers(this, 'lt()')
    return new Tensor(
      'bool',
      Uint8Array.from(this.data, (each) => (each < value ? 1 : 0)),
      this.dims,
    )
  }

  /** Probabilities along a dimension. */
  softmax(dim = -1) {
    assertFloat(this, 'softmax()')
    assertNumbers(this, 'softmax()')
    const axis = axisOf(dim, this.dims.length)
    const order = this.dims.map((_, each) => each).filter((each) => each !== axis)
    // With the dimension last, its values lie side by side.
    const rows = this.permute(...order, axis)
    const size = this.dims[axis]
    for (let from = 0; from < rows.data.length; from += size) rows.data.set(softmax(rows.data.slice(from, from + size)), from)
    return rows.permute(...this.dims.map((_, each) => (each === axis ? order.length : order.indexOf(each))))
  }

  // ---------- many to one -----------------------------------------------------------------------------------------------

  sum(dim = null, keepdim = false) {
    return alongEach(this, dim, keepdim, make, sumOf(this.type))
  }

  mean(dim = null, keepdim = false) {
    assertFloat(this, 'mean()')
    return alongEach(this, dim, keepdim, make, meanOf)
  }

  norm(p = 'fro', dim = null, keepdim = false) {
    assertFloat(this, 'norm()')
    return alongEach(this, dim, keepdim, make, normOf(p))
  }

  max(dim = null, keepdim = false) {
    return alongEach(this, dim, keepdim, make, (row) => row[placeOfLargest(row)])
  }

  min(dim = null, keepdim = false) {
    return alongEach(this, dim, keepdim, make, (row) => row[placeOfSmallest(row)])
  }

  argmax(dim = null, keepdim = false) {
    return alongEach(this, dim, keepdim, make, placeOfLargest, 'int64')
  }

  argmin(dim = null, keepdim = false) {
    return alongEach(this, dim, keepdim, make, placeOfSmallest, 'int64')
  }

  normalize(p = 2, dim = 1) {
    return this.clone().normalize_(p, dim)
  }

  /** Divides by the norm along a dimension, in place. A part whose norm is 0 has no direction and stays as it is. */
  normalize_(p = 2, dim = 1) {
    const { data, dims } = this
    const axis = axisOf(dim, dims.length)
    const norms = this.norm(p, axis, true).data
    const step = countOf(dims.slice(axis + 1))
    for (let index = 0; index < data.length; index++) {
      const norm = norms[Math.floor(index / (step * dims[axis])) * step + (index % step)]
      if (norm !== 0) data[index] /= norm
    }
    return this
  }
}

function make(type, values, dims) {
  return new Tensor(type, values, dims)
}

// ---------- each value by itself ----------------------------------------------------------------------------------------

/** The remainder has the sign of the divisor, as in Python. */
function remainder(value, divisor) {
  const rest = value % divisor
  return (rest < 0 && divisor > 0) || (rest > 0 && divisor < 0) ? rest + divisor : rest
}

/** Two methods each: one gives a new tensor, the one with `_` changes the tensor. Of bigints they take whole numbers as well. */
const OPERATIONS = {
  add: (each, value) => each + value,
  sub: (each, value) => each - value,
  mul: (each, value) => each * value,
  div: (each, value) => each / value,
  remainder,
  clamp: (each, least, most) => (each < least ? least : each > most ? most : each),
  neg: (each) => -each,
}
/** Of floating point numbers only. */
const CURVES = { sigmoid, tanh: Math.tanh, round: Math.round }

for (const [name, operation] of Object.entries({ ...OPERATIONS, ...CURVES })) {
  define(`${name}_`, function (...values) {
    const { data, type } = this
    assertNumbers(this, `${name}()`)
    if (isBig(type) && name in CURVES) assertFloat(this, `${name}()`)
    const operands = values.map((value, index) => operandOf(value, type, `${name}()[${index}]`))
    if (name === 'remainder') assertDivisor(operands[0], type)
    for (let index = 0; index < data.length; index++) data[index] = operation(data[index], ...operands)
    return this
  })
  define(name, function (...values) {
    return this.clone()[`${name}_`](...values)
  })
}

function define(name, value) {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true })
}

/** A number as the type counts. */
function operandOf(value, type, path) {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw expected('a number', path, value)
  if (!isBig(type)) return Number(value)
  if (typeof value === 'number' && !Number.isInteger(value)) throw expected(`a whole number (the tensor is of ${type})`, path, value)
  return BigInt(value)
}

function assertDivisor(divisor, type) {
  const isWhole = /int|bool/.test(type)
  if (isWhole && Number(divisor) === 0) throw argumentError('remainder() of whole numbers by 0 has no result.')
  if (divisor < 0 && /^uint|bool/.test(type)) throw argumentError(`remainder() by ${divisor} would be negative, which ${type} cannot hold.`)
}

/** Known by its shape, as one of a second copy of this file (hot reload) is as good. */
function isTensor(value) {
  return isObject(value) && isObject(value.ort_tensor)
}

module.exports = { Tensor, isTensor }
