'use strict'

/**
 * What is computed with whole tensors: pooling, norms, products, the largest values. Those that Transformers.js computes with a graph of ONNX
 * Runtime are asynchronous, as there.
 */

const { argumentError, expected } = require('../errors.js')
const { isArray } = require('../shape.js')
const { axisOf, countOf } = require('./dimensions.js')
const { alongEach, assertFloat, deviationOf } = require('./reduction.js')
const { assertNumbers } = require('./storage.js')
const { Tensor, isTensor } = require('./tensor.js')

/** So many largest values are kept in order while all are looked at once; for more, all are sorted. */
const FEW = 64

function permute(tensor, axes) {
  return tensorOf(tensor, 'tensor').permute(...axes)
}

function mean(input, dim = null, keepdim = false) {
  return tensorOf(input, 'input').mean(dim, keepdim)
}

/** Standard deviation and mean. `correction` 1 is the deviation of a sample, 0 that of all there is. */
function std_mean(input, dim = null, correction = 1, keepdim = false) {
  assertFloat(tensorOf(input, 'input'), 'std_mean()')
  const make = (type, values, dims) => new Tensor(type, values, dims)
  return [alongEach(input, dim, keepdim, make, deviationOf(correction)), input.mean(dim, keepdim)]
}

/** The mean of the vectors of each row, of those that the mask names. A row without any is zero. */
function mean_pooling(last_hidden_state, attention_mask) {
  const [rows, length, width] = dimsOf(last_hidden_state, 3, 'last_hidden_state')
  const mask = dimsOf(attention_mask, 2, 'attention_mask')
  if (mask[0] !== rows || mask[1] !== length) {
    throw argumentError(`Expected the dimensions [${rows}, ${length}] for \`attention_mask\` but received [${mask.join(', ')}].`)
  }
  assertFloat(last_hidden_state, 'mean_pooling()')
  assertNumbers(last_hidden_state, 'mean_pooling()')
  const { data } = last_hidden_state
  const weights = Array.from(attention_mask.data, Number)
  const pooled = new data.constructor(rows * width)
  const sums = new Float64Array(width)
  for (let row = 0; row < rows; row++) {
    sums.fill(0)
    let total = 0
    for (let place = row * length; place < (row + 1) * length; place++) {
      const weight = weights[place]
      if (weight === 0) continue
      total += weight
      for (let column = 0; column < width; column++) sums[column] += weight * data[place * width + column]
    }
    if (total !== 0) for (let column = 0; column < width; column++) pooled[row * width + column] = sums[column] / total
  }
  return new Tensor(last_hidden_state.type, pooled, [rows, width])
}

/** Each row less its mean and divided by its standard deviation, to which `eps` is added. */
function layer_norm(input, normalized_shape, { eps = 1e-5 } = {}) {
  const [rows, width] = dimsOf(input, 2, 'input')
  if (!isArray(normalized_shape) || normalized_shape.length !== 1 || normalized_shape[0] !== width) {
    throw expected(`[${width}], the last dimension of the input`, 'normalized_shape', normalized_shape)
  }
  // Read once: a tensor is a proxy, and every look at it costs.
  const { data } = input
  const [deviations, middles] = std_mean(input, 1, 0).map((tensor) => tensor.data)
  const result = new data.constructor(data.length)
  for (let row = 0; row < rows; row++) {
    for (let index = row * width; index < (row + 1) * width; index++) result[index] = (data[index] - middles[row]) / (deviations[row] + eps)
  }
  return new Tensor(input.type, result, [...input.dims])
}

/** One bit a dimension, 1 where the value is above 0, packed with the first in the highest bit; `'binary'` less 128, as signed bytes. */
function quantize_embeddings(tensor, precision) {
  const [rows, width] = dimsOf(tensor, 2, 'tensor')
  if (width % 8 !== 0) throw argumentError(`Expected a last dimension that 8 divides for \`tensor\` but received ${width}.`)
  if (precision !== 'binary' && precision !== 'ubinary') throw expected('"binary" or "ubinary"', 'precision', precision)
  const bytes = new Uint8Array(tensor.data.length / 8)
  tensor.data.forEach((value, index) => {
    if (value > 0) bytes[index >> 3] |= 128 >> (index & 7)
  })
  const dims = [rows, width / 8]
  return precision === 'ubinary'
    ? new Tensor('uint8', bytes, dims)
    : new Tensor(
        'int8',
        Int8Array.from(bytes, (byte) => byte - 128),
        dims,
      )
}

/** The `k` largest values along the last dimension, best first, and their places; of equal ones the first. All of them without `k`. */
async function topk(x, k) {
  assertNumbers(tensorOf(x, 'x'), 'topk()')
  const width = x.dims.at(-1)
  if (width === undefined) throw argumentError('topk() needs a tensor with at least one dimension.')
  if (k !== null && k !== undefined && !(Number.isInteger(k) && k >= 0)) throw expected('a whole number of at least 0', 'k', k)
  const count = Math.min(k ?? width, width)
  const rows = countOf(x.dims.slice(0, -1))
  const { data } = x
  const values = new data.constructor(rows * count)
  const places = new BigInt64Array(rows * count)
  const dims = [...x.dims.slice(0, -1), count]
  for (let row = 0; row < rows; row++) {
    const part = data.slice(row * width, (row + 1) * width)
    const order = largest(part, count)
    for (let rank = 0; rank < count; rank++) {
      values[row * count + rank] = part[order[rank]]
      places[row * count + rank] = BigInt(order[rank])
    }
  }
  return [new Tensor(x.type, values, dims), new Tensor('int64', places, [...dims])]
}

/** The places of the `count` largest of some values, best first; of equal ones the first. */
function largest(values, count) {
  const before = (a, b) => (values[a] > values[b] ? -1 : values[a] < values[b] ? 1 : a - b)
  if (count > FEW) return Uint32Array.from(values.keys()).sort(before).subarray(0, count)
  const best = []
  for (let place = 0; place < values.length; place++) {
    if (best.length === count && (count === 0 || before(best[count - 1], place) < 0)) continue
    let at = best.length
    while (at > 0 && before(place, best[at - 1]) < 0) at--
    best.splice(at, 0, place)
    if (best.length > count) best.pop()
  }
  return best
}

/** Matrix product. Dimensions before the last two are those of a batch, and one of size 1 goes with every other, as in NumPy. */
async function matmul(a, b) {
  for (const [tensor, path] of [
    [a, 'a'],
    [b, 'b'],
  ]) {
    assertFloat(tensorOf(tensor, path), 'matmul()')
    assertNumbers(tensor, 'matmul()')
    if (tensor.dims.length === 0) throw expected('a tensor with at least one dimension', path, tensor.dims)
  }
  const left = a.dims.length === 1 ? a.unsqueeze(0) : a
  const right = b.dims.length === 1 ? b.unsqueeze(1) : b
  const [rows, inner] = left.dims.slice(-2)
  const [height, columns] = right.dims.slice(-2)
  const batch = together(left.dims.slice(0, -2), right.dims.slice(0, -2))
  if (inner !== height || batch === undefined)
    throw argumentError(`Tensors of dimensions [${a.dims.join(', ')}] and [${b.dims.join(', ')}] have no matrix product.`)
  const [lefts, rights] = [left.data, right.data]
  const data = new lefts.constructor(countOf(batch) * rows * columns)
  const sums = new Float64Array(columns)
  for (let index = 0; index < countOf(batch); index++) {
    const l = offsetIn(left.dims.slice(0, -2), batch, index) * rows * inner
    const r = offsetIn(right.dims.slice(0, -2), batch, index) * inner * columns
    for (let row = 0; row < rows; row++) {
      sums.fill(0)
      // Row by row of the second, as it lies in memory.
      for (let step = 0, from = r; step < inner; step++, from += columns) {
        const factor = lefts[l + row * inner + step]
        for (let column = 0; column < columns; column++) sums[column] += factor * rights[from + column]
      }
      data.set(sums, (index * rows + row) * columns)
    }
  }
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [rows]), ...(b.dims.length === 1 ? [] : [columns])]
  return new Tensor(a.type, data, dims)
}

/** The dimensions of two batches together, or undefined where they do not go together. */
function together(left, right) {
  const count = Math.max(left.length, right.length)
  const dims = Array.from({ length: count }, (_, axis) => [left[axis - count + left.length] ?? 1, right[axis - count + right.length] ?? 1])
  return dims.every(([a, b]) => a === b || a === 1 || b === 1) ? dims.map(([a, b]) => (a === 1 ? b : a)) : undefined
}

/** Which matrix of a batch of dimensions `dims` belongs to number `index` of the whole. */
function offsetIn(dims, whole, index) {
  let offset = 0
  let step = 1
  for (let axis = whole.length - 1, rest = index; axis >= 0; axis--) {
    const size = dims[axis - whole.length + dims.length] ?? 1
    offset += (size === 1 ? 0 : rest % whole[axis]) * step
    step *= size
    rest = Math.floor(rest / whole[axis])
  }
  return offset
}

/** Ranges along some dimensions, with steps, which may be negative: what ONNX calls Slice. */
async function slice(data, starts, ends, axes, steps) {
  tensorOf(data, 'data')
  const { dims } = data
  const chosen = dims.map((size) => Array.from({ length: size }, (_, place) => place))
  axes.forEach((dim, index) => {
    const axis = axisOf(Number(dim), dims.length, `axes[${index}]`)
    const size = dims[axis]
    const step = Number(steps?.[index] ?? 1)
    if (!Number.isInteger(step) || step === 0) throw expected('a whole number other than 0', `steps[${index}]`, step)
    const within = (bound, least, most) => Math.min(Math.max(bound < 0 ? bound + size : bound, least), most)
    const from = within(Number(starts[index]), 0, step > 0 ? size : size - 1)
    const to = step > 0 ? within(Number(ends[index]), 0, size) : within(Number(ends[index]), -1, size - 1)
    chosen[axis] = []
    for (let place = from; step > 0 ? place < to : place > to; place += step) chosen[axis].push(place)
  })
  const source = data.data
  const values = new source.constructor(countOf(chosen.map((places) => places.length)))
  const inner = dims.map((_, axis) => countOf(dims.slice(axis + 1)))
  let written = 0
  const copy = (axis, offset) => {
    if (axis === dims.length) values[written++] = source[offset]
    else for (const place of chosen[axis]) copy(axis + 1, offset + place * inner[axis])
  }
  copy(0, 0)
  return new Tensor(
    data.type,
    values,
    chosen.map((places) => places.length),
  )
}

function tensorOf(value, path) {
  if (!isTensor(value)) throw expected('a Tensor', path, value)
  return value
}

function dimsOf(tensor, count, path) {
  const { dims } = tensorOf(tensor, path)
  if (dims.length !== count) throw argumentError(`Expected a tensor of ${count} dimensions for \`${path}\` but received one of [${dims.join(', ')}].`)
  return dims
}

module.exports = { layer_norm, matmul, mean, mean_pooling, permute, quantize_embeddings, slice, std_mean, topk }
