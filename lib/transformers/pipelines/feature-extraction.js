'use strict'

/** Texts to vectors: one a token, or one a text. */

const { flag, oneOf } = require('../../checks.js')
const { argumentError } = require('../../errors.js')
const { mean_pooling, quantize_embeddings } = require('../algebra.js')
const { optionsOf } = require('../settings.js')
const { Tensor } = require('../tensor.js')
const { Pipeline, inputsOf, isServedBy, limit, listOf } = require('./pipeline.js')

const OPTIONS = {
  pooling: oneOf('none', 'mean', 'cls', 'first_token', 'eos', 'last_token'),
  normalize: flag,
  quantize: flag,
  precision: oneOf('binary', 'ubinary'),
}
/** The names of vecrank. */
const POOLING = { mean: 'mean', cls: 'cls', first_token: 'cls', eos: 'last', last_token: 'last' }

class FeatureExtractionPipeline extends Pipeline {
  async _call(texts, options) {
    const { pooling = 'none', normalize = false, quantize = false, precision = 'binary' } = optionsOf(options, OPTIONS)
    const list = listOf(texts)
    const isWhole = pooling !== 'none' && isServedBy(this, 'embedder')
    const vectors = isWhole ? await embedded(this, list, POOLING[pooling], normalize) : await computed(this, list, pooling, normalize)
    return quantize ? quantize_embeddings(vectors, precision) : vectors
  }
}

/** By the Embedder: with every module that follows pooling in the model's files. */
async function embedded(pipeline, texts, pooling, normalize) {
  const { handle } = pipeline.model.network
  // Programs put prompts in front of their texts themselves, as Transformers.js knows of none.
  const { data, rows } = await handle.embedMany(texts, { pooling, normalize, promptText: '', maxLength: await limit(pipeline) })
  return new Tensor('float32', data, [rows, data.length / rows])
}

/** By the network alone. */
async function computed(pipeline, texts, pooling, normalize) {
  const inputs = await inputsOf(pipeline, texts)
  const outputs = await pipeline.model(inputs)
  const tokens = outputs.last_hidden_state ?? outputs.logits
  if (pooling !== 'none' && tokens.dims.length !== 3) {
    throw argumentError('This model gives logits for each text and no vectors of tokens, so there is nothing to pool. Use a model without a head.')
  }
  const vectors = pooled(tokens, inputs.attention_mask, pooling)
  return normalize ? vectors.normalize_(2, -1) : vectors
}

function pooled(tokens, mask, pooling) {
  switch (POOLING[pooling]) {
    case 'mean':
      return mean_pooling(tokens, mask)
    case 'cls':
      return chosen(tokens, mask, (row) => row.indexOf(1))
    case 'last':
      return chosen(tokens, mask, (row) => row.lastIndexOf(1))
    default:
      return tokens
  }
}

/** The vector of one token of each row, of those that the mask shows: with padding on either side it is the same one. */
function chosen(tokens, mask, place) {
  const [rows, length, width] = tokens.dims
  const data = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++) {
    const shown = Array.from(mask.data.subarray(row * length, (row + 1) * length), Number)
    const from = (row * length + Math.max(place(shown), 0)) * width
    data.set(tokens.data.subarray(from, from + width), row * width)
  }
  return new Tensor('float32', data, [rows, width])
}

module.exports = { FeatureExtractionPipeline }
