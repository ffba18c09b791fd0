'use strict'

/**
 * Texts and vectors that come from the caller are read here, once, before the first `await`: what the caller changes later has no effect, a getter
 * runs once, and what is left behind this file is known to be of the right type.
 */

const { isFloat32Array, isSharedArrayBuffer } = require('node:util/types')
const { positive, text } = require('./checks.js')
const { VecrankError, expected } = require('./errors.js')
const { isArray, isObject } = require('./shape.js')

const MAX_INPUT_CHARS = 32 * 2 ** 20

// ---------- texts, documents, pairs -----------------------------------------------------------------------------------

/** Refused by its length alone, before anything is copied or converted. */
function bounded(value, path, maxInputChars = MAX_INPUT_CHARS) {
  if (text(value, path).length <= maxInputChars) return value
  throw new VecrankError(
    'ERR_TOO_LONG',
    `\`${path}\` has ${value.length} characters; at most ${maxInputChars} are accepted. Split the text, or raise the option maxInputChars.`,
  )
}

/** A copy of a list of texts. Holes of a sparse array are `undefined`, so they are refused like any other wrong value. */
function texts(list, path, maxInputChars) {
  return items(list, path, 'an array of strings', (value, where) => bounded(value, where, maxInputChars))
}

/** One text (`isOne`) or an array of them, as a list. */
function textOrTexts(given, path, maxInputChars) {
  const isOne = typeof given === 'string'
  if (!isOne && !isArray(given)) throw expected('a string or an array of strings', path, given)
  return { isOne, list: isOne ? [bounded(given, path, maxInputChars)] : texts(given, path, maxInputChars) }
}

/** The texts of documents, and the caller's own values for `returnDocuments`. */
function documents(list, maxInputChars) {
  const originals = []
  const contents = items(list, 'documents', 'an array of strings or {text} objects', (value, path) => {
    originals.push(value)
    if (typeof value === 'string') return bounded(value, path, maxInputChars)
    if (!isObject(value) || isArray(value)) throw expected('a string or an object with a text', path, value)
    return bounded(value.text, `${path}.text`, maxInputChars)
  })
  return { originals, contents }
}

function pairs(list, maxInputChars) {
  const queries = []
  const contents = items(list, 'pairs', 'an array of [query, document] pairs', (value, path) => {
    if (!isArray(value) || value.length !== 2) throw expected('a pair [query, document]', path, value)
    queries.push(bounded(value[0], `${path}[0]`, maxInputChars))
    return bounded(value[1], `${path}[1]`, maxInputChars)
  })
  return { queries, contents }
}

function items(list, path, what, check) {
  if (!isArray(list)) throw expected(what, path, list)
  const length = listLength(list, path)
  const result = []
  for (let index = 0; index < length; index++) result.push(check(list[index], `${path}[${index}]`))
  return result
}

/** How many items an array says that it has. A proxy may say anything. */
function listLength(list, path) {
  const { length } = list
  if (!Number.isInteger(length) || length < 0 || length > 2 ** 32 - 1) throw expected('a valid array length', `${path}.length`, length)
  return length
}

// ---------- vectors ---------------------------------------------------------------------------------------------------

// The class's own getters: a property of the same name on one array must not decide how much memory is read.
const TypedArray = Object.getPrototypeOf(Float32Array.prototype)
const lengthOf = uncurried('length')
const bufferOf = uncurried('buffer')

function uncurried(name) {
  const { get } = Object.getOwnPropertyDescriptor(TypedArray, name)
  return (array) => Reflect.apply(get, array, [])
}

/** A Float32Array of any realm. A detached one has no values left and is refused as an empty one; shared memory is copied, as it may change. */
function vector(value, path) {
  if (!isFloat32Array(value)) throw expected('a Float32Array', path, value)
  if (lengthOf(value) === 0) throw expected('a Float32Array with at least one value', path, value)
  return isSharedArrayBuffer(bufferOf(value)) ? new Float32Array(value) : value
}

/** No view can be made on memory that was handed over (`postMessage`, `structuredClone` with a transfer). */
function isDetached(value) {
  try {
    return new Uint8Array(bufferOf(value)) === undefined
  } catch {
    return true
  }
}

function sameLength(a, b) {
  const left = vector(a, 'a')
  const right = vector(b, 'b')
  if (lengthOf(left) !== lengthOf(right)) throw expected(`as many values as \`a\` has (${lengthOf(left)})`, 'b.length', lengthOf(right))
  return [left, right]
}

/** The vectors to search as one block: a block, the result of `embedMany`, or an array of vectors (copied into a block). */
function block(vectors, dimensions) {
  const isResult = isObject(vectors) && !isArray(vectors) && !isFloat32Array(vectors)
  const data = isResult ? vectors.data : vectors
  // A block alone cannot tell; the result of embedMany knows how long its rows are.
  if (isResult && isFloat32Array(data) && lengthOf(data) > 0 && vectors.dimensions !== dimensions) {
    throw expected(`as many dimensions as the query has (${dimensions})`, 'vectors.dimensions', vectors.dimensions)
  }
  if (isFloat32Array(data)) {
    if (lengthOf(data) % dimensions !== 0) throw expected(`a multiple of the query's length (${dimensions})`, 'vectors.length', lengthOf(data))
    return lengthOf(data) === 0 && !isDetached(data) ? data : vector(data, 'vectors')
  }
  const what = 'a Float32Array, an array of them or the result of embedMany'
  if (!isArray(data)) throw expected(what, 'vectors', vectors)
  const rows = items(data, 'vectors', what, (value, path) => {
    const row = vector(value, path)
    if (lengthOf(row) !== dimensions) throw expected(`as many values as the query has (${dimensions})`, `${path}.length`, lengthOf(row))
    return row
  })
  const result = new Float32Array(rows.length * dimensions)
  rows.forEach((row, index) => result.set(row, index * dimensions))
  return result
}

module.exports = { block, bounded, bufferOf, documents, isDetached, items, lengthOf, listLength, pairs, positive, sameLength, textOrTexts, texts, vector }
