/** Documents by their relevance to a query. */

import { Model } from './model'
import type { CallOptions, ModelName, ModelOptions, Truncation } from './model'

/** Options of `Reranker.score`. */
export interface ScoreOptions extends CallOptions {
  /** Tokens a pair for this call, in place of the model's option. */
  maxLength?: number
  /** For this call, in place of the model's option. A pair that is too long loses tokens of its longer text first. */
  truncation?: Truncation
}

/** Options of `Reranker.rerank`. */
export interface RerankOptions extends ScoreOptions {
  /** Best results to give, at least 1. Default: all. */
  topK?: number
  /** Put the caller's own document into each result. @default false */
  returnDocuments?: boolean
  /** What is done with the logit: nothing, a sigmoid, or what the model's files declare. @default 'none' */
  activation?: 'none' | 'sigmoid' | 'default'
  /**
   * What happens to a document that is too long beside the query. `'truncate'`: it is cut. `'chunk'`: it is scored in windows that overlap by an eighth
   * and together hold all of it, and the best window counts. A query that takes more than half of the room is cut to half of it. Not with `truncation`.
   * @default 'truncate'
   */
  overflow?: 'truncate' | 'chunk'
}

/** A document: its text, or an object with it. */
export type Document = string | { readonly text: string }

/** One document's place in a ranking. */
export interface RankedDocument<D extends Document = Document> {
  /** Position in the input. */
  index: number
  /** Higher is better; by default the raw logit, of any size and sign. */
  score: number
  /**
   * Whether something had no say in the score: the query and the document together had more tokens than the model reads, and were cut. With `overflow:
   * 'chunk'` all of a document has a say, and this is about the query alone.
   */
  truncated: boolean
  /** The caller's own value, with `returnDocuments`. */
  document?: D
}

/** Scores documents against a query. */
export declare class Reranker extends Model {
  /**
   * Reads no file: what can only be known by looking fails when the model is loaded.
   * @param model Default: `VECRANK_RERANKER`, else the package `vecrank-model-reranker-mini` where it is installed, else
   * `cross-encoder/ms-marco-MiniLM-L6-v2` on the Hub.
   * @throws {TypeError} for a name or an option of the wrong form.
   */
  constructor(model?: ModelName, options?: ModelOptions)
  /** A loaded reranker. */
  static load<T extends typeof Reranker>(this: T, model?: ModelName, options?: ModelOptions): Promise<InstanceType<T>>

  /**
   * Documents best first; equal scores keep the input's order. `[]` gives `[]` and loads nothing.
   * @throws {VecrankError} ERR_TOO_LONG, ERR_NUMERIC, ERR_OVERLOADED, ERR_DISPOSED and those of `load()`
   */
  rerank<D extends Document>(query: string, documents: readonly D[], options: RerankOptions & { returnDocuments: true }): Promise<Required<RankedDocument<D>>[]>
  rerank<D extends Document>(query: string, documents: readonly D[], options?: RerankOptions): Promise<RankedDocument<D>[]>

  /** Raw logits of pairs, in input order. A model with two labels gives their difference, second minus first. */
  score(pairs: readonly (readonly [query: string, document: string])[], options?: ScoreOptions): Promise<Float32Array>
}
