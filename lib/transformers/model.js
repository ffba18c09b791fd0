'use strict'

/**
 * Models that are called with tensors: `await model(tokenizer(text))`. `config` is what their files say of them; the network behind is vecrank's, and
 * belongs to all models of the process with equal options.
 */

const path = require('node:path')
const { argumentError } = require('../errors.js')
const { exists } = require('../exists.js')
const { isObject } = require('../shape.js')
const { Callable } = require('./callable.js')
const { forward } = require('./network.js')
const { MaskedLMOutput, SequenceClassifierOutput, TokenClassifierOutput } = require('./outputs.js')

/** What a head is called, whether it gives numbers for each token, whether these are states of the network, and what a program gets. */
const HEADS = {
  backbone: { isPerToken: true, isState: true, output: (tensor) => ({ last_hidden_state: tensor }) },
  classifier: { isPerToken: false, output: (logits) => new SequenceClassifierOutput({ logits }) },
  'token-classifier': { isPerToken: true, output: (logits) => new TokenClassifierOutput({ logits }) },
  'masked-lm': { isPerToken: true, output: (logits) => new MaskedLMOutput({ logits }) },
}
// Loaded for more than their network, which is one of the above.
HEADS.embedder = HEADS.backbone
HEADS.reranker = HEADS.classifier

class PreTrainedModel extends Callable {
  main_input_name = 'input_ids'
  forward_params = ['input_ids', 'attention_mask', 'token_type_ids']
  can_generate = false
  generation_config = null
  sessions = {}

  /**
   * @param config the model's PretrainedConfig
   * @param network `{ handle, head, folder }`: an open model of vecrank's, the kind of its head, where its files are
   */
  constructor(config, network) {
    super()
    if (!isObject(network) || HEADS[network.head] === undefined) {
      throw argumentError('A model is made from its files: use AutoModel.from_pretrained(name), or the class for its head.')
    }
    this.config = config
    this.custom_config = config['transformers.js_config'] ?? {}
    Object.defineProperty(this, 'network', { value: network })
  }

  async _call(inputs) {
    return this.forward(inputs)
  }

  async forward(inputs) {
    const { handle, head, folder } = this.network
    const { output, ...form } = HEADS[head]
    const result = output(await forward(handle, inputs, form))
    return HEADS[head] === HEADS.backbone && exists(path.join(folder, 'modules.json')) ? withoutEmbedding(result) : result
  }

  async generate() {
    throw argumentError(
      'generate() is not in vecrank: it does not write texts. Use @huggingface/transformers, which works beside vecrank in one program.',
    )
  }

  /** Gives the network back. It stays as long as another model of the process uses it. */
  async dispose() {
    await this.network.handle.dispose()
    return []
  }
}

/**
 * A model of sentence-transformers may have a graph that gives whole embeddings. They are not computed here, and a program that takes something
 * else in their place would go on with other vectors.
 */
function withoutEmbedding(result) {
  return Object.defineProperty(result, 'sentence_embedding', {
    get() {
      throw argumentError(
        'The output sentence_embedding is not in vecrank: AutoModel gives last_hidden_state. For embeddings as the files of the model say, use ' +
          "pipeline('feature-extraction', name) with `pooling`, or vecrank's Embedder.",
      )
    },
    // Not seen by those who only look at what there is.
    enumerable: false,
    configurable: true,
  })
}

module.exports = { HEADS, PreTrainedModel }
