// Sparse embedders beside their peers: texts a second into SPLADE vectors, by the same weights on the same texts.
//
//   node benches/sparse.mjs --python PYTHON [--shape distil] [--rounds 3] [--mixed 48] [--short 96] [--like FOLDER] [--work FOLDER] [--json FILE]
//
// PYTHON has torch, transformers, onnxruntime, sentence-transformers and fastembed; it makes the model (sparse/make_splade.py: random weights in the shape
// of DistilBERT, or with `--shape bert` of BERT) and runs the peers. --like is a model with BERT's tokenizer.
//
// Each contender is a process or a model of its own that loads once. Their vectors are compared before anything is timed; then they take turns, round by
// round. fastembed is asked in batches of 1 and 8, texts as they come: its own 256 would be 16 GB of logits. vecrank and sentence-transformers sort by
// length. Last, what a run of vecrank needs beside the model: the most memory of the process while it embeds, less that before it (Linux).

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { SparseEmbedder } from 'vecrank'
import { machine } from './peers/machine.mjs'
import { Running } from './peers/process.mjs'
import { median } from './peers/rows.mjs'
import { watched } from './watched.mjs'

const beside = (name) => fileURLToPath(new URL(name, import.meta.url))
const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    shape: { type: 'string', default: 'distil' },
    rounds: { type: 'string', default: '3' },
    mixed: { type: 'string', default: '48' },
    short: { type: 'string', default: '96' },
    like: { type: 'string', default: beside('../../shared/models/all-MiniLM-L6-v2') },
    data: { type: 'string', default: beside('../../shared/data/bench.json') },
    work: { type: 'string', default: beside('../target/sparse') },
    json: { type: 'string' },
    // For the processes that this starts.
    memory: { type: 'string' },
  },
})
const work = path.resolve(values.work)
const folder = path.join(work, `splade-${values.shape}`)
const texts = path.join(work, 'texts.json')
const WHAT = ['mixed', 'short']
/**
 * Cosines to the vectors in fp32, at least. Of a random network's logits only the ends of the tails are weights, so that whatever fewer bits lose is ten
 * times as much of them.
 */
const NEAR = { fp32: 0.99999, bf16: 0.99, q8: 0.85 }

// ---------- memory of runs, in a process of its own -------------------------------------------------------------------

if (values.memory !== undefined) {
  const [engine, dtype] = values.memory.split(' ')
  const most = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024
  const model = await SparseEmbedder.load(folder, { engine, dtype, device: 'cpu' })
  const { mixed } = JSON.parse(readFileSync(texts, 'utf8'))
  await model.embed('a first text')
  writeFileSync('/proc/self/clear_refs', '5')
  const before = most()
  await model.embed(mixed)
  console.log(JSON.stringify({ before, runs: most() - before }))
  process.exit()
}

function memoryOf(engine, dtype) {
  if (process.platform !== 'linux') return undefined
  const args = [fileURLToPath(import.meta.url), '--memory', `${engine} ${dtype}`, '--shape', values.shape, '--work', work]
  const { stdout, status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

// ---------- the model and the texts -----------------------------------------------------------------------------------

if (values.python === undefined) throw new Error('--python is missing: it makes the model')
const rounds = Number(values.rounds)
mkdirSync(work, { recursive: true })
if (!existsSync(folder)) {
  console.log(`making ${folder}`)
  const made = spawnSync(values.python, [beside('sparse/make_splade.py'), values.shape, '--like', values.like, '--work', work], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(made.stderr)
}
const data = JSON.parse(readFileSync(values.data, 'utf8'))
const sets = Object.fromEntries(WHAT.map((what) => [what, data[what].slice(0, Number(values[what]))]))
writeFileSync(texts, JSON.stringify(sets))

// ---------- contenders ------------------------------------------------------------------------------------------------

class Ours {
  constructor(engine, dtype) {
    Object.assign(this, { engine, dtype })
  }

  async open() {
    this.model = await SparseEmbedder.load(folder, { engine: this.engine, dtype: this.dtype, device: 'cpu' })
  }

  vectors(what) {
    return this.model.embed(sets[what])
  }

  async timed(what) {
    const { ms, p99 } = await watched(() => this.model.embed(sets[what]))
    return { ms, loop: p99 }
  }

  close() {
    return this.model.dispose()
  }
}

class Theirs {
  dtype = 'fp32'

  constructor(spec) {
    this.spec = spec
  }

  async open() {
    this.running = new Running(values.python, [beside('sparse.py'), JSON.stringify({ ...this.spec, folder, texts })])
    await this.running.ready()
  }

  async vectors(what) {
    const to = path.join(work, 'vectors')
    const { lengths } = await this.running.ask('vectors', { what, to })
    const read = (ending, Numbers) => {
      const bytes = readFileSync(`${to}.${ending}`)
      return new Numbers(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
    }
    const [indices, numbers] = [read('u32', Uint32Array), read('f32', Float32Array)]
    let end = 0
    return lengths.map((length) => {
      const start = end
      end += length
      return { indices: indices.subarray(start, end), values: numbers.subarray(start, end) }
    })
  }

  timed(what) {
    return this.running.ask('timed', { what, count: sets[what].length })
  }

  close() {
    return this.running.end()
  }
}

const field = [
  ['vecrank, encoder fp32', new Ours('encoder', 'fp32')],
  ['vecrank, encoder bf16', new Ours('encoder', 'bf16')],
  ['vecrank, encoder q8', new Ours('encoder', 'q8')],
  ['vecrank, graph fp32', new Ours('graph', 'fp32')],
  ['sentence-transformers, batches of 32', new Theirs({ kind: 'sentence-transformers', batch: 32 })],
  ['fastembed, one text a run', new Theirs({ kind: 'fastembed', batch: 1 })],
  ['fastembed, batches of 8', new Theirs({ kind: 'fastembed', batch: 8 })],
]

// ---------- comparison, then time -------------------------------------------------------------------------------------

function cosine(a, b) {
  const length = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  const other = new Map(Array.from(b.indices, (index, at) => [index, b.values[at]]))
  const dot = a.indices.reduce((sum, index, at) => sum + a.values[at] * (other.get(index) ?? 0), 0)
  return dot / (length(a.values) * length(b.values))
}

const about = await machine()
console.log(`machine     ${about.cpu}, ${about.cpus} CPUs`)
if (about.busy > 0.1) console.log(`            NOT IDLE: others use ${(about.busy * 100).toFixed(0)} % of the CPUs; only ratios of this run mean anything`)
console.log(`parameters  splade-${values.shape}, ${WHAT.map((what) => `${what} ${sets[what].length}`).join(', ')}, ${rounds} rounds`)

const taking = []
let reference
for (const [name, contender] of field) {
  await contender.open()
  const found = {}
  for (const what of WHAT) found[what] = await contender.vectors(what)
  reference ??= found
  const cosines = WHAT.flatMap((what) => found[what].map((vector, at) => cosine(vector, reference[what][at])))
  const least = Math.min(...cosines)
  const agrees = least >= NEAR[contender.dtype]
  const weights = WHAT.map((what) => median(found[what].map(({ indices }) => indices.length)))
  console.log(`compared    ${name}: cosine ${least.toFixed(6)} at least, ${weights.join(' and ')} weights a text${agrees ? '' : '; not timed'}`)
  if (agrees) taking.push({ name, contender, speeds: Object.fromEntries(WHAT.map((what) => [what, []])), loop: 0 })
  else await contender.close()
}

for (let round = 0; round < rounds; round++) {
  for (const what of WHAT) {
    for (const [index] of taking.entries()) {
      const each = taking[(index + round) % taking.length]
      const { ms, loop } = await each.contender.timed(what)
      each.speeds[what].push((sets[what].length / ms) * 1000)
      each.loop = Math.max(each.loop, loop ?? 0)
    }
  }
}
for (const { contender } of taking) await contender.close()
for (const each of taking) {
  if (each.contender instanceof Ours) each.memory = memoryOf(each.contender.engine, each.contender.dtype)
}

const shown = (speeds) => `${median(speeds).toFixed(1)} (${Math.min(...speeds).toFixed(1)}–${Math.max(...speeds).toFixed(1)})`
const best = (what) => Math.max(...taking.filter(({ name }) => name.startsWith('fastembed')).map(({ speeds }) => median(speeds[what])))
const times = (speeds, what) => (median(speeds) / best(what)).toFixed(2)
console.log('\n| | mixed texts/s | times the best fastembed | short texts/s | times | loop p99 ms | model MB | runs MB |\n|---|---|---|---|---|---|---|---|')
for (const { name, speeds, loop, memory } of taking) {
  const cells = [name, ...WHAT.flatMap((what) => [shown(speeds[what]), times(speeds[what], what)]), loop > 0 ? loop.toFixed(1) : '–']
  console.log(`| ${[...cells, memory?.before.toFixed(0) ?? '–', memory?.runs.toFixed(0) ?? '–'].join(' | ')} |`)
}
if (values.json !== undefined) {
  const figures = taking.map(({ name, speeds, memory }) => ({ name, speeds, memory }))
  const counts = WHAT.map((what) => sets[what].length)
  writeFileSync(values.json, `${JSON.stringify({ machine: about, shape: values.shape, counts, figures }, null, 2)}\n`)
}
