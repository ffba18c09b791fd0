'use strict'

/**
 * The native tokenizer of a model, loaded. Here and nowhere else the addon's tokenizer is named. Calls are synchronous: a tokenizer is called and
 * answers at once, there and here.
 */

const path = require('node:path')
const { addon } = require('../addon.js')
const { unwrap } = require('../errors.js')
const { hubModel } = require('../hub.js')
const { whileReporting } = require('../progress.js')
const { readJson } = require('./repository.js')
const { hubSettingsOf } = require('./settings.js')

const FILES = ['tokenizer.json', 'tokenizer_config.json']

class Vocabulary {
  #native
  #tokens

  constructor(native, folder) {
    this.#native = native
    this.folder = folder
    /** What the native side says of the tokenizer: sides of padding and truncation, limits. */
    this.description = JSON.parse(native.describe())
    this.config = readJson(folder, 'tokenizer_config.json') ?? {}
  }

  /** @returns {{ ids: Uint32Array, typeIds: Uint32Array }} */
  encode(text, pair, addSpecialTokens) {
    return unwrap(this.#native.encode(text, pair, addSpecialTokens))
  }

  /** The tokens as the vocabulary writes them. */
  tokens(text, pair, addSpecialTokens) {
    return unwrap(this.#native.tokens(text, pair, addSpecialTokens))
  }

  decode(ids, skipSpecialTokens, cleanUp) {
    const text = unwrap(this.#native.decode(Uint32Array.from(ids, Number), skipSpecialTokens))
    return cleanUp ? withoutBlanks(text) : text
  }

  /** A chat as text. Options are those of Python's `apply_chat_template` by its names; others are variables of the template. */
  render(messages, options) {
    return unwrap(this.#native.applyChatTemplate(json(messages), json(options)))
  }

  /** The tokenizer's file, read when it is first needed: it may have many megabytes, and few programs ask. */
  get json() {
    return (this.#tokens ??= readTokens(this.folder))
  }
}

/** Half a surrogate pair is no text: it becomes U+FFFD, as everywhere. */
function json(value) {
  return JSON.stringify(value, (_, inner) => (typeof inner === 'string' ? inner.toWellFormed() : inner))
}

/** Without the blanks that stand before punctuation and the ends of English contractions, where tokens were joined by blanks. */
function withoutBlanks(text) {
  // In the order of Python's `clean_up_tokenization`.
  return text.replace(/ (?=[.?!,])/g, '').replaceAll(" ' ", "'").replace(/ (?=n't|'m|'s|'ve|'re)/g, '')
}

/** Ids of all tokens, in the order of ids, and the added ones. */
function readTokens(folder) {
  const json = readJson(folder, 'tokenizer.json') ?? {}
  const { vocab = {} } = json.model ?? {}
  const added = json.added_tokens ?? []
  const pairs = Array.isArray(vocab) ? vocab.map(([token], id) => [token, id]) : Object.entries(vocab)
  const ids = new Map([...pairs, ...added.map(({ content, id }) => [content, id])].sort(([, a], [, b]) => a - b))
  return { json, ids, special: added.filter(({ special }) => special) }
}

/** Loads the tokenizer of a located model. */
async function loadVocabulary(location, settings, events) {
  const { source, model } = location
  const request = {}
  if (source === 'hub') request.hub = hubModel(model, { ...hubSettingsOf(settings), revision: settings.revision })
  else request.path = location.path
  const native = addon()
  const wait = new native.LoadWait()
  const { onDownload } = events
  let failure
  const onFailure = (error) => {
    failure = { error }
    wait.giveUp()
  }
  const listeners = new Set(onDownload ? [onDownload] : [])
  const outcome = await whileReporting(
    () => wait.downloads(),
    listeners,
    onFailure,
    () => native.loadTokenizer(request, wait),
  )
  if (failure !== undefined) throw failure.error
  const loaded = unwrap(outcome)
  // By the name that all its names lead to, as a loaded model has it.
  const vocabulary = new Vocabulary(loaded, JSON.parse(loaded.describe()).path)
  events.loaded(vocabulary.folder, FILES)
  return vocabulary
}

/** The folder of a located model's small files. Of one on the Hub they come with its tokenizer. */
async function folderOf(location, settings, events) {
  return location.path === undefined ? (await loadVocabulary(location, settings, events)).folder : path.resolve(location.path)
}

module.exports = { Vocabulary, folderOf, loadVocabulary }
