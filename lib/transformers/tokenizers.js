'use strict'

/** The classes of tokenizers by name. They differ in two defaults; everything else is in the tokenizer's files. */

const { PreTrainedTokenizer } = require('./tokenizer.js')

/** A class of its own for each name, so that `instanceof` tells them apart. */
function named(name, { returnsTypeIds = false, paddingSide = 'right' } = {}) {
  const { [name]: Class } = {
    [name]: class extends PreTrainedTokenizer {
      static returnsTypeIds = returnsTypeIds
      static paddingSide = paddingSide
    },
  }
  return Class
}

const TYPED = { returnsTypeIds: true }

exports.AlbertTokenizer = named('AlbertTokenizer', TYPED)
exports.BartTokenizer = named('BartTokenizer')
exports.BertTokenizer = named('BertTokenizer', TYPED)
exports.BloomTokenizer = named('BloomTokenizer')
exports.CLIPTokenizer = named('CLIPTokenizer')
exports.CamembertTokenizer = named('CamembertTokenizer')
exports.CodeGenTokenizer = named('CodeGenTokenizer')
exports.CodeLlamaTokenizer = named('CodeLlamaTokenizer')
exports.CohereTokenizer = named('CohereTokenizer')
exports.ConvBertTokenizer = named('ConvBertTokenizer', TYPED)
exports.DebertaTokenizer = named('DebertaTokenizer', TYPED)
exports.DebertaV2Tokenizer = named('DebertaV2Tokenizer', TYPED)
exports.DistilBertTokenizer = named('DistilBertTokenizer')
exports.ElectraTokenizer = named('ElectraTokenizer', TYPED)
exports.EsmTokenizer = named('EsmTokenizer')
exports.FalconTokenizer = named('FalconTokenizer')
exports.GPT2Tokenizer = named('GPT2Tokenizer')
exports.GPTNeoXTokenizer = named('GPTNeoXTokenizer')
exports.GemmaTokenizer = named('GemmaTokenizer')
exports.HerbertTokenizer = named('HerbertTokenizer', TYPED)
exports.LlamaTokenizer = named('LlamaTokenizer', { paddingSide: 'left' })
exports.MPNetTokenizer = named('MPNetTokenizer')
exports.MobileBertTokenizer = named('MobileBertTokenizer', TYPED)
exports.Qwen2Tokenizer = named('Qwen2Tokenizer')
exports.RoFormerTokenizer = named('RoFormerTokenizer', TYPED)
exports.RobertaTokenizer = named('RobertaTokenizer')
exports.SiglipTokenizer = named('SiglipTokenizer')
exports.SqueezeBertTokenizer = named('SqueezeBertTokenizer', TYPED)
exports.T5Tokenizer = named('T5Tokenizer')
exports.XLMRobertaTokenizer = named('XLMRobertaTokenizer')
exports.XLMTokenizer = named('XLMTokenizer', TYPED)

exports.PreTrainedTokenizer = PreTrainedTokenizer
exports.TokenizersBackend = PreTrainedTokenizer
