'use strict'

/**
 * Everything that comes from the caller is read here, once, before the first `await`: what the caller changes later has no effect, a getter
 * runs once, and what is left behind this file is known to be of the right type. Options are tables of checks, one line each.
 */

const { resolve } = require('node:path')
const { fileURLToPath } = require('node:url')
const { isFloat32Array, isSharedArrayBuffer } = require('node:util/types')
const { VecrankError, argumentError, expected } = require('./errors.js')
const { isArray, isObject } = require('./shape.js')

const LARGEST = 2 ** 31 - 1
const MAX_INPUT_CHARS = 32 * 2 ** 20

// ---------- checks of one value: (value, path) → the value to use -------------------------------------------------------

const text = (value, path) => {
  if (typeof value !== 'string') throw expected('a string', path, value)
  return value
}
const nonEmpty = (value, path) => {
  if (typeof value !== 'string' || value === '') throw expected('a non-empty string', path, value)
  return value
}
const flag = (value, path) => {
  if (typeof value !== 'boolean') throw expected('a boolean', path, value)
  return value
}
const callback = (value, path) => {
  if (typeof value !== 'function') throw expected('a function', path, value)
  return value
}
const whole = (least, most) => (value, path) => {
  if (!Number.isInteger(value) || value < least || value > most) throw expected(`a whole number from ${least} to ${most}`, path, value)
  return value
}
/** For what is cut to the number of items anyway. */
const positive = (value, path) => {
  if (!Number.isSafeInteger(value) || value < 1) throw expected('a whole number of at least 1', path, value)
  return value
}
const oneOf = (...names) => (value, path) => {
  if (!names.includes(value)) throw expected(`one of ${names.map((name) => `"${name}"`).join(', ')}`, path, value)
  return value
}
/** An option of the contract that a later version builds. Refused, never ignored: a program must not believe that it had an effect. */
const later = (value, path) => {
  throw expected('nothing (this option is not in this version)', path, value)
}
/** An error message ends up in logs. */
const secret = (value, path) => {
  if (typeof value !== 'string' || value === '') throw expected('a non-empty string', path, '(not shown)')
  return value
}
/** Names that stand for a choice, or for what no plugin can be. */
const RESERVED = ['auto', 'gpu', 'cpu']
const providers = (value, path) => {
  const names = new Set()
  return items(value, path, 'an array of {name, path, options} objects', (given, where) => {
    const { name, path: library, options = {} } = read(given, { name: nonEmpty, path: libraryPath, options: strings }, where)
    if (name === undefined || RESERVED.includes(name) || names.has(name)) {
      throw expected(`a name of its own (not ${RESERVED.join(', ')}, nor that of another)`, `${where}.name`, name)
    }
    if (library === undefined) throw expected('the path of a library', `${where}.path`, library)
    names.add(name)
    return { name, path: library, options }
  })
}
/** A library's path: as it is in the file system, or as a file: URL. */
const libraryPath = (value, path) => {
  const isUrl = isObject(value) && typeof value.href === 'string'
  const given = isUrl ? value.href : value
  if (typeof given !== 'string' || given === '') throw expected('a path or a file: URL', path, value)
  // A drive of Windows has one letter and no two slashes behind its colon.
  if (!isUrl && !/^[a-z][a-z\d+.-]+:\/\//i.test(given)) return resolve(given)
  if (!/^file:/i.test(given)) throw expected('a path or a file: URL', path, given)
  try {
    return fileURLToPath(given)
  } catch {
    // Of another host, or with an encoded slash.
    throw expected('a path or a file: URL of a local file', path, given)
  }
}
/** Known by its shape: one from another realm, or of a library, is as good as the platform's. */
const signal = (value, path) => {
  const fits =
    isObject(value) &&
    typeof value.aborted === 'boolean' &&
    typeof value.addEventListener === 'function' &&
    typeof value.removeEventListener === 'function'
  if (!fits) throw expected('an AbortSignal', path, value)
  return value
}
const strings = (value, path) => {
  if (!isObject(value) || isArray(value)) throw expected('an object of strings', path, value)
  // In one order, so that equal objects make equal instances.
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, text(value[name], `${path}.${name}`)]))
}
const queue = (value, path) => read(value, { maxCalls: whole(1, LARGEST), maxTokens: whole(1, LARGEST) }, path)
const ranges = (value, path) => {
  const { min, max } = read(value, { min: bounds, max: bounds }, path)
  if (min === undefined) throw expected('a Float32Array', `${path}.min`, min)
  if (max === undefined) throw expected('a Float32Array', `${path}.max`, max)
  if (min.length !== max.length) throw expected(`as many values as \`${path}.min\` has (${min.length})`, `${path}.max.length`, max.length)
  const crossed = max.findIndex((value, index) => value < min[index])
  if (crossed !== -1) throw expected(`at least \`${path}.min[${crossed}]\` (${min[crossed]})`, `${path}.max[${crossed}]`, max[crossed])
  return { min, max }
}
const bounds = (value, path) => {
  const copy = Float32Array.from(vector(value, path))
  const odd = copy.findIndex((number) => !Number.isFinite(number))
  if (odd !== -1) throw expected('a finite number', `${path}[${odd}]`, copy[odd])
  return copy
}

// ---------- tables ----------------------------------------------------------------------------------------------------

const POOLING = oneOf('mean', 'cls', 'last', 'max', 'mean_sqrt_len', 'weighted_mean')
const TRUNCATION = oneOf('right', 'left', 'error')
const COUNT = whole(1, LARGEST)

const RERANKER_LOAD = {
  dtype: oneOf('auto', 'fp32', 'bf16', 'fp16', 'q8', 'int8', 'uint8', 'q4', 'q4f16', 'bnb4'),
  file: nonEmpty,
  engine: oneOf('auto', 'graph', 'encoder'),
  device: oneOf('auto', 'gpu', 'cpu', 'cuda', 'tensorrt', 'dml', 'coreml', 'webgpu', 'openvino'),
  threads: whole(1, 1024),
  maxLength: COUNT,
  truncation: TRUNCATION,
  queue,
  maxInputChars: COUNT,
  signal,
  revision: nonEmpty,
  cacheDir: nonEmpty,
  endpoint: nonEmpty,
  token: secret,
  offline: flag,
  refresh: flag,
  lock: nonEmpty,
  onDownload: callback,
  fallback: flag,
  deviceId: whole(0, LARGEST),
  gpuMemoryLimit: positive,
  providers,
}
const EMBEDDER_LOAD = { ...RERANKER_LOAD, pooling: POOLING, normalize: flag, prompts: strings }
const SCORE = { maxLength: COUNT, truncation: TRUNCATION, signal, timeoutMs: later, priority: later }
const RERANK = { ...SCORE, topK: positive, returnDocuments: flag, activation: oneOf('none', 'sigmoid', 'default'), overflow: later }
const STREAM = {
  ...SCORE,
  prompt: text,
  promptText: text,
  normalize: flag,
  pooling: POOLING,
  dimensions: COUNT,
  output: oneOf('float32', 'int8', 'uint8', 'binary', 'ubinary'),
  ranges,
}
const EMBED = { ...STREAM, onProgress: callback }
const COUNTS = { signal }

/** The known options that are set, checked. An option set to `undefined` is absent. */
function read(options, table, path = 'options') {
  if (options === undefined) return {}
  if (!isObject(options) || isArray(options)) throw expected('an object', path, options)
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(table, name) && options[name] !== undefined) {
      const known = Object.keys(table).filter((option) => table[option] !== later)
      throw expected(`a known option (${known.join(', ')})`, path, name)
    }
  }
  const found = {}
  for (const name of Object.keys(table)) {
    const value = options[name]
    if (value !== undefined) found[name] = table[name](value, `${path}.${name}`)
  }
  return found
}

/** Devices whose memory has a limit. */
const LIMITED = ['auto', 'gpu', 'cuda', 'tensorrt']

function loadOptions(kind, options, path = 'options') {
  const found = read(options, kind === 'embedder' ? EMBEDDER_LOAD : RERANKER_LOAD, path)
  const { device = 'auto' } = found
  // What would have no effect on a device that is named is refused: a program must not believe that it had one.
  const refuse = (name, what) => {
    if (found[name] !== undefined) throw expected(`nothing (${what})`, `${path}.${name}`, found[name])
  }
  if (found.engine === 'encoder' && device !== 'auto' && device !== 'cpu') {
    // The words of the native side, which sees to it as well.
    throw argumentError(`Expected 'auto' or 'cpu' for \`${path}.device\` with \`engine: 'encoder'\`, which runs on the CPU, but received '${device}'.`)
  }
  if (device === 'cpu' || device === 'coreml') {
    // The first is the one that there is. Left out here, so that handles with it and without it are equal.
    if (found.deviceId === 0) delete found.deviceId
    refuse('deviceId', `\`${path}.device\` is "${device}", of which there is one`)
  }
  if (device === 'cpu' && found.providers?.length > 0) refuse('providers', `\`${path}.device\` is "cpu", which no plugin serves`)
  if (!LIMITED.includes(device)) refuse('gpuMemoryLimit', `\`${path}.device\` is "${device}"; only "cuda" and "tensorrt" have a limit`)
  const strange = device === 'auto' || device === 'gpu' ? -1 : (found.providers ?? []).findIndex(({ name }) => name !== device)
  if (strange !== -1) {
    throw expected(`"${device}", as \`${path}.device\` says`, `${path}.providers[${strange}].name`, found.providers[strange].name)
  }
  return found
}
const scoreOptions = (options) => read(options, SCORE)
const rerankOptions = (options) => read(options, RERANK)
const countOptions = (options) => read(options, COUNTS)

function embedOptions(options, maxInputChars, table = EMBED) {
  const found = read(options, table)
  if (found.promptText !== undefined) bounded(found.promptText, 'options.promptText', maxInputChars)
  if (found.prompt !== undefined && found.promptText !== undefined) {
    throw expected('nothing (`options.prompt` is set too)', 'options.promptText', found.promptText)
  }
  const scaled = found.output === 'int8' || found.output === 'uint8'
  // Ranges taken from the texts of one call would make vectors of two calls incomparable, in silence.
  if (scaled && found.ranges === undefined) throw expected(`the ranges that output "${found.output}" needs`, 'options.ranges', undefined)
  if (!scaled && found.ranges !== undefined) throw expected('nothing (only output "int8" and "uint8" have ranges)', 'options.ranges', found.ranges)
  return found
}
const streamOptions = (options, maxInputChars) => embedOptions(options, maxInputChars, STREAM)

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
  const { length } = list
  // A proxy may say anything here.
  if (!Number.isInteger(length) || length < 0 || length > 2 ** 32 - 1) throw expected('a valid array length', `${path}.length`, length)
  const result = []
  for (let index = 0; index < length; index++) result.push(check(list[index], `${path}[${index}]`))
  return result
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

module.exports = {
  block,
  bounded,
  countOptions,
  documents,
  embedOptions,
  lengthOf,
  loadOptions,
  pairs,
  positive,
  rerankOptions,
  sameLength,
  scoreOptions,
  streamOptions,
  texts,
  vector,
}
