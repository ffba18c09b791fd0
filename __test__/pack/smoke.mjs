// What every program of these tests does with the package, and how its answer is judged: against vectors and scores of sentence-transformers.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../fixtures.mjs'

export const MODELS = ['vecrank-model-all-minilm-l6-v2', 'vecrank-model-reranker-mini']
/** For programs that must find everything in what was installed: a model that is looked for on the Hub is an error then. */
export const OFFLINE = { HF_HUB_OFFLINE: '1' }
export const QUERY = 'How do plants make sugar?'
export const TEXTS = ['Leaves turn light into sugar.', 'The train leaves at nine.', 'Bread needs yeast.']

/** The body of a program: it has `embed` and `rerank` already and prints one line of JSON. */
export const BODY = `
;(async () => {
  const vector = await embed(${JSON.stringify(QUERY)})
  const ranking = await rerank(${JSON.stringify(QUERY)}, ${JSON.stringify(TEXTS)})
  console.log(JSON.stringify({ vector: Array.from(vector), ranking }))
})()
`
export const ESM = `import { embed, rerank } from 'vecrank'\n${BODY}`
export const COMMONJS = `const { embed, rerank } = require('vecrank')\n${BODY}`

/** Throws unless the last line that the program printed is the right answer. */
export function assertAnswer({ stdout }) {
  const { vector, ranking } = JSON.parse(stdout.trim().split('\n').at(-1))
  const expected = golden()
  assertVector(vector)
  assert.deepEqual(
    ranking.map(({ index }) => index),
    expected.order,
  )
  for (const { index, score } of ranking)
    assert.ok(Math.abs(score - expected.scores[index]) < 0.6, `document ${index}: ${score} for ${expected.scores[index]}`)
}

/** Throws unless it is the vector of QUERY, as far as weights in int8 allow. */
export function assertVector(vector) {
  const likeness = cosine(vector, golden().vector)
  assert.ok(likeness > 0.98, `the vector's cosine to that of sentence-transformers is ${likeness}`)
}

function golden() {
  return JSON.parse(readFileSync(join(root, '__test__', 'pack', 'golden.json'), 'utf8'))
}

function cosine(a, b) {
  assert.equal(a.length, b.length)
  const dot = (x, y) => x.reduce((sum, value, index) => sum + value * y[index], 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}
