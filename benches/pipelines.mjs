// vecrank's Classifier, its pipelines and those of Transformers.js: texts a second, by the same weights on the same texts.
//
//   node benches/pipelines.mjs --peers FOLDER --python PYTHON [--rounds 3] [--mixed 96] [--short 192] [--like FOLDER] [--work FOLDER] [--json FILE]
//
// FOLDER is where `npm install --ignore-scripts @huggingface/transformers` was run. PYTHON has torch, transformers, onnx and onnxruntime; it makes the
// classifier (models/classifier.py: random weights in the shape of DistilBERT with two labels). --like is all-MiniLM-L6-v2: it has the tokenizer, and is the
// model of `feature-extraction`.
//
// The lines that call a pipeline are the same for both libraries, only the import differs (pipelines/contend.mjs). Each contender is a process of its own.
// All cut texts at 512 tokens. Transformers.js is asked in batches of 1, 8 and 32, texts as they come; vecrank gets all in one call, and one text a call.

import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Peer, beside, compared, delay, inTurns, introduced, made, numbersIn, options, range, table, times, writeFigures, writeSets } from './field.mjs'

const values = options('pipelines', { peers: { type: 'string' }, mixed: { type: 'string', default: '96' }, short: { type: 'string', default: '192' } })
const { work, rounds, peers } = values
if (peers === undefined) throw new Error('--peers is missing: it is where Transformers.js is installed')
const transformers = pathToFileURL(createRequire(path.resolve(peers, 'package.json')).resolve('@huggingface/transformers')).href

/** all-MiniLM-L6-v2 with the limit of the network: its own is 256, which Transformers.js does not read. */
function embedder() {
  const folder = path.join(work, 'embedder')
  if (existsSync(folder)) return folder
  mkdirSync(folder)
  for (const name of ['onnx', 'config.json', 'tokenizer.json', '1_Pooling', '2_Normalize', 'modules.json']) {
    const source = path.resolve(values.like, name)
    if (existsSync(source)) symlinkSync(source, path.join(folder, name))
  }
  const settings = JSON.parse(readFileSync(path.join(values.like, 'tokenizer_config.json'), 'utf8'))
  writeFileSync(path.join(folder, 'tokenizer_config.json'), JSON.stringify({ ...settings, model_max_length: 512 }))
  writeFileSync(path.join(folder, 'sentence_bert_config.json'), JSON.stringify({ max_seq_length: 512, do_lower_case: false }))
  return folder
}

const data = JSON.parse(readFileSync(values.data, 'utf8'))
const sets = Object.fromEntries(['mixed', 'short'].map((what) => [what, data[what].slice(0, Number(values[what]))]))
const counts = { mixed: sets.mixed.length, short: sets.short.length }
const texts = writeSets(work, sets)

const tasks = { 'text-classification': made(values, 'classifier', 'distil'), 'feature-extraction': embedder() }
/**
 * Differences that agree, of probabilities and of the components of unit vectors: the largest in fp32, the mean in 8 bits. What 8 bits lose is a tenth of a random
 * network's spread, and depends on the batch wherever activations are scaled to that.
 */
const NEAR = { fp32: { most: 1e-4, mean: 1e-4 }, q8: { most: 1, mean: 0.08 } }

function contenders(task, dtype) {
  const folder = tasks[task]
  const started = (spec) =>
    new Peer([process.execPath, beside('pipelines/contend.mjs'), JSON.stringify({ task, folder, dtype, texts, ...spec })], ({ width }, file) => ({ width, data: numbersIn(file) }), work)
  const face = task === 'feature-extraction' ? 'Embedder' : 'Classifier'
  return [
    [`vecrank, ${face}, encoder`, started({ kind: 'own', engine: 'encoder' })],
    [`vecrank, ${face}, graph`, started({ kind: 'own', engine: 'graph' })],
    ['vecrank/transformers, all in one call', started({ kind: 'pipeline', module: 'vecrank/transformers' })],
    ['vecrank/transformers, one text a call', started({ kind: 'pipeline', module: 'vecrank/transformers', batch: 1 })],
    ...[1, 8, 32].map((batch) => [`Transformers.js, ${batch === 1 ? 'one text a call' : `batches of ${batch}`}`, started({ kind: 'pipeline', module: transformers, batch })]),
  ]
}

const judge = (dtype) => (found, reference) => {
  const differences = Object.keys(sets).flatMap((what) => {
    const [{ data: a }, { data: b }] = [found[what], reference[what]]
    return a.length === b.length ? Array.from(a, (value, at) => Math.abs(value - b[at])) : [Infinity]
  })
  const most = differences.reduce((greatest, each) => Math.max(greatest, each), 0)
  const mean = differences.reduce((sum, each) => sum + each, 0) / differences.length
  return { agrees: most <= NEAR[dtype].most && mean <= NEAR[dtype].mean, said: `differences ${most.toExponential(1)} at most, ${mean.toExponential(1)} in the mean` }
}

const about = await introduced()
console.log(`parameters  ${Object.entries(counts).map(([what, count]) => `${what} ${count}`).join(', ')}, ${rounds} rounds`)
const figures = []
for (const task of Object.keys(tasks)) {
  for (const dtype of ['fp32', 'q8']) {
    console.log(`\n${task}, ${dtype}`)
    const taking = await compared(contenders(task, dtype), Object.keys(sets), judge(dtype))
    await inTurns(taking, counts, rounds)
    const theirs = taking.filter(({ name }) => name.startsWith('Transformers.js'))
    const cells = (each, what) => [range(each.speeds[what]), times(each, theirs, what)]
    table(
      [`${task}, ${dtype}`, 'mixed texts/s', 'times the best of Transformers.js', 'short texts/s', 'times', 'loop p99 ms'],
      taking.map((each) => [each.name, ...cells(each, 'mixed'), ...cells(each, 'short'), delay(each)]),
    )
    figures.push(...taking.map((each) => ({ task, dtype, ...each })))
  }
}
writeFigures(values, about, { counts }, figures)
