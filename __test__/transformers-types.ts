// Compiled, not run: what types/transformers.d.ts promises. `@ts-expect-error` lines fail to compile if the error is gone.

import {
  AutoModel,
  AutoModelForSequenceClassification,
  AutoTokenizer,
  BertModel,
  LogLevel,
  ModelFileNotFoundError,
  PreTrainedTokenizer,
  Tensor,
  cat,
  cos_sim,
  env,
  pipeline,
  random,
  softmax,
  topk,
  type FeatureExtractionPipeline,
  type ProgressInfo,
} from 'vecrank/transformers'

// @ts-expect-error: vecrank has no images
import { RawImage } from 'vecrank/transformers'

async function pipelines() {
  env.cacheDir = '/tmp'
  env.logLevel = LogLevel.ERROR
  env.backends.onnx.wasm.numThreads = 1
  // @ts-expect-error: a name that nobody knows
  env.cacheDirectory = '/tmp'

  const extractor: FeatureExtractionPipeline = await pipeline('feature-extraction', 'owner/name', {
    dtype: 'q8',
    device: 'webgpu',
    progress_callback: (event: ProgressInfo) => {
      if (event.status === 'progress') console.log(event.file, event.loaded / event.total)
      if (event.status === 'ready') console.log(event.task)
    },
  })
  const tensor: Tensor = await extractor(['a'], { pooling: 'mean', normalize: true })
  const row: Tensor = tensor[0]
  console.log(row.data, tensor.tolist(), tensor.dims, extractor.tokenizer('a').input_ids.dims)
  // @ts-expect-error: not a pooling of Transformers.js
  await extractor('a', { pooling: 'max' })
  // @ts-expect-error: not a task of vecrank
  await pipeline('text-generation')

  const classifier = await pipeline('sentiment-analysis')
  const [{ label, score }] = await classifier('a')
  const lists: { label: string; score: number }[][] = await classifier(['a', 'b'], { top_k: null })
  const [{ entity_group }] = await (await pipeline('ner'))('a', { aggregation_strategy: 'simple' })
  const [{ entity }] = await (await pipeline('token-classification'))('a')
  const { labels } = await (await pipeline('zero-shot-classification'))('a', ['b'])
  const [{ token_str }] = await (await pipeline('fill-mask'))('a [MASK]')
  const [{ index }] = await (await pipeline('text-ranking'))('a', ['b'])
  await extractor.dispose()
  return [label, score, lists, entity_group, entity, labels, token_str, index]
}

async function parts(queries: string[], docs: string[]) {
  const tokenizer = await AutoTokenizer.from_pretrained('owner/name')
  const model = await AutoModelForSequenceClassification.from_pretrained('owner/name', { dtype: 'fp32' })
  const inputs = tokenizer(queries, { text_pair: docs, padding: true, truncation: true })
  const { logits } = await model(inputs)
  const ids: number[] = tokenizer('a', { return_tensor: false }).input_ids
  const many: number[][] = tokenizer(['a'], { return_tensor: false }).input_ids
  const text: string = tokenizer.apply_chat_template([{ role: 'user', content: 'a' }], { tokenize: false })
  const { last_hidden_state } = await (await AutoModel.from_pretrained('owner/name'))(inputs)
  const bert: BertModel = await BertModel.from_pretrained('owner/name')
  const [values] = await topk(logits, 2)
  const own: PreTrainedTokenizer = tokenizer
  const joined = cat([last_hidden_state.mean(1), values.add(1)])
  random.seed(1)
  return [ids, many, text, bert.config.hidden_size, own, joined, softmax([1, 2]), cos_sim(logits.data, [1]), new random.Random(1)]
}

function errors(error: unknown) {
  if (error instanceof ModelFileNotFoundError) console.log(error.code, error.status)
}

export { RawImage, errors, parts, pipelines }
