// How far a quantised model's numbers depend on what they are computed with: each passage alone and among all others, by the bundled
// models. The figures of README, "Quantised models and batches". `node benches/neighbours.mjs`, after `npm run build`.

import { readFileSync } from 'node:fs'
import { Embedder, Reranker, cosineSimilarity } from 'vecrank'

const read = (name) => JSON.parse(readFileSync(new URL(`../examples/data/${name}.json`, import.meta.url), 'utf8'))[name]
const passages = read('passages').map(({ text }) => text)
const questions = read('questions').map(({ question }) => question)
const sorted = (values) => Float64Array.from(values).sort()
const placesOf = (scores) => [...scores.keys()].sort((a, b) => scores[b] - scores[a])

const reranker = await Reranker.load('vecrank-model-reranker-mini')
const differences = []
const logits = []
let changed = 0
let best = 0
for (const question of questions) {
  const together = await reranker.score(passages.map((passage) => [question, passage]))
  const alone = []
  for (const passage of passages) alone.push(...(await reranker.score([[question, passage]])))
  alone.forEach((score, index) => differences.push(Math.abs(score - together[index])))
  logits.push(...alone)
  const [before, after] = [placesOf(alone), placesOf(together)]
  changed += before.slice(0, 10).some((index, place) => index !== after[place])
  best += before[0] !== after[0]
}
const spread = sorted(differences)
console.log(`reranker: ${questions.length} questions, ${passages.length} passages each, logits from ${sorted(logits)[0].toFixed(2)} to ${sorted(logits).at(-1).toFixed(2)}`)
console.log(`  a logit moves by ${spread[spread.length >> 1].toFixed(3)} in the median, ${spread.at(-1).toFixed(3)} at most`)
console.log(`  of the first ten places some change in ${changed} of ${questions.length} rankings, the first one in ${best}`)

const embedder = await Embedder.load('vecrank-model-all-minilm-l6-v2')
const together = await embedder.embed(passages)
const cosines = []
for (const [index, passage] of passages.entries()) cosines.push(cosineSimilarity(await embedder.embed(passage), together[index]))
console.log(`embedder: cosine ${sorted(cosines)[cosines.length >> 1].toFixed(4)} in the median, ${sorted(cosines)[0].toFixed(4)} at least`)
