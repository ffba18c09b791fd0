/** Texts to a vector a token (late interaction, as in ColBERT). */

import { Model } from './model'
import type { CallOptions, ModelName, ModelOptions, Truncation } from './model'
import type { Document } from './reranker'
import type { TokenMatrix } from './search'

/** Options of a late embedder. What is not set is what the model's own files say. */
export interface LateEmbedderOptions extends ModelOptions {
  /** Prompts by name, in place of those of the model's files: `query` and `document` are used. */
  prompts?: Readonly<Record<string, string>>
}

/** Options of `embedQuery` and `embedDocument`. */
export interface LateEmbedOptions extends CallOptions {
  /**
   * Tokens of a text for this call, in place of the model's option. Not for queries that the model fills up or cuts to one length: another one than
   * that is `ERR_INVALID_ARG`.
   */
  maxLength?: number
  /** For this call, in place of the model's option. */
  truncation?: Truncation
}

/** Options of `rank`. `maxLength` and `truncation` are for documents. */
export interface RankOptions extends LateEmbedOptions {
  /** Documents to give, the best ones, at least 1. Default: all. */
  topK?: number
}

/**
 * Gives each token a vector, and compares texts by these: for each vector of the query the largest dot product with one of the document's, added up
 * (MaxSim). Reads models of sentence-transformers (`MultiVectorEncoder`), PyLate and Stanford's ColBERT.
 */
export declare class LateEmbedder extends Model {
  /**
   * Reads no file: what can only be known by looking fails when the model is loaded.
   * @throws {TypeError} for a name or an option of the wrong form.
   */
  constructor(model: ModelName, options?: LateEmbedderOptions)
  /** A loaded late embedder. */
  static load<T extends typeof LateEmbedder>(this: T, model: ModelName, options?: LateEmbedderOptions): Promise<InstanceType<T>>

  /**
   * The vectors of a query's tokens in their order, or those of each of a list, each matrix in memory of its own: with the prompt named `query`, filled up to the length that the model's files say. `[]` gives `[]`
   * and loads nothing.
   * @throws {VecrankError} ERR_TOO_LONG, ERR_NUMERIC, ERR_OVERLOADED, ERR_DISPOSED and those of `load()`
   */
  embedQuery(text: string, options?: LateEmbedOptions): Promise<TokenMatrix>
  embedQuery(texts: readonly string[], options?: LateEmbedOptions): Promise<TokenMatrix[]>

  /** The same for documents: with the first of the prompts `document`, `passage`, `corpus` that is not empty, and without vectors of tokens that do not count. */
  embedDocument(text: string, options?: LateEmbedOptions): Promise<TokenMatrix>
  embedDocument(texts: readonly string[], options?: LateEmbedOptions): Promise<TokenMatrix[]>

  /**
   * Documents by their score with the query, best first; equal scores keep the input's order. Scores are those of the model's files: MaxSim, or divided
   * by the query's vectors where they say `meanmaxsim`; a document of which no token counts has -1e9. Documents are embedded for this call and
   * their vectors are not kept: for a corpus that is searched often, keep those of `embedDocument`. `[]` gives `[]` and loads nothing.
   */
  rank(query: string, documents: readonly Document[], options?: RankOptions): Promise<{ index: number; score: number }[]>
}
