// fp16 and 4 bits, which ONNX Runtime computes: vectors against those that Python's onnxruntime gives with the same files, for a tiny model.
// tests/fixtures/low-bits/make_low_bits.py made both, with the recipe of benches/low-bits.

import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Embedder } from 'vecrank'
import { assertNear, cosine, failure, largestDifference, readJson, root } from './fixtures.mjs'

const folder = path.join(root, 'tests', 'fixtures', 'low-bits', 'bert')
const { texts, runs, versions } = readJson(path.join(folder, 'golden.json'))
const sentences = texts.map(({ text }) => text)
const runOf = (wanted) => runs.find(({ dtype }) => dtype === wanted)

/**
 * How far a value may be from the reference's. Wide enough for the kernels of another processor: those for fp16 round between the nodes, on some
 * processors in more places than on others.
 */
const TOLERANCE = { fp32: 1e-5, fp16: 2e-3, q4: 1e-3, q4f16: 3e-3, bnb4: 1e-3 }
const LEAST_COSINE = { fp32: 0.99999, fp16: 0.9999, q4: 0.9999, q4f16: 0.9999, bnb4: 0.9999 }

test('the fixture has every dtype, with the operators that it is about', () => {
  assert.deepEqual(runs.map(({ dtype }) => dtype), Object.keys(TOLERANCE))
  assert.deepEqual(runs.map(({ operators }) => Object.keys(operators)), [[], [], ['MatMulNBits'], ['MatMulNBits'], ['MatMulBnb4']])
})

test('the tolerance tells 4 bits from fp32, and NF4 from the other', () => {
  for (const [one, other] of [['q4', 'fp32'], ['q4f16', 'fp16'], ['bnb4', 'fp32'], ['bnb4', 'q4']]) {
    const differences = runOf(one).single.map((row, index) => largestDifference(row, runOf(other).single[index]))
    assert.ok(Math.max(...differences) > 10 * TOLERANCE[one], `${one} and ${other} differ by ${Math.max(...differences)}`)
  }
})

for (const { dtype, file, single } of runs) {
  test(`${dtype}: the vectors of ONNX Runtime ${versions.onnxruntime} in Python, in a batch and alone`, async () => {
    const embedder = new Embedder(folder, { dtype, engine: 'graph' })
    const info = await embedder.info()
    assert.deepEqual([info.dtype, info.file, info.engine, info.provider], [dtype, file, 'graph', 'CPUExecutionProvider'])
    const rows = await embedder.embed(sentences)
    for (const [index, row] of rows.entries()) {
      const { id } = texts[index]
      for (const [what, vector] of [['batch', row], ['alone', await embedder.embed(sentences[index])]]) {
        assertNear(vector, single[index], TOLERANCE[dtype], `${what}, ${id}`)
        assert.ok(cosine(vector, single[index]) >= LEAST_COSINE[dtype], `${what}, ${id}: cosine ${cosine(vector, single[index])}`)
      }
    }
  })
}

test('engine auto leaves these files to ONNX Runtime', async () => {
  for (const dtype of ['q4', 'q4f16', 'bnb4']) {
    const embedder = new Embedder(folder, { dtype })
    assert.equal((await embedder.info()).engine, 'graph', dtype)
  }
})

test('the encoder refuses them', async () => {
  for (const dtype of ['q4', 'q4f16', 'bnb4']) {
    await assert.rejects(new Embedder(folder, { dtype, engine: 'encoder' }).load(), (error) => /^ERR_(FILE_NOT_FOUND|MODEL_UNSUPPORTED)$/.test(error.code), dtype)
  }
})

test('auto takes q4 where there is nothing longer, and neither q4f16 nor bnb4 unasked', async (t) => {
  const copy = mkdtempSync(path.join(tmpdir(), 'vecrank-test-'))
  t.after(() => rmSync(copy, { recursive: true, force: true }))
  cpSync(folder, copy, { recursive: true })
  for (const name of ['model.onnx', 'model_fp16.onnx']) rmSync(path.join(copy, 'onnx', name))
  const embedder = new Embedder(copy)
  assert.equal((await embedder.info()).dtype, 'q4')
  await embedder.dispose()
  rmSync(path.join(copy, 'onnx', 'model_q4.onnx'))
  await assert.rejects(new Embedder(copy).load(), failure('ERR_MODEL_UNSUPPORTED', /dtype|ONNX/))
})
