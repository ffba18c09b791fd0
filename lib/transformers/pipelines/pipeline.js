'use strict'

/**
 * What pipelines share: a model and a tokenizer, called like a function. Where vecrank has a class for the task, texts go to it as they are and are
 * tokenised on its threads; otherwise they go through the tokenizer and the model as a program would call them.
 */

const { positive } = require('../../checks.js')
const { expected } = require('../../errors.js')
const { isArray } = require('../../shape.js')
const { Callable } = require('../callable.js')
const { limitOf } = require('../network.js')

class Pipeline extends Callable {
  constructor({ task, model, tokenizer = null, processor = null }) {
    super()
    this.task = task
    this.model = model
    this.tokenizer = tokenizer
    this.processor = processor
  }

  async dispose() {
    await this.model.dispose()
  }
}

/** Whether a pipeline's model was opened as `head` and its tokenizer is that of the model, so that vecrank's class for it gives what they would. */
function isServedBy({ model, tokenizer }, head) {
  return model.network?.head === head && tokenizer?._tokenizer?.folder === model.network.folder
}

/** How long texts may be: what the tokenizer says, as far as the network has positions. Of a network that a program brings itself, nothing is known. */
async function limit({ model, tokenizer }) {
  return model.network === undefined ? tokenizer.model_max_length : limitOf(model.network.handle, tokenizer.model_max_length)
}

/** Texts as tensors, padded to the longest and cut to what the network takes. */
async function inputsOf(pipeline, texts, pairs) {
  const options = { padding: true, truncation: true, max_length: await limit(pipeline) }
  return pipeline.tokenizer(texts, pairs === undefined ? options : { ...options, text_pair: pairs })
}

/** One text or several, as a list of its own: the program may change its array while the call runs. */
function listOf(texts, path = 'texts') {
  const list = isArray(texts) ? Array.from(texts) : [texts]
  if (list.length === 0) throw expected('at least one text', path, texts)
  list.forEach((text, index) => {
    if (typeof text !== 'string') throw expected('a string', isArray(texts) ? `${path}[${index}]` : path, text)
  })
  return list
}

/** How many of the best are wanted: `null` and Infinity are all. */
function topK(value, path) {
  return value === null || value === Infinity ? Infinity : positive(value, path)
}

module.exports = { Pipeline, inputsOf, isServedBy, limit, listOf, topK }
