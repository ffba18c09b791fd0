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

const { Bm25 } = require('./lib/bm25.js')
const { chunkWith } = require('./lib/chunk.js')
const { Classifier } = require('./lib/classifier.js')
const { Embedder } = require('./lib/embedder.js')
const { VecrankError, argumentError } = require('./lib/errors.js')
const { fuse } = require('./lib/fusion.js')
const { hardware } = require('./lib/hardware.js')
const { LateEmbedder } = require('./lib/late-embedder.js')
const { maxSim } = require('./lib/maxsim.js')
const { Reranker } = require('./lib/reranker.js')
const { dispose, withShared } = require('./lib/shared.js')
const { SparseEmbedder } = require('./lib/sparse-embedder.js')
const { SparseMatrix } = require('./lib/sparse.js')
const { TokenClassifier } = require('./lib/token-classifier.js')
const { cosineSimilarity, dot, topK } = require('./lib/vectors.js')

// ---------- the two-line way ------------------------------------------------------------------------------------------

async function embed(texts, options) {
  return withShared(Embedder, options, (embedder, rest) => embedder.embed(texts, rest))
}

async function rerank(query, documents, options) {
  return withShared(Reranker, options, (reranker, rest) => reranker.rerank(query, documents, rest))
}

async function chunk(text, options) {
  return chunkWith(Embedder, text, options)
}

// ---------- what is elsewhere -----------------------------------------------------------------------------------------

async function pipeline() {
  throw argumentError(
    "pipeline() is in vecrank/transformers: import { pipeline } from 'vecrank/transformers'. Without it use Embedder or embed() for embeddings, Reranker or " +
      'rerank() for ranking, Classifier for labels.',
  )
}

exports.Bm25 = Bm25
exports.Classifier = Classifier
exports.Embedder = Embedder
exports.LateEmbedder = LateEmbedder
exports.Reranker = Reranker
exports.SparseEmbedder = SparseEmbedder
exports.SparseMatrix = SparseMatrix
exports.TokenClassifier = TokenClassifier
exports.embed = embed
exports.rerank = rerank
exports.dispose = dispose
exports.cosineSimilarity = cosineSimilarity
exports.dot = dot
exports.topK = topK
exports.maxSim = maxSim
exports.fuse = fuse
exports.chunk = chunk
exports.VecrankError = VecrankError
exports.hardware = hardware
exports.pipeline = pipeline
