'use strict'

/** `pipeline(task, model, options)`: everything that a task needs, loaded. */

const { argumentError, expected } = require('../errors.js')
const { headsOf, Loading } = require('./loading.js')
const { FeatureExtractionPipeline } = require('./pipelines/feature-extraction.js')
const { FillMaskPipeline } = require('./pipelines/fill-mask.js')
const { TextClassificationPipeline } = require('./pipelines/text-classification.js')
const { TextRankingPipeline } = require('./pipelines/text-ranking.js')
const { TokenClassificationPipeline } = require('./pipelines/token-classification.js')
const { ZeroShotClassificationPipeline } = require('./pipelines/zero-shot-classification.js')
const { whileLooking } = require('./repository.js')

/** Each task: its class, the heads that its model may have, and the model where none is named. */
const TASKS = {
  'feature-extraction': [FeatureExtractionPipeline, (config) => ['embedder', ...headsOf(config)], 'onnx-community/all-MiniLM-L6-v2-ONNX'],
  'text-classification': [TextClassificationPipeline, () => ['classifier'], 'Xenova/distilbert-base-uncased-finetuned-sst-2-english'],
  'token-classification': [TokenClassificationPipeline, () => ['token-classifier'], 'Xenova/bert-base-multilingual-cased-ner-hrl'],
  'zero-shot-classification': [ZeroShotClassificationPipeline, () => ['classifier'], 'Xenova/distilbert-base-uncased-mnli'],
  'fill-mask': [FillMaskPipeline, () => ['masked-lm'], 'onnx-community/ettin-encoder-32m-ONNX'],
  'text-ranking': [TextRankingPipeline, () => ['reranker'], 'cross-encoder/ms-marco-MiniLM-L6-v2'],
}
const ALIASES = { embeddings: 'feature-extraction', 'sentiment-analysis': 'text-classification', ner: 'token-classification' }

/** Tasks of Transformers.js that vecrank has not. */
const LACKING = [
  'audio-classification',
  'asr',
  'automatic-speech-recognition',
  'background-removal',
  'depth-estimation',
  'document-question-answering',
  'image-classification',
  'image-feature-extraction',
  'image-segmentation',
  'image-to-image',
  'image-to-text',
  'object-detection',
  'question-answering',
  'summarization',
  'text-generation',
  'text-to-audio',
  'text-to-speech',
  'text2text-generation',
  'translation',
  'zero-shot-audio-classification',
  'zero-shot-image-classification',
  'zero-shot-object-detection',
]

async function pipeline(given, model, options) {
  const task = ALIASES[given] ?? given
  const known = Object.keys(TASKS)
  if (typeof given === 'string' && LACKING.includes(given.split('_', 1)[0])) {
    throw argumentError(
      `The task ${given} is not in vecrank/transformers, which has ${known.join(', ')}. For it use @huggingface/transformers, which works beside vecrank in one program.`,
    )
  }
  if (!Object.hasOwn(TASKS, task))
    throw expected(`one of ${[...known, ...Object.keys(ALIASES)].map((name) => `"${name}"`).join(', ')}`, 'task', given)
  const [Pipeline, heads, standard] = TASKS[task]
  return whileLooking(async () => {
    const name = model ?? standard
    const loading = new Loading(name, options, true)
    const tokenizer = await loading.tokenizer()
    const config = await loading.config()
    const loaded = await loading.model(config, heads(config))
    loading.events.ready(task, name)
    return new Pipeline({ task, model: loaded, tokenizer })
  })
}

module.exports = { pipeline }
