// Compiled, not run, as types.ts is: comparing vectors, BM25, fusion, maxSim and chunk().

import {
  Bm25,
  Classifier,
  Embedder,
  Reranker,
  SparseMatrix,
  chunk,
  cosineSimilarity,
  dot,
  fuse,
  maxSim,
  topK,
  type Bm25Json,
  type Bm25Options,
  type Chunk,
  type ChunkOptions,
  type FuseOptions,
  type RankedDocument,
  type SearchResult,
  type SparseVector,
  type TokenMatrix,
} from 'vecrank'

/** Compiles only if both types are the same. */
function same<A, B>(..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]): void {}

function vectors(dense: Float32Array, sparse: SparseVector, list: readonly SparseVector[]) {
  same<ReturnType<typeof cosineSimilarity>, number>()
  const scores: number[] = [dot(dense, dense), dot(sparse, sparse), dot(sparse, { indices: new Uint32Array(1), values: new Float32Array(1) })]
  // @ts-expect-error: two kinds
  dot(dense, sparse)
  // @ts-expect-error: two kinds
  dot(sparse, dense)
  // @ts-expect-error: not for sparse ones
  cosineSimilarity(sparse, sparse)
  // @ts-expect-error: indices are no plain numbers
  dot(sparse, { indices: [1], values: new Float32Array(1) })

  const matrix = new SparseMatrix(list)
  same<typeof matrix.rows, number>()
  // @ts-expect-error: it does not change
  matrix.rows = 1
  const found = [topK(dense, [dense], 1), topK(sparse, list, 1), topK(sparse, matrix, 1)]
  same<(typeof found)[number], SearchResult[]>()
  // @ts-expect-error: two kinds
  topK(dense, matrix, 1)
  // @ts-expect-error: two kinds
  topK(sparse, [dense], 1)
  return scores
}

function fusion(frozen: readonly (readonly { readonly index: number }[])[], ranked: RankedDocument<string>[], found: SearchResult[]) {
  const options: FuseOptions = { k: 10, weights: [1, 0.5] }
  same<ReturnType<typeof fuse>, SearchResult[]>()
  fuse(frozen)
  fuse([[1, 2], ranked, found, [{ index: 2 }, 3]], options)
  // @ts-expect-error: no index
  fuse([[{ score: 1 }]])
}

function late(query: TokenMatrix, documents: readonly TokenMatrix[]) {
  const one: number = maxSim(query, documents[0])
  const many: Float32Array = maxSim(query, documents)
  // @ts-expect-error: a vector is no matrix
  maxSim(new Float32Array(3), query)
  return [one, many]
}

function bm25(texts: readonly string[], stored: string) {
  const options: Bm25Options = { method: 'okapi', k1: 1.2, b: 0.5, tokenize: (text) => text.split(' ') }
  const fitted = Bm25.fit(texts, options)
  const one: SparseVector = fitted.encodeQuery('text')
  const many: SparseVector[] = fitted.encodeDocument(texts)
  const json: Bm25Json = fitted.toJSON()
  Bm25.fromJSON(JSON.parse(stored))
  Bm25.fromJSON(json, { tokenize: options.tokenize })
  // @ts-expect-error: the JSON has the parameters
  Bm25.fromJSON(json, { k1: 1 })
  // @ts-expect-error: no such formula
  Bm25.fit(texts, { method: 'bm25+' })
  // @ts-expect-error: it is fitted, not constructed
  new Bm25()
  return [one, many]
}

async function chunks(model: Embedder | Reranker | Classifier) {
  const options: ChunkOptions = { model, maxTokens: 256, overlap: 32, signal: new AbortController().signal }
  const found = await chunk('text', options)
  same<typeof found, Chunk[]>()
  const [{ text, start, end, tokens }] = found
  await chunk(text.slice(start, end), { model: 'owner/name', load: { offline: true }, maxTokens: tokens })
  await chunk('text')
  // @ts-expect-error: one text
  await chunk(['text'], options)
  // @ts-expect-error: not an option
  await chunk('text', { size: 10 })
}

export { bm25, chunks, fusion, late, vectors }
