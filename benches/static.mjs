// Static embeddings beside their peers: texts a second into the mean of their tokens' rows, by the same table on the same texts.
//
//   node benches/static.mjs [--python PYTHON] [--texts 50000] [--rounds 5] [--dimensions 256] [--like FOLDER] [--data FILE] [--work FOLDER]
//
// The table is made here: 30,522 rows of random numbers for BERT's vocabulary, as model2vec saves it, with the tokenizer of --like. PYTHON has model2vec,
// sentence-transformers and torch; without it vecrank is measured alone. Vectors are compared before anything is timed; then all take turns, round by
// round. Hardly a text is there twice, and one in eight has a word that no other has.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Embedder } from 'vecrank'
import { Peer, beside, compared, delay, inTurns, introduced, measured, numbersIn, options, range, table, times, writeFigures, writeSets } from './field.mjs'
import { median } from './peers/rows.mjs'

const values = options('static', {
  texts: { type: 'string', default: '50000' },
  rounds: { type: 'string', default: '5' },
  dimensions: { type: 'string', default: '256' },
})
const { python, work, rounds } = values
const count = Number(values.texts)
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
// The first thousand are compared.
const sets = { compared: texts.slice(0, 1000), texts }
const file = writeSets(work, sets)

// ---------- contenders ------------------------------------------------------------------------------------------------

let tokens
const ours = {
  async open() {
    this.model = await Embedder.load(folder)
  },
  outputs(what) {
    return this.model.embedMany(sets[what])
  },
  async timed(what) {
    const { result, ...times } = await measured(() => this.model.embedMany(sets[what]))
    tokens = result.tokens
    return times
  },
  close() {
    return this.model.dispose()
  },
}

function theirs(kind, batch) {
  const read = ({ rows, width }, file) => ({ rows, data: numbersIn(file), dimensions: width })
  return new Peer([python, beside('static.py'), JSON.stringify({ kind, batch, folder, texts: file })], read, work)
}

const field = [['vecrank', ours]]
if (python === undefined) console.log('left out    model2vec and sentence-transformers: no --python')
else {
  field.push(['model2vec', theirs('model2vec')])
  for (const batch of [32, 1024]) field.push([`sentence-transformers, batches of ${batch}`, theirs('sentence-transformers', batch)])
}

function judge({ compared: { data, rows, dimensions } }, { compared: reference }) {
  let furthest = data.length === reference.data.length ? 0 : Infinity
  for (let at = 0; at < data.length; at++) furthest = Math.max(furthest, Math.abs(data[at] - reference.data[at]))
  return { agrees: furthest < 1e-5, said: `${rows} vectors of ${dimensions}, largest difference ${furthest.toExponential(1)}` }
}

const about = await introduced()
const taking = await compared(field, ['compared'], judge)
await inTurns(taking, { texts: count }, rounds)
console.log(`parameters  ${count} texts of ${(tokens / count).toFixed(1)} tokens, ${shape[0]} × ${shape[1]}, ${rounds} rounds`)
const whole = (number) => Math.round(number).toLocaleString('en')
table(
  ['', 'texts/s: median (least–most)', 'vecrank is', 'CPU µs a text', 'loop p99 ms'],
  taking.map((each) => [
    each.name,
    range(each.speeds.texts, whole),
    `${times(taking[0], [each], 'texts')} times`,
    ((median(each.cpu.texts) * 1000) / count).toFixed(1),
    delay(each),
  ]),
)
writeFigures(values, about, { count, shape }, taking)
