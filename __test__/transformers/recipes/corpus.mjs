// A corpus to a file of vectors, batch by batch, and a search in it.

import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { finished } from 'node:stream/promises'
import { cos_sim, env, pipeline } from 'vecrank/transformers'

env.localModelPath = process.env.MODELS
env.allowRemoteModels = false

const corpus = ['The quick brown fox jumps.', 'Water flows down the river.', 'Paris is in France.', 'a', 'People live in the city.']
const file = process.env.OUTPUT

const extractor = await pipeline('feature-extraction', 'zoo/bert-mean', { dtype: 'fp32' })
const out = createWriteStream(file)
for (let i = 0; i < corpus.length; i += 2) {
  const output = await extractor(corpus.slice(i, i + 2), { pooling: 'mean', normalize: true })
  out.write(Buffer.from(output.data.buffer, output.data.byteOffset, output.data.byteLength))
}
out.end()
await finished(out)

const buffer = await readFile(file)
const embeddings = new Float32Array(buffer.buffer, buffer.byteOffset, buffer.byteLength / 4)
const dim = embeddings.length / corpus.length
const query = (await extractor('Where is Paris?', { pooling: 'mean', normalize: true })).data
const scores = corpus.map((_, i) => cos_sim(query, embeddings.subarray(i * dim, (i + 1) * dim)))

await extractor.dispose()
console.log(JSON.stringify({ bytes: buffer.byteLength, dim, scores, first: Array.from(embeddings.subarray(0, dim)) }))
