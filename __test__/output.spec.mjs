// Quantised outputs, byte for byte what sentence_transformers.quantize_embeddings gives for the same float32 values.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Embedder } from 'vecrank'
import { cosine, fullSize, golden, readJson, tiny } from './fixtures.mjs'
import path from 'node:path'

const name = 'zoo/bert-matryoshka-64'
const { texts, quantize_embeddings: expected } = golden(name)
const sentences = texts.map(({ text }) => text)
const embedder = new Embedder(tiny(name))
const arrays = { int8: Int8Array, uint8: Uint8Array, binary: Int8Array, ubinary: Uint8Array }
const ranges = (rows) => ({ min: Float32Array.from(rows[0]), max: Float32Array.from(rows[1]) })
const optionsOf = (output) => (output.endsWith('int8') ? { output, ranges: ranges(expected.ranges_min_max) } : { output })

/** Where the exact arithmetic would round the other way for a value that differs in its last digit, one step is allowed. */
function assertSteps(actual, row, what) {
  assert.equal(actual.length, row.length, what)
  let off = 0
  for (let index = 0; index < row.length; index++) {
    const difference = Math.abs(actual[index] - row[index])
    assert.ok(difference <= 1, `${what}: value ${index} is ${actual[index]}, not ${row[index]}`)
    if (difference) off++
  }
  assert.ok(off <= row.length * 0.02, `${what}: ${off} values of ${row.length} are a step away`)
}

/** Bits may differ only where the value is as good as zero. */
function assertBits(actual, row, values, offset, what) {
  assert.equal(actual.length, row.length, what)
  for (let byte = 0; byte < row.length; byte++) {
    const differing = (actual[byte] + offset) ^ (row[byte] + offset)
    for (let bit = 0; bit < 8; bit++) {
      if (differing & (128 >> bit)) assert.ok(Math.abs(values[byte * 8 + bit]) < 1e-5, `${what}: bit ${byte * 8 + bit} of value ${values[byte * 8 + bit]}`)
    }
  }
}

for (const output of Object.keys(arrays)) {
  test(`${output} equals the reference`, async () => {
    const rows = await embedder.embed(sentences, optionsOf(output))
    const many = await embedder.embedMany(sentences, optionsOf(output))
    assert.equal(many.dimensions, 64)
    rows.forEach((row, index) => {
      assert.ok(row instanceof arrays[output])
      assert.deepEqual(many.row(index), row)
      const what = `${output} of ${texts[index].id}`
      const wanted = expected.outputs[output][index]
      if (output.endsWith('int8')) assertSteps(row, wanted, what)
      else assertBits(row, wanted, expected.inputs[index], output === 'binary' ? 128 : 0, what)
    })
  })
}

test('the cut comes before the bits, and the last byte is filled with zeros', async () => {
  const rows = await embedder.embed(sentences, { output: 'ubinary', dimensions: 20 })
  rows.forEach((row, index) => assertBits(row, expected.outputs_first_20_dims.ubinary[index], expected.inputs[index], 0, texts[index].id))
  const many = await embedder.embedMany(sentences.slice(0, 3), { output: 'binary', dimensions: 20 })
  assert.equal(many.dimensions, 20)
  assert.equal(many.data.length, 9)
  const [first] = await embedder.embed([sentences[0]], { output: 'int8', dimensions: 20, ranges: ranges(expected.ranges_min_max.map((row) => row.slice(0, 20))) })
  assertSteps(first, expected.outputs_first_20_dims.int8[0], 'int8 of 20 dimensions')
})

test('ranges may change after the call', async () => {
  const own = ranges(expected.ranges_min_max)
  const wanted = await embedder.embed(sentences, { output: 'int8', ranges: ranges(expected.ranges_min_max) })
  const call = embedder.embed(sentences, { output: 'int8', ranges: own })
  own.min.fill(0)
  own.max.fill(1)
  assert.deepEqual(await call, wanted)
})

const minilm = fullSize('all-MiniLM-L6-v2')
test('all-MiniLM-L6-v2 fp32: quantised outputs', { skip: minilm.skip }, async () => {
  const { texts, single, quantized } = readJson(path.join(minilm.folder, 'golden.json'))
  const model = new Embedder(minilm.folder, { dtype: 'fp32' })
  const sentences = texts.slice(0, quantized.rows).map(({ text }) => text)
  const both = { min: Float32Array.from(quantized.ranges.min), max: Float32Array.from(quantized.ranges.max) }
  for (const output of Object.keys(arrays)) {
    const rows = await model.embed(sentences, output.endsWith('int8') ? { output, ranges: both } : { output })
    rows.forEach((row, index) => {
      if (output.endsWith('int8')) {
        assertSteps(row, quantized[output][index], `${output} ${index}`)
        assert.ok(cosine(row, quantized[output][index]) > 0.999)
      } else assertBits(row, quantized[output][index], single[index], output === 'binary' ? 128 : 0, `${output} ${index}`)
    })
  }
})
