// Everything that the addon gives out as typed arrays, as JSON: for hosts that make them in another way.

import { Embedder, Reranker, topK } from 'vecrank'

const texts = ['How do plants make sugar?', 'Leaves turn light into sugar.', '']
const embedder = new Embedder()
const reranker = new Reranker()
const plain = (array) => ({ type: array.constructor.name, values: Array.from(array) })
const { dimensions } = await embedder.info()
const ranges = { min: new Float32Array(dimensions).fill(-0.2), max: new Float32Array(dimensions).fill(0.2) }

const result = {
  counts: plain(await embedder.tokenCounts(texts)),
  scores: plain(await reranker.score(texts.map((text) => [texts[0], text]))),
}
for (const output of ['float32', 'int8', 'uint8', 'binary', 'ubinary']) {
  const options = output.endsWith('int8') ? { output, ranges } : { output }
  result[output] = plain(await embedder.embed(texts[0], options))
  result[`${output}, many`] = plain((await embedder.embedMany(texts, options)).data)
  result[`${output}, list`] = (await embedder.embed(texts, options)).map(plain)
}
result.nearest = topK(new Float32Array(result.float32.values), await embedder.embedMany(texts), 2)
result.ranking = await reranker.rerank(texts[0], texts)
console.log(JSON.stringify(result))
