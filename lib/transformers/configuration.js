'use strict'

/** A model's `config.json`. */

const { VecrankError } = require('../errors.js')
const { Events } = require('./events.js')
const { locate, readJson, whileLooking } = require('./repository.js')
const { settingsOf } = require('./settings.js')
const { folderOf } = require('./vocabulary.js')

class PretrainedConfig {
  model_type = null
  is_encoder_decoder = false

  constructor(configJSON) {
    Object.assign(this, configJSON)
    const { model_type, multi_query, is_encoder_decoder } = this
    this.normalized_config = { model_type, is_encoder_decoder, ...(multi_query !== undefined && { multi_query }) }
  }

  static async from_pretrained(name, options) {
    const settings = settingsOf(options)
    if (settings.config !== undefined) return configOf(settings.config)
    const events = new Events(settings.progress_callback, name, false)
    return whileLooking(async () => readConfig(await folderOf(locate(name, settings), settings, events), events))
  }
}

class AutoConfig {
  static async from_pretrained(name, options) {
    return PretrainedConfig.from_pretrained(name, options)
  }
}

function configOf(config) {
  return config instanceof PretrainedConfig ? config : new PretrainedConfig(config)
}

/** The configuration of the model in a folder. */
function readConfig(folder, events) {
  const json = readJson(folder, 'config.json')
  if (json === undefined)
    throw new VecrankError('ERR_FILE_NOT_FOUND', `${folder} has no config.json, which says what a model is. Download the model again.`)
  events.loaded(folder, ['config.json'])
  return new PretrainedConfig(json)
}

module.exports = { AutoConfig, PretrainedConfig, configOf, readConfig }
