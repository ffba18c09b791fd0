/** Texts to spans with labels: names, places, and whatever else a model tags. */

import { Model } from './model'
import type { CallOptions, ModelName, ModelOptions } from './model'

/** Options of a `TokenClassifier`: those of all models, but for `truncation`, as nothing is cut. `maxLength` bounds a window. */
export type TokenClassifierOptions = Omit<ModelOptions, 'truncation'>

/** A part of a text with a label. */
export interface LabelSpan {
  /**
   * The label's name: with `aggregation: 'none'` as the model's `id2label` has it (`B-PER`), else without what stands before its first hyphen (`PER`),
   * as the reference has it.
   */
  label: string
  /** From 0 to 1: the softmax of a token's labels, or the mean over the tokens or words of the span. */
  score: number
  /** Where it begins, in UTF-16 units of the text as it was passed. */
  start: number
  /** Where it ends; this unit does not belong to it. */
  end: number
  /** The text itself: `original.slice(start, end)`. */
  text: string
}

/** Options of `TokenClassifier.classify`. */
export interface TokenClassifyOptions extends CallOptions {
  /**
   * How labels of tokens become spans; rules and numbers are those of transformers' `aggregation_strategy`.
   *
   * - `'simple'`: tokens that follow each other with the same label are one span; `B-` begins another.
   * - `'first'`, `'max'`, `'average'`: words first, each with one label: that of its first token, of its token with the best score, or the best of its
   *   tokens' mean scores. Then words as in `'simple'`. Tokens are joined to words where the tokenizer marks the continuation of a word (BERT's `##`);
   *   elsewhere (RoBERTa, XLM-RoBERTa) a word is what stands between spaces, its punctuation included.
   * - `'none'`: every token is a span.
   * @default 'simple'
   */
  aggregation?: 'simple' | 'first' | 'average' | 'max' | 'none'
  /** Names that the result leaves out, as the result would have them: `['O', 'PER']`. `[]` leaves out nothing. @default ['O'] */
  ignore?: readonly string[]
  /** Tokens of a window for this call, in place of the model's option. */
  maxLength?: number
}

/**
 * Finds spans in texts: named entities, personal data, parts of speech.
 *
 * Nothing is cut: a text that has more tokens than the model takes runs in windows that overlap by a quarter. Each token's scores are those of the window
 * that has the most context on its poorer side, and spans are made of all tokens together, so one that reaches over a window's edge is one span. A
 * text that fits is one window, which is the reference's result.
 */
export declare class TokenClassifier extends Model {
  /**
   * Reads no file: what can only be known by looking fails when the model is loaded.
   * @throws {TypeError} for a name or an option of the wrong form.
   */
  constructor(model: ModelName, options?: TokenClassifierOptions)
  /** A loaded token classifier. */
  static load<T extends typeof TokenClassifier>(this: T, model: ModelName, options?: TokenClassifierOptions): Promise<InstanceType<T>>

  /**
   * The spans of a text, or of each text of a list, in the order of the text. They overlap only where the tokenizer makes several tokens with different
   * labels of the same character. `[]` gives `[]` and loads nothing; a text without tokens has no spans.
   * @throws {VecrankError} ERR_NUMERIC, ERR_TOO_LONG (more than `maxInputChars`), ERR_OVERLOADED, ERR_DISPOSED and those of `load()`
   */
  classify(text: string, options?: TokenClassifyOptions): Promise<LabelSpan[]>
  classify(texts: readonly string[], options?: TokenClassifyOptions): Promise<LabelSpan[][]>
}
