'use strict'

/** What models give, by the names of their heads. */

class ModelOutput {}

class BaseModelOutput extends ModelOutput {
  constructor({ last_hidden_state, hidden_states = null, attentions = null }) {
    super()
    Object.assign(this, { last_hidden_state, hidden_states, attentions })
  }
}

class SequenceClassifierOutput extends ModelOutput {
  constructor({ logits }) {
    super()
    this.logits = logits
  }
}

class TokenClassifierOutput extends ModelOutput {
  constructor({ logits }) {
    super()
    this.logits = logits
  }
}

class MaskedLMOutput extends ModelOutput {
  constructor({ logits }) {
    super()
    this.logits = logits
  }
}

module.exports = { BaseModelOutput, MaskedLMOutput, ModelOutput, SequenceClassifierOutput, TokenClassifierOutput }
