'use strict'

/**
 * What lies under a tensor: a type, dimensions and a flat array of values, row by row. It has the properties of ONNX Runtime's own tensor, under
 * which name (`ort_tensor`) programs reach for it, and is always in JavaScript's memory.
 *
 * Invariant: the array is of the class that its type has, and as long as the dimensions say.
 */

const { argumentError, expected } = require('../errors.js')
const { isArray, isObject } = require('../shape.js')
const { countOf } = require('./dimensions.js')

/** Newer versions of JavaScript have 16-bit floats; before, their bits are kept. */
const Half = globalThis.Float16Array ?? Uint16Array

const ARRAYS = {
  float32: Float32Array,
  float16: Half,
  float64: Float64Array,
  string: Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  uint4: Uint8Array,
  int4: Int8Array,
}
/** The type of an array that comes without one, by the name of its class: an array of another realm is as good. */
const TYPES = new Map(
  ['float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'].map((type) => [ARRAYS[type].name, type]),
)
/** Two values in a byte. */
const PACKED = new Set(['uint4', 'int4'])

class Storage {
  constructor(type, data, dims) {
    this.cpuData = data
    this.dataLocation = 'cpu'
    this.type = type
    this.dims = dims
    this.size = countOf(dims)
    const length = PACKED.has(type) ? Math.ceil(this.size / 2) : this.size
    if (data.length !== length) {
      throw argumentError(`Expected ${length} values for a tensor of dimensions [${dims.join(', ')}] but received ${data.length}.`)
    }
  }

  get data() {
    if (this.cpuData === undefined) throw argumentError('This tensor has been disposed of; it has no values any more. Copy those you need before.')
    return this.cpuData
  }

  get location() {
    return this.dataLocation
  }

  async getData() {
    return this.data
  }

  reshape(dims) {
    return new Storage(this.type, this.data, [...dims])
  }

  dispose() {
    this.cpuData = undefined
    this.dataLocation = 'none'
  }
}

/** From the arguments of a constructor: `(type, data, dims)`, `(data, dims)` or a tensor of ONNX Runtime. */
function storageOf(first, second, third) {
  if (typeof first === 'string') return new Storage(first, valuesOf(first, second), dimsOf(third, second))
  // Known by its shape: one of ONNX Runtime's own packages, or of another copy of this file.
  if (isObject(first) && typeof first.type === 'string' && isArray(first.dims) && 'data' in first) return first.ort_tensor ?? first
  const { type, data } = guess(first)
  return new Storage(type, data, dimsOf(second, data))
}

function guess(data) {
  if (isArray(data) && typeof data[0] === 'string') return { type: 'string', data }
  if (isArray(data) && typeof data[0] === 'boolean') return { type: 'bool', data: Uint8Array.from(data) }
  const type = ArrayBuffer.isView(data) ? TYPES.get(data.constructor.name) : undefined
  if (type === undefined) throw expected('a type such as "float32", or a typed array', 'type', data)
  return { type, data }
}

function dimsOf(given, data) {
  if (given === undefined) return [data.length]
  if (!isArray(given)) throw expected('an array of whole numbers', 'dims', given)
  given.forEach((size, index) => {
    if (!Number.isSafeInteger(size) || size < 0) throw expected('a whole number of at least 0', `dims[${index}]`, size)
  })
  return given
}

/** The values of an array as the type has them. A typed array that fits is taken as it is, not copied. */
function valuesOf(type, data) {
  if (!Object.hasOwn(ARRAYS, type)) throw expected(`one of ${Object.keys(ARRAYS).join(', ')}`, 'type', type)
  const Class = ARRAYS[type]
  if (type === 'string') {
    if (!isArray(data)) throw expected('an array of strings', 'data', data)
    return data
  }
  if (ArrayBuffer.isView(data)) {
    // By name, as an array of another realm (a vm context, as in Jest) is as good.
    if (data.constructor.name === Class.name) return data
    if (type === 'uint8' && data.constructor.name === 'Uint8ClampedArray') return Uint8Array.from(data)
    if (type === 'float16' && data.constructor.name === 'Uint16Array') return new Half(data.buffer, data.byteOffset, data.length)
  } else if (isArray(data) && !PACKED.has(type)) {
    if (type === 'float16') return toHalf(data)
    return isBig(type) ? Class.from(data, BigInt) : Class.from(data)
  }
  throw expected(`a ${Class.name}${PACKED.has(type) ? '' : ' or an array of numbers'}`, 'data', data)
}

/** Whether values of a type are bigints. */
function isBig(type) {
  return type === 'int64' || type === 'uint64'
}

/** Throws where the values of a tensor are not what one can count with. */
function assertNumbers({ type, data }, what) {
  if (type === 'string') throw argumentError(`${what} needs a tensor of numbers; this one holds strings.`)
  if (PACKED.has(type)) throw argumentError(`${what} needs one number a value; a tensor of ${type} holds two in a byte.`)
  if (type === 'float16' && data.constructor.name === 'Uint16Array') {
    throw argumentError(`${what} needs numbers, and this version of JavaScript has no 16-bit floats. Convert the tensor first: tensor.to('float32').`)
  }
}

// ---------- 16-bit floats ---------------------------------------------------------------------------------------------

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

/** Numbers as 16-bit floats, rounded to the nearest, ties to even, as IEEE 754 says. */
function toHalf(numbers) {
  return Half === Uint16Array ? Uint16Array.from(numbers, halfBits) : Half.from(numbers)
}

function halfBits(number) {
  // In double precision, so that rounding happens once.
  const sign = number < 0 || Object.is(number, -0) ? 0x8000 : 0
  const size = Math.abs(number)
  if (Number.isNaN(size)) return 0x7e00
  if (size >= 65520) return sign | 0x7c00
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size))
  // `log2` may round up to the next power of two.
  const power = size < 2 ** exponent ? Math.max(exponent - 1, -14) : exponent
  const steps = toEven(size / 2 ** (power - 10))
  // What rounds up to the next power of two carries into the exponent, which is the right result.
  return sign | (size < 2 ** -14 ? steps : ((power + 15) << 10) + (steps - 1024))
}

function toEven(number) {
  const floor = Math.floor(number)
  const rest = number - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

/** Numbers of 16-bit floats. */
function fromHalf(halves) {
  return Half === Uint16Array ? Float32Array.from(halves, number) : Float32Array.from(halves)
}

function number(half) {
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  const sign = half & 0x8000 ? -1 : 1
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  bits[0] = ((half & 0x8000) << 16) | ((exponent + 112) << 23) | (fraction << 13)
  return float[0]
}

module.exports = { ARRAYS, assertNumbers, fromHalf, isBig, storageOf, toHalf }
