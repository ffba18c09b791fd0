'use strict'

/**
 * `env`: the settings of a whole process, by the names of Transformers.js. What has a meaning here is kept and used by the next load; what has
 * none and does no harm is kept; what would silently not be honoured is refused when it is set, as is a name that nobody knows.
 */

const path = require('node:path')
const { argumentError, expected } = require('../errors.js')

/** The version of Transformers.js whose face this is. */
const VERSION = '4.3.1'

const LogLevel = Object.freeze({ DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, NONE: 50 })

/** Where models of one's own lie, unless the program says where: beside the package, as in Transformers.js. In a bundle there is no such place. */
const MODELS = typeof __dirname === 'string' ? path.join(__dirname, '..', '..', 'models', path.sep) : './models/'
const REMOTE_HOST = 'https://huggingface.co/'
const REMOTE_PATH = '{model}/resolve/{revision}/'
const CACHE = "vecrank's cache is the folder that env.cacheDir names. For files that you bring yourself use env.localModelPath."
const FETCH = 'downloads are made by native code. A proxy is set by HTTPS_PROXY, another server by env.remoteHost, a token by HF_TOKEN.'

// ---------- checks of one value: (value, field) → the value to keep -----------------------------------------------------

const flag = (value, field) => {
  if (typeof value !== 'boolean') throw expected('a boolean', field, value)
  return value
}
const text = (value, field) => {
  if (typeof value !== 'string' || value === '') throw expected('a non-empty string', field, value)
  return value
}
const host = (value, field) => {
  if (!URL.canParse(text(value, field)) || !/^https?:/i.test(value)) throw expected('the URL of a server (https://…)', field, value)
  return value
}
const level = (value, field) => {
  if (typeof value !== 'number' || Number.isNaN(value)) throw expected('a number, such as LogLevel.ERROR', field, value)
  return value
}
/** Absent where a variable of the environment is. */
const folder = (value, field) => (value === null || value === undefined ? null : text(value, field))
/** The folder that the program runs in is the empty one. */
const base = (value, field) => (value === '' ? './' : text(value, field))
/** One value only, for the reason that follows it. */
const only = (one, why) => (value, field) => {
  if (value !== one) throw argumentError(`Expected ${JSON.stringify(one)} for \`${field}\`: ${why}`)
  return value
}
/** None, for the reason that follows. */
const fixed = (why) => (_, field) => {
  throw argumentError(`\`${field}\` cannot be replaced: ${why}`)
}

/** Each field: its value at first, and its check. */
const FIELDS = {
  version: [VERSION, only(VERSION, 'it says which version of Transformers.js this is the face of.')],
  // What belongs to ONNX Runtime for browsers (wasm, webgpu, …) is written here by programs that run in both places.
  backends: [
    { onnx: { wasm: {}, webgl: {}, webgpu: {}, env: {}, versions: {} } },
    fixed('set the fields inside it, which have no effect in vecrank.'),
  ],
  logLevel: [LogLevel.WARNING, level],
  allowRemoteModels: [true, flag],
  remoteHost: [REMOTE_HOST, host],
  remotePathTemplate: [
    REMOTE_PATH,
    only(REMOTE_PATH, "vecrank asks the Hub's own paths, on the server that env.remoteHost names. For a folder of models use env.localModelPath."),
  ],
  allowLocalModels: [true, flag],
  localModelPath: [MODELS, base],
  useFS: [true, only(true, 'vecrank reads models from files.')],
  useBrowserCache: [false, only(false, 'there is no browser here. Downloads are kept in the folder that env.cacheDir names.')],
  useFSCache: [true, only(true, 'vecrank keeps downloads in files. Set env.cacheDir to a folder that can be written, such as os.tmpdir().')],
  cacheDir: [null, folder],
  useCustomCache: [false, only(false, CACHE)],
  customCache: [null, only(null, CACHE)],
  useWasmCache: [false, flag],
  cacheKey: ['transformers-cache', text],
  experimental_useCrossOriginStorage: [false, flag],
  fetch: [(input, init) => fetch(input, init), (value, field) => (value === globalThis.fetch ? value : fixed(FETCH)(value, field))],
}

const values = Object.fromEntries(Object.keys(FIELDS).map((field) => [field, FIELDS[field][0]]))

/** A proxy, so that a name which is not known is an error and not a property that nothing reads. */
const env = new Proxy(values, {
  set(_, field, value) {
    if (typeof field !== 'string' || !Object.hasOwn(FIELDS, field)) throw expected(`a known field (${Object.keys(FIELDS).join(', ')})`, 'env', field)
    // What it is already, it can be, whatever that is.
    if (!Object.is(value, values[field])) values[field] = FIELDS[field][1](value, `env.${field}`)
    return true
  },
  defineProperty(_, field, { value }) {
    env[field] = value
    return true
  },
  deleteProperty(_, field) {
    throw argumentError(`\`env.${String(field)}\` cannot be deleted. Set it to what it was: ${JSON.stringify(FIELDS[field]?.[0])}.`)
  },
})

/** The settings of the Hub as vecrank's options have them. Absent: as the environment variables of huggingface_hub say. */
function hubOptions() {
  const options = {}
  if (values.cacheDir !== null) options.cacheDir = values.cacheDir
  if (values.remoteHost !== REMOTE_HOST) options.endpoint = values.remoteHost
  if (!values.allowRemoteModels) options.offline = true
  // The name of older versions of Transformers.js.
  if (!process.env.HF_TOKEN && process.env.HF_ACCESS_TOKEN) options.token = process.env.HF_ACCESS_TOKEN
  return options
}

/** Prints a warning, unless the program has asked for silence. */
function warn(message) {
  if (values.logLevel <= LogLevel.WARNING) console.warn(message)
}

module.exports = { LogLevel, env, hubOptions, warn }
