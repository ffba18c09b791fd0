'use strict'

/**
 * `vecrank/transformers`: the face of Transformers.js over vecrank, for programs that change one import. Names, arguments and results are those of
 * @huggingface/transformers 4.3.1; docs/transformers.md says what differs and why. `types/transformers.d.ts` is the reference.
 *
 * One literal object: Node's scanner for named imports reads names and spread requires in it, and nothing that is computed.
 */

// First of all: what follows is of no use to a bundle that cannot require it.
require('./lib/bundle.js').assertRequire()

const { layer_norm, matmul, mean, mean_pooling, permute, quantize_embeddings, slice, std_mean, topk } = require('./lib/transformers/algebra.js')
const {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
} = require('./lib/transformers/auto.js')
const { AutoConfig, PretrainedConfig } = require('./lib/transformers/configuration.js')
const { cat, full, full_like, ones, ones_like, rand, randn, stack, zeros, zeros_like } = require('./lib/transformers/creation.js')
const { LogLevel, env } = require('./lib/transformers/environment.js')
const { cos_sim, dot, log_softmax, softmax } = require('./lib/transformers/maths.js')
const { BaseModelOutput, MaskedLMOutput, ModelOutput, SequenceClassifierOutput, TokenClassifierOutput } = require('./lib/transformers/outputs.js')
const { pipeline } = require('./lib/transformers/pipeline.js')
const { FeatureExtractionPipeline } = require('./lib/transformers/pipelines/feature-extraction.js')
const { FillMaskPipeline } = require('./lib/transformers/pipelines/fill-mask.js')
const { Pipeline } = require('./lib/transformers/pipelines/pipeline.js')
const { TextClassificationPipeline } = require('./lib/transformers/pipelines/text-classification.js')
const { TextRankingPipeline } = require('./lib/transformers/pipelines/text-ranking.js')
const { TokenClassificationPipeline } = require('./lib/transformers/pipelines/token-classification.js')
const { ZeroShotClassificationPipeline } = require('./lib/transformers/pipelines/zero-shot-classification.js')
const { random } = require('./lib/transformers/random.js')
const { ModelFileNotFoundError } = require('./lib/transformers/repository.js')
const { Tensor } = require('./lib/transformers/tensor.js')

module.exports = {
  ...require('./lib/transformers/lacking.js'),
  ...require('./lib/transformers/families.js'),
  ...require('./lib/transformers/tokenizers.js'),
  env,
  LogLevel,

  pipeline,
  FeatureExtractionPipeline,
  FillMaskPipeline,
  Pipeline,
  TextClassificationPipeline,
  TextRankingPipeline,
  TokenClassificationPipeline,
  ZeroShotClassificationPipeline,

  AutoConfig,
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  BaseModelOutput,
  MaskedLMOutput,
  ModelFileNotFoundError,
  ModelOutput,
  PretrainedConfig,
  SequenceClassifierOutput,
  TokenClassifierOutput,

  Tensor,
  cat,
  full,
  full_like,
  layer_norm,
  matmul,
  mean,
  mean_pooling,
  ones,
  ones_like,
  permute,
  quantize_embeddings,
  rand,
  randn,
  slice,
  stack,
  std_mean,
  topk,
  zeros,
  zeros_like,

  cos_sim,
  dot,
  log_softmax,
  softmax,
  random,
}
