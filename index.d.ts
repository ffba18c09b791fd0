/**
 * Local text embeddings and reranking.
 *
 * Wrong arguments give a `TypeError` with `code: 'ERR_INVALID_ARG'`; everything else that fails gives a {@link VecrankError}. Methods that
 * return a promise never throw: they reject. An option set to `undefined` is absent; an unknown option is refused. Options whose type is
 * {@link NotInThisVersion} belong to the contract and are refused with `ERR_INVALID_ARG` until they are built.
 *
 * The types need those of Node (`@types/node`), or `lib: ["dom"]`, for `AbortSignal` and `URL`.
 *
 * @packageDocumentation
 */

/// <reference lib="esnext.disposable" />

import { Embedder } from './types/embedder'
import type { EmbedOptions, EmbedderOptions, Output, Vector } from './types/embedder'
import type { ModelName, ModelOptions } from './types/model'
import { Reranker } from './types/reranker'
import type { Document, RankedDocument, RerankOptions } from './types/reranker'

export * from './types/chunk'
export * from './types/classifier'
export * from './types/embedder'
export * from './types/errors'
export * from './types/hardware'
export * from './types/late-embedder'
export type {
  CallOptions,
  DType,
  Device,
  DownloadProgress,
  Engine,
  ModelInfo,
  ModelName,
  ModelOptions,
  NotInThisVersion,
  Pooling,
  ProviderPlugin,
  SparseWay,
  Truncation,
} from './types/model'
export * from './types/reranker'
export * from './types/search'
export * from './types/sparse-embedder'
export * from './types/token-classifier'

// ---------- the two-line way --------------------------------------------------------------------------------------------

/** Options of the function `embed`. */
export interface EmbedFunctionOptions<O extends Output = Output> extends EmbedOptions<O> {
  /**
   * A model's name, or an embedder. Default: that of `Embedder`. If the files of its folder were replaced since the last call, they are
   * loaded anew; calls in flight end with the old ones.
   */
  model?: ModelName | Embedder
  /** Options of the model. Not with an embedder. Calls with an equal model and equal options share one instance of the process. */
  load?: EmbedderOptions
}

/** Options of the function `rerank`. */
export interface RerankFunctionOptions extends RerankOptions {
  /** A model's name, or a reranker. Default: that of `Reranker`. Files of a folder that were replaced are loaded anew, as for `embed`. */
  model?: ModelName | Reranker
  /** Options of the model. Not with a reranker. Calls with an equal model and equal options share one instance of the process. */
  load?: ModelOptions
}

/** As `Embedder.embed`, on an instance of the process that is made with the first call. */
export declare function embed<O extends Output = 'float32'>(text: string, options?: EmbedFunctionOptions<O>): Promise<Vector<O>>
export declare function embed<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedFunctionOptions<O>): Promise<Vector<O>[]>
export declare function embed<O extends Output = 'float32'>(
  texts: string | readonly string[],
  options?: EmbedFunctionOptions<O>,
): Promise<Vector<O> | Vector<O>[]>

/** As `Reranker.rerank`, on an instance of the process that is made with the first call. */
export declare function rerank<D extends Document>(
  query: string,
  documents: readonly D[],
  options: RerankFunctionOptions & { returnDocuments: true },
): Promise<Required<RankedDocument<D>>[]>
export declare function rerank<D extends Document>(
  query: string,
  documents: readonly D[],
  options?: RerankFunctionOptions,
): Promise<RankedDocument<D>[]>

/**
 * Gives back the models behind the functions `embed`, `rerank` and `chunk`, those of this thread; resolves when that is done. Instances of
 * {@link Embedder} and {@link Reranker} that the program made are not touched. The next call of a function loads anew. Calls in flight settle
 * with their result or with `ERR_DISPOSED`.
 */
export declare function dispose(): Promise<void>

// ---------- what is elsewhere ---------------------------------------------------------------------------------------------

/** Is in `vecrank/transformers`: rejects with `ERR_INVALID_ARG`, which says so. */
export declare function pipeline(task: string, model?: string, options?: object): Promise<never>
