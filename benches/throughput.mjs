// Texts a second, delay of the event loop, cost of long texts. Prints the machine and every parameter: a figure without them is no figure.
//
//   node benches/throughput.mjs [--texts 1000] [--dtype q8] [--rounds 3] [--model FOLDER] [--no-fp32]
//
// The texts come from ../shared/data/bench.json beside the repository, else from examples/data. The outputs are checked before anything is
// timed: rows of a float model must equal the vectors of lone texts.

import { existsSync, readFileSync } from 'node:fs'
import os from 'node:os'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { Embedder, Reranker, cosineSimilarity } from 'vecrank'
import { watched } from './watched.mjs'

const { values } = parseArgs({
  options: {
    texts: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
    dtype: { type: 'string', default: 'q8' },
    model: { type: 'string' },
    threads: { type: 'string' },
    'no-fp32': { type: 'boolean', default: false },
  },
})
const limit = Number(values.texts)
const rounds = Number(values.rounds)
const threads = values.threads === undefined ? undefined : Number(values.threads)

const beside = (name) => new URL(`../../shared/${name}`, import.meta.url)
const json = (url) => JSON.parse(readFileSync(url, 'utf8'))

function load() {
  if (existsSync(beside('data/bench.json'))) return json(beside('data/bench.json'))
  console.log('../shared/data/bench.json is not here; the passages of examples/data take its place')
  const { passages } = json(new URL('../examples/data/passages.json', import.meta.url))
  const long = passages.map(({ text }) => text)
  const words = long.map((text) => text.split(' '))
  return { long, mixed: words.map((of, index) => of.slice(0, 2 + ((index * 37) % 200)).join(' ')), short: words.map((of) => of.slice(0, 11).join(' ')) }
}

/** The best of some rounds, as other work on the machine only ever makes one slower; and the worst delay of all of them. */
async function measure(name, count, work) {
  const results = []
  for (let round = 0; round < rounds; round++) results.push(await watched(work))
  const best = Math.min(...results.map(({ ms }) => ms))
  const speeds = results.map(({ ms }) => (count / ms) * 1000)
  console.log(
    `  ${name.padEnd(34)} ${Math.max(...speeds).toFixed(1).padStart(8)} texts/s  ${best.toFixed(0).padStart(7)} ms   ` +
      `loop p99 ${Math.max(...results.map(({ p99 }) => p99)).toFixed(1)} ms, max ${Math.max(...results.map(({ most }) => most)).toFixed(1)} ms`,
  )
}

const data = load()
const cpus = os.cpus()
console.log(`machine     ${cpus[0]?.model.trim()}, ${os.availableParallelism()} of ${cpus.length} CPUs, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB, ${os.type()} ${os.release()}`)
console.log(`versions    node ${process.version}, vecrank ${json(new URL('../package.json', import.meta.url)).version}`)
console.log(`parameters  ${JSON.stringify({ texts: limit, rounds, threads: threads ?? 'default' })}; best of the rounds, worst delay\n`)

const models = [[values.model ?? 'vecrank-model-all-minilm-l6-v2', values.dtype]]
const fp32 = beside('models/all-MiniLM-L6-v2/onnx/model.onnx')
if (!values['no-fp32'] && values.model === undefined) {
  if (existsSync(fp32)) models.push([new URL('..', fp32).href, 'fp32'])
  else console.log('fp32: ../shared/models is not here\n')
}

for (const [model, dtype] of models) {
  const embedder = new Embedder(model, { dtype, threads })
  const loading = await watched(() => embedder.load())
  const info = await embedder.info()
  console.log(`${info.model} ${info.dtype}, ${info.dimensions} dimensions, ${info.maxLength} tokens, onnxruntime ${info.onnxruntime}; loaded in ${loading.ms.toFixed(0)} ms (loop max ${loading.most.toFixed(1)} ms)`)

  const probe = data.mixed.slice(0, 20)
  const rows = await embedder.embed(probe)
  for (let index = 0; index < probe.length; index++) {
    const likeness = cosineSimilarity(rows[index], await embedder.embed(probe[index]))
    // Dynamic int8 scales to its batch, so there a row is only near the lone vector.
    if (!(likeness >= (info.dtype === 'fp32' ? 0.99999 : 0.9))) throw new Error(`text ${index}: a row and the lone vector have cosine ${likeness}`)
  }

  for (const name of ['mixed', 'short', 'long']) {
    const texts = data[name].slice(0, limit)
    await measure(`${name}, embedMany of ${texts.length}`, texts.length, () => embedder.embedMany(texts))
  }
  const lone = data.mixed.slice(0, Math.min(limit, 300))
  await measure(`mixed, ${lone.length} calls at once`, lone.length, () => Promise.all(lone.map((text) => embedder.embed(text))))
  await measure(`mixed, ${lone.length} calls one by one`, lone.length, async () => {
    for (const text of lone) await embedder.embed(text)
  })

  console.log('  one text of 10 MB, truncated on the right:')
  const units = { words: data.long[0], punctuation: '!?.,:;()-[]{}', cjk: '東京は日本の首都です。', code: 'for (let i = 0; i < n; i++) {\n  swap(a, b, i);\n}\n' }
  for (const [name, unit] of Object.entries(units)) {
    // Flattened first: a string that `repeat` makes is a tree until someone reads it.
    const text = Buffer.from(unit.repeat(Math.ceil(1e7 / unit.length)).slice(0, 1e7), 'utf16le').toString('utf16le')
    const results = []
    for (let round = 0; round < rounds; round++) {
      await new Promise((resolve) => setImmediate(resolve))
      const start = performance.now()
      const before = performance.eventLoopUtilization()
      await embedder.embed(text)
      // What the loop was not idle: converting the text, and delivering the vector.
      results.push({ all: performance.now() - start, busy: performance.eventLoopUtilization(before).active })
    }
    const most = (key) => Math.max(...results.map((result) => result[key]))
    console.log(`  ${name.padEnd(34)} ${most('all').toFixed(1).padStart(8)} ms, of these ${most('busy').toFixed(1)} ms on the JavaScript thread (worst round)`)
  }
  await embedder.dispose()
  console.log()
}

const reranker = new Reranker(undefined, { threads })
const info = await reranker.info()
console.log(`${info.model} ${info.dtype}, ${info.maxLength} tokens`)
const documents = data.mixed.slice(0, Math.min(limit, 200))
await measure(`${documents.length} documents, one query`, documents.length, () => reranker.rerank(data.short[0], documents))
