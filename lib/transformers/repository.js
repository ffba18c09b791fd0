'use strict'

/**
 * Where a model's files are: a folder of one's own (`env.localModelPath` and the model's name, or a path), an installed package, or the Hub.
 * `whileLooking` makes of vecrank's errors about missing files those of Transformers.js, which programs tell apart by their class.
 */

const fs = require('node:fs')
const path = require('node:path')
const { VecrankError, argumentError, expected } = require('../errors.js')
const { exists } = require('../exists.js')
const { identify, resolve } = require('../source.js')
const { env } = require('./environment.js')

/** How the name of a model on the Hub looks, there: with an owner or without. */
const NAME = /^(\b[\w\-.]+\b\/)?\b[\w\-.]{1,96}\b$/
/** A kind without a default of its own. */
const ANY = 'backbone'

/** A file of a model that is not there, or that may not be read. `status` is the answer of the Hub, where it gave one. */
class ModelFileNotFoundError extends VecrankError {
  constructor(message, { status = null, code = 'ERR_FILE_NOT_FOUND', cause } = {}) {
    super(code, message, cause && { cause })
    this.status = status
  }
}
Object.defineProperty(ModelFileNotFoundError.prototype, 'name', { value: 'ModelFileNotFoundError', configurable: true, writable: true })

const STATUS = { ERR_MODEL_NOT_FOUND: 404, ERR_FILE_NOT_FOUND: 404, ERR_UNAUTHORIZED: 401, ERR_OFFLINE: null }

async function whileLooking(work) {
  try {
    return await work()
  } catch (error) {
    if (!(error?.code in STATUS) || error instanceof ModelFileNotFoundError) throw error
    throw new ModelFileNotFoundError(error.message, { status: STATUS[error.code], code: error.code, cause: error.cause })
  }
}

/**
 * What a name stands for.
 * @returns {{ name: string, source: 'folder' | 'package' | 'hub', model: string, path?: string }} `name` as the program wrote it, `model` as
 * vecrank's classes take it, and the folder, where it is known
 */
function locate(name, settings) {
  if (typeof name !== 'string' || name === '')
    throw expected('the name of a model ("owner/name") or the path of a folder', 'pretrained_model_name_or_path', name)
  if (/^https?:/i.test(name))
    throw argumentError(`Expected the name of a model ("owner/name") or the path of a folder but received the address ${name}.`)
  const isName = NAME.test(name) && !/\.\.|--|\.(git|ipynb)$/.test(name)
  const folder = /^file:/i.test(name) ? undefined : isName ? path.resolve(env.localModelPath, name) : path.resolve(name)
  const isLocal = folder !== undefined && ['config.json', 'tokenizer.json', 'modules.json'].some((file) => exists(path.join(folder, file)))
  if (isLocal && env.allowLocalModels) return { name, source: 'folder', model: folder, path: folder }
  if (!env.allowLocalModels && (settings.local_files_only || !env.allowRemoteModels)) {
    throw argumentError('Both local and remote models are disabled. Set env.allowLocalModels or env.allowRemoteModels to true.')
  }
  if (!isName && folder !== undefined) {
    const why = env.allowLocalModels ? 'holds no model (config.json)' : 'is a folder, and env.allowLocalModels is false'
    throw new ModelFileNotFoundError(`${folder} ${why}, and ${JSON.stringify(name)} is not the name of a model on the Hub ("owner/name").`)
  }
  return { name, ...resolve(ANY, identify(ANY, name)) }
}

/** A JSON file of a model's folder, or undefined where there is none. */
function readJson(folder, file) {
  const where = path.join(folder, file)
  let content
  try {
    content = fs.readFileSync(where, 'utf8')
  } catch (cause) {
    if (cause.code === 'ENOENT') return undefined
    throw new VecrankError('ERR_MODEL_INVALID', `${where} cannot be read.`, { cause })
  }
  try {
    return JSON.parse(content)
  } catch (cause) {
    throw new VecrankError('ERR_MODEL_INVALID', `${where} is not JSON. Download the model again, or correct the file.`, { cause })
  }
}

module.exports = { ModelFileNotFoundError, locate, readJson, whileLooking }
