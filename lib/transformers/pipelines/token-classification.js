'use strict'

/** Texts to labelled tokens, or to the stretches of tokens with one label. */

const { oneOf } = require('../../checks.js')
const { expected } = require('../../errors.js')
const { isArray } = require('../../shape.js')
const { max, softmax } = require('../maths.js')
const { optionsOf } = require('../settings.js')
const { labelOf } = require('./logits.js')
const { Pipeline, inputsOf, listOf } = require('./pipeline.js')

const labels = (value, path) => {
  if (!isArray(value) || !value.every((label) => typeof label === 'string')) throw expected('an array of strings', path, value)
  return value
}
const OPTIONS = { ignore_labels: labels, aggregation_strategy: oneOf('none', 'simple') }

class TokenClassificationPipeline extends Pipeline {
  async _call(texts, options) {
    const { ignore_labels = ['O'], aggregation_strategy = 'none' } = optionsOf(options, OPTIONS)
    const inputs = await inputsOf(this, listOf(texts))
    const { logits } = await this.model(inputs)
    const [rows, length, width] = logits.dims
    const results = Array.from({ length: rows }, (_, row) => {
      const ids = inputs.input_ids[row].tolist()
      const tokens = []
      for (let index = 0; index < length; index++) {
        const from = (row * length + index) * width
        const token = this.#token(logits.data.slice(from, from + width), ids[index], index)
        if (token !== undefined && !ignore_labels.includes(token.entity)) tokens.push(token)
      }
      return aggregation_strategy === 'simple' ? grouped(tokens, ids, this.tokenizer) : tokens
    })
    return isArray(texts) ? results : results[0]
  }

  /** What a token is, or undefined for a special one. */
  #token(logits, id, index) {
    const word = this.tokenizer.decode([id], { skip_special_tokens: true })
    if (word === '') return undefined
    const best = max(logits)[1]
    return { entity: labelOf(this.model.config, best), score: softmax(logits)[best], index, word }
  }
}

/** The prefix of a label (`B-`, `I-`, `E-`, `S-`: a stretch begins, goes on, ends, is of one token) and the rest. Without one it goes on. */
function parted(label) {
  const [, prefix = 'I', tag] = /^(?:([BIES])-)?(.*)$/s.exec(label)
  return [prefix, tag]
}

/** Tokens with one label that follow each other, unless one begins anew. */
function grouped(tokens, ids, tokenizer) {
  const groups = []
  let open
  for (const token of tokens) {
    const [prefix, tag] = parted(token.entity)
    if (open === tag && prefix !== 'B' && prefix !== 'S') {
      groups.at(-1).tokens.push(token)
      if (prefix === 'E') open = undefined
    } else {
      groups.push({ tag, tokens: [token] })
      open = prefix === 'S' ? undefined : tag
    }
  }
  return groups.map(({ tag, tokens: members }) => ({
    entity_group: tag,
    score: members.reduce((sum, { score }) => sum + score, 0) / members.length,
    word: tokenizer.decode(
      members.map(({ index }) => ids[index]),
      { skip_special_tokens: true },
    ),
  }))
}

module.exports = { TokenClassificationPipeline }
