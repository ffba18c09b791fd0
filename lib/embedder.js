'use strict'

/** Texts to vectors. */

const check = require('./arguments.js')
const { underSignal } = require('./call.js')
const { expected } = require('./errors.js')
const { KIND, Model, assertUsable, opened, optionsOf } = require('./model.js')
const { countOptions, embedOptions, streamOptions } = require('./options.js')
const { countAll, embedAll, emptyLike, owned } = require('./request.js')
const { embedStream } = require('./stream.js')

const ARRAYS = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array, binary: Int8Array, ubinary: Uint8Array }

/** Many embeddings in one block of memory. */
class Embeddings {
  constructor({ data, rows, dimensions, tokens, truncated }) {
    this.data = data
    this.rows = rows
    this.dimensions = dimensions
    this.tokens = tokens
    this.truncated = truncated
  }

  /** Row `index` as a view of `data`, not a copy: writing to one changes the other. */
  row(index) {
    if (!Number.isInteger(index) || index < 0 || index >= this.rows) {
      throw expected(this.rows === 0 ? 'no row (there are none)' : `a row from 0 to ${this.rows - 1}`, 'index', index)
    }
    const width = this.data.length / this.rows
    return this.data.subarray(index * width, (index + 1) * width)
  }
}

class Embedder extends Model {
  async embed(texts, options) {
    return embedWith(this, texts, options)
  }

  async embedQuery(texts, options) {
    return embedWith(this, texts, options, 'query')
  }

  async embedDocument(texts, options) {
    return embedWith(this, texts, options, 'document')
  }

  async embedMany(texts, options) {
    assertUsable(this)
    const list = check.texts(texts, 'texts', optionsOf(this).maxInputChars)
    const { signal, ...plan } = planOf(embedOptions(options, optionsOf(this).maxInputChars))
    return underSignal(signal, async (call) => {
      const total = { data: new ARRAYS[plan.request.output ?? 'float32'](0), rows: list.length, dimensions: 0, tokens: 0, truncated: 0 }
      if (list.length === 0) return new Embeddings(total)
      await embedAll(await opened(this, call), list, plan, call, (reply, from) => {
        const width = reply.data.length / reply.rows
        // Only a reply tells the width of a row; the first one makes the block.
        if (total.data.length === 0) total.data = emptyLike(reply.data, list.length * width)
        total.data.set(reply.data, from * width)
        total.dimensions = reply.dimensions
        total.tokens += reply.tokens
        total.truncated += reply.truncated
      })
      return new Embeddings(total)
    })
  }

  async *embedStream(source, options) {
    assertUsable(this)
    yield* embedStream(this, source, planOf(streamOptions(options, optionsOf(this).maxInputChars)))
  }

  async tokenCounts(texts, options) {
    assertUsable(this)
    const list = check.texts(texts, 'texts', optionsOf(this).maxInputChars)
    const { signal } = countOptions(options)
    return underSignal(signal, async (call) => (list.length === 0 ? new Uint32Array(0) : countAll(await opened(this, call), list, call)))
  }
}
Object.defineProperty(Embedder.prototype, KIND, { value: 'embedder' })

/** One text gives one vector, a list gives a list; each vector in its own memory, so that keeping one does not keep all. */
async function embedWith(handle, texts, options, task) {
  assertUsable(handle)
  const { maxInputChars } = optionsOf(handle)
  const { isOne, list } = check.textOrTexts(texts, 'texts', maxInputChars)
  const { signal, ...plan } = planOf(embedOptions(options, maxInputChars), task)
  return underSignal(signal, async (call) => {
    if (list.length === 0) return []
    const vectors = new Array(list.length)
    await embedAll(await opened(handle, call), list, { ...plan, isList: !isOne }, call, (reply, from) => {
      const width = reply.data.length / reply.rows
      for (let row = 0; row < reply.rows; row++) vectors[from + row] = owned(reply.data.subarray(row * width, (row + 1) * width))
    })
    return isOne ? vectors[0] : vectors
  })
}

/** Checked options, parted into what stays here and what the addon is asked. */
function planOf({ signal, onProgress, ranges, ...request }, task) {
  // A prompt named by the caller is more particular than the task's own; the model's way for the task, and its length, are the task's all the same.
  if (task !== undefined) request.task = task
  if (ranges !== undefined) Object.assign(request, { rangesMin: ranges.min, rangesMax: ranges.max })
  return { signal, onProgress, request }
}

module.exports = { Embedder }
