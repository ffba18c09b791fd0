// vecrank beside its peers on the same texts and the same ONNX file: texts a second, latency of a lone text, delay of the event loop, memory.
//
//   node benches/peers.mjs --models ../shared/models --peers FOLDER [--python PYTHON --python-model FOLDER] [--texts 300] [--rounds 5]
//
// FOLDER is where `npm install --ignore-scripts @huggingface/transformers` was run; PYTHON has sentence-transformers, whose weights are in
// --python-model (fp32 only). All cut texts at 512 tokens: Transformers.js does not read the model's own limit of 256. Each contender is a process of
// its own that loads once. Their vectors are compared before anything is timed; then they take turns, round by round. A contender whose vectors do
// not agree is named and not timed.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { timed } from './timed.mjs'

const here = fileURLToPath(import.meta.url)
const { values } = parseArgs({
  options: {
    models: { type: 'string', default: path.join(here, '../../../shared/models') },
    peers: { type: 'string' },
    python: { type: 'string' },
    'python-model': { type: 'string' },
    texts: { type: 'string', default: '300' },
    rounds: { type: 'string', default: '5' },
    contender: { type: 'string' },
    dtype: { type: 'string' },
  },
})
const models = path.resolve(values.models)
const MODEL = 'all-MiniLM-L6-v2'
const LIMIT = 512
const texts = JSON.parse(readFileSync(path.join(models, '../data/bench.json'), 'utf8')).mixed.slice(0, Number(values.texts))
// As long as a question, so that a lone call is what a server does for a query.
const lone = texts.filter((text) => text.length >= 40 && text.length <= 120).slice(0, 50)

/** What each contender does with all texts, and with one. Vectors are arrays of numbers. */
const contenders = {
  async vecrank(dtype) {
    const { Embedder } = await import('vecrank')
    const embedder = await Embedder.load(path.join(models, MODEL), { dtype, maxLength: LIMIT })
    return { all: () => embedder.embed(texts), one: (text) => embedder.embed(text) }
  },
  'transformers.js, batches of 32': (dtype) => transformers(dtype, 32),
  'transformers.js, one text a call': (dtype) => transformers(dtype, 1),
}

async function transformers(dtype, size) {
  const entry = createRequire(path.join(path.resolve(values.peers), 'package.json')).resolve('@huggingface/transformers')
  const { pipeline, env } = await import(pathToFileURL(entry).href)
  env.allowRemoteModels = false
  env.localModelPath = `${models}/`
  const extract = await pipeline('feature-extraction', MODEL, { dtype, device: 'cpu' })
  const options = { pooling: 'mean', normalize: true }
  const run = async (batch) => {
    const { data, dims } = await extract(batch, options)
    return Array.from({ length: dims[0] }, (_, row) => data.slice(row * dims[1], (row + 1) * dims[1]))
  }
  return {
    one: (text) => run([text]),
    async all() {
      const rows = []
      for (let start = 0; start < texts.length; start += size) rows.push(...(await run(texts.slice(start, start + size))))
      return rows
    },
  }
}

/** The contender's side: answers `vectors`, `all`, `one` and `memory` on its standard input, a line of JSON each. */
async function contend() {
  const { all, one } = await contenders[values.contender](values.dtype)
  const answers = {
    vectors: async () => (await all()).map((row) => Array.from(row)),
    all: () => timed(all),
    async one() {
      const times = []
      for (const text of lone) times.push((await timed(() => one(text))).ms)
      return times
    },
    memory: () => process.memoryUsage.rss() / 2 ** 20,
  }
  process.stdout.write('"ready"\n')
  for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${JSON.stringify(await answers[line]())}\n`)
}

function start(name, dtype) {
  const [command, args] =
    name === 'sentence-transformers'
      ? [values.python, [path.join(here, '../peers.py'), values['python-model'], path.join(models, '../data/bench.json'), String(texts.length), String(LIMIT), JSON.stringify(lone)]]
      : [process.execPath, [here, ...process.argv.slice(2), '--contender', name, '--dtype', dtype]]
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    for (;;) {
      const { value, done } = await lines.next()
      if (done) throw new Error(`${name} ended`)
      if (/^["[{\d]/.test(value)) return JSON.parse(value)
    }
  }
  return { name, ready: next(), ask: (what) => (child.stdin.write(`${what}\n`), next()), end: () => child.stdin.end(), ms: [], loop: [], lone: [] }
}

const cosine = (a, b) => {
  let [dot, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) [dot, aa, bb] = [dot + a[i] * b[i], aa + a[i] * a[i], bb + b[i] * b[i]]
  return dot / Math.sqrt(aa * bb)
}
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
const ordered = (numbers) => [...numbers].sort((a, b) => a - b)

async function compare(dtype) {
  const names = ['vecrank', ...(values.peers ? Object.keys(contenders).slice(1) : []), ...(values.python && dtype === 'fp32' ? ['sentence-transformers'] : [])]
  const running = []
  let own
  console.log(`\n${dtype}`)
  for (const name of names) {
    const contender = start(name, dtype)
    await contender.ready
    const vectors = await contender.ask('vectors')
    own ??= vectors
    const likeness = Math.min(...vectors.map((row, index) => cosine(row, own[index])))
    // Dynamic int8 scales to its batch: rows of other batches are only near.
    const agrees = likeness >= (dtype === 'fp32' ? 0.99999 : 0.95)
    console.log(`  ${name}: lowest cosine to vecrank's vectors ${likeness.toFixed(6)}${agrees ? '' : ': not timed'}`)
    if (agrees) running.push(contender)
    else contender.end()
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const contender of running) {
      const { ms, p99 } = await contender.ask('all')
      contender.ms.push(ms)
      if (p99 !== undefined) contender.loop.push(p99)
      contender.lone.push(...(await contender.ask('one')))
    }
  }
  console.log('  | | texts/s: median (least–most) | against vecrank | lone text: median, p99 ms | loop delay p99 ms | memory MB |\n  |---|---|---|---|---|---|')
  const base = at(ordered(running[0].ms), 0.5)
  for (const { name, ask, end, ms, loop, lone } of running) {
    const [speeds, times] = [ordered(ms.map((each) => (texts.length / each) * 1000)), ordered(lone)]
    const cells = [
      `${at(speeds, 0.5).toFixed(0)} (${speeds[0].toFixed(0)}–${speeds.at(-1).toFixed(0)})`,
      (base / at(ordered(ms), 0.5)).toFixed(2),
      `${at(times, 0.5).toFixed(1)}, ${at(times, 0.99).toFixed(1)}`,
      loop.length > 0 ? Math.max(...loop).toFixed(1) : '–',
      (await ask('memory')).toFixed(0),
    ]
    console.log(`  | ${name} | ${cells.join(' | ')} |`)
    end()
  }
}

if (values.contender) await contend()
else {
  console.log(`${os.cpus()[0].model.trim()}, ${os.availableParallelism()} CPUs, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB, ${os.type()} ${os.release()}, node ${process.version}`)
  console.log(`${texts.length} texts of data/bench.json "mixed", ${values.rounds} rounds, ${lone.length} lone texts of 40 to 120 characters a round`)
  for (const dtype of ['fp32', 'q8']) await compare(dtype)
}
