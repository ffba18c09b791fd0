/** Texts to sparse vectors. */

import { Model } from './model'
import type { CallOptions, ModelName, ModelOptions, Truncation } from './model'
import type { SparseVector } from './search'

/** Options of a sparse embedder. */
export interface SparseEmbedderOptions extends ModelOptions {
  /** Prompts by name, in place of those of the model's files. */
  prompts?: Readonly<Record<string, string>>
}

/** Options of `embed`, `embedQuery` and `embedDocument`. */
export interface SparseEmbedOptions extends CallOptions {
  /** Name of a prompt to put before each text. An unknown name is `ERR_INVALID_ARG`. Not together with `promptText`. */
  prompt?: string
  /** The text to put before each text, at most `maxInputChars` long. Not together with `prompt`. */
  promptText?: string
  /**
   * Numbers of a vector to keep, at least 1: those furthest from 0, of equal ones those of lower indices (`max_active_dims` of sentence-transformers).
   * Default: what the model's files say, else all.
   */
  maxActive?: number
  /** For this call, in place of the model's option. */
  truncation?: Truncation
  /** Tokens a text for this call, in place of the model's option. */
  maxLength?: number
}

/** A token of a sparse vector, as the vocabulary writes it. */
export interface TokenWeight {
  /** Such as `river`, `##s` or `Ġriver`; empty where the network has more tokens than the tokenizer names. */
  token: string
  /** What the vector has for it. */
  weight: number
}

/**
 * Turns texts into weights of the tokens of a vocabulary, most of which are 0: SPLADE (a masked language model whose logits are pooled), and stored
 * weights of tokens, which need no network ("inference-free" queries). Vectors of one model are compared by `dot` and searched with `topK`.
 *
 * - Masked language model and SpladePooling: each logit `x` gives `ln(1 + max(x, 0))`, or with `activation_function: "log1p_relu"` the same of that
 *   once more; of a text's tokens the largest counts, or with `pooling_strategy: "sum"` their sum (sentence-transformers 6.2, `SpladePooling`).
 * - SparseStaticEmbedding: the stored weight of each token that the text has, once however often; no special tokens.
 * - Router: each of `embed`, `embedQuery` and `embedDocument` goes the way that `router_config.json` has for it.
 * - A masked language model without `modules.json`: SpladePooling with `max` and `relu`; `info().assumed` says so.
 */
export declare class SparseEmbedder extends Model {
  /**
   * Reads no file: what can only be known by looking fails when the model is loaded.
   * @throws {TypeError} for a name or an option of the wrong form.
   */
  constructor(model: ModelName, options?: SparseEmbedderOptions)
  /** A loaded sparse embedder. */
  static load<T extends typeof SparseEmbedder>(this: T, model: ModelName, options?: SparseEmbedderOptions): Promise<InstanceType<T>>

  /**
   * One vector for a text, or one for each text of a list, in order. No number of it is 0. `[]` gives `[]` and loads nothing; a text may have no numbers
   * at all. Every vector has its own memory. No prompt is used unless the options or the model's default name one.
   * @throws {VecrankError} ERR_TOO_LONG, ERR_NUMERIC, ERR_OVERLOADED, ERR_DISPOSED and those of `load()`; ERR_MODEL_UNSUPPORTED where the model has no way
   * for such a call
   */
  embed(text: string, options?: SparseEmbedOptions): Promise<SparseVector>
  embed(texts: readonly string[], options?: SparseEmbedOptions): Promise<SparseVector[]>
  embed(texts: string | readonly string[], options?: SparseEmbedOptions): Promise<SparseVector | SparseVector[]>

  /** As `embed`, the model's way for queries, with the prompt named `query`. */
  embedQuery(text: string, options?: SparseEmbedOptions): Promise<SparseVector>
  embedQuery(texts: readonly string[], options?: SparseEmbedOptions): Promise<SparseVector[]>
  embedQuery(texts: string | readonly string[], options?: SparseEmbedOptions): Promise<SparseVector | SparseVector[]>

  /** As `embed`, the model's way for documents, with the first of the prompts `document`, `passage`, `corpus` that is not empty. */
  embedDocument(text: string, options?: SparseEmbedOptions): Promise<SparseVector>
  embedDocument(texts: readonly string[], options?: SparseEmbedOptions): Promise<SparseVector[]>
  embedDocument(texts: string | readonly string[], options?: SparseEmbedOptions): Promise<SparseVector | SparseVector[]>

  /**
   * The tokens of a vector of this model, heaviest first; of equal ones the lower index first. Answers at once, so the model must be loaded: by
   * `load()`, or a call before it.
   * @throws {TypeError} for what is no sparse vector or has an index that the vocabulary does not have, and where the model is not loaded.
   * @throws {VecrankError} ERR_DISPOSED
   */
  decode(vector: SparseVector): TokenWeight[]
}
