'use strict'

/**
 * A text, or a pair of texts, of at most so many tokens. Special tokens stay: what is cut is the text, the longer one of a pair first, as in
 * Python. (Transformers.js cuts the end of the row, and with it the closing special token that models were trained with.)
 */

const { VecrankError, expected } = require('../errors.js')

/**
 * @param vocabulary what tokenises
 * @param row `{ ids, typeIds }` of the whole text or pair, which is too long
 * @param side where text is dropped: `'right'` or `'left'`
 */
function truncated(vocabulary, row, { text, pair, addSpecialTokens, maxLength, side }) {
  const first = vocabulary.encode(text, undefined, false).ids
  const second = pair === undefined ? new Uint32Array(0) : vocabulary.encode(pair, undefined, false).ids
  const special = row.ids.length - first.length - second.length
  const places = placesOf(row.ids, first, second, special)
  if (places === undefined) {
    throw new VecrankError(
      'ERR_MODEL_UNSUPPORTED',
      'The special tokens of this tokenizer depend on the text, so a text that is too long cannot be cut. Cut it before.',
    )
  }
  const budget = maxLength - special
  if (budget < 0)
    throw expected(`at least ${special}, the special tokens of a text${addSpecialTokens ? '' : ' without any'}`, 'options.max_length', maxLength)
  const [ofFirst, ofSecond] = shares(first.length, second.length, budget)
  const dropped = [drop(places.first, first.length, ofFirst, side), drop(places.second, second.length, ofSecond, side)]
  const keeps = (_, index) => dropped.every(([from, to]) => index < from || index >= to)
  return { ids: row.ids.filter(keeps), typeIds: row.typeIds.filter(keeps) }
}

/** Where the two texts begin in a row. */
function placesOf(ids, first, second, special) {
  const holds = (part, from) => part.every((id, index) => ids[from + index] === id)
  for (let before = 0; before <= special; before++) {
    if (!holds(first, before)) continue
    for (let between = 0; before + between <= special; between++) {
      const from = before + first.length + between
      if (holds(second, from)) return { first: before, second: from }
    }
  }
  return undefined
}

/** How many tokens of each text stay (`truncate_encodings` of tokenizers, `LongestFirst`). */
function shares(first, second, budget) {
  if (first + second <= budget) return [first, second]
  const half = Math.floor(budget / 2)
  if (first <= half) return [first, budget - first]
  if (second <= half) return [budget - second, second]
  return first > second ? [budget - half, half] : [half, budget - half]
}

function drop(from, length, kept, side) {
  return side === 'left' ? [from, from + length - kept] : [from + kept, from + length]
}

module.exports = { truncated }
