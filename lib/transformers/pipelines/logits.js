'use strict'

/** Logits of a model with labels, for texts or pairs of texts, and what becomes of them. */

const { underSignal } = require('../../call.js')
const { opened } = require('../../model.js')
const { raggedAll } = require('../../request.js')
const { sigmoid, softmax } = require('../maths.js')
const { inputsOf, isServedBy, limit } = require('./pipeline.js')

/** A row of logits for each of `texts`, which have a pair each or none. */
async function logitsOf(pipeline, texts, pairs) {
  if (isServedBy(pipeline, 'classifier')) return classified(pipeline, texts, pairs)
  const { logits } = await pipeline.model(await inputsOf(pipeline, texts, pairs))
  const [rows, width] = logits.dims
  return Array.from({ length: rows }, (_, row) => logits.data.slice(row * width, (row + 1) * width))
}

async function classified(pipeline, texts, pairs) {
  const maxLength = await limit(pipeline)
  const rows = new Array(texts.length)
  await underSignal(undefined, async (call) => {
    const model = await opened(pipeline.model.network.handle, call)
    const list = { name: 'texts', first: texts.length === 1 ? undefined : 0 }
    await raggedAll(model, 'classify', { list, texts, pairs }, { activation: 'none', maxLength }, call, ({ values, indices }, row) => {
      // They come with the best first.
      rows[row] = new Float32Array(values.length)
      indices.forEach((label, place) => (rows[row][label] = values[place]))
    })
  })
  return rows
}

/** Scores of the labels, as Python's pipeline decides: of one logit the sigmoid, which the softmax of Transformers.js makes 1 for every text. */
function scoresOf(logits, config) {
  if (config.problem_type === 'regression') return logits
  return config.problem_type === 'multi_label_classification' || logits.length === 1 ? logits.map(sigmoid) : softmax(logits)
}

/** What a label is called. */
function labelOf(config, index) {
  return config.id2label?.[index] ?? `LABEL_${index}`
}

module.exports = { labelOf, logitsOf, scoresOf }
