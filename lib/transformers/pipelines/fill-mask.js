'use strict'

/** What a masked language model puts in place of a mask. */

const { read } = require('../../checks.js')
const { argumentError } = require('../../errors.js')
const { isArray } = require('../../shape.js')
const { topk } = require('../algebra.js')
const { softmax } = require('../maths.js')
const { Tensor } = require('../tensor.js')
const { Pipeline, inputsOf, listOf, topK } = require('./pipeline.js')

const OPTIONS = { top_k: topK }

class FillMaskPipeline extends Pipeline {
  async _call(texts, options) {
    const { top_k = 5 } = read(options ?? undefined, OPTIONS)
    const { mask_token, mask_token_id } = this.tokenizer
    const list = listOf(texts)
    const inputs = await inputsOf(this, list)
    const rows = inputs.input_ids.tolist()
    const places = rows.map((ids) => ids.findIndex((id) => Number(id) === mask_token_id))
    const without = places.indexOf(-1)
    // Before the network runs for nothing.
    if (without !== -1) throw argumentError(`The text ${JSON.stringify(list[without])} has no mask: put ${mask_token} where the word is sought.`)
    const { logits } = await this.model(inputs)
    const results = await Promise.all(rows.map((ids, row) => this.#filled(ids, places[row], logits[row][places[row]].data, top_k)))
    return isArray(texts) ? results : results[0]
  }

  async #filled(ids, place, logits, top_k) {
    const [scores, tokens] = await topk(new Tensor('float32', softmax(logits), [logits.length]), Math.min(top_k, logits.length))
    return Array.from(tokens.data, (token, rank) => ({
      score: scores.data[rank],
      token: Number(token),
      token_str: this.tokenizer.decode([token]),
      sequence: this.tokenizer.decode(ids.with(place, token), { skip_special_tokens: true }),
    }))
  }
}

module.exports = { FillMaskPipeline }
