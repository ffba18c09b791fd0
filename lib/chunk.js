'use strict'

/** Long texts in chunks, by the tokens of a model. Text is handed over in parts, and chunks are made in parts, with a turn of the event loop between. */

const { setImmediate: turn } = require('node:timers/promises')
const { addon } = require('./addon.js')
const { bounded } = require('./arguments.js')
const { underSignal } = require('./call.js')
const { LARGEST, read, signal, whole } = require('./checks.js')
const { expected, unwrap } = require('./errors.js')
const { KIND, Model, assertUsable, opened, optionsOf } = require('./model.js')
const { isArray, isObject } = require('./shape.js')
const { withShared } = require('./shared.js')

/** Units of text that are converted at once, and chunks that are made: some milliseconds each. */
const PART_UNITS = 1024 * 1024
const PART_CHUNKS = 16 * 1024
const OPTIONS = { maxTokens: whole(1, LARGEST), overlap: whole(0, LARGEST), signal }
/** A method of every model. Not a function here, as the instances that programs share may be of another copy of this file (hot reload). */
const CHUNK = Symbol.for('vecrank.chunk')

/** Cuts a text by the tokens of a model: an instance, or the name of one that `Class` makes. */
async function chunkWith(Class, text, options) {
  if (options !== undefined && (!isObject(options) || isArray(options))) throw expected('an object', 'options', options)
  const { model, load, ...rest } = options ?? {}
  if (!isObject(model) || model[KIND] === undefined) {
    return withShared(Class, { ...rest, model, load }, (instance, own) => instance[CHUNK](text, own))
  }
  if (load !== undefined) throw expected('nothing (`options.model` is an instance already)', 'options.load', load)
  return model[CHUNK](text, rest)
}

Object.defineProperty(Model.prototype, CHUNK, {
  async value(text, options) {
    assertUsable(this)
    bounded(text, 'text', optionsOf(this).maxInputChars)
    const { maxTokens, overlap = 0, signal } = read(options, OPTIONS)
    if (maxTokens !== undefined && overlap * 2 >= maxTokens) {
      throw expected(`less than half of \`options.maxTokens\` (${maxTokens})`, 'options.overlap', overlap)
    }
    return underSignal(signal, async (call) => {
      const model = await opened(this, call)
      const whole = await handedOver(text, call)
      if (call.stopped) return []
      return chunksOf(text, unwrap(await model.chunk(whole, maxTokens, overlap, call.ticket)), call)
    })
  },
})

/** The text in the addon's memory. */
async function handedOver(text, call) {
  const whole = new (addon().LongText)()
  for (let from = 0, to; from < text.length && !call.stopped; from = to) {
    if (from > 0) await turn()
    to = Math.min(text.length, from + PART_UNITS)
    // Not inside a surrogate pair: each half would become another character.
    if (to < text.length && (text.charCodeAt(to - 1) & 0xfc00) === 0xd800) to += 1
    whole.push(text.slice(from, to))
  }
  return whole
}

async function chunksOf(text, { starts, ends, tokens }, call) {
  const chunks = new Array(starts.length)
  for (let at = 0; at < chunks.length && !call.stopped; at++) {
    if (at > 0 && at % PART_CHUNKS === 0) await turn()
    const [start, end] = [starts[at], ends[at]]
    chunks[at] = { text: text.slice(start, end), start, end, tokens: tokens[at] }
  }
  return chunks
}

module.exports = { chunkWith }
