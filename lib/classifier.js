'use strict'

/** Texts, or pairs of texts, to labels with scores. */

const check = require('./arguments.js')
const { underSignal } = require('./call.js')
const { expected } = require('./errors.js')
const { KIND, Model, assertUsable, infoOf, opened, optionsOf } = require('./model.js')
const { classifyOptions } = require('./options.js')
const { raggedAll } = require('./request.js')
const { isArray, isObject } = require('./shape.js')

class Classifier extends Model {
  async classify(texts, options) {
    assertUsable(this)
    const { maxInputChars } = optionsOf(this)
    const isOne = !isArray(texts)
    const inputs = isOne ? [input(texts, 'texts', maxInputChars)] : check.items(texts, 'texts', WHAT, (value, path) => input(value, path, maxInputChars))
    const { signal, ...request } = classifyOptions(options)
    return underSignal(signal, async (call) => {
      if (inputs.length === 0) return []
      const model = await opened(this, call)
      const { labels } = infoOf(this, model)
      const results = new Array(inputs.length)
      // Texts and pairs are not tokenised alike: what stands together of one sort is asked for together.
      for (let from = 0, to; from < inputs.length; from = to) {
        const isPair = inputs[from].pair !== undefined
        for (to = from; to < inputs.length && (inputs[to].pair !== undefined) === isPair; ) to++
        const alike = inputs.slice(from, to)
        const pairs = isPair ? alike.map(({ pair }) => pair) : undefined
        const asked = { list: { name: 'texts', first: isOne ? undefined : from }, texts: alike.map(({ text }) => text), pairs }
        await raggedAll(model, 'classify', asked, request, call, ({ values, indices }, at) => {
          results[from + at] = Array.from(values, (score, place) => ({ label: labels[indices[place]], score }))
        })
      }
      return isOne ? results[0] : results
    })
  }
}
Object.defineProperty(Classifier.prototype, KIND, { value: 'classifier' })

const WHAT = 'a string, a {text, pair} object or an array of these'

/** A text, or a pair of texts. */
function input(value, path, maxInputChars) {
  if (typeof value === 'string') return { text: check.bounded(value, path, maxInputChars) }
  if (!isObject(value) || isArray(value)) throw expected(WHAT, path, value)
  const { text, pair, ...others } = value
  const other = Object.keys(others)[0]
  // Such as `text_pair`, which would be left out in silence.
  if (other !== undefined) throw expected(`${WHAT} and nothing else`, path, `{ ${other} }`)
  const first = check.bounded(text, `${path}.text`, maxInputChars)
  return pair === undefined ? { text: first } : { text: first, pair: check.bounded(pair, `${path}.pair`, maxInputChars) }
}

module.exports = { Classifier }
