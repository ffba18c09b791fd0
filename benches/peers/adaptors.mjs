// How each Node library is asked for vectors and scores, at its best: what an attentive user of it would write.
//
// An adaptor is `{ about, bulk(texts), one(text), scores(query, passages) }`. `bulk` and `scores` give one block of numbers, row by row.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

/** All cut texts here: Transformers.js does not read a model's own limit of 256. */
export const LIMIT = 512

/** From the model's own file. Neither Transformers.js nor fastembed reads it. */
function poolingOf(folder) {
  const config = JSON.parse(readFileSync(path.join(folder, '1_Pooling/config.json'), 'utf8'))
  return config.pooling_mode_cls_token ? 'cls' : 'mean'
}

const block = (rows) => {
  const data = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0))
  let at = 0
  for (const row of rows) {
    data.set(row, at)
    at += row.length
  }
  return data
}

function* batches(items, size) {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}

async function vecrank({ folder, task, dtype, engine }) {
  const { Embedder, Reranker } = await import('vecrank')
  const options = { dtype, maxLength: LIMIT, ...(engine === undefined ? {} : { engine }) }
  const model = await (task === 'embed' ? Embedder : Reranker).load(folder, options)
  const info = await model.info()
  if (engine !== undefined && info.engine !== engine) throw new Error(`engine '${engine}' was asked for, '${info.engine}' came`)
  const about = { dtype: info.dtype, engine: info.engine, onnxruntime: info.onnxruntime }
  if (task === 'embed') return { about, bulk: async (texts) => (await model.embedMany(texts)).data, one: (text) => model.embed(text) }
  return {
    about,
    async scores(query, passages) {
      const scores = new Float32Array(passages.length)
      for (const { index, score } of await model.rerank(query, passages)) scores[index] = score
      return scores
    },
  }
}

async function transformers({ folder, task, dtype, batch, peers }) {
  const entry = createRequire(path.join(peers, 'package.json')).resolve('@huggingface/transformers')
  const { AutoModelForSequenceClassification, AutoTokenizer, env, pipeline } = await import(pathToFileURL(entry).href)
  env.allowRemoteModels = false
  env.localModelPath = `${path.dirname(folder)}/`
  const name = path.basename(folder)
  const about = { dtype }
  if (task === 'embed') {
    const extract = await pipeline('feature-extraction', name, { dtype, device: 'cpu' })
    const options = { pooling: poolingOf(folder), normalize: true }
    return {
      about,
      async bulk(texts) {
        const parts = []
        for (const part of batches(texts, batch)) parts.push((await extract(part, options)).data)
        return block(parts)
      },
      one: async (text) => (await extract(text, options)).data,
    }
  }
  const tokenizer = await AutoTokenizer.from_pretrained(name)
  const model = await AutoModelForSequenceClassification.from_pretrained(name, { dtype, device: 'cpu' })
  return {
    about,
    async scores(query, passages) {
      const parts = []
      for (const part of batches(passages, batch)) {
        const inputs = tokenizer(new Array(part.length).fill(query), { text_pair: part, padding: true, truncation: true })
        parts.push((await model(inputs)).logits.data)
      }
      return block(parts)
    },
  }
}

async function fastembed({ folder, dtype, batch, peers }) {
  const { EmbeddingModel, FlagEmbedding } = createRequire(path.join(peers, 'package.json'))('fastembed')
  const model = await FlagEmbedding.init({
    model: EmbeddingModel.CUSTOM,
    modelAbsoluteDirPath: folder,
    modelName: dtype === 'q8' ? 'onnx/model_quantized.onnx' : 'onnx/model.onnx',
    maxLength: LIMIT,
  })
  const bulk = async (texts) => {
    const rows = []
    for await (const part of model.embed(texts, batch)) rows.push(...part)
    return block(rows)
  }
  return { about: { dtype }, bulk, one: (text) => bulk([text]) }
}

export const adaptors = { vecrank, transformers, fastembed }
