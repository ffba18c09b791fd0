'use strict'

/**
 * The options of models and of calls: tables of checks, one line each. What is left behind this file is known to be of the right type.
 */

const { resolve } = require('node:path')
const { fileURLToPath } = require('node:url')
const { bounded, items, vector } = require('./arguments.js')
const { LARGEST, callback, flag, later, nonEmpty, oneOf, positive, read, secret, signal, strings, text, whole } = require('./checks.js')
const { argumentError, expected } = require('./errors.js')
const { isObject } = require('./shape.js')

// ---------- checks of single options ------------------------------------------------------------------------------------

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

const MODEL = {
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
/** Nothing of a text is cut there. */
const { truncation: _, ...UNCUT } = MODEL
/** Options of a model, by its kind. */
const LOAD = {
  embedder: { ...MODEL, pooling: POOLING, normalize: flag, prompts: strings },
  'sparse-embedder': { ...MODEL, prompts: strings },
  'late-embedder': { ...MODEL, prompts: strings },
  'token-classifier': UNCUT,
}
const SCORE = { maxLength: COUNT, truncation: TRUNCATION, signal, timeoutMs: later, priority: later }
const RERANK = { ...SCORE, topK: positive, returnDocuments: flag, activation: oneOf('none', 'sigmoid', 'default'), overflow: oneOf('truncate', 'chunk') }
const CLASSIFY = { ...SCORE, topK: positive, activation: oneOf('default', 'softmax', 'sigmoid', 'none') }
const SPARSE = { ...SCORE, prompt: text, promptText: text, maxActive: COUNT }
const names = (value, path) => items(value, path, 'an array of strings', text)
const CLASSIFY_TOKENS = { aggregation: oneOf('simple', 'first', 'average', 'max', 'none'), ignore: names, maxLength: COUNT, signal, timeoutMs: later, priority: later }
const RANK = { ...SCORE, topK: positive }
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

/** Devices whose memory has a limit. */
const LIMITED = ['auto', 'gpu', 'cuda', 'tensorrt']

function loadOptions(kind, options, path = 'options') {
  const found = read(options, LOAD[kind] ?? MODEL, path)
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
function rerankOptions(options) {
  const { overflow, ...found } = read(options, RERANK)
  if (overflow !== 'chunk') return found
  // Nothing of a document is cut then.
  if (found.truncation !== undefined) throw expected('nothing (`options.overflow` is "chunk")', 'options.truncation', found.truncation)
  return { ...found, windows: true }
}
const classifyOptions = (options) => read(options, CLASSIFY)
const tokenClassifyOptions = (options) => read(options, CLASSIFY_TOKENS)
const lateOptions = (options) => read(options, SCORE)
const rankOptions = (options) => read(options, RANK)
const countOptions = (options) => read(options, COUNTS)

/** Options with a prompt: by its name or as a text. */
function promptOptions(options, maxInputChars, table) {
  const found = read(options, table)
  if (found.promptText !== undefined) bounded(found.promptText, 'options.promptText', maxInputChars)
  if (found.prompt !== undefined && found.promptText !== undefined) {
    throw expected('nothing (`options.prompt` is set too)', 'options.promptText', found.promptText)
  }
  return found
}
const sparseOptions = (options, maxInputChars) => promptOptions(options, maxInputChars, SPARSE)

function embedOptions(options, maxInputChars, table = EMBED) {
  const found = promptOptions(options, maxInputChars, table)
  const scaled = found.output === 'int8' || found.output === 'uint8'
  // Ranges taken from the texts of one call would make vectors of two calls incomparable, in silence.
  if (scaled && found.ranges === undefined) throw expected(`the ranges that output "${found.output}" needs`, 'options.ranges', undefined)
  if (!scaled && found.ranges !== undefined) throw expected('nothing (only output "int8" and "uint8" have ranges)', 'options.ranges', found.ranges)
  return found
}
const streamOptions = (options, maxInputChars) => embedOptions(options, maxInputChars, STREAM)

module.exports = {
  classifyOptions,
  countOptions,
  embedOptions,
  lateOptions,
  loadOptions,
  rankOptions,
  rerankOptions,
  scoreOptions,
  sparseOptions,
  streamOptions,
  tokenClassifyOptions,
}
