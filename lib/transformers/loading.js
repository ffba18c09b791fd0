'use strict'

/** From a model's name to its tokenizer and its network, loaded, as the classes that its files name. */

const { Classifier } = require('../classifier.js')
const { Embedder } = require('../embedder.js')
const { Reranker } = require('../reranker.js')
const { configOf, readConfig } = require('./configuration.js')
const { Events } = require('./events.js')
const families = require('./families.js')
const { PreTrainedModel } = require('./model.js')
const { Backbone, MaskedLm, TokenLabels } = require('./network.js')
const { locate, whileLooking } = require('./repository.js')
const { hubSettingsOf, loadOptionsOf, settingsOf } = require('./settings.js')
const { PreTrainedTokenizer } = require('./tokenizer.js')
const tokenizers = require('./tokenizers.js')
const { folderOf, loadVocabulary } = require('./vocabulary.js')

/** What opens a network with a head. */
const HANDLES = {
  backbone: Backbone,
  classifier: Classifier,
  'token-classifier': TokenLabels,
  'masked-lm': MaskedLm,
  embedder: Embedder,
  reranker: Reranker,
}

/** One load: where from, with which settings, and who hears of it. */
class Loading {
  constructor(name, options, withTotal) {
    this.name = name
    this.settings = settingsOf(options)
    this.location = locate(name, this.settings)
    this.events = new Events(this.settings.progress_callback, name, withTotal)
  }

  /** The tokenizer, of the class that its files name. */
  async tokenizer() {
    const vocabulary = await loadVocabulary(this.location, this.settings, this.events)
    this.folder = vocabulary.folder
    const name = vocabulary.config.tokenizer_class?.replace(/Fast$/, '')
    return new (Object.hasOwn(tokenizers, name) ? tokenizers[name] : PreTrainedTokenizer)(vocabulary)
  }

  async config() {
    this.folder ??= await folderOf(this.location, this.settings, this.events)
    const own = readConfig(this.folder, this.events)
    return this.settings.config === undefined ? own : configOf(this.settings.config)
  }

  /** The model with the first of `heads` that its files have, of `Class`, else of the class that its files name. */
  async model(config, heads, Class) {
    let refusal
    for (const head of heads) {
      try {
        return await this.#open(config, head, Class)
      } catch (error) {
        if (error.code !== 'ERR_MODEL_UNSUPPORTED') throw error
        refusal ??= error
      }
    }
    throw refusal
  }

  async #open(config, head, Class) {
    const options = loadOptionsOf(this.settings, config)
    if (this.events.onDownload !== undefined) options.onDownload = this.events.onDownload
    if (this.location.source === 'hub') {
      const { revision } = this.settings
      Object.assign(options, hubSettingsOf(this.settings), revision !== undefined && revision !== 'main' && { revision })
    }
    // Each call says how to pool; that a repository does not is then nothing to warn of.
    if (head === 'embedder') Object.assign(options, { pooling: 'mean', normalize: false })
    const handle = new HANDLES[head](this.location.model, options)
    await handle.load()
    const info = await handle.info()
    try {
      this.events.loaded(info.path, [info.file])
    } catch (error) {
      // The program's callback throws: nobody gets the model.
      await handle.dispose()
      throw error
    }
    const named = () => Object.values(families).find((each) => each.modelType === config.model_type && each.head === baseOf(head))
    return new (Class ?? named() ?? PreTrainedModel)(config, { handle, head, folder: info.path })
  }
}

/** Heads that a model may have, by the class that it was saved as: what a graph gives is known when it is open. */
function headsOf(config) {
  const name = config.architectures?.[0] ?? ''
  if (name.endsWith('ForSequenceClassification')) return ['backbone', 'classifier']
  if (name.endsWith('ForTokenClassification')) return ['backbone', 'token-classifier']
  if (/ForMaskedLM$|LMHeadModel$/.test(name)) return ['backbone', 'masked-lm']
  return ['backbone']
}

function baseOf(head) {
  return { embedder: 'backbone', reranker: 'classifier' }[head] ?? head
}

async function loadTokenizer(name, options) {
  return whileLooking(() => new Loading(name, options, false).tokenizer())
}

/**
 * @param heads those to try, or a function of the configuration that gives them
 * @param Class what the model is an instance of; absent: what its files say
 */
async function loadModel(name, options, heads, Class) {
  return whileLooking(async () => {
    const loading = new Loading(name, options, true)
    const config = await loading.config()
    return loading.model(config, typeof heads === 'function' ? heads(config) : heads, Class)
  })
}

module.exports = { Loading, headsOf, loadModel, loadTokenizer }
