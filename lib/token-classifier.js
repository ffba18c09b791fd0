'use strict'

/** Texts to spans with labels. */

const { setImmediate: turn } = require('node:timers/promises')
const check = require('./arguments.js')
const { underSignal } = require('./call.js')
const { KIND, Model, assertUsable, infoOf, opened, optionsOf } = require('./model.js')
const { tokenClassifyOptions } = require('./options.js')
const { spansAll } = require('./request.js')
const { isArray } = require('./shape.js')

/** Spans that are made between two turns of the event loop: a few milliseconds. */
const AT_ONCE = 16 * 1024

class TokenClassifier extends Model {
  async classify(texts, options) {
    assertUsable(this)
    const { maxInputChars } = optionsOf(this)
    const isOne = !isArray(texts)
    const inputs = isOne ? [check.bounded(texts, 'texts', maxInputChars)] : check.texts(texts, 'texts', maxInputChars)
    const { signal, ...request } = tokenClassifyOptions(options)
    return underSignal(signal, async (call) => {
      if (inputs.length === 0) return []
      const model = await opened(this, call)
      const { labels } = infoOf(this, model)
      const names = request.aggregation === 'none' ? labels : labels.map(groupName)
      const results = new Array(inputs.length)
      await spansAll(model, { name: 'texts', isList: !isOne }, inputs, request, call, async (spans, index) => {
        results[index] = await spansOf(inputs[index], names, spans)
      })
      return isOne ? results[0] : results
    })
  }
}
Object.defineProperty(TokenClassifier.prototype, KIND, { value: 'token-classifier' })

/** A label's name in a group: without what stands before its first hyphen, as the reference has it. */
function groupName(label) {
  return label.slice(label.indexOf('-') + 1)
}

async function spansOf(whole, names, { labels, scores, starts, ends }) {
  const spans = []
  for (let at = 0; at < labels.length; at++) {
    if (at > 0 && at % AT_ONCE === 0) await turn()
    const [start, end] = [starts[at], ends[at]]
    spans.push({ label: names[labels[at]], score: scores[at], start, end, text: whole.slice(start, end) })
  }
  return spans
}

module.exports = { TokenClassifier }
