/** Texts, or pairs of texts, to labels. */

import { Model } from './model'
import type { CallOptions, ModelName, ModelOptions, Truncation } from './model'

/** A label and its score. */
export interface LabelScore {
  /** The label's name in the model's `id2label`; `LABEL_0` and so on where it has none. */
  label: string
  /** Higher is better: from 0 to 1, or with `activation: 'none'` (and for a regression) the raw logit. */
  score: number
}

/** What is classified: a text, or a text with a second one, for models that were made for pairs (such as natural language inference). */
export type ClassifierInput = string | { readonly text: string; readonly pair?: string }

/** Options of `Classifier.classify`. */
export interface ClassifyOptions extends CallOptions {
  /** Labels of each text to give, the best ones, at least 1. Default: all. */
  topK?: number
  /**
   * What makes scores of logits. `'default'`: as the reference's pipeline, by the model's `problem_type`: nothing for a regression, a sigmoid for several
   * labels at a time and for a single label, else a softmax over all labels. `'none'`: the raw logits.
   * @default 'default'
   */
  activation?: 'default' | 'softmax' | 'sigmoid' | 'none'
  /** Tokens of a text, or of a pair, for this call, in place of the model's option. */
  maxLength?: number
  /** For this call, in place of the model's option. A pair that is too long loses tokens of its longer text first. */
  truncation?: Truncation
}

/** Classifies texts and pairs of texts: sequence classification, with one label a text or several. */
export declare class Classifier extends Model {
  /**
   * Reads no file: what can only be known by looking fails when the model is loaded.
   * @throws {TypeError} for a name or an option of the wrong form.
   */
  constructor(model: ModelName, options?: ModelOptions)
  /** A loaded classifier. */
  static load<T extends typeof Classifier>(this: T, model: ModelName, options?: ModelOptions): Promise<InstanceType<T>>

  /**
   * The labels of a text, or of each input of a list, best first; equal scores keep the order of the labels. `[]` gives `[]` and loads nothing.
   * @throws {VecrankError} ERR_TOO_LONG, ERR_NUMERIC, ERR_INVALID_ARG for a text without tokens where the tokenizer adds none, ERR_OVERLOADED, ERR_DISPOSED and those of `load()`
   */
  classify(input: ClassifierInput, options?: ClassifyOptions): Promise<LabelScore[]>
  classify(inputs: readonly ClassifierInput[], options?: ClassifyOptions): Promise<LabelScore[][]>
}
