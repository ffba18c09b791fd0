// Late interaction beside its peers: texts a second into a vector a token, by the same weights on the same texts.
//
//   node benches/late.mjs --python PYTHON [--shape small] [--rounds 3] [--documents 48] [--queries 48] [--like FOLDER] [--work FOLDER] [--json FILE]
//
// PYTHON has torch, transformers, safetensors, onnxruntime, sentence-transformers and fastembed; it makes the model (models/colbert.py: random weights in
// the shape of answerai-colbert-small-v1, or with `--shape base` of colbertv2.0) and runs the peers. --like is a model with BERT's tokenizer.
//
// Vectors are compared token by token. fastembed is asked in batches of 1, 8 and its own 256, documents as they come; vecrank and sentence-transformers
// sort by length.

import { readFileSync } from 'node:fs'
import { LateEmbedder } from 'vecrank'
import { Peer, beside, compared, delay, inTurns, introduced, made, measured, numbersIn, options, range, table, times, writeFigures, writeSets } from './field.mjs'

const values = options('late', {
  shape: { type: 'string', default: 'small' },
  documents: { type: 'string', default: '48' },
  queries: { type: 'string', default: '48' },
})
const { python, work, shape, rounds } = values
const folder = made(values, 'colbert', shape)
const { mixed, short } = JSON.parse(readFileSync(values.data, 'utf8'))
// fastembed does not cut queries at the length to which it fills them up.
const queries = short.filter((text) => text.split(' ').length <= 12)
const sets = { documents: mixed.slice(0, Number(values.documents)), queries: queries.slice(0, Number(values.queries)) }
const counts = { documents: sets.documents.length, queries: sets.queries.length }
const texts = writeSets(work, sets)

class Ours {
  constructor(engine) {
    this.engine = engine
  }

  async open() {
    this.model = await LateEmbedder.load(folder, { engine: this.engine, device: 'cpu' })
  }

  #embed(what) {
    return what === 'documents' ? this.model.embedDocument(sets[what]) : this.model.embedQuery(sets[what])
  }

  async outputs(what) {
    return (await this.#embed(what)).map(({ data, rows, dimensions }) =>
      Array.from({ length: rows }, (_, row) => data.subarray(row * dimensions, (row + 1) * dimensions)),
    )
  }

  timed(what) {
    return measured(() => this.#embed(what))
  }

  close() {
    return this.model.dispose()
  }
}

function theirs(kind, batch) {
  const read = ({ rows, width }, file) => {
    const data = numbersIn(file)
    let at = 0
    return rows.map((count) => Array.from({ length: count }, () => data.subarray(at * width, ++at * width)))
  }
  return new Peer([python, beside('late.py'), JSON.stringify({ kind, batch, folder, texts })], read, work)
}

const field = [
  ['vecrank, encoder', new Ours('encoder')],
  ['vecrank, graph', new Ours('graph')],
  ['sentence-transformers, batches of 32', theirs('sentence-transformers', 32)],
  ['fastembed, one text a run', theirs('fastembed', 1)],
  ['fastembed, batches of 8', theirs('fastembed', 8)],
  ['fastembed, batches of 256', theirs('fastembed', 256)],
]

function cosine(a, b) {
  let [dot, aa, bb] = [0, 0, 0]
  for (let at = 0; at < a.length; at++) [dot, aa, bb] = [dot + a[at] * b[at], aa + a[at] * a[at], bb + b[at] * b[at]]
  return dot / Math.sqrt(aa * bb)
}

function judge(found, reference) {
  let least = 1
  for (const what of Object.keys(sets)) {
    for (const [text, rows] of found[what].entries()) {
      const expected = reference[what][text]
      if (rows.length !== expected.length) return { agrees: false, said: `${rows.length} vectors of ${what}[${text}], not ${expected.length}` }
      rows.forEach((row, at) => (least = Math.min(least, cosine(row, expected[at]))))
    }
  }
  return { agrees: least >= 0.9999, said: `cosine ${least.toFixed(6)} at least` }
}

const about = await introduced()
console.log(`parameters  colbert-${shape}, ${counts.documents} documents, ${counts.queries} queries, ${rounds} rounds`)
const taking = await compared(field, Object.keys(sets), judge)
await inTurns(taking, counts, rounds)
const fastembed = taking.filter(({ name }) => name.startsWith('fastembed'))
const cells = (each, what) => [range(each.speeds[what]), times(each, fastembed, what)]
table(
  ['', 'documents/s', 'times the best fastembed', 'queries/s', 'times', 'loop p99 ms'],
  taking.map((each) => [each.name, ...cells(each, 'documents'), ...cells(each, 'queries'), delay(each)]),
)
writeFigures(values, about, { shape, counts }, taking)
