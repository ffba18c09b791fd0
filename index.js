'use strict'

/**
 * The public face of vecrank: it checks arguments, keeps promises and hands work to the native addon, which tokenises, runs the network,
 * pools and sorts on its own threads. `index.d.ts` is the reference of everything here.
 *
 * One CommonJS file for both module systems (`exports.name = …` is what Node's scanner for named imports reads), so that a program that
 * imports and requires the package has one copy of it.
 */

// First of all: what follows is of no use to a bundle that cannot require it.
require('./lib/bundle.js').assertRequire()

const { addon } = require('./lib/addon.js')
const check = require('./lib/arguments.js')
const { underSignal } = require('./lib/call.js')
const { VecrankError, argumentError, expected, unwrap } = require('./lib/errors.js')
const { hardware } = require('./lib/hardware.js')
const { KIND, Model, assertUsable, opened, optionsOf } = require('./lib/model.js')
const { countAll, embedAll, scoreAll } = require('./lib/request.js')
const { isArray, isObject } = require('./lib/shape.js')
const { dispose, withShared } = require('./lib/shared.js')
const { embedStream } = require('./lib/stream.js')

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
    const { signal, ...plan } = planOf(check.embedOptions(options, optionsOf(this).maxInputChars))
    return underSignal(signal, async (call) => {
      const total = { data: new ARRAYS[plan.request.output ?? 'float32'](0), rows: list.length, dimensions: 0, tokens: 0, truncated: 0 }
      if (list.length === 0) return new Embeddings(total)
      await embedAll(await opened(this, call), list, plan, call, (reply, from) => {
        if (reply.rows === list.length) total.data = reply.data
        else {
          const width = reply.data.length / reply.rows
          // Only a reply tells the width of a row; the first one makes the block.
          if (total.data.length === 0) total.data = new reply.data.constructor(list.length * width)
          total.data.set(reply.data, from * width)
        }
        total.dimensions = reply.dimensions
        total.tokens += reply.tokens
        total.truncated += reply.truncated
      })
      return new Embeddings(total)
    })
  }

  async *embedStream(source, options) {
    assertUsable(this)
    yield* embedStream(this, source, planOf(check.streamOptions(options, optionsOf(this).maxInputChars)))
  }

  async tokenCounts(texts, options) {
    assertUsable(this)
    const list = check.texts(texts, 'texts', optionsOf(this).maxInputChars)
    const { signal } = check.countOptions(options)
    return underSignal(signal, async (call) => (list.length === 0 ? new Uint32Array(0) : countAll(await opened(this, call), list, call)))
  }
}
Object.defineProperty(Embedder.prototype, KIND, { value: 'embedder' })

/** One text gives one vector, a list gives a list; each vector in its own memory, so that keeping one does not keep all. */
async function embedWith(handle, texts, options, task) {
  assertUsable(handle)
  const { maxInputChars } = optionsOf(handle)
  const isOne = typeof texts === 'string'
  if (!isOne && !isArray(texts)) throw expected('a string or an array of strings', 'texts', texts)
  const list = isOne ? [check.bounded(texts, 'texts', maxInputChars)] : check.texts(texts, 'texts', maxInputChars)
  const { signal, ...plan } = planOf(check.embedOptions(options, maxInputChars), task)
  return underSignal(signal, async (call) => {
    if (list.length === 0) return []
    const vectors = new Array(list.length)
    await embedAll(await opened(handle, call), list, { ...plan, isList: !isOne }, call, (reply, from) => {
      const width = reply.data.length / reply.rows
      for (let row = 0; row < reply.rows; row++) {
        vectors[from + row] = reply.rows === 1 ? reply.data : reply.data.slice(row * width, (row + 1) * width)
      }
    })
    return isOne ? vectors[0] : vectors
  })
}

/** Checked options, parted into what stays here and what the addon is asked. */
function planOf({ signal, onProgress, ranges, ...request }, task) {
  // A prompt named by the caller is more particular than the method's own.
  if (task !== undefined && request.prompt === undefined && request.promptText === undefined) request.task = task
  if (ranges !== undefined) Object.assign(request, { rangesMin: ranges.min, rangesMax: ranges.max })
  return { signal, onProgress, request }
}

class Reranker extends Model {
  async rerank(query, documents, options) {
    assertUsable(this)
    const { maxInputChars } = optionsOf(this)
    const queries = [check.bounded(query, 'query', maxInputChars)]
    const { originals, contents } = check.documents(documents, maxInputChars)
    const { signal, topK, returnDocuments, ...request } = check.rerankOptions(options)
    return underSignal(signal, async (call) => {
      if (contents.length === 0) return []
      const { scores, truncated } = await scoreAll(await opened(this, call), 'documents', queries, contents, request, call)
      if (call.stopped) return []
      const best = unwrap(await addon().order(scores, topK === undefined ? -1 : Math.min(topK, contents.length)))
      return Array.from(best.indices, (index, place) => {
        const result = { index, score: best.scores[place], truncated: truncated[index] === 1 }
        if (returnDocuments) result.document = originals[index]
        return result
      })
    })
  }

  async score(pairs, options) {
    assertUsable(this)
    const { queries, contents } = check.pairs(pairs, optionsOf(this).maxInputChars)
    const { signal, ...request } = check.scoreOptions(options)
    return underSignal(signal, async (call) => {
      if (contents.length === 0) return new Float32Array(0)
      return (await scoreAll(await opened(this, call), 'pairs', queries, contents, request, call)).scores
    })
  }
}
Object.defineProperty(Reranker.prototype, KIND, { value: 'reranker' })

// ---------- the two-line way ------------------------------------------------------------------------------------------

async function embed(texts, options) {
  return withShared(Embedder, options, (embedder, rest) => embedder.embed(texts, rest))
}

async function rerank(query, documents, options) {
  return withShared(Reranker, options, (reranker, rest) => reranker.rerank(query, documents, rest))
}

// ---------- vectors ---------------------------------------------------------------------------------------------------

function cosineSimilarity(a, b) {
  const [left, right] = check.sameLength(a, b)
  return addon().cosineSimilarity(left, right)
}

function dot(a, b) {
  const [left, right] = check.sameLength(a, b)
  return addon().dot(left, right)
}

function topK(query, vectors, k) {
  const sought = check.vector(query, 'query')
  const width = check.lengthOf(sought)
  const data = check.block(vectors, width)
  const wanted = Math.min(check.positive(k, 'k'), check.lengthOf(data) / width)
  if (wanted === 0) return []
  const { indices, scores } = addon().topK(sought, data, wanted)
  return Array.from(indices, (index, place) => ({ index, score: scores[place] }))
}

// ---------- what a later version brings -------------------------------------------------------------------------------

async function pipeline() {
  throw argumentError('pipeline() is not in this version of vecrank. Use Embedder or embed() for embeddings, Reranker or rerank() for ranking.')
}

exports.Embedder = Embedder
exports.Reranker = Reranker
exports.embed = embed
exports.rerank = rerank
exports.dispose = dispose
exports.cosineSimilarity = cosineSimilarity
exports.dot = dot
exports.topK = topK
exports.VecrankError = VecrankError
exports.hardware = hardware
exports.pipeline = pipeline
