'use strict'

/**
 * The classes of models by name: families of networks that read texts, with what stands on top of them. They differ in nothing but their names; what a
 * model is, its files say.
 */

const { PreTrainedModel } = require('./model.js')

/** The base of a family, for `instanceof`. */
function family(name) {
  const { [name]: Class } = { [name]: class extends PreTrainedModel {} }
  return Class
}

/** A family with a head. `modelType` is what `config.json` calls the family. */
function model(name, Base, modelType, head) {
  const { [name]: Class } = {
    [name]: class extends Base {
      static modelType = modelType
      static head = head
    },
  }
  return Class
}

const backbone = (name, Base, type) => model(name, Base, type, 'backbone')
const masked = (name, Base, type) => model(name, Base, type, 'masked-lm')
const labels = (name, Base, type) => model(name, Base, type, 'classifier')
const tokens = (name, Base, type) => model(name, Base, type, 'token-classifier')

exports.AlbertPreTrainedModel = family('AlbertPreTrainedModel')
exports.AlbertModel = backbone('AlbertModel', exports.AlbertPreTrainedModel, 'albert')
exports.AlbertForMaskedLM = masked('AlbertForMaskedLM', exports.AlbertPreTrainedModel, 'albert')
exports.AlbertForSequenceClassification = labels('AlbertForSequenceClassification', exports.AlbertPreTrainedModel, 'albert')

exports.BertPreTrainedModel = family('BertPreTrainedModel')
exports.BertModel = backbone('BertModel', exports.BertPreTrainedModel, 'bert')
exports.BertForMaskedLM = masked('BertForMaskedLM', exports.BertPreTrainedModel, 'bert')
exports.BertForSequenceClassification = labels('BertForSequenceClassification', exports.BertPreTrainedModel, 'bert')
exports.BertForTokenClassification = tokens('BertForTokenClassification', exports.BertPreTrainedModel, 'bert')

exports.CamembertPreTrainedModel = family('CamembertPreTrainedModel')
exports.CamembertModel = backbone('CamembertModel', exports.CamembertPreTrainedModel, 'camembert')
exports.CamembertForMaskedLM = masked('CamembertForMaskedLM', exports.CamembertPreTrainedModel, 'camembert')
exports.CamembertForSequenceClassification = labels('CamembertForSequenceClassification', exports.CamembertPreTrainedModel, 'camembert')
exports.CamembertForTokenClassification = tokens('CamembertForTokenClassification', exports.CamembertPreTrainedModel, 'camembert')

exports.ConvBertPreTrainedModel = family('ConvBertPreTrainedModel')
exports.ConvBertModel = backbone('ConvBertModel', exports.ConvBertPreTrainedModel, 'convbert')
exports.ConvBertForMaskedLM = masked('ConvBertForMaskedLM', exports.ConvBertPreTrainedModel, 'convbert')
exports.ConvBertForSequenceClassification = labels('ConvBertForSequenceClassification', exports.ConvBertPreTrainedModel, 'convbert')
exports.ConvBertForTokenClassification = tokens('ConvBertForTokenClassification', exports.ConvBertPreTrainedModel, 'convbert')

exports.DebertaPreTrainedModel = family('DebertaPreTrainedModel')
exports.DebertaModel = backbone('DebertaModel', exports.DebertaPreTrainedModel, 'deberta')
exports.DebertaForMaskedLM = masked('DebertaForMaskedLM', exports.DebertaPreTrainedModel, 'deberta')
exports.DebertaForSequenceClassification = labels('DebertaForSequenceClassification', exports.DebertaPreTrainedModel, 'deberta')
exports.DebertaForTokenClassification = tokens('DebertaForTokenClassification', exports.DebertaPreTrainedModel, 'deberta')

exports.DebertaV2PreTrainedModel = family('DebertaV2PreTrainedModel')
exports.DebertaV2Model = backbone('DebertaV2Model', exports.DebertaV2PreTrainedModel, 'deberta-v2')
exports.DebertaV2ForMaskedLM = masked('DebertaV2ForMaskedLM', exports.DebertaV2PreTrainedModel, 'deberta-v2')
exports.DebertaV2ForSequenceClassification = labels('DebertaV2ForSequenceClassification', exports.DebertaV2PreTrainedModel, 'deberta-v2')
exports.DebertaV2ForTokenClassification = tokens('DebertaV2ForTokenClassification', exports.DebertaV2PreTrainedModel, 'deberta-v2')

exports.DistilBertPreTrainedModel = family('DistilBertPreTrainedModel')
exports.DistilBertModel = backbone('DistilBertModel', exports.DistilBertPreTrainedModel, 'distilbert')
exports.DistilBertForMaskedLM = masked('DistilBertForMaskedLM', exports.DistilBertPreTrainedModel, 'distilbert')
exports.DistilBertForSequenceClassification = labels('DistilBertForSequenceClassification', exports.DistilBertPreTrainedModel, 'distilbert')
exports.DistilBertForTokenClassification = tokens('DistilBertForTokenClassification', exports.DistilBertPreTrainedModel, 'distilbert')

exports.ElectraPreTrainedModel = family('ElectraPreTrainedModel')
exports.ElectraModel = backbone('ElectraModel', exports.ElectraPreTrainedModel, 'electra')
exports.ElectraForMaskedLM = masked('ElectraForMaskedLM', exports.ElectraPreTrainedModel, 'electra')
exports.ElectraForSequenceClassification = labels('ElectraForSequenceClassification', exports.ElectraPreTrainedModel, 'electra')
exports.ElectraForTokenClassification = tokens('ElectraForTokenClassification', exports.ElectraPreTrainedModel, 'electra')

exports.EsmPreTrainedModel = family('EsmPreTrainedModel')
exports.EsmModel = backbone('EsmModel', exports.EsmPreTrainedModel, 'esm')
exports.EsmForMaskedLM = masked('EsmForMaskedLM', exports.EsmPreTrainedModel, 'esm')
exports.EsmForSequenceClassification = labels('EsmForSequenceClassification', exports.EsmPreTrainedModel, 'esm')
exports.EsmForTokenClassification = tokens('EsmForTokenClassification', exports.EsmPreTrainedModel, 'esm')

exports.EuroBertPreTrainedModel = family('EuroBertPreTrainedModel')
exports.EuroBertModel = backbone('EuroBertModel', exports.EuroBertPreTrainedModel, 'eurobert')
exports.EuroBertForMaskedLM = masked('EuroBertForMaskedLM', exports.EuroBertPreTrainedModel, 'eurobert')
exports.EuroBertForSequenceClassification = labels('EuroBertForSequenceClassification', exports.EuroBertPreTrainedModel, 'eurobert')
exports.EuroBertForTokenClassification = tokens('EuroBertForTokenClassification', exports.EuroBertPreTrainedModel, 'eurobert')

exports.MPNetPreTrainedModel = family('MPNetPreTrainedModel')
exports.MPNetModel = backbone('MPNetModel', exports.MPNetPreTrainedModel, 'mpnet')
exports.MPNetForMaskedLM = masked('MPNetForMaskedLM', exports.MPNetPreTrainedModel, 'mpnet')
exports.MPNetForSequenceClassification = labels('MPNetForSequenceClassification', exports.MPNetPreTrainedModel, 'mpnet')
exports.MPNetForTokenClassification = tokens('MPNetForTokenClassification', exports.MPNetPreTrainedModel, 'mpnet')

exports.MobileBertPreTrainedModel = family('MobileBertPreTrainedModel')
exports.MobileBertModel = backbone('MobileBertModel', exports.MobileBertPreTrainedModel, 'mobilebert')
exports.MobileBertForMaskedLM = masked('MobileBertForMaskedLM', exports.MobileBertPreTrainedModel, 'mobilebert')
exports.MobileBertForSequenceClassification = labels('MobileBertForSequenceClassification', exports.MobileBertPreTrainedModel, 'mobilebert')

exports.ModernBertPreTrainedModel = family('ModernBertPreTrainedModel')
exports.ModernBertModel = backbone('ModernBertModel', exports.ModernBertPreTrainedModel, 'modernbert')
exports.ModernBertForMaskedLM = masked('ModernBertForMaskedLM', exports.ModernBertPreTrainedModel, 'modernbert')
exports.ModernBertForSequenceClassification = labels('ModernBertForSequenceClassification', exports.ModernBertPreTrainedModel, 'modernbert')
exports.ModernBertForTokenClassification = tokens('ModernBertForTokenClassification', exports.ModernBertPreTrainedModel, 'modernbert')

exports.NeoBertPreTrainedModel = family('NeoBertPreTrainedModel')
exports.NeoBertModel = backbone('NeoBertModel', exports.NeoBertPreTrainedModel, 'neobert')
exports.NeoBertForMaskedLM = masked('NeoBertForMaskedLM', exports.NeoBertPreTrainedModel, 'neobert')
exports.NeoBertForSequenceClassification = labels('NeoBertForSequenceClassification', exports.NeoBertPreTrainedModel, 'neobert')
exports.NeoBertForTokenClassification = tokens('NeoBertForTokenClassification', exports.NeoBertPreTrainedModel, 'neobert')

exports.NomicBertPreTrainedModel = family('NomicBertPreTrainedModel')
exports.NomicBertModel = backbone('NomicBertModel', exports.NomicBertPreTrainedModel, 'nomic_bert')

exports.RoFormerPreTrainedModel = family('RoFormerPreTrainedModel')
exports.RoFormerModel = backbone('RoFormerModel', exports.RoFormerPreTrainedModel, 'roformer')
exports.RoFormerForMaskedLM = masked('RoFormerForMaskedLM', exports.RoFormerPreTrainedModel, 'roformer')
exports.RoFormerForSequenceClassification = labels('RoFormerForSequenceClassification', exports.RoFormerPreTrainedModel, 'roformer')
exports.RoFormerForTokenClassification = tokens('RoFormerForTokenClassification', exports.RoFormerPreTrainedModel, 'roformer')

exports.RobertaPreTrainedModel = family('RobertaPreTrainedModel')
exports.RobertaModel = backbone('RobertaModel', exports.RobertaPreTrainedModel, 'roberta')
exports.RobertaForMaskedLM = masked('RobertaForMaskedLM', exports.RobertaPreTrainedModel, 'roberta')
exports.RobertaForSequenceClassification = labels('RobertaForSequenceClassification', exports.RobertaPreTrainedModel, 'roberta')
exports.RobertaForTokenClassification = tokens('RobertaForTokenClassification', exports.RobertaPreTrainedModel, 'roberta')

exports.SqueezeBertPreTrainedModel = family('SqueezeBertPreTrainedModel')
exports.SqueezeBertModel = backbone('SqueezeBertModel', exports.SqueezeBertPreTrainedModel, 'squeezebert')
exports.SqueezeBertForMaskedLM = masked('SqueezeBertForMaskedLM', exports.SqueezeBertPreTrainedModel, 'squeezebert')
exports.SqueezeBertForSequenceClassification = labels('SqueezeBertForSequenceClassification', exports.SqueezeBertPreTrainedModel, 'squeezebert')

exports.XLMPreTrainedModel = family('XLMPreTrainedModel')
exports.XLMModel = backbone('XLMModel', exports.XLMPreTrainedModel, 'xlm')
exports.XLMWithLMHeadModel = masked('XLMWithLMHeadModel', exports.XLMPreTrainedModel, 'xlm')
exports.XLMForSequenceClassification = labels('XLMForSequenceClassification', exports.XLMPreTrainedModel, 'xlm')
exports.XLMForTokenClassification = tokens('XLMForTokenClassification', exports.XLMPreTrainedModel, 'xlm')

exports.XLMRobertaPreTrainedModel = family('XLMRobertaPreTrainedModel')
exports.XLMRobertaModel = backbone('XLMRobertaModel', exports.XLMRobertaPreTrainedModel, 'xlm-roberta')
exports.XLMRobertaForMaskedLM = masked('XLMRobertaForMaskedLM', exports.XLMRobertaPreTrainedModel, 'xlm-roberta')
exports.XLMRobertaForSequenceClassification = labels('XLMRobertaForSequenceClassification', exports.XLMRobertaPreTrainedModel, 'xlm-roberta')
exports.XLMRobertaForTokenClassification = tokens('XLMRobertaForTokenClassification', exports.XLMRobertaPreTrainedModel, 'xlm-roberta')

// Networks that read and write: only their labels are here.
exports.BartPretrainedModel = family('BartPretrainedModel')
exports.BartForSequenceClassification = labels('BartForSequenceClassification', exports.BartPretrainedModel, 'bart')
exports.MBartPreTrainedModel = family('MBartPreTrainedModel')
exports.MBartForSequenceClassification = labels('MBartForSequenceClassification', exports.MBartPreTrainedModel, 'mbart')

// Networks that write texts, as those that embed them are made of.
exports.Gemma3PreTrainedModel = family('Gemma3PreTrainedModel')
exports.Gemma3Model = backbone('Gemma3Model', exports.Gemma3PreTrainedModel, 'gemma3_text')
exports.LlamaPreTrainedModel = family('LlamaPreTrainedModel')
exports.LlamaModel = backbone('LlamaModel', exports.LlamaPreTrainedModel, 'llama')
exports.MistralPreTrainedModel = family('MistralPreTrainedModel')
exports.MistralModel = backbone('MistralModel', exports.MistralPreTrainedModel, 'mistral')
exports.Qwen2PreTrainedModel = family('Qwen2PreTrainedModel')
exports.Qwen2Model = backbone('Qwen2Model', exports.Qwen2PreTrainedModel, 'qwen2')
exports.Qwen3PreTrainedModel = family('Qwen3PreTrainedModel')
exports.Qwen3Model = backbone('Qwen3Model', exports.Qwen3PreTrainedModel, 'qwen3')

exports.PreTrainedModel = PreTrainedModel
