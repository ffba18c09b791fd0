/** Long texts in chunks. */

import type { EmbedderOptions } from './embedder'
import type { Model, ModelName } from './model'

/** Options of `chunk`. */
export interface ChunkOptions {
  /** Whose tokens are counted: a model's name (an embedder's, as for `embed`) or an instance of any class of models. Default: that of `Embedder`. */
  model?: ModelName | Model
  /** Options of the model. Not with an instance. Shared with `embed`: equal models with equal options are loaded once. */
  load?: EmbedderOptions
  /**
   * Tokens that a chunk may have, special tokens included. What a prompt of the model or a chat's template adds is not. Default: the model's longest
   * document, less what these add; more is allowed, and is cut by a model that reads less. A reranker's query takes from it too: leave room for it.
   */
  maxTokens?: number
  /**
   * With how many tokens of the chunk before a chunk may begin, special tokens not included: whole sentences where one fits, else whole words.
   * Less than half of `maxTokens`. @default 0
   */
  overlap?: number
  /** Rejects with its reason and ends the work. */
  signal?: AbortSignal
}

/** A part of a text. */
export interface Chunk {
  /** `original.slice(start, end)`: without white space at its ends. */
  text: string
  /** Its first UTF-16 unit. */
  start: number
  /** Behind its last one. */
  end: number
  /** As the model's tokenizer counts it alone, special tokens included. */
  tokens: number
}

/**
 * Cuts a text into chunks that a model can take whole: none has more than `maxTokens` tokens, and nothing is lost but white space between them. A
 * chunk ends with the last paragraph that fits (blank lines part them); where not even one does, with the last sentence, else the last word, else the
 * last grapheme cluster, else the last character. Sentences are those of Unicode (UAX #29, where a line break ends one), words end where a line may
 * end (UAX #14), else at the word boundaries of UAX #29.
 *
 * The work is done away from the JavaScript thread, in steps between which other calls have their turn; its time is linear in the text.
 * @throws {TypeError} Also where `maxTokens` does not hold the model's special tokens and one more.
 * @throws {VecrankError} ERR_TOO_LONG where a single character has more tokens than a chunk may have, or the text more than the model's
 * `maxInputChars`; those of loading the model
 */
export declare function chunk(text: string, options?: ChunkOptions): Promise<Chunk[]>
