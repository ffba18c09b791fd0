'use strict'

/**
 * The options of `pipeline` and `from_pretrained`, by the names of Transformers.js, and what they are among vecrank's. What it ignores is refused
 * here: a program must not believe that a misspelt option had an effect.
 */

const { callback, flag, nonEmpty, read, text } = require('../checks.js')
const { argumentError, expected } = require('../errors.js')
const { isArray, isObject } = require('../shape.js')
const { hubOptions } = require('./environment.js')

const object = (value, path) => {
  if (!isObject(value) || isArray(value)) throw expected('an object', path, value)
  return value
}
/** One value for every file of a model, or one for each by its name. */
const perFile = (value, path) => (typeof value === 'string' ? value : object(value, path))
const anything = (value) => value

const SETTINGS = {
  progress_callback: callback,
  config: object,
  cache_dir: nonEmpty,
  local_files_only: flag,
  revision: nonEmpty,
  dtype: perFile,
  device: perFile,
  subfolder: text,
  model_file_name: nonEmpty,
  session_options: object,
  // Which files hold a graph's weights is in the graph.
  use_external_data_format: anything,
  // Of version 2: whether to use `q8`.
  quantized: flag,
}

/** Checked options. `null` is absent, as there. What concerns weights has no effect where only small files are read. */
function settingsOf(options) {
  return optionsOf(options, SETTINGS)
}

/** Checks that take `null`, which is not absent there. */
const takingNull = new WeakSet()

function nullable(check) {
  takingNull.add(check)
  return check
}

/** Options that a table checks. `null` is absent, but where a check takes it. */
function optionsOf(options, table) {
  return read(withoutNull(options, table), table)
}

/** An object of options without those that are `null`; with those of `table` that it has by its class or prototype. */
function withoutNull(options, table = {}) {
  if (!isObject(options) || isArray(options)) return options ?? undefined
  const names = new Set([...Object.keys(options), ...Object.keys(table).filter((name) => name in options)])
  return Object.fromEntries(Array.from(names, (name) => [name, options[name]]).filter(([name, value]) => value !== null || takingNull.has(table[name])))
}

/** The settings of the Hub for a load, as vecrank's options. */
function hubSettingsOf(settings) {
  const options = hubOptions()
  if (settings.cache_dir !== undefined) options.cacheDir = settings.cache_dir
  if (settings.local_files_only) options.offline = true
  return options
}

const DTYPES = { fp32: '', fp16: '_fp16', q8: '_quantized', int8: '_int8', uint8: '_uint8', q4: '_q4', q4f16: '_q4f16', bnb4: '_bnb4' }
const DEVICES = ['auto', 'gpu', 'cpu', 'cuda', 'tensorrt', 'dml', 'coreml', 'webgpu', 'openvino']

/**
 * How to load a model, as vecrank's options but for those of the Hub: what the program says, then what the model's `transformers.js_config` says,
 * then fp32 on the CPU.
 */
function loadOptionsOf(settings, config = {}) {
  const own = config['transformers.js_config'] ?? {}
  const name = settings.model_file_name ?? 'model'
  const session = sessionOptionsOf(settings.session_options)
  const device = deviceOf(chosen(settings.device ?? session.device ?? own.device, name) ?? 'cpu')
  const declared = { ...own, ...own.device_config?.[device] }
  const version2 = settings.quantized === undefined ? undefined : settings.quantized ? 'q8' : 'fp32'
  const wanted = chosen(settings.dtype ?? version2 ?? declared.dtype, name) ?? 'fp32'
  const dtype = dtypeOf(wanted === 'auto' ? (chosen(declared.dtype, name) ?? 'fp32') : wanted)
  const options = { device, dtype }
  if (session.threads !== undefined) options.threads = session.threads
  if (settings.subfolder !== undefined || settings.model_file_name !== undefined) {
    const folder = (settings.subfolder ?? 'onnx').replace(/^\/+|\/+$/g, '')
    options.file = `${folder && `${folder}/`}${name}${DTYPES[dtype]}.onnx`
  }
  return options
}

function chosen(value, name) {
  return isObject(value) ? value[name] : value
}

function dtypeOf(dtype) {
  if (Object.hasOwn(DTYPES, dtype)) return dtype
  throw expected(
    `one of "auto", ${Object.keys(DTYPES)
      .map((each) => `"${each}"`)
      .join(', ')}`,
    'options.dtype',
    dtype,
  )
}

function deviceOf(device) {
  // WebAssembly is a way to use the CPU where there is no native code.
  if (device === 'wasm') return 'cpu'
  if (DEVICES.includes(device)) return device
  throw expected(`one of ${DEVICES.map((each) => `"${each}"`).join(', ')}`, 'options.device', device)
}

/** Of ONNX Runtime's options: those that change what a program gets are used or refused, the others do no harm. */
function sessionOptionsOf(options = {}) {
  const { externalData, freeDimensionOverrides, executionProviders, intraOpNumThreads } = options
  if (externalData !== undefined) {
    throw argumentError('`options.session_options.externalData` is not in vecrank: the files beside a graph are read from its folder.')
  }
  if (freeDimensionOverrides !== undefined) {
    throw argumentError('`options.session_options.freeDimensionOverrides` is not in vecrank: it reads the shapes that a graph takes from the graph.')
  }
  const found = {}
  // 0 is the default of ONNX Runtime.
  if (intraOpNumThreads > 0) found.threads = intraOpNumThreads
  const provider = isArray(executionProviders) ? executionProviders[0] : undefined
  if (provider !== undefined) found.device = isObject(provider) ? provider.name : provider
  return found
}

module.exports = { hubSettingsOf, loadOptionsOf, nullable, optionsOf, settingsOf, withoutNull }
