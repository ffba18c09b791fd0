'use strict'

/**
 * Tokenizers: texts to tensors of token ids, and back. Called like a function, they answer at once. Options and results are those of
 * Transformers.js; token ids are those of Python, also where a text is cut.
 */

const { flag, oneOf, whole } = require('../checks.js')
const { argumentError, expected } = require('../errors.js')
const { isArray, isObject } = require('../shape.js')
const { Callable } = require('./callable.js')
const { warn } = require('./environment.js')
const { Events } = require('./events.js')
const { locate, whileLooking } = require('./repository.js')
const { nullable, optionsOf, settingsOf, withoutNull } = require('./settings.js')
const { Tensor, isTensor } = require('./tensor.js')
const { truncated } = require('./truncation.js')
const { Vocabulary, loadVocabulary } = require('./vocabulary.js')

const TOKENS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']

const pairs = (value, path) => {
  if (typeof value !== 'string' && !isArray(value)) throw expected('a string or an array of strings', path, value)
  return value
}
/** Where the default is true, `null` is not absent: it is false, as there. */
const flagOrNull = nullable((value, path) => (value === null ? false : flag(value, path)))
/** `model_max_length` of a tokenizer without a limit is 1e30, and programs hand it on. */
const length = (value, path) => (value > Number.MAX_SAFE_INTEGER ? Infinity : whole(0, Number.MAX_SAFE_INTEGER)(value, path))
const CALL = {
  text_pair: pairs,
  padding: (value, path) => (value === 'longest' ? true : value === 'do_not_pad' ? false : oneOf(true, false, 'max_length')(value, path)),
  add_special_tokens: flagOrNull,
  truncation: (value, path) => (value === 'longest_first' ? true : value === 'do_not_truncate' ? false : flag(value, path)),
  max_length: length,
  return_tensor: flagOrNull,
  return_token_type_ids: flag,
  // Python's name, for which libraries have values of any kind. It has no effect, as there.
  return_tensors: (value) => value,
}
const ENCODE = { text_pair: pairs, add_special_tokens: flagOrNull, return_token_type_ids: flag }
const TOKENIZE = { pair: pairs, add_special_tokens: flag }
const DECODE = { skip_special_tokens: flag, clean_up_tokenization_spaces: flag }

class PreTrainedTokenizer extends Callable {
  /** Of a class of tokenizers: whether its rows say which text of a pair a token belongs to, unless the call says so. */
  static returnsTypeIds = false
  /** Of a class: which side is padded where no file says. */
  static paddingSide = 'right'

  static async from_pretrained(name, options) {
    const settings = settingsOf(options)
    const events = new Events(settings.progress_callback, name, false)
    return whileLooking(async () => new this(await loadVocabulary(locate(name, settings), settings, events)))
  }

  constructor(vocabulary) {
    super()
    if (!(vocabulary instanceof Vocabulary)) {
      throw argumentError('A tokenizer is made from the files of a model: use AutoTokenizer.from_pretrained(name).')
    }
    const { config, description } = vocabulary
    // Not to be seen by whoever prints the tokenizer: it holds all of its words.
    Object.defineProperty(this, '_tokenizer', { value: vocabulary })
    this.config = config
    this.return_token_type_ids = new.target.returnsTypeIds
    this.padding_side = config.padding_side ?? (description.padSide === 'left' ? 'left' : new.target.paddingSide)
    for (const name of TOKENS) {
      this[name] = tokenOf(config, name) ?? (name === 'pad_token' ? tokenOf(config, 'eos_token') : null)
      this[`${name}_id`] = this[name] === null ? undefined : idOf(vocabulary, this[name])
    }
    /** A template, or several by their names: files are stronger than the configuration, as in Python. */
    this.chat_template = description.chatTemplate
  }

  get model_max_length() {
    return this.config.model_max_length ?? Infinity
  }

  get add_bos_token() {
    return this.config.add_bos_token
  }

  get add_eos_token() {
    return this.config.add_eos_token
  }

  get all_special_tokens() {
    return this._tokenizer.json.special.map(({ content }) => content)
  }

  get all_special_ids() {
    return this._tokenizer.json.special.map(({ id }) => id)
  }

  /** Every token with its id. */
  get_vocab() {
    return new Map(this._tokenizer.json.ids)
  }

  convert_tokens_to_ids(tokens) {
    const { ids } = this._tokenizer.json
    return isArray(tokens) ? tokens.map((token) => ids.get(token)) : ids.get(tokens)
  }

  // ---------- texts to ids ----------------------------------------------------------------------------------------------

  _call(text, options) {
    const call = optionsOf(options, CALL)
    const { padding = false, return_tensor = true } = call
    const isBatch = isArray(text)
    const rows = textsOf(text, call.text_pair).map(({ text: each, pair }) => ({ text: each, pair, ...this.#encode(each, pair, call) }))
    const { most, truncation } = this.#limit(call)
    for (const row of rows) {
      if (!truncation || row.ids.length <= most) continue
      const { add_special_tokens: addSpecialTokens = true } = call
      const side = this.config.truncation_side ?? this._tokenizer.description.truncationSide ?? 'right'
      Object.assign(row, truncated(this._tokenizer, row, { text: row.text, pair: row.pair, addSpecialTokens, maxLength: most, side }))
    }
    const longest = rows.reduce((most, { ids }) => Math.max(most, ids.length), 0)
    // Rows that are longer than the limit and are not cut stay as they are.
    const width = padding === 'max_length' ? most : padding ? Math.min(longest, most) : 0
    if (width > 2 ** 31) throw argumentError("`padding: 'max_length'` needs `max_length`: this tokenizer has no longest length.")
    const columns = Object.entries(this.#columns(rows, call)).map(([name, lists]) => [
      name,
      lists,
      name === 'input_ids' ? this.#padId(rows, width) : 0,
    ])
    if (return_tensor) return Object.fromEntries(columns.map(([name, lists, pad]) => [name, tensorOf(lists, width, pad, this.padding_side)]))
    const padded = columns.map(([name, lists, pad]) => [name, lists.map((list) => listOf(list, width, pad, this.padding_side))])
    return Object.fromEntries(isBatch ? padded : padded.map(([name, [only]]) => [name, only]))
  }

  encode(text, options) {
    const { text_pair, ...call } = optionsOf(options, ENCODE)
    const [only] = textsOf(oneText(text, 'text'), text_pair === undefined ? undefined : oneText(text_pair, 'options.text_pair'))
    return Array.from(this.#encode(only.text, only.pair, call).ids)
  }

  /** The tokens as the vocabulary writes them. */
  tokenize(text, options) {
    const { pair, add_special_tokens = false } = optionsOf(options, TOKENIZE)
    return this._tokenizer.tokens(oneText(text, 'text'), pair === undefined ? undefined : oneText(pair, 'options.pair'), add_special_tokens)
  }

  #encode(text, pair, { add_special_tokens = true }) {
    return this._tokenizer.encode(text, pair, add_special_tokens)
  }

  /** How long rows may be, and whether longer ones are cut. */
  #limit({ max_length, truncation, padding = false }) {
    if (max_length !== undefined && truncation === undefined) {
      if (padding === true) {
        warn("`max_length` has no effect with `padding: true` and without `truncation: true`. To pad to it, use `padding: 'max_length'`.")
        return { most: this.model_max_length, truncation: false }
      }
      if (padding === false) {
        warn('`max_length` is given without `truncation: true`; texts are cut to it. Say `truncation: true` if that is meant.')
        return { most: Math.min(max_length, this.model_max_length), truncation: true }
      }
    }
    return { most: Math.min(max_length ?? Infinity, this.model_max_length), truncation: truncation ?? false }
  }

  #columns(rows, { return_token_type_ids }) {
    const columns = { input_ids: rows.map(({ ids }) => ids), attention_mask: rows.map(({ ids }) => new Uint32Array(ids.length).fill(1)) }
    const declared = this.config.model_input_names?.includes('token_type_ids')
    // A tokenizer whose class says nothing, in front of a pair: without them a model would take both texts for one.
    const needed = this.constructor === PreTrainedTokenizer && (declared || rows.some(({ typeIds }) => typeIds.some((id) => id !== 0)))
    if (return_token_type_ids ?? (this.return_token_type_ids || needed)) columns.token_type_ids = rows.map(({ typeIds }) => typeIds)
    return columns
  }

  /** What stands at padded places, where there are any. */
  #padId(rows, width) {
    if (this.pad_token_id !== undefined || rows.every(({ ids }) => ids.length >= width)) return this.pad_token_id
    throw argumentError('This tokenizer has no pad_token, so texts of different lengths cannot stand in one tensor. Call it with one text at a time.')
  }

  // ---------- ids to texts ----------------------------------------------------------------------------------------------

  batch_decode(batch, options) {
    const rows = isTensor(batch) ? batch.tolist() : batch
    if (!isArray(rows)) throw expected('a tensor or an array of arrays of ids', 'batch', batch)
    return rows.map((row) => this.decode(row, options))
  }

  decode(token_ids, options) {
    return this.decode_single(idsOf(token_ids), options)
  }

  decode_single(token_ids, options) {
    const own = this.config.clean_up_tokenization_spaces ?? true
    const { skip_special_tokens = false, clean_up_tokenization_spaces = own } = optionsOf(options, DECODE)
    return this._tokenizer.decode(token_ids, skip_special_tokens, clean_up_tokenization_spaces)
  }

  // ---------- conversations ---------------------------------------------------------------------------------------------

  get_chat_template(options) {
    const { chat_template, tools } = withoutNull(options) ?? {}
    const own = this.chat_template
    if (isObject(own)) {
      if (chat_template !== undefined) return Object.hasOwn(own, chat_template) ? own[chat_template] : chat_template
      const name = tools !== undefined && Object.hasOwn(own, 'tool_use') ? 'tool_use' : 'default'
      if (Object.hasOwn(own, name)) return own[name]
      throw argumentError(
        `This model has several chat templates and none is the default. Name one in \`chat_template\`: ${Object.keys(own).sort().join(', ')}.`,
      )
    }
    const template = chat_template ?? own
    if (template) return template
    throw argumentError('This tokenizer has no chat template. Give one as `chat_template`, or build the prompt as the model card says.')
  }

  apply_chat_template(conversation, options) {
    if (!isArray(conversation)) throw expected('an array of messages {role, content}', 'conversation', conversation)
    const {
      chat_template,
      tools,
      documents,
      add_generation_prompt = false,
      tokenize = true,
      padding = false,
      truncation = false,
      max_length,
      return_tensor = true,
      return_dict = true,
      tokenizer_kwargs = {},
      ...more
    } = withoutNull(options) ?? {}
    const template = this.get_chat_template({ chat_template, tools })
    const rendered = this._tokenizer.render(conversation, { ...more, tools, documents, add_generation_prompt, chat_template: template })
    if (!tokenize) return rendered
    // The template has written the special tokens.
    const encoded = this._call(rendered, { add_special_tokens: false, padding, truncation, max_length, return_tensor, ...tokenizer_kwargs })
    return return_dict ? encoded : encoded.input_ids
  }
}

// ---------- what comes from the caller ----------------------------------------------------------------------------------

function oneText(value, path) {
  if (typeof value !== 'string') throw expected('a string', path, value)
  return value
}

/** Texts, each with its pair where there is one. */
function textsOf(text, pair) {
  if (!isArray(text)) {
    if (isArray(pair)) throw expected('a string, as `text` is one', 'options.text_pair', pair)
    // Of one text an empty pair is none, as in Python; in a list it is one.
    return [{ text: oneText(text, 'text'), pair: pair || undefined }]
  }
  if (text.length === 0) throw expected('an array with at least one text', 'text', text)
  if (pair !== undefined && (!isArray(pair) || pair.length !== text.length)) {
    throw expected(`an array of ${text.length} strings, as \`text\` has`, 'options.text_pair', pair)
  }
  return Array.from(text, (each, index) => ({
    text: oneText(each, `text[${index}]`),
    pair: pair === undefined ? undefined : oneText(pair[index], `options.text_pair[${index}]`),
  }))
}

/** One row of ids. */
function idsOf(value) {
  if (isTensor(value)) {
    const rows = value.dims.length
    if (rows === 1) return value.tolist()
    if (rows === 2 && value.dims[0] === 1) return value.tolist()[0]
    throw argumentError(`decode() takes one row of ids; this tensor has the dimensions [${value.dims.join(', ')}]. Use batch_decode().`)
  }
  const ids = ArrayBuffer.isView(value) ? Array.from(value) : value
  const fits = isArray(ids) && ids.every((id) => typeof id === 'bigint' || (Number.isInteger(id) && id >= 0))
  if (!fits) throw expected('an array of token ids', 'token_ids', value)
  return ids
}

/** Rows as a tensor. All of them have one length once those that are shorter than `width` are padded, or there is none. */
function tensorOf(rows, width, pad, side) {
  const length = Math.max(rows[0].length, width)
  const data = new BigInt64Array(rows.length * length)
  if (pad) data.fill(BigInt(pad))
  rows.forEach((row, index) => {
    if (Math.max(row.length, width) !== length) {
      throw argumentError(
        'Texts of different lengths do not make a tensor. Call the tokenizer with `padding: true` and `truncation: true`, or with `return_tensor: false`.',
      )
    }
    const from = index * length + (side === 'left' ? length - row.length : 0)
    row.forEach((id, place) => (data[from + place] = BigInt(id)))
  })
  return new Tensor('int64', data, [rows.length, length])
}

function listOf(row, width, pad, side) {
  const padding = new Array(Math.max(width - row.length, 0)).fill(pad)
  return side === 'left' ? [...padding, ...row] : [...row, ...padding]
}

// ---------- what the files say ------------------------------------------------------------------------------------------

/** A special token as text; `null` where the tokenizer has none of the name. */
function tokenOf(config, name) {
  const token = config[name]
  return (isObject(token) ? token.content : token) || null
}

/** Special tokens are found in a text wherever they stand. */
function idOf(vocabulary, token) {
  const { ids } = vocabulary.encode(token, undefined, false)
  return ids.length === 1 ? ids[0] : vocabulary.json.ids.get(token)
}

module.exports = { PreTrainedTokenizer }
