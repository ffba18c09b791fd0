// BM25 and maxSim against loops in plain JavaScript. Each side's outputs are compared before anything is timed; they take turns round by round.
//
//   node benches/search.mjs [--documents 100000] [--rounds 9]
//
// Documents are cuts of 20 to 120 words of the passages in ../shared/data beside the repository, else in examples/data.

import { existsSync, readFileSync } from 'node:fs'
import os from 'node:os'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { Bm25, SparseMatrix, chunk, maxSim, topK } from 'vecrank'

const { values } = parseArgs({ options: { documents: { type: 'string', default: '100000' }, rounds: { type: 'string', default: '9' } } })
const count = Number(values.documents)
const rounds = Number(values.rounds)

let state = 1
const random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32)
const whole = (below) => Math.floor(random() * below)

// ---------- texts --------------------------------------------------------------------------------------------------------

const shared = new URL('../../shared/data/passages.json', import.meta.url)
const data = JSON.parse(readFileSync(existsSync(shared) ? shared : new URL('../examples/data/passages.json', import.meta.url), 'utf8'))
const passages = (data.passages ?? data).map((passage) => passage.text ?? passage)
const words = passages.join(' ').split(/\s+/)
const documents = Array.from({ length: count }, () => {
  const from = whole(words.length - 120)
  return words.slice(from, from + 20 + whole(101)).join(' ')
})
const queries = Array.from({ length: 50 }, () => {
  const from = whole(words.length - 6)
  return words.slice(from, from + 2 + whole(5)).join(' ')
})

// ---------- the plain loops ----------------------------------------------------------------------------------------------

const tokensOf = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []

/** Counts a corpus: for each document its terms' counts and its length, and how many documents have each term. */
function plainFit(texts) {
  const frequencies = new Map()
  let total = 0
  const counted = texts.map((text) => {
    const tokens = tokensOf(text)
    const counts = new Map()
    for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1)
    for (const token of counts.keys()) frequencies.set(token, (frequencies.get(token) ?? 0) + 1)
    total += tokens.length
    return { counts, length: tokens.length }
  })
  return { counted, frequencies, mean: total / texts.length }
}

/** Scores every document, as the formula is written. */
function plainSearch({ counted, frequencies, mean }, query, k) {
  const terms = tokensOf(query)
  const idf = terms.map((term) => Math.log(1 + (counted.length - (frequencies.get(term) ?? 0) + 0.5) / ((frequencies.get(term) ?? 0) + 0.5)))
  const scores = new Float64Array(counted.length)
  for (let row = 0; row < counted.length; row++) {
    const { counts, length } = counted[row]
    let score = 0
    for (let at = 0; at < terms.length; at++) {
      const f = counts.get(terms[at])
      if (f !== undefined) score += (idf[at] * f) / (f + 1.5 * (0.25 + (0.75 * length) / mean))
    }
    scores[row] = score
  }
  return best(scores, k)
}

/** Multiplies sparse vectors by a table of the query's numbers: the fastest loop that we found over vectors as objects. */
function plainVectors(table, query, vectors, k) {
  query.indices.forEach((index, at) => (table[index] = query.values[at]))
  const scores = new Float64Array(vectors.length)
  for (let row = 0; row < vectors.length; row++) {
    const { indices, values } = vectors[row]
    let score = 0
    for (let at = 0; at < indices.length; at++) score += table[indices[at]] * values[at]
    scores[row] = score
  }
  query.indices.forEach((index) => (table[index] = 0))
  return best(scores, k)
}

/** The vectors by their indices, as one would write that by hand. */
function plainPostings(vectors, terms) {
  const lists = Array.from({ length: terms }, () => ({ rows: [], values: [] }))
  vectors.forEach(({ indices, values }, row) => {
    indices.forEach((index, at) => {
      lists[index].rows.push(row)
      lists[index].values.push(values[at])
    })
  })
  return lists.map(({ rows, values }) => ({ rows: Uint32Array.from(rows), values: Float32Array.from(values) }))
}

function plainIndexed(lists, query, count, k) {
  const scores = new Float64Array(count)
  query.indices.forEach((index, place) => {
    const { rows, values } = lists[index]
    const weight = query.values[place]
    for (let at = 0; at < rows.length; at++) scores[rows[at]] += weight * values[at]
  })
  return best(scores, k)
}

/** The best of many scores: only those that are better than the worst that is kept are put in their place. */
function best(scores, k) {
  const kept = []
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index]
    if (kept.length === k && score <= kept[k - 1].score) continue
    if (kept.length === k) kept.pop()
    let place = kept.length
    while (place > 0 && kept[place - 1].score < score) place--
    kept.splice(place, 0, { index, score })
  }
  return kept
}

function plainMaxSim(query, document) {
  const width = query.dimensions
  let score = 0
  for (let q = 0; q < query.rows; q++) {
    let most = -Infinity
    for (let d = 0; d < document.rows; d++) {
      let sum = 0
      for (let at = 0; at < width; at++) sum += query.data[q * width + at] * document.data[d * width + at]
      if (sum > most) most = sum
    }
    score += most
  }
  return score
}

// ---------- measuring ----------------------------------------------------------------------------------------------------

/** Runs the contenders in turn, prints each, and the ratio to the last one. */
async function compare(title, unit, contenders, turns = rounds) {
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
  for (let round = 0; round <= turns; round++) {
    for (const [name, work] of Object.entries(contenders)) {
      globalThis.gc?.()
      const start = performance.now()
      await work()
      // The first round warms up.
      if (round > 0) times[name].push(performance.now() - start)
    }
  }
  const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1]
  const slowest = median(Object.values(times).at(-1))
  console.log(title)
  for (const [name, list] of Object.entries(times)) {
    const [of, least, most] = [median(list), Math.min(...list), Math.max(...list)].map((ms) => ms / unit.count)
    console.log(`  ${name.padEnd(44)} ${of.toFixed(3).padStart(10)} ms ${unit.name} (${least.toFixed(3)} to ${most.toFixed(3)})  ${(slowest / median(list)).toFixed(1)}×`)
  }
}

function equal(found, expected, what) {
  const near = (a, b) => Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b))
  if (found.length !== expected.length || !found.every((value, at) => near(value, expected[at]))) throw new Error(`${what}: the outputs differ`)
}

const cpus = os.cpus()
console.log(`machine     ${cpus[0]?.model.trim()}, ${os.availableParallelism()} of ${cpus.length} CPUs, node ${process.version}`)
console.log(`parameters  ${JSON.stringify({ documents: count, rounds })}; medians, least to most\n`)

// ---------- BM25 ---------------------------------------------------------------------------------------------------------

const bm25 = Bm25.fit(documents)
// The same tokens on both sides.
const byTokens = Bm25.fit(documents, { tokenize: tokensOf })
const plain = plainFit(documents)
const vectors = byTokens.encodeDocument(documents)
const matrix = new SparseMatrix(vectors)
const encoded = queries.map((query) => byTokens.encodeQuery(query))
const table = new Float64Array(plain.frequencies.size)
const lists = plainPostings(vectors, plain.frequencies.size)
for (const [at, query] of encoded.entries()) {
  const expected = plainSearch(plain, queries[at], 10)
  const others = { matrix: topK(query, matrix, 10), array: topK(query, vectors, 10), table: plainVectors(table, query, vectors, 10), postings: plainIndexed(lists, query, count, 10) }
  for (const [name, found] of Object.entries(others)) {
    equal(found.map(({ score }) => score), expected.map(({ score }) => score), `query ${at}, ${name}`)
  }
}
console.log(`${count} documents, ${plain.mean.toFixed(0)} tokens in the mean, ${plain.frequencies.size} terms; ${queries.length} queries of 2 to 6 words`)

await compare('search, the best 10 of all, a query (its encoding included)', { count: queries.length, name: 'a query' }, {
  'topK(encodeQuery(query), SparseMatrix)': () => queries.forEach((query) => topK(byTokens.encodeQuery(query), matrix, 10)),
  'topK(encodeQuery(query), array of vectors)': () => queries.forEach((query) => topK(byTokens.encodeQuery(query), vectors, 10)),
  'an index in plain JavaScript': () => queries.forEach((query) => plainIndexed(lists, byTokens.encodeQuery(query), count, 10)),
  'plain loop over vectors, by a table': () => queries.forEach((query) => plainVectors(table, byTokens.encodeQuery(query), vectors, 10)),
  'plain loop over documents, by the formula': () => queries.forEach((query) => plainSearch(plain, query, 10)),
}, 5)
await compare('building, all documents', { count: 1, name: '' }, {
  'Bm25.fit': () => Bm25.fit(documents),
  'Bm25.fit with tokenize': () => Bm25.fit(documents, { tokenize: tokensOf }),
  'encodeDocument of all': () => bm25.encodeDocument(documents),
  'new SparseMatrix': () => new SparseMatrix(vectors),
  'an index in plain JavaScript': () => plainPostings(vectors, plain.frequencies.size),
  'plain loop: tokens and counts': () => plainFit(documents),
}, 3)

// ---------- maxSim -------------------------------------------------------------------------------------------------------

const numbers = (rows, dimensions) => ({ data: Float32Array.from({ length: rows * dimensions }, () => random() * 2 - 1), rows, dimensions })
const late = numbers(32, 128)
const candidates = Array.from({ length: 200 }, () => numbers(120 + whole(121), 128))
equal(maxSim(late, candidates), candidates.map((document) => plainMaxSim(late, document)), 'maxSim')
await compare('\nmaxSim, a query of 32 vectors with 200 documents of 120 to 240, 128 dimensions', { count: candidates.length, name: 'a document' }, {
  'maxSim(query, documents)': () => maxSim(late, candidates),
  'maxSim(query, document), one by one': () => candidates.map((document) => maxSim(late, document)),
  'plain loop': () => candidates.map((document) => plainMaxSim(late, document)),
})

// ---------- chunk() ------------------------------------------------------------------------------------------------------

const paragraphs = passages.join('\n\n')
const prose = `${paragraphs}\n\n`.repeat(Math.ceil(1e7 / paragraphs.length)).slice(0, 1e7)
const shapes = { prose, 'one endless word': 'a'.repeat(1e7), blanks: ' '.repeat(1e7), CJK: '東京は日本の首都です。大きな都市である。'.repeat(5e5), 'line breaks': '\n'.repeat(1e7) }
console.log('\nchunk(), 10 million characters, all-MiniLM-L6-v2, 256 tokens a chunk')
for (const [shape, text] of Object.entries(shapes)) {
  await chunk('a', { maxTokens: 256 })
  const before = performance.eventLoopUtilization()
  const start = performance.now()
  const chunks = await chunk(text, { maxTokens: 256 })
  const busy = performance.eventLoopUtilization(before).active
  console.log(`  ${shape.padEnd(44)} ${(performance.now() - start).toFixed(0).padStart(10)} ms, of these ${busy.toFixed(0)} ms on the JavaScript thread; ${chunks.length} chunks`)
}
