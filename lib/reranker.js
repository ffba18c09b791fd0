'use strict'

/** Documents by their relevance to a query. */

const check = require('./arguments.js')
const { underSignal } = require('./call.js')
const { KIND, Model, assertUsable, opened, optionsOf } = require('./model.js')
const { rerankOptions, scoreOptions } = require('./options.js')
const { ranked } = require('./ranking.js')
const { scoreAll } = require('./request.js')

class Reranker extends Model {
  async rerank(query, documents, options) {
    assertUsable(this)
    const { maxInputChars } = optionsOf(this)
    const queries = [check.bounded(query, 'query', maxInputChars)]
    const { originals, contents } = check.documents(documents, maxInputChars)
    const { signal, topK, returnDocuments, ...request } = rerankOptions(options)
    return underSignal(signal, async (call) => {
      if (contents.length === 0) return []
      const { scores, truncated } = await scoreAll(await opened(this, call), 'documents', queries, contents, request, call)
      if (call.stopped) return []
      return (await ranked(scores, topK)).map(({ index, score }) => {
        const result = { index, score, truncated: truncated[index] === 1 }
        if (returnDocuments) result.document = originals[index]
        return result
      })
    })
  }

  async score(pairs, options) {
    assertUsable(this)
    const { queries, contents } = check.pairs(pairs, optionsOf(this).maxInputChars)
    const { signal, ...request } = scoreOptions(options)
    return underSignal(signal, async (call) => {
      if (contents.length === 0) return new Float32Array(0)
      return (await scoreAll(await opened(this, call), 'pairs', queries, contents, request, call)).scores
    })
  }
}
Object.defineProperty(Reranker.prototype, KIND, { value: 'reranker' })

module.exports = { Reranker }
