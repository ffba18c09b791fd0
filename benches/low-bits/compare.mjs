// What a model loses and gains with fewer bits: each ONNX file of a folder against its fp32 one, both in ONNX Runtime.
//
//   python benches/low-bits/make.py MODEL_FOLDER FOLDER
//   node benches/low-bits/compare.mjs FOLDER [--texts 300] [--rounds 3] [--timed 64]
//
// For each dtype: the cosine to fp32 in the mean and at least, the largest difference of a value, the file's size, and texts a second as a
// ratio to fp32. All take turns round by round, so that load of the machine meets all alike; the ratio is the median of the rounds.
// Prints the table of docs/models.md. Texts are those of ../shared/data beside the repository, else of examples/data.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Embedder, cosineSimilarity } from 'vecrank'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    texts: { type: 'string', default: '300' },
    rounds: { type: 'string', default: '3' },
    timed: { type: 'string', default: '64' },
  },
})
const [folder] = positionals
if (folder === undefined) throw new Error('Give the folder that make.py has made.')
const rounds = Number(values.rounds)

const FILES = { fp32: 'model', fp16: 'model_fp16', q8: 'model_quantized', q4: 'model_q4', q4f16: 'model_q4f16', bnb4: 'model_bnb4' }

function load() {
  const bench = new URL('../../../shared/data/bench.json', import.meta.url)
  if (existsSync(bench)) return JSON.parse(readFileSync(bench, 'utf8')).mixed
  const { passages } = JSON.parse(readFileSync(new URL('../../examples/data/passages.json', import.meta.url), 'utf8'))
  return passages.map(({ text }, index) => text.split(' ').slice(0, 2 + ((index * 37) % 200)).join(' '))
}

function median(numbers) {
  return Float64Array.from(numbers).sort()[numbers.length >> 1]
}

/** How near the rows are to those of fp32. */
function likeness(rows, reference) {
  const cosines = []
  let largest = 0
  for (let index = 0; index < rows.rows; index++) {
    const [row, other] = [rows.row(index), reference.row(index)]
    cosines.push(cosineSimilarity(row, other))
    row.forEach((value, at) => (largest = Math.max(largest, Math.abs(value - other[at]))))
  }
  return { mean: cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length, least: Math.min(...cosines), largest }
}

const texts = load().slice(0, Number(values.texts))
const timed = texts.slice(0, Number(values.timed))
const contenders = []
for (const [dtype, name] of Object.entries(FILES)) {
  const size = statSync(join(folder, 'onnx', `${name}.onnx`), { throwIfNoEntry: false })?.size
  if (size === undefined) continue
  // An absolute path: a bare name would be that of a package.
  const embedder = new Embedder(resolve(folder), { dtype, engine: 'graph' })
  try {
    contenders.push({ dtype, size, embedder, rows: await embedder.embedMany(texts), times: [] })
  } catch (error) {
    console.log(`${dtype}: ${error.code}: ${error.message}`)
  }
}
const reference = contenders.find(({ dtype }) => dtype === 'fp32')
if (reference === undefined) throw new Error(`${folder} has no onnx/model.onnx to compare with.`)

for (let round = 0; round < rounds; round++) {
  for (const { embedder, times } of contenders) {
    const start = performance.now()
    await embedder.embedMany(timed)
    times.push(performance.now() - start)
  }
}

const { onnxruntime } = await reference.embedder.info()
console.log(`${texts.length} texts, ONNX Runtime ${onnxruntime}; speed: ${timed.length} texts, ${rounds} rounds\n`)
console.log('| dtype | MB | cosine to fp32, mean | least | largest difference | texts/s, fp32 = 1 |\n|---|---|---|---|---|---|')
for (const { dtype, size, embedder, rows, times } of contenders) {
  const { mean, least, largest } = likeness(rows, reference.rows)
  const ratio = median(times.map((ms, round) => reference.times[round] / ms))
  console.log(`| \`${dtype}\` | ${(size / 1e6).toFixed(1)} | ${mean.toFixed(5)} | ${least.toFixed(5)} | ${largest.toPrecision(2)} | ${ratio.toFixed(2)} |`)
  await embedder.dispose()
}
