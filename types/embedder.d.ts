/** Texts to vectors. */

import { Model } from './model'
import type { CallOptions, ModelName, ModelOptions, Pooling, Truncation } from './model'

/** Options of an embedder. What is not set is what the model's own files say. */
export interface EmbedderOptions extends ModelOptions {
  /** How token vectors become one vector. Default: what the model's files say; where they say nothing, `mean` (a decoder: `last`). */
  pooling?: Pooling
  /** Scale vectors to length 1. Default: what the model's `modules.json` says; a model without that file is not normalised. */
  normalize?: boolean
  /** Prompts by name, in place of those of the model's files. */
  prompts?: Readonly<Record<string, string>>
}

/**
 * Form of a vector. `int8` and `uint8` scale each value between `ranges`; `binary` and `ubinary` keep one bit a value (greater than zero), eight to
 * a byte, first value in the highest bit, `binary` less 128. Byte for byte as `quantize_embeddings` of sentence-transformers.
 */
export type Output = 'float32' | 'int8' | 'uint8' | 'binary' | 'ubinary'

/** The array that holds a vector of an output type. */
export type Vector<O extends Output = 'float32'> = {
  float32: Float32Array
  int8: Int8Array
  uint8: Uint8Array
  binary: Int8Array
  ubinary: Uint8Array
}[O]

/** Options of `embedStream`, and all of `embed` but its progress. */
export interface StreamOptions<O extends Output = Output> extends CallOptions {
  /** Name of a prompt to put before each text. An unknown name is `ERR_INVALID_ARG`. Not together with `promptText`. */
  prompt?: string
  /** The text to put before each text, at most `maxInputChars` long. Not together with `prompt`. */
  promptText?: string
  /** Scale vectors to length 1, in place of the model's rule. */
  normalize?: boolean
  /** Pooling for this call, in place of the model's. */
  pooling?: Pooling
  /** Keep the first values only (Matryoshka), 1 to the model's dimensions; scaled to length 1 after the cut only where `normalize` holds. */
  dimensions?: number
  /** Form of the vectors. @default 'float32' */
  output?: O
  /** Smallest and largest value of each dimension, finite, one per dimension kept, none below its smallest. Needed for `int8` and `uint8`, refused for others. */
  ranges?: { min: Float32Array; max: Float32Array }
  /** For this call, in place of the model's option. */
  truncation?: Truncation
  /** Tokens a text for this call, in place of the model's option. */
  maxLength?: number
}

/** Options of `embed`, `embedQuery`, `embedDocument` and `embedMany`. */
export interface EmbedOptions<O extends Output = Output> extends StreamOptions<O> {
  /** Called with the number of texts done and of all texts, as parts finish. What it throws ends the call. */
  onProgress?: (done: number, total: number) => void
}

/** Many embeddings in one block of memory. */
export interface Embeddings<O extends Output = 'float32'> {
  /** All rows, one after the other. */
  readonly data: Vector<O>
  /** Number of texts. */
  readonly rows: number
  /** Values in a vector, before bits are packed; 0 if there are no rows. */
  readonly dimensions: number
  /** Tokens that were fed to the network. */
  readonly tokens: number
  /** Texts that were cut to `maxLength`. */
  readonly truncated: number
  /** Row `index` as a view of `data`, not a copy. @throws {TypeError} for a row that is not there. */
  row(index: number): Vector<O>
}

/** Turns texts into vectors. */
export declare class Embedder extends Model {
  /**
   * Reads no file: what can only be known by looking fails when the model is loaded.
   * @param model Default: `VECRANK_EMBEDDER`, else the package `vecrank-model-all-minilm-l6-v2` where it is installed, else
   * `sentence-transformers/all-MiniLM-L6-v2` on the Hub.
   * @throws {TypeError} for a name or an option of the wrong form.
   */
  constructor(model?: ModelName, options?: EmbedderOptions)
  /** A loaded embedder. */
  static load<T extends typeof Embedder>(this: T, model?: ModelName, options?: EmbedderOptions): Promise<InstanceType<T>>

  /**
   * One vector for a text, or one for each text of a list, in order. `[]` gives `[]` and loads nothing. An empty string is a text; a lone
   * surrogate is read as U+FFFD. Every vector has its own memory. No prompt is used unless the options or the model's default name one.
   * @throws {VecrankError} ERR_TOO_LONG, ERR_NUMERIC, ERR_OVERLOADED, ERR_DISPOSED and those of `load()`
   */
  embed<O extends Output = 'float32'>(text: string, options?: EmbedOptions<O>): Promise<Vector<O>>
  embed<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedOptions<O>): Promise<Vector<O>[]>
  embed<O extends Output = 'float32'>(texts: string | readonly string[], options?: EmbedOptions<O>): Promise<Vector<O> | Vector<O>[]>

  /** As `embed`, with the model's prompt named `query`. */
  embedQuery<O extends Output = 'float32'>(text: string, options?: EmbedOptions<O>): Promise<Vector<O>>
  embedQuery<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedOptions<O>): Promise<Vector<O>[]>
  embedQuery<O extends Output = 'float32'>(texts: string | readonly string[], options?: EmbedOptions<O>): Promise<Vector<O> | Vector<O>[]>

  /** As `embed`, with the first of the prompts `document`, `passage`, `corpus` that is not empty. */
  embedDocument<O extends Output = 'float32'>(text: string, options?: EmbedOptions<O>): Promise<Vector<O>>
  embedDocument<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedOptions<O>): Promise<Vector<O>[]>
  embedDocument<O extends Output = 'float32'>(texts: string | readonly string[], options?: EmbedOptions<O>): Promise<Vector<O> | Vector<O>[]>

  /** As `embed`, for many texts: one block of memory instead of one array for each. */
  embedMany<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedOptions<O>): Promise<Embeddings<O>>

  /**
   * Embeddings of a source of any length, in order and in bounded memory (about 256 texts are read ahead). Leaving the loop closes the source
   * and drops waiting work; while it waits for a source that gives nothing, only a `signal` ends it. An error of the source, or a value that is not a string, comes after the embeddings of the texts before it.
   */
  embedStream<O extends Output = 'float32'>(
    source: Iterable<string> | AsyncIterable<string>,
    options?: StreamOptions<O>,
  ): AsyncGenerator<{ index: number; embedding: Vector<O> }, void, undefined>

  /**
   * Tokens of each text as the model's tokenizer reads it alone, special tokens included, before truncation; without a prompt, and without the template
   * of a model that reads chats. Reads every text to its end.
   */
  tokenCounts(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Uint32Array>
}
