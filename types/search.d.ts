/** Comparing vectors, and search without a model: BM25, sparse vectors, late interaction, rank fusion. */

import type { Embeddings } from './embedder'

/** What a search found: the place in the list that was searched, and its score. */
export interface SearchResult {
  index: number
  score: number
}

/** A vector of which only the numbers that are not zero are kept. */
export interface SparseVector {
  /** Where the numbers stand, ascending, each once; 0 to 4,294,967,295. */
  indices: Uint32Array
  /** The numbers, as many as there are indices. */
  values: Float32Array
}

/** Vectors of one text, one a token: row after row. */
export interface TokenMatrix {
  /** `rows` times `dimensions` numbers. */
  data: Float32Array
  /** How many vectors. May be 0. */
  rows: number
  /** Numbers of a vector, at least 1. */
  dimensions: number
}

/** Cosine of the angle between two vectors of one length, -1 to 1; 0 where one of them is zero. @throws {TypeError} */
export declare function cosineSimilarity(a: Float32Array, b: Float32Array): number

/**
 * Dot product of two vectors: of one length, or both sparse. Added up in double precision.
 * @throws {TypeError} Also for one of each kind, and for sparse indices that do not ascend.
 */
export declare function dot(a: Float32Array, b: Float32Array): number
export declare function dot(a: SparseVector, b: SparseVector): number

/**
 * The `k` vectors that are nearest to `query`, best first; of equal ones the lower index first, scores that are NaN last. Fewer if there are fewer.
 * Dense vectors are compared by cosine, sparse ones by dot product.
 * @param vectors Dense: one block of rows, the result of `embedMany`, or an array of vectors (copied for the search: prefer a block to search often).
 * Sparse: a {@link SparseMatrix} or an array of vectors (each is looked at: prefer a matrix to search often).
 * @param k At least 1.
 * @throws {TypeError} Also for a query of the other kind.
 */
export declare function topK(query: Float32Array, vectors: Float32Array | readonly Float32Array[] | Embeddings<'float32'>, k: number): SearchResult[]
export declare function topK(query: SparseVector, vectors: readonly SparseVector[] | SparseMatrix, k: number): SearchResult[]

/**
 * Many sparse vectors in one block of native memory, made to be searched: `topK` then looks only at what the query's indices hold. The numbers are
 * copied; 8 bytes each and some for each index. It goes when nothing refers to it.
 */
export declare class SparseMatrix {
  /** @throws {TypeError} */
  constructor(vectors: readonly SparseVector[])
  /** How many vectors there are. */
  readonly rows: number
}

/**
 * The score of late interaction (ColBERT): for each vector of the query the highest dot product with a vector of the document, summed over the
 * query. In float32, with the processor's vector instructions. `maxsim` of sentence-transformers 6.2: a document without rows has -1e9, below every
 * other; a query without rows has 0. NaN in either gives NaN.
 * @returns For an array of documents the score of each.
 * @throws {TypeError}
 */
export declare function maxSim(query: TokenMatrix, document: TokenMatrix): number
export declare function maxSim(query: TokenMatrix, documents: readonly TokenMatrix[]): Float32Array

/** Options of `fuse`. */
export interface FuseOptions {
  /** How little the first places count for more than later ones: 0 or more. @default 60 */
  k?: number
  /** How much each ranking counts, one number a ranking, 0 or more. Default: 1 each. */
  weights?: readonly number[]
}

/**
 * Reciprocal rank fusion: rankings of the same things by different searches become one. The score of an index is the sum over the rankings that have
 * it of `weight / (k + rank)`, ranks from 1 (Cormack, Clarke and Büttcher, SIGIR 2009). Scores of the rankings themselves do not matter, so these
 * may be of any kind: `topK`, `rerank`, `rank`, or those of a database.
 * @param rankings Each best first: objects with an `index`, or indices; whole numbers of at least 0, each once in a ranking.
 * @returns Every index, best first; of equal scores the one first that comes up first when the rankings are read one after the other.
 * @throws {TypeError}
 */
export declare function fuse(rankings: readonly (readonly (number | { readonly index: number })[])[], options?: FuseOptions): SearchResult[]

/** Options of `Bm25.fit`. */
export interface Bm25Options {
  /**
   * The formula, see {@link Bm25}. `lucene` is never negative. `okapi` gives terms that are in more than half of the texts a quarter of the mean idf.
   * @default 'lucene'
   */
  method?: 'lucene' | 'okapi'
  /** How slowly repetitions of a term saturate: 0 or more, 0 is at once. @default 1.5 */
  k1?: number
  /** How much the length of a text matters: 0 (not at all) to 1. @default 0.75 */
  b?: number
  /**
   * The tokens of a text, in place of the default tokeniser: the words of Unicode (UAX #29) that have a letter or a number in them, in Unicode's lower
   * case. Nothing is stemmed and nothing left out; of Chinese, Japanese and Thai each character is a word. Tokens are any strings without U+0000.
   */
  tokenize?: (text: string) => readonly string[]
}

/** An instance of {@link Bm25} as JSON. */
export interface Bm25Json {
  /** Of this form. */
  version: 1
  method: 'lucene' | 'okapi'
  k1: number
  b: number
  /** Which tokeniser the texts were fitted with. `custom`: a function, which JSON does not hold. */
  tokenizer: 'words' | 'custom'
  /** Texts that were fitted. */
  documents: number
  /** Their tokens in all. */
  tokens: number
  /** The terms by their indices. */
  terms: string[]
  /** How many of the texts have each term. */
  frequencies: number[]
}

/**
 * BM25 as sparse vectors: `dot(encodeQuery(query), encodeDocument(text))` is the score. Texts are counted once, by `fit`; then any text has a vector.
 * Document vectors do not depend on how rare terms are, so they can be stored, in a database for sparse vectors as well.
 *
 * With `N` texts of `a` tokens in the mean, `n` of which have the term, `f` times the term in a text of `d` tokens:
 *
 * | | in the query, for each time that the term is in it | in the document |
 * |---|---|---|
 * | `lucene` | `ln(1 + (N - n + 0.5) / (n + 0.5))` | `f / (f + k1 * (1 - b + b * d / a))` |
 * | `okapi` | `ln((N - n + 0.5) / (n + 0.5))`; where that is negative a quarter of its mean over all terms | `f * (k1 + 1) / (f + k1 * (1 - b + b * d / a))` |
 *
 * The first is `BM25Similarity` of Lucene 8 and later, and of Elasticsearch (with exact lengths, which Lucene rounds to a byte); the second is `BM25Okapi`
 * of Python's rank_bm25. All methods are synchronous.
 */
export declare class Bm25 {
  private constructor()
  /**
   * Counts texts.
   * @param texts At least one.
   * @throws {TypeError}
   * @throws {VecrankError} ERR_TOO_LONG for a text of more than 32 Mi UTF-16 units
   */
  static fit(texts: readonly string[], options?: Bm25Options): Bm25
  /**
   * What `toJSON` gave, in this process or another. Every field is checked.
   * @param options `tokenize`: the function of `fit`, if there was one; needed then, and refused otherwise.
   * @throws {TypeError}
   */
  static fromJSON(json: Bm25Json, options?: Pick<Bm25Options, 'tokenize'>): Bm25
  /**
   * The vector of a text as a document, or of each; whether it was fitted or not. Terms that no fitted text has are not in it, and count for its length.
   * @throws {TypeError}
   */
  encodeDocument(text: string): SparseVector
  encodeDocument(texts: readonly string[]): SparseVector[]
  /** The vector of a text as a query, or of each. Terms that no fitted text has are not in it. @throws {TypeError} */
  encodeQuery(text: string): SparseVector
  encodeQuery(texts: readonly string[]): SparseVector[]
  /** What `JSON.stringify` writes and `fromJSON` reads. */
  toJSON(): Bm25Json
}
