'use strict'

/** Texts to labels with scores. */

const { read } = require('../../checks.js')
const { expected } = require('../../errors.js')
const { isArray, isObject } = require('../../shape.js')
const { labelOf, logitsOf, scoresOf } = require('./logits.js')
const { Pipeline, topK } = require('./pipeline.js')

const OPTIONS = { top_k: topK }

class TextClassificationPipeline extends Pipeline {
  async _call(texts, options) {
    const { top_k = 1 } = read(options ?? undefined, OPTIONS)
    const { config } = this.model
    const rows = await allLogits(this, inputs(texts))
    const results = rows.map((logits) => {
      const scores = Array.from(scoresOf(logits, config), (score, index) => ({ label: labelOf(config, index), score }))
      // Stable, so that equal scores keep the order of their labels.
      return scores.sort((a, b) => b.score - a.score).slice(0, top_k)
    })
    if (top_k === 1) return results.flat()
    return isArray(texts) ? results : results[0]
  }
}

/** Texts and pairs are not tokenised alike, so they are asked for apart. */
async function allLogits(pipeline, items) {
  const rows = new Array(items.length)
  for (const isPair of [false, true]) {
    const places = [...items.keys()].filter((index) => (items[index].text_pair !== undefined) === isPair)
    if (places.length === 0) continue
    const texts = places.map((index) => items[index].text)
    const pairs = isPair ? places.map((index) => items[index].text_pair) : undefined
    const logits = await logitsOf(pipeline, texts, pairs)
    places.forEach((index, place) => (rows[index] = logits[place]))
  }
  return rows
}

/** Strings, or pairs as Python's pipeline takes them. */
function inputs(texts) {
  const list = isArray(texts) ? texts : [texts]
  if (list.length === 0) throw expected('at least one text', 'texts', texts)
  return list.map((item, index) => {
    const path = isArray(texts) ? `texts[${index}]` : 'texts'
    if (typeof item === 'string') return { text: item }
    const isPair = isObject(item) && typeof item.text === 'string' && (item.text_pair === undefined || typeof item.text_pair === 'string')
    if (!isPair) throw expected('a string or an object {text, text_pair}', path, item)
    // An empty pair is none, as in Python.
    return { text: item.text, text_pair: item.text_pair || undefined }
  })
}

module.exports = { TextClassificationPipeline }
