'use strict'

/** Texts to sparse vectors: weights of tokens of the vocabulary. */

const check = require('./arguments.js')
const { underSignal } = require('./call.js')
const { expected } = require('./errors.js')
const { KIND, Model, assertUsable, infoOf, loadedOf, opened, optionsOf } = require('./model.js')
const { sparseOptions } = require('./options.js')
const { raggedAll } = require('./request.js')
const { sparse } = require('./sparse.js')

class SparseEmbedder extends Model {
  async embed(texts, options) {
    return embedWith(this, texts, options)
  }

  async embedQuery(texts, options) {
    return embedWith(this, texts, options, 'query')
  }

  async embedDocument(texts, options) {
    return embedWith(this, texts, options, 'document')
  }

  decode(vector) {
    assertUsable(this)
    const { indices, values } = sparse(vector, 'vector')
    const model = loadedOf(this, 'decode')
    const { dimensions } = infoOf(this, model)
    const strange = indices.findIndex((index) => index >= dimensions)
    if (strange !== -1) throw expected(`an index below ${dimensions}, the size of the vocabulary,`, `vector.indices[${strange}]`, indices[strange])
    const tokens = model.names(indices)
    const pairs = tokens.map((token, place) => ({ token, weight: values[place], index: indices[place] }))
    return pairs.sort((a, b) => b.weight - a.weight || a.index - b.index).map(({ token, weight }) => ({ token, weight }))
  }
}
Object.defineProperty(SparseEmbedder.prototype, KIND, { value: 'sparse-embedder' })

async function embedWith(handle, texts, options, task) {
  assertUsable(handle)
  const { maxInputChars } = optionsOf(handle)
  const { isOne, list } = check.textOrTexts(texts, 'texts', maxInputChars)
  const { signal, ...request } = sparseOptions(options, maxInputChars)
  if (task !== undefined) request.task = task
  return underSignal(signal, async (call) => {
    if (list.length === 0) return []
    const vectors = new Array(list.length)
    const asked = { list: { name: 'texts', first: isOne ? undefined : 0 }, texts: list }
    await raggedAll(await opened(handle, call), 'embedSparse', asked, request, call, ({ indices, values }, at) => {
      vectors[at] = { indices, values }
    })
    return isOne ? vectors[0] : vectors
  })
}

module.exports = { SparseEmbedder }
