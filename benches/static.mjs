// Static embeddings beside their peers: texts a second into the mean of their tokens' rows, by the same table on the same texts.
//
//   node benches/static.mjs [--python PYTHON] [--texts 50000] [--rounds 5] [--dimensions 256] [--like FOLDER] [--data FILE] [--work FOLDER]
//
// The table is made here: 30,522 rows of random numbers for BERT's vocabulary, as model2vec saves it, with the tokenizer of --like. PYTHON has model2vec,
// sentence-transformers and torch; without it vecrank is measured alone. Vectors are compared before anything is timed; then all take turns, round by
// round. Hardly a text is there twice, and one in eight has a word that no other has.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Embedder } from 'vecrank'
import { machine } from './peers/machine.mjs'
import { Running } from './peers/process.mjs'
import { median } from './peers/rows.mjs'
import { watched } from './watched.mjs'

const beside = (name) => fileURLToPath(new URL(name, import.meta.url))
const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    texts: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '5' },
    dimensions: { type: 'string', default: '256' },
    like: { type: 'string', default: beside('../../shared/models/all-MiniLM-L6-v2') },
    data: { type: 'string', default: beside('../../shared/data/bench.json') },
    work: { type: 'string', default: beside('../target/static') },
  },
})
const rounds = Number(values.rounds)
const count = Number(values.texts)
const work = path.resolve(values.work)
const folder = path.join(work, 'table')
mkdirSync(folder, { recursive: true })

// ---------- the model and the texts -----------------------------------------------------------------------------------

const write = (name, value) => writeFileSync(path.join(folder, name), typeof value === 'object' && !Buffer.isBuffer(value) ? JSON.stringify(value) : value)
const tokenizer = JSON.parse(readFileSync(path.join(values.like, 'tokenizer.json'), 'utf8'))
write('tokenizer.json', { ...tokenizer, truncation: null, padding: null })
write('config.json', { model_type: 'model2vec', normalize: true, max_length: null, embedding_dtype: 'float32' })
const classes = ['StaticEmbedding', 'Normalize'].map((name, idx) => ({ idx, name: `${idx}`, path: ['.', '1_Normalize'][idx], type: `sentence_transformers.models.${name}` }))
write('modules.json', classes)
const shape = [Object.keys(tokenizer.model.vocab).length, Number(values.dimensions)]
const numbers = new Float32Array(shape[0] * shape[1])
for (let at = 0, state = 1; at < numbers.length; at++) {
  state = (Math.imul(state, 1664525) + 1013904223) | 0
  numbers[at] = state / 2 ** 31
}
const header = Buffer.from(JSON.stringify({ embeddings: { dtype: 'F32', shape, data_offsets: [0, numbers.byteLength] } }))
const length = Buffer.alloc(8)
length.writeBigUInt64LE(BigInt(header.length))
write('model.safetensors', Buffer.concat([length, header, Buffer.from(numbers.buffer)]))

const { short } = JSON.parse(readFileSync(values.data, 'utf8'))
const words = short.flatMap((text) => text.split(' '))
const word = (at) => words[at % words.length]
// A word more in each, and in every eighth a number that was never there before.
const texts = Array.from({ length: count }, (_, index) => `${short[index % short.length]} ${word(index * 7919)} ${index % 8 === 0 ? index : word(index * 104_729)}`)
const file = path.join(work, 'texts.json')
writeFileSync(file, JSON.stringify(texts))

// ---------- contenders ------------------------------------------------------------------------------------------------

class Ours {
  async open() {
    this.model = await Embedder.load(folder)
  }

  async vectors(wanted) {
    return this.model.embedMany(texts.slice(0, wanted))
  }

  async timed() {
    const before = process.cpuUsage()
    const { ms, p99, result } = await watched(() => this.model.embedMany(texts))
    const { user, system } = process.cpuUsage(before)
    this.tokens = result.tokens
    return { ms, loop: p99, cpu: (user + system) / 1000 }
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
    this.running = new Running(values.python, [beside('static.py'), JSON.stringify({ ...this.spec, folder, texts: file })])
    await this.running.ready()
  }

  async vectors(wanted) {
    const to = path.join(work, 'vectors.f32')
    const { rows, width } = await this.running.ask('vectors', { count: wanted, to })
    const bytes = readFileSync(to)
    return { rows, data: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)), dimensions: width }
  }

  timed() {
    return this.running.ask('timed', {})
  }

  close() {
    return this.running.end()
  }
}

const field = [['vecrank', new Ours()]]
if (values.python === undefined) console.log('left out    model2vec and sentence-transformers: no --python')
else {
  field.push(['model2vec', new Theirs({ kind: 'model2vec' })])
  for (const batch of [32, 1024]) field.push([`sentence-transformers, batches of ${batch}`, new Theirs({ kind: 'sentence-transformers', batch })])
}

// ---------- comparison, then time -------------------------------------------------------------------------------------

const about = await machine()
console.log(`machine     ${about.cpu}, ${about.cpus} CPUs`)
if (about.busy > 0.1) console.log(`            NOT IDLE: others use ${(about.busy * 100).toFixed(0)} % of the CPUs; only ratios of this run mean anything`)

const taking = []
let reference
for (const [name, contender] of field) {
  await contender.open()
  const { data, rows, dimensions } = await contender.vectors(1000)
  reference ??= data
  let furthest = data.length === reference.length ? 0 : Infinity
  for (let at = 0; at < data.length; at++) furthest = Math.max(furthest, Math.abs(data[at] - reference[at]))
  console.log(`compared    ${name}: ${rows} vectors of ${dimensions}, largest difference ${furthest.toExponential(1)}`)
  if (!(furthest < 1e-5)) throw new Error(`${name} gives other vectors`)
  taking.push({ name, contender, speeds: [], cpu: [], loop: 0 })
}
for (let round = 0; round < rounds; round++) {
  for (const [index] of taking.entries()) {
    const each = taking[(index + round) % taking.length]
    const { ms, cpu, loop } = await each.contender.timed()
    each.speeds.push((count / ms) * 1000)
    each.cpu.push((cpu * 1000) / count)
    each.loop = Math.max(each.loop, loop ?? 0)
  }
}
console.log(`parameters  ${count} texts of ${(field[0][1].tokens / count).toFixed(1)} tokens, ${shape[0]} × ${shape[1]}, ${rounds} rounds`)
for (const { contender } of taking) await contender.close()

const whole = (number) => Math.round(number).toLocaleString('en')
const ours = median(taking[0].speeds)
console.log('\n| | texts/s: median (least–most) | vecrank is | CPU µs a text | loop p99 ms |\n|---|---|---|---|---|')
for (const { name, speeds, cpu, loop } of taking) {
  const range = `${whole(median(speeds))} (${whole(Math.min(...speeds))}–${whole(Math.max(...speeds))})`
  console.log(`| ${name} | ${range} | ${(ours / median(speeds)).toFixed(2)} times | ${median(cpu).toFixed(1)} | ${loop > 0 ? loop.toFixed(1) : '–'} |`)
}
