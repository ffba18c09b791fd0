// The way around the pipeline for rerankers: the tokenizer and the model by themselves, and the logits.

import { AutoModelForSequenceClassification, AutoTokenizer, env } from 'vecrank/transformers'

env.localModelPath = process.env.MODELS
env.allowRemoteModels = false

const model_id = 'zoo/bert-ranker-1'
const model = await AutoModelForSequenceClassification.from_pretrained(model_id)
const tokenizer = await AutoTokenizer.from_pretrained(model_id)

const query = 'How many people live in Berlin?'
const docs = ['Three and a half million people live in Berlin.', 'Mix flour, water and salt.', 'Berlin']
const queries = new Array(docs.length).fill(query)

const inputs = tokenizer(queries, { text_pair: docs, padding: true, truncation: true })
const outputs = await model(inputs)
const scores = Array.from(outputs.logits.data)
const ranked = scores.map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score)

console.log(
  JSON.stringify({ scores, dims: outputs.logits.dims, ranked: ranked.map(({ index }) => index), probabilities: outputs.logits.sigmoid().tolist() }),
)
