'use strict'

/**
 * Sparse vectors, `{ indices, values }` with ascending indices, and searching them. Those of an array are compared here and not in the addon: to
 * hand two arrays a vector over costs more than to multiply them. Many that are searched often belong into a `SparseMatrix`, which only looks at
 * what the query's indices hold.
 */

const { isFloat32Array, isSharedArrayBuffer, isUint32Array } = require('node:util/types')
const { addon } = require('./addon.js')
const { bufferOf, isDetached, lengthOf, listLength } = require('./arguments.js')
const { positive } = require('./checks.js')
const { expected, unwrap } = require('./errors.js')
const { ranking } = require('./ranking.js')
const { isArray, isObject } = require('./shape.js')

const SPARSE = 'a sparse vector {indices, values}'

/** Whether a value is to be read as a sparse vector: any object that is no array of any kind. */
function isSparse(value) {
  return isObject(value) && !isArray(value) && !ArrayBuffer.isView(value)
}

/**
 * The two arrays of a sparse vector, of one length. `row` is its place in the list that `path` names, if it is in one. Searching an array does
 * this for each of its vectors, so what is wrong is only looked into where something is.
 */
function arraysOf(value, path, row) {
  if (!isObject(value)) throw expected(SPARSE, named(path, row), value)
  const { indices, values } = value
  if (!isUint32Array(indices) || !isFloat32Array(values)) {
    if (!isSparse(value)) throw expected(SPARSE, named(path, row), value)
    if (!isUint32Array(indices)) throw expected('a Uint32Array', `${named(path, row)}.indices`, indices)
    throw expected('a Float32Array', `${named(path, row)}.values`, values)
  }
  const length = lengthOf(indices)
  if (lengthOf(values) !== length) throw expected(`as many as there are indices (${length})`, `${named(path, row)}.values.length`, lengthOf(values))
  // A vector without numbers is one; an array that was handed over is none any more.
  if (length === 0 && isDetached(indices)) throw expected('a Uint32Array that was not transferred', `${named(path, row)}.indices`, indices)
  if (length === 0 && isDetached(values)) throw expected('a Float32Array that was not transferred', `${named(path, row)}.values`, values)
  return { indices, values, length }
}

function named(path, row) {
  return row === undefined ? path : `${path}[${row}]`
}

function unordered(path, row, indices, at) {
  return expected(`more than ${indices[at - 1]} (indices ascend)`, `${named(path, row)}.indices[${at}]`, indices[at])
}

/** A sparse vector whose indices ascend. Memory that others may write to is read once. */
function sparse(value, path) {
  const { indices, values, length } = arraysOf(value, path)
  const own = { indices: isShared(indices) ? new Uint32Array(indices) : indices, values: isShared(values) ? new Float32Array(values) : values, length }
  for (let at = 1; at < length; at++) if (own.indices[at] <= own.indices[at - 1]) throw unordered(path, undefined, own.indices, at)
  return own
}

function isShared(array) {
  return isSharedArrayBuffer(bufferOf(array))
}

/** The product with a checked vector, added up in the order of the indices; they must ascend in the other as well. */
function product(left, right, path, row) {
  const { indices, values, length } = right
  let place = 0
  let sum = 0
  let before = -1
  for (let at = 0; at < length; at++) {
    const index = indices[at]
    if (index <= before) throw unordered(path, row, indices, at)
    before = index
    while (place < left.length && left.indices[place] < index) place++
    if (place < left.length && left.indices[place] === index) sum += left.values[place] * values[at]
  }
  return sum
}

function dotOfSparse(a, b) {
  return product(sparse(a, 'a'), arraysOf(b, 'b'), 'b')
}

/** The best rows by their dot products. */
function topKOfSparse(query, vectors, k) {
  const sought = sparse(query, 'query')
  const wanted = positive(k, 'k')
  if (isMatrix(vectors)) return nearest(vectors, sought, wanted)
  if (!isArray(vectors)) throw expected('an array of sparse vectors or a SparseMatrix, as the query is sparse', 'vectors', vectors)
  const scores = new Float64Array(listLength(vectors, 'vectors'))
  for (let row = 0; row < scores.length; row++) scores[row] = product(sought, arraysOf(vectors[row], 'vectors', row), 'vectors', row)
  if (scores.length === 0) return []
  return ranking(addon().bestOf(scores, Math.min(wanted, scores.length)))
}

/** Whether a value is a matrix that was made here. */
let isMatrix
/** The best rows of a matrix. */
let nearest

/** Many sparse vectors in one block of native memory, made to be searched. */
class SparseMatrix {
  #native
  #rows

  constructor(vectors) {
    if (!isArray(vectors)) throw expected('an array of sparse vectors', 'vectors', vectors)
    const rows = listLength(vectors, 'vectors')
    const lengths = new Uint32Array(rows)
    const all = new Array(rows)
    let total = 0
    for (let row = 0; row < rows; row++) {
      all[row] = arraysOf(vectors[row], 'vectors', row)
      lengths[row] = all[row].length
      total += all[row].length
    }
    const indices = new Uint32Array(total)
    const values = new Float32Array(total)
    let at = 0
    for (const vector of all) {
      indices.set(vector.indices, at)
      values.set(vector.values, at)
      at += vector.length
    }
    this.#rows = rows
    this.#native = unwrap(addon().sparseMatrix(lengths, indices, values))
  }

  /** How many vectors there are. */
  get rows() {
    return this.#rows
  }

  static {
    isMatrix = (value) => isObject(value) && #native in value

    nearest = (matrix, { indices, values }, k) => {
      return matrix.#rows === 0 ? [] : ranking(matrix.#native.topK(indices, values, Math.min(k, matrix.#rows)))
    }
  }
}

module.exports = { SPARSE, SparseMatrix, dotOfSparse, isMatrix, isSparse, sparse, topKOfSparse }
