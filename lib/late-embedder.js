'use strict'

/** Texts to a vector a token, and documents ranked by these (late interaction, as in ColBERT). */

const check = require('./arguments.js')
const { underSignal } = require('./call.js')
const { KIND, Model, assertUsable, infoOf, opened, optionsOf } = require('./model.js')
const { lateOptions, rankOptions } = require('./options.js')
const { ranked } = require('./ranking.js')
const { raggedAll } = require('./request.js')

class LateEmbedder extends Model {
  async embedQuery(texts, options) {
    return embedWith(this, texts, options, 'query')
  }

  async embedDocument(texts, options) {
    return embedWith(this, texts, options, 'document')
  }

  async rank(query, documents, options) {
    assertUsable(this)
    const { maxInputChars } = optionsOf(this)
    const queries = [check.bounded(query, 'query', maxInputChars)]
    const { contents } = check.documents(documents, maxInputChars)
    const { signal, topK, ...request } = rankOptions(options)
    return underSignal(signal, async (call) => {
      if (contents.length === 0) return []
      const model = await opened(this, call)
      let vectors
      // A query has the length that the model gives it: what the caller says of lengths is meant for documents.
      await raggedAll(model, 'late', { list: { name: 'query' }, texts: queries }, { task: 'query' }, call, ({ values }) => {
        vectors = values
      })
      const scores = new Float32Array(contents.length)
      const list = { name: 'documents', first: 0 }
      // The documents' vectors stay in native memory.
      await raggedAll(model, 'late', { list, texts: contents }, { ...request, task: 'document', query: vectors }, call, ({ values }, index) => {
        scores[index] = values[0]
      })
      if (call.stopped) return []
      return ranked(scores, topK)
    })
  }
}
Object.defineProperty(LateEmbedder.prototype, KIND, { value: 'late-embedder' })

/** One text gives one matrix, a list gives a list. */
async function embedWith(handle, texts, options, task) {
  assertUsable(handle)
  const { maxInputChars } = optionsOf(handle)
  const { isOne, list } = check.textOrTexts(texts, 'texts', maxInputChars)
  const { signal, ...request } = lateOptions(options)
  return underSignal(signal, async (call) => {
    if (list.length === 0) return []
    const model = await opened(handle, call)
    const { dimensions } = infoOf(handle, model)
    const matrices = new Array(list.length)
    const asked = { list: { name: 'texts', first: isOne ? undefined : 0 }, texts: list }
    await raggedAll(model, 'late', asked, { ...request, task }, call, ({ values }, index) => {
      matrices[index] = { data: values, rows: values.length / dimensions, dimensions }
    })
    return isOne ? matrices[0] : matrices
  })
}

module.exports = { LateEmbedder }
