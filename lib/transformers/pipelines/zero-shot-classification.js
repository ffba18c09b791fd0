'use strict'

/** Texts to labels that the caller names, by a model that tells whether one text follows from another. */

const { flag, text } = require('../../checks.js')
const { expected } = require('../../errors.js')
const { isArray } = require('../../shape.js')
const { warn } = require('../environment.js')
const { softmax } = require('../maths.js')
const { optionsOf } = require('../settings.js')
const { logitsOf } = require('./logits.js')
const { Pipeline, listOf } = require('./pipeline.js')

const OPTIONS = { hypothesis_template: text, multi_label: flag }

class ZeroShotClassificationPipeline extends Pipeline {
  constructor(options) {
    super(options)
    const declared = Object.entries(this.model.config.label2id ?? {})
    this.label2id = Object.fromEntries(declared.map(([label, id]) => [label.toLowerCase(), id]))
    this.entailment_id = labelled(this.label2id, ['entailment'], 2)
    this.contradiction_id = labelled(this.label2id, ['contradiction', 'not_entailment'], 0)
  }

  async _call(texts, candidate_labels, options) {
    const { hypothesis_template = 'This example is {}.', multi_label = false } = optionsOf(options, OPTIONS)
    if (!hypothesis_template.includes('{}'))
      throw expected('a text with {} where the label stands', 'options.hypothesis_template', hypothesis_template)
    const premises = listOf(texts)
    const labels = listOf(candidate_labels, 'candidate_labels')
    const hypotheses = labels.map((label) => hypothesis_template.replace('{}', () => label))
    // All pairs at once, so that they run together.
    const pairs = premises.flatMap((premise) => hypotheses.map((hypothesis) => [premise, hypothesis]))
    const logits = await logitsOf(
      this,
      pairs.map(([premise]) => premise),
      pairs.map(([, hypothesis]) => hypothesis),
    )

    const results = premises.map((sequence, index) => {
      const rows = logits.slice(index * labels.length, (index + 1) * labels.length)
      const scores = multi_label || labels.length === 1 ? this.#each(rows) : softmax(rows.map((row) => row[this.entailment_id]))
      const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a])
      return { sequence, labels: order.map((place) => labels[place]), scores: order.map((place) => scores[place]) }
    })
    return isArray(texts) ? results : results[0]
  }

  /** Each label by itself: whether it follows, rather than its opposite. */
  #each(rows) {
    return rows.map((row) => softmax([row[this.contradiction_id], row[this.entailment_id]])[1])
  }
}

function labelled(ids, names, assumed) {
  const found = names.map((name) => ids[name]).find((id) => id !== undefined)
  if (found !== undefined) return found
  warn(
    `This model names no label ${names.map((name) => `"${name}"`).join(' or ')}; number ${assumed} is taken for it. Use a model for natural language inference.`,
  )
  return assumed
}

module.exports = { ZeroShotClassificationPipeline }
