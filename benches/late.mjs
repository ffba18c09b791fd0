// Late interaction beside its peers: texts a second into a vector a token, by the same weights on the same texts.
//
//   node benches/late.mjs --python PYTHON [--shape small] [--rounds 3] [--documents 48] [--queries 48] [--like FOLDER] [--work FOLDER] [--json FILE]
//
// PYTHON has torch, transformers, safetensors, sentence-transformers and fastembed; it makes the model (late/make_colbert.py: random weights in the
// shape of answerai-colbert-small-v1, or with `--shape base` of colbertv2.0) and runs the peers. --like is a model with BERT's tokenizer.
//
// Each contender is a process or a model of its own that loads once. Their vectors are compared before anything is timed, token by token; then they take
// turns, round by round. fastembed is asked in batches of 1, 8 and its own 256, documents as they come; vecrank and sentence-transformers sort by length.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LateEmbedder } from 'vecrank'
import { machine } from './peers/machine.mjs'
import { Running } from './peers/process.mjs'
import { median } from './peers/rows.mjs'
import { watched } from './watched.mjs'

const beside = (name) => fileURLToPath(new URL(name, import.meta.url))
const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    shape: { type: 'string', default: 'small' },
    rounds: { type: 'string', default: '3' },
    documents: { type: 'string', default: '48' },
    queries: { type: 'string', default: '48' },
    like: { type: 'string', default: beside('../../shared/models/all-MiniLM-L6-v2') },
    data: { type: 'string', default: beside('../../shared/data/bench.json') },
    work: { type: 'string', default: beside('../target/late') },
    json: { type: 'string' },
  },
})
if (values.python === undefined) throw new Error('--python is missing: it makes the model')
const rounds = Number(values.rounds)
const work = path.resolve(values.work)
mkdirSync(work, { recursive: true })
const folder = path.join(work, `colbert-${values.shape}`)
if (!existsSync(folder)) {
  console.log(`making ${folder}`)
  const made = spawnSync(values.python, [beside('late/make_colbert.py'), values.shape, '--like', values.like, '--work', work], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(made.stderr)
}

const { mixed, short } = JSON.parse(readFileSync(values.data, 'utf8'))
// fastembed does not cut queries at the length to which it fills them up.
const queries = short.filter((text) => text.split(' ').length <= 12)
const sets = { documents: mixed.slice(0, Number(values.documents)), queries: queries.slice(0, Number(values.queries)) }
const texts = path.join(work, 'texts.json')
writeFileSync(texts, JSON.stringify(sets))

// ---------- contenders ------------------------------------------------------------------------------------------------

class Ours {
  constructor(engine) {
    this.engine = engine
  }

  async open() {
    this.model = await LateEmbedder.load(folder, { engine: this.engine, device: 'cpu' })
  }

  #embed(what, given) {
    return what === 'documents' ? this.model.embedDocument(given) : this.model.embedQuery(given)
  }

  async vectors(what) {
    return (await this.#embed(what, sets[what])).map(({ data, rows, dimensions }) =>
      Array.from({ length: rows }, (_, row) => data.subarray(row * dimensions, (row + 1) * dimensions)),
    )
  }

  async timed(what) {
    const { ms, p99 } = await watched(() => this.#embed(what, sets[what]))
    return { ms, loop: p99 }
  }

  close() {
    return this.model.dispose()
  }
}

class Theirs {
  constructor(spec) {
    this.spec = spec
  }

  async open() {
    this.running = new Running(values.python, [beside('late.py'), JSON.stringify({ ...this.spec, folder, texts })])
    await this.running.ready()
  }

  async vectors(what) {
    const to = path.join(work, 'vectors.f32')
    const { rows, width } = await this.running.ask('vectors', { what, to })
    const bytes = readFileSync(to)
    const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
    let at = 0
    return rows.map((count) => Array.from({ length: count }, () => data.subarray(at * width, ++at * width)))
  }

  timed(what) {
    return this.running.ask('timed', { what, count: sets[what].length })
  }

  close() {
    return this.running.end()
  }
}

const field = [
  ['vecrank, encoder', new Ours('encoder')],
  ['vecrank, graph', new Ours('graph')],
  ['sentence-transformers, batches of 32', new Theirs({ kind: 'sentence-transformers', batch: 32 })],
  ['fastembed, one text a run', new Theirs({ kind: 'fastembed', batch: 1 })],
  ['fastembed, batches of 8', new Theirs({ kind: 'fastembed', batch: 8 })],
  ['fastembed, batches of 256', new Theirs({ kind: 'fastembed', batch: 256 })],
]

// ---------- comparison, then time -------------------------------------------------------------------------------------

const cosine = (a, b) => {
  let [dot, aa, bb] = [0, 0, 0]
  for (let at = 0; at < a.length; at++) [dot, aa, bb] = [dot + a[at] * b[at], aa + a[at] * a[at], bb + b[at] * b[at]]
  return dot / Math.sqrt(aa * bb)
}

const about = await machine()
console.log(`machine     ${about.cpu}, ${about.cpus} CPUs`)
if (about.busy > 0.1) console.log(`            NOT IDLE: others use ${(about.busy * 100).toFixed(0)} % of the CPUs; only ratios of this run mean anything`)
console.log(`parameters  colbert-${values.shape}, ${sets.documents.length} documents, ${sets.queries.length} queries, ${rounds} rounds`)

const taking = []
let reference
for (const [name, contender] of field) {
  await contender.open()
  const found = { documents: await contender.vectors('documents'), queries: await contender.vectors('queries') }
  reference ??= found
  let least = 1
  for (const what of ['documents', 'queries']) {
    found[what].forEach((rows, text) => {
      const expected = reference[what][text]
      if (rows.length !== expected.length) throw new Error(`${name}: ${rows.length} vectors of ${what}[${text}], not ${expected.length}`)
      rows.forEach((row, at) => (least = Math.min(least, cosine(row, expected[at]))))
    })
  }
  const agrees = least >= 0.9999
  console.log(`compared    ${name}: cosine ${least.toFixed(6)} at least${agrees ? '' : '; not timed'}`)
  if (agrees) taking.push({ name, contender, speeds: { documents: [], queries: [] }, loop: 0 })
  else await contender.close()
}

for (let round = 0; round < rounds; round++) {
  for (const what of ['documents', 'queries']) {
    for (const [index] of taking.entries()) {
      const each = taking[(index + round) % taking.length]
      const { ms, loop } = await each.contender.timed(what)
      each.speeds[what].push((sets[what].length / ms) * 1000)
      each.loop = Math.max(each.loop, loop ?? 0)
    }
  }
}
for (const { contender } of taking) await contender.close()

const shown = (speeds) => `${median(speeds).toFixed(1)} (${Math.min(...speeds).toFixed(1)}–${Math.max(...speeds).toFixed(1)})`
const best = (what) => Math.max(...taking.filter(({ name }) => name.startsWith('fastembed')).map(({ speeds }) => median(speeds[what])))
const times = (speeds, what) => (median(speeds) / best(what)).toFixed(2)
console.log('\n| | documents/s | times the best fastembed | queries/s | times | loop p99 ms |\n|---|---|---|---|---|---|')
for (const { name, speeds, loop } of taking) {
  const cells = [name, shown(speeds.documents), times(speeds.documents, 'documents'), shown(speeds.queries), times(speeds.queries, 'queries')]
  console.log(`| ${[...cells, loop > 0 ? loop.toFixed(1) : '–'].join(' | ')} |`)
}
if (values.json !== undefined) {
  const figures = taking.map(({ name, speeds }) => ({ name, speeds }))
  writeFileSync(values.json, `${JSON.stringify({ machine: about, shape: values.shape, counts: [sets.documents.length, sets.queries.length], figures }, null, 2)}\n`)
}
