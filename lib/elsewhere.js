'use strict'

/**
 * What stands in for vecrank where native code cannot run: edge runtimes and browsers (the conditions `edge-light`, `workerd` and `browser` of
 * package.json). Importing it works, so that code shared with a server does too; every use says what is wrong.
 */

const { VecrankError } = require('./failure.js')

function refuse() {
  throw new VecrankError(
    'ERR_RUNTIME',
    'vecrank is native code and needs Node: it cannot run in an edge runtime or in a browser. In Next.js use it in a server route or a server component, ' +
      "with `export const runtime = 'nodejs'`, and not in middleware or a client component. In Jest use the node environment (@jest-environment node).",
  )
}

class Unavailable {
  constructor() {
    refuse()
  }

  static async load() {
    refuse()
  }
}

class Classifier extends Unavailable {}
class Embedder extends Unavailable {}
class LateEmbedder extends Unavailable {}
class Reranker extends Unavailable {}
class SparseEmbedder extends Unavailable {}
class TokenClassifier extends Unavailable {}

class Bm25 {
  constructor() {
    refuse()
  }

  static fit() {
    refuse()
  }

  static fromJSON() {
    refuse()
  }
}

class SparseMatrix {
  constructor() {
    refuse()
  }
}

async function refuseLater() {
  refuse()
}

exports.Bm25 = Bm25
exports.Classifier = Classifier
exports.Embedder = Embedder
exports.LateEmbedder = LateEmbedder
exports.Reranker = Reranker
exports.SparseEmbedder = SparseEmbedder
exports.SparseMatrix = SparseMatrix
exports.TokenClassifier = TokenClassifier
exports.VecrankError = VecrankError
exports.chunk = refuseLater
exports.embed = refuseLater
exports.rerank = refuseLater
exports.dispose = refuseLater
exports.pipeline = refuseLater
exports.hardware = refuseLater
exports.cosineSimilarity = refuse
exports.dot = refuse
exports.fuse = refuse
exports.maxSim = refuse
exports.topK = refuse
