// Sparse embedders beside their peers: texts a second into SPLADE vectors, by the same weights on the same texts.
//
//   node benches/sparse.mjs --python PYTHON [--shape distil] [--rounds 3] [--mixed 48] [--short 96] [--like FOLDER] [--work FOLDER] [--json FILE]
//
// PYTHON has torch, transformers, onnxruntime, sentence-transformers and fastembed; it makes the model (models/splade.py: random weights in the shape of
// DistilBERT, or with `--shape bert` of BERT) and runs the peers. --like is a model with BERT's tokenizer.
//
// fastembed is asked in batches of 1 and 8, texts as they come: its own 256 would be 16 GB of logits. vecrank and sentence-transformers sort by length.
// Last, what a run of vecrank needs beside the model: the most memory of the process while it embeds, less that before it (Linux).

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { SparseEmbedder } from 'vecrank'
import { Peer, beside, compared, delay, inTurns, introduced, made, measured, numbersIn, options, range, table, times, writeFigures, writeSets } from './field.mjs'
import { median } from './peers/rows.mjs'

const values = options('sparse', {
  shape: { type: 'string', default: 'distil' },
  mixed: { type: 'string', default: '48' },
  short: { type: 'string', default: '96' },
  // For the processes that this starts.
  memory: { type: 'string' },
})
const { python, work, shape, rounds } = values
const folder = made(values, 'splade', shape)
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
  const { mixed } = JSON.parse(readFileSync(path.join(work, 'texts.json'), 'utf8'))
  await model.embed('a first text')
  writeFileSync('/proc/self/clear_refs', '5')
  const before = most()
  await model.embed(mixed)
  console.log(JSON.stringify({ before, runs: most() - before }))
  process.exit()
}

function memoryOf(engine, dtype) {
  if (process.platform !== 'linux') return undefined
  const args = [fileURLToPath(import.meta.url), '--memory', `${engine} ${dtype}`, '--shape', shape, '--work', work]
  const { stdout, status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

// ---------- contenders ------------------------------------------------------------------------------------------------

const data = JSON.parse(readFileSync(values.data, 'utf8'))
const sets = Object.fromEntries(['mixed', 'short'].map((what) => [what, data[what].slice(0, Number(values[what]))]))
const counts = { mixed: sets.mixed.length, short: sets.short.length }
const texts = writeSets(work, sets)

class Ours {
  constructor(engine, dtype) {
    Object.assign(this, { engine, dtype })
  }

  async open() {
    this.model = await SparseEmbedder.load(folder, { engine: this.engine, dtype: this.dtype, device: 'cpu' })
  }

  outputs(what) {
    return this.model.embed(sets[what])
  }

  timed(what) {
    return measured(() => this.model.embed(sets[what]))
  }

  close() {
    return this.model.dispose()
  }
}

function theirs(kind, batch) {
  const read = ({ lengths }, file) => {
    const [indices, numbers] = [numbersIn(`${file}.indices`, Uint32Array), numbersIn(file)]
    let end = 0
    return lengths.map((length) => {
      const start = end
      end += length
      return { indices: indices.subarray(start, end), values: numbers.subarray(start, end) }
    })
  }
  return new Peer([python, beside('sparse.py'), JSON.stringify({ kind, batch, folder, texts })], read, work)
}

const field = [
  ['vecrank, encoder fp32', new Ours('encoder', 'fp32')],
  ['vecrank, encoder bf16', new Ours('encoder', 'bf16')],
  ['vecrank, encoder q8', new Ours('encoder', 'q8')],
  ['vecrank, graph fp32', new Ours('graph', 'fp32')],
  ['sentence-transformers, batches of 32', theirs('sentence-transformers', 32)],
  ['fastembed, one text a run', theirs('fastembed', 1)],
  ['fastembed, batches of 8', theirs('fastembed', 8)],
]

function cosine(a, b) {
  const length = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  const other = new Map(Array.from(b.indices, (index, at) => [index, b.values[at]]))
  const dot = a.indices.reduce((sum, index, at) => sum + a.values[at] * (other.get(index) ?? 0), 0)
  return dot / (length(a.values) * length(b.values))
}

function judge(found, reference, { dtype = 'fp32' }) {
  const least = Math.min(...Object.keys(sets).flatMap((what) => found[what].map((vector, at) => cosine(vector, reference[what][at]))))
  const weights = Object.keys(sets).map((what) => median(found[what].map(({ indices }) => indices.length)))
  return { agrees: least >= NEAR[dtype], said: `cosine ${least.toFixed(6)} at least, ${weights.join(' and ')} weights a text` }
}

const about = await introduced()
console.log(`parameters  splade-${shape}, ${Object.entries(counts).map(([what, count]) => `${what} ${count}`).join(', ')}, ${rounds} rounds`)
const taking = await compared(field, Object.keys(sets), judge)
await inTurns(taking, counts, rounds)
for (const each of taking) {
  if (each.contender instanceof Ours) each.memory = memoryOf(each.contender.engine, each.contender.dtype)
}
const fastembed = taking.filter(({ name }) => name.startsWith('fastembed'))
const cells = (each, what) => [range(each.speeds[what]), times(each, fastembed, what)]
const megabytes = ({ memory }) => [memory?.before.toFixed(0) ?? '–', memory?.runs.toFixed(0) ?? '–']
table(
  ['', 'mixed texts/s', 'times the best fastembed', 'short texts/s', 'times', 'loop p99 ms', 'model MB', 'runs MB'],
  taking.map((each) => [each.name, ...cells(each, 'mixed'), ...cells(each, 'short'), delay(each), ...megabytes(each)]),
)
writeFigures(values, about, { shape, counts }, taking)
