'use strict'

/** BM25 as sparse vectors: a corpus is counted once, and then documents and queries are vectors whose dot product is the score. */

const { addon } = require('./addon.js')
const { bounded, items, listLength, texts } = require('./arguments.js')
const { callback, oneOf, read, text, whole } = require('./checks.js')
const { argumentError, expected, unwrap } = require('./errors.js')
const { isArray, isObject } = require('./shape.js')

const VERSION = 1
/** Texts, and their units, that are handed over at once. */
const BATCH_TEXTS = 4096
const BATCH_UNITS = 1024 * 1024
/** Parts the tokens of a text: see `Text::Tokens` in `src/bm25/`. */
const SEPARATOR = '\0'
/** Only this file makes instances. */
const MAKE = Symbol('make')

const within = (least, most) => (value, path) => {
  if (Number.isFinite(value) && value >= least && value <= most) return value
  throw expected(most === Infinity ? `a finite number of at least ${least}` : `a number from ${least} to ${most}`, path, value)
}
const PARAMETERS = { method: oneOf('lucene', 'okapi'), k1: within(0, Infinity), b: within(0, 1) }
const FIT = { ...PARAMETERS, tokenize: callback }
const RESTORE = { tokenize: callback }
const documentCount = whole(1, 2 ** 32 - 1)
const STATE = {
  ...PARAMETERS,
  version: (value, path) => {
    if (value !== VERSION) throw expected(`${VERSION}, the version that this package writes`, path, value)
    return value
  },
  tokenizer: oneOf('words', 'custom'),
  documents: documentCount,
  tokens: whole(0, Number.MAX_SAFE_INTEGER),
  terms: (value, path) => items(value, path, 'an array of strings', text),
  frequencies: (value, path) => Uint32Array.from(items(value, path, 'an array of whole numbers', documentCount)),
}

class Bm25 {
  #native
  #parameters
  #tokenize

  constructor(key, native, parameters, tokenize) {
    if (key !== MAKE) throw argumentError('Bm25 has no constructor for programs: use Bm25.fit(texts) or Bm25.fromJSON(json).')
    this.#native = native
    this.#parameters = parameters
    this.#tokenize = tokenize
  }

  static fit(documents, options) {
    const { tokenize, ...rest } = read(options, FIT)
    const parameters = { method: 'lucene', k1: 1.5, b: 0.75, ...rest }
    const list = texts(documents, 'texts')
    if (list.length === 0) throw expected('at least one text', 'texts.length', 0)
    const corpus = new (addon().Bm25Corpus)()
    for (const { given, tokens } of batches(list, tokenize, 'texts')) unwrap(corpus.add(given, tokens))
    return new Bm25(MAKE, corpus.weigh(parameters), parameters, tokenize)
  }

  static fromJSON(json, options) {
    if (!isObject(json) || isArray(json)) throw expected('an object, as toJSON gives it', 'json', json)
    const found = read(json, STATE, 'json')
    for (const name of Object.keys(STATE)) if (found[name] === undefined) throw expected('a value', `json.${name}`, undefined)
    const { version, tokenizer, method, k1, b, ...state } = found
    const { tokenize } = read(options, RESTORE)
    // Other tokens would find nothing, or the wrong things.
    if (tokenizer === 'custom' && tokenize === undefined) {
      throw expected('the function that the texts were fitted with (JSON does not hold it)', 'options.tokenize', undefined)
    }
    if (tokenizer === 'words' && tokenize !== undefined) throw expected('nothing (the texts were fitted without one)', 'options.tokenize', tokenize)
    const parameters = { method, k1, b }
    return new Bm25(MAKE, unwrap(addon().restoreBm25(state, parameters)), parameters, tokenize)
  }

  encodeDocument(given) {
    return this.#encode(given, false)
  }

  encodeQuery(given) {
    return this.#encode(given, true)
  }

  toJSON() {
    const { terms, frequencies, documents, tokens } = this.#native.state()
    const tokenizer = this.#tokenize === undefined ? 'words' : 'custom'
    return { version: VERSION, ...this.#parameters, tokenizer, documents, tokens, terms, frequencies: Array.from(frequencies) }
  }

  #encode(given, isQuery) {
    const isOne = typeof given === 'string'
    if (!isOne && !isArray(given)) throw expected('a string or an array of strings', 'text', given)
    const list = isOne ? [bounded(given, 'text')] : texts(given, 'text')
    const vectors = []
    for (const batch of batches(list, this.#tokenize, isOne ? undefined : 'text')) {
      const encoded = unwrap(this.#native.encode(batch.given, batch.tokens, isQuery))
      // Copies in JavaScript's own memory, as everywhere: see `lib/request.js`.
      const indices = new Uint32Array(encoded.indices)
      const values = new Float32Array(encoded.values)
      let from = 0
      for (const length of encoded.lengths) {
        const to = from + length
        vectors.push({ indices: indices.slice(from, to), values: values.slice(from, to) })
        from = to
      }
    }
    return isOne ? vectors[0] : vectors
  }
}

/** Texts for the addon, some at a time, tokenised where that is the caller's affair. `path` names the list that they are in, if they are in one. */
function* batches(list, tokenize, path) {
  let given = []
  let tokens = []
  let units = 0
  for (let at = 0; at < list.length; at++) {
    if (tokenize === undefined) given.push(list[at])
    else {
      const found = tokensOf(tokenize, list[at], path === undefined ? 'text' : `${path}[${at}]`)
      given.push(found.join(SEPARATOR))
      tokens.push(found.length)
    }
    units += given[given.length - 1].length
    if (given.length === BATCH_TEXTS || units > BATCH_UNITS || at === list.length - 1) {
      yield { given, tokens: tokenize && Uint32Array.from(tokens) }
      given = []
      tokens = []
      units = 0
    }
  }
}

/** A text's tokens, copied and checked. */
function tokensOf(tokenize, given, path) {
  const found = tokenize(given)
  if (!isArray(found)) throw expected('an array of strings', `tokenize(${path})`, found)
  const tokens = new Array(listLength(found, `tokenize(${path})`))
  for (let at = 0; at < tokens.length; at++) {
    const token = found[at]
    if (typeof token !== 'string') throw expected('a string', `tokenize(${path})[${at}]`, token)
    tokens[at] = token
  }
  return tokens
}

module.exports = { Bm25 }
