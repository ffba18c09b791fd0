'use strict'

/** A query and documents to the documents in the order of their relevance. Transformers.js has no such pipeline; the Hub has the task. */

const { flag, oneOf, positive, text } = require('../../checks.js')
const { optionsOf } = require('../settings.js')
const { Pipeline, limit } = require('./pipeline.js')

const OPTIONS = { top_k: positive, return_documents: flag, function_to_apply: oneOf('none', 'sigmoid', 'default') }

class TextRankingPipeline extends Pipeline {
  async _call(query, documents, options) {
    const { top_k, return_documents = false, function_to_apply } = optionsOf(options, OPTIONS)
    const ranked = await this.model.network.handle.rerank(text(query, 'query'), documents, {
      topK: top_k,
      returnDocuments: return_documents,
      activation: function_to_apply,
      maxLength: await limit(this),
    })
    return ranked.map(({ index, score, document }) => (return_documents ? { index, score, text: document.text ?? document } : { index, score }))
  }
}

module.exports = { TextRankingPipeline }
