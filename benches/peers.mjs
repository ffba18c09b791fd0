// vecrank beside its peers on the same texts and the same weights: the one table of the README and of docs/performance.md.
//
//   node benches/peers.mjs --peers FOLDER [--python PYTHON] [--openvino PYTHON] [--work FOLDER] [--models FOLDER]
//                          [--of minilm,bge-small,bge-base] [--rows mixed,lone12,…] [--rounds 5] [--texts 300]
//                          [--quick] [--full] [--json FILE] [--markdown]
//
// FOLDER of --peers is where `npm install --ignore-scripts @huggingface/transformers fastembed` was run. PYTHON has torch, transformers,
// sentence-transformers, onnx and onnxruntime; it makes the models of other shapes and is a contender. The Python of --openvino has openvino, tokenizers
// and numpy; without the option it is that of --python. What is missing is named and left out. --work keeps made models (default: target/peers).
//
// --quick: all-MiniLM-L6-v2, vecrank and Transformers.js, fewer texts and rounds; about two minutes, and only to see that all is well. --full: 100,000 texts
// too. --markdown: only the README's table on standard output, the rest on standard error. peers/rows.mjs says what a row is, peers/targets.mjs what it
// is meant to reach.
//
// Each contender is a process of its own that loads once. Their vectors are compared before anything is timed; then they take turns, round by round. A
// contender whose vectors do not agree is named and not timed. All cut texts at 512 tokens.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { contenders } from './peers/contenders.mjs'
import { machine, operations, rates } from './peers/machine.mjs'
import { Measure } from './peers/measure.mjs'
import { reachTable, readmeTable, rowTable } from './peers/report.mjs'
import { COUNTS, rows } from './peers/rows.mjs'
import { reach } from './peers/targets.mjs'
import { writeTexts } from './peers/texts.mjs'

const beside = (name) => fileURLToPath(new URL(name, import.meta.url))
const { values } = parseArgs({
  options: {
    models: { type: 'string', default: beside('../../shared/models') },
    peers: { type: 'string' },
    python: { type: 'string' },
    openvino: { type: 'string' },
    work: { type: 'string', default: beside('../target/peers') },
    of: { type: 'string' },
    rows: { type: 'string', default: Object.keys(rows).join(',') },
    rounds: { type: 'string' },
    texts: { type: 'string' },
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    json: { type: 'string' },
    markdown: { type: 'boolean', default: false },
  },
})
const say = (text) => (values.markdown ? console.error(text) : console.log(text))
const MAIN = 'minilm'
const { quick, full } = values
const rounds = Number(values.rounds ?? (quick ? 2 : 5))
const wanted = list(values.rows, Object.keys(rows), '--rows')
const embedders = quick ? [MAIN] : list(values.of ?? 'minilm,bge-small,bge-base', [MAIN, 'bge-small', 'bge-base'], '--of')
const [models, work] = [path.resolve(values.models), path.resolve(values.work)]
const peers = values.peers === undefined ? undefined : path.resolve(values.peers)
mkdirSync(work, { recursive: true })

function list(given, known, option) {
  const names = given.split(',')
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new Error(`${option}: ${unknown.join(', ')} is none of ${known.join(', ')}`)
  return names
}

/** Runs a Python script that makes something; why it was not made, if it was not. */
function make(target, script, args) {
  if (existsSync(target)) return undefined
  if (values.python === undefined) return `no --python, which makes ${path.basename(target)}`
  say(`making ${target}`)
  const { status, stderr } = spawnSync(values.python, [script, ...args], { encoding: 'utf8' })
  return status === 0 ? undefined : `${path.basename(script)} failed: ${stderr.trim().split('\n').at(-1)}`
}

/** Folders of a model: with ONNX files, and with safetensors for sentence-transformers. */
function folders(name) {
  const real = { minilm: 'all-MiniLM-L6-v2', reranker: 'vecrank-reranker-mini' }[name]
  if (real === undefined) {
    const target = path.join(work, 'models', `${name}-shape`)
    const reason = make(target, beside('models/bert.py'), [name, '--like', path.join(models, 'all-MiniLM-L6-v2'), '--work', work])
    return reason === undefined ? { onnx: target, safetensors: target } : { reason }
  }
  const safetensors = path.join(work, 'safetensors', real)
  const reason = make(path.join(safetensors, 'model.safetensors'), path.join(models, 'to_safetensors.py'), [real, safetensors])
  return { onnx: path.join(models, real), safetensors: reason === undefined ? safetensors : undefined, reason }
}

/** Which part of what a core's products reach alone is used in bulk, for contenders of vecrank. */
function fractions(entries, where, tokens, cpus) {
  const rate = rates()
  if (typeof rate === 'string') return { reason: rate }
  return entries
    .filter(({ row, family }) => family === 'vecrank' && ['mixed', 'short', 'long'].includes(row))
    .map(({ model, row, name, dtype, figure }) => {
      const config = JSON.parse(readFileSync(path.join(where[model].onnx, 'config.json'), 'utf8'))
      const perText = operations(config, tokens[row]) / tokens[row].length
      return { model, row, name, dtype, fraction: (figure.perSecond.median * perText) / (rate[dtype === 'q8' ? 'int8' : dtype] * cpus) }
    })
}

const about = await machine(peers)
say(`machine     ${about.cpu}, ${about.cpus} CPUs, ${(about.memory / 2 ** 30).toFixed(0)} GiB, ${about.system}`)
say(`            ${about.features.join(' ') || 'features of the CPU unknown'}`)
say(`versions    ${Object.entries(about.versions).filter(([, is]) => is).map(([name, is]) => `${name} ${is}`).join(', ')}`)
if (about.busy > 0.1) say(`            NOT IDLE: others use ${(about.busy * 100).toFixed(0)} % of the CPUs; do not publish figures of this run`)
const { there, absent } = contenders({ peers, python: values.python, openvino: values.openvino, quick })
for (const { name, reason } of absent) say(`left out    ${name}: ${reason}`)

const { sets, tokens } = await writeTexts(path.join(models, 'all-MiniLM-L6-v2'), path.join(models, '../data/bench.json'), path.join(work, 'texts.json'))
say(`parameters  ${rounds} rounds; sets ${Object.entries(sets).map(([name, texts]) => `${name} ${texts.length}`).join(', ')}`)

const where = Object.fromEntries([...embedders, 'reranker'].map((name) => [name, folders(name)]))
const measure = new Measure({
  contenders: there,
  folders: where,
  texts: path.join(work, 'texts.json'),
  work,
  rounds,
  quick,
  full,
  mixed: values.texts === undefined ? undefined : Number(values.texts),
  wanted,
  say,
  shown: (model, row, dtypes) => say(rowTable(measure.entries, model, row, dtypes)),
})
for (const model of embedders) {
  say(`\n${model}`)
  if (where[model].onnx === undefined) say(`  left out: ${where[model].reason}`)
  else await measure.sideBySide(model, 'embed', model === MAIN)
}
if (wanted.includes('rerank')) {
  say('\nreranker')
  await measure.sideBySide('reranker', 'rerank', true)
}
for (const row of ['memory', 'linear', 'first']) if (wanted.includes(row) && embedders.includes(MAIN)) await measure[row](MAIN)

const met = reach(measure.entries)
const part = fractions(measure.entries, where, tokens, about.cpus)
if (part.reason !== undefined) say(`\nfraction of the machine's own product rate: not told, ${part.reason}`)
else
  for (const { model, row, name, dtype, fraction } of part)
    say(`${model}, ${rows[row].title}, ${name} ${dtype}: ${fraction.toFixed(2)} of the machine's own product rate`)
say(reachTable(met))
// The rerank row of the README belongs to the main model's table.
const readme = measure.entries.map((entry) => (entry.model === 'reranker' ? { ...entry, model: MAIN } : entry))
const tables = embedders.map((model) => readmeTable(readme, model)).join('\n\n')
console.log(values.markdown ? tables : `\n${tables}`)
if (values.json !== undefined) {
  const { entries, left, likeness, noise } = measure
  const options = { quick, full, rounds, counts: COUNTS, wanted, embedders }
  const all = { machine: about, options, absent, likeness, noise, left, figures: entries, fractions: part, reach: met }
  writeFileSync(values.json, `${JSON.stringify(all, null, 2)}\n`)
}
