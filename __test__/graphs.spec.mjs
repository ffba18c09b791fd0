// What may be wrong with the files of a network, and which of it works all the same: each case has its code, and its words name the value, the
// file and what to do. Oracles are what was written into the file (a version, a name, a size), the golden vectors, and those of the same model without
// the fault.

import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { assertNear, assertSameVector, copyOf, failure, golden, readJson, someTexts, tiny } from './fixtures.mjs'
import { maskless, withIrVersion, withName, withOperator, withOpset, withShapes } from './onnx.mjs'

const GRAPH = path.join('onnx', 'model.onnx')

/** A copy of a model with another graph. */
function withGraph(t, change, name = 'zoo/bert-mean') {
  const folder = copyOf(name, t)
  const file = path.join(folder, GRAPH)
  writeFileSync(file, change(readFileSync(file)))
  return folder
}

const refuses = (folder, code, ...patterns) =>
  assert.rejects(new Embedder(folder).load(), (error) => patterns.every((pattern) => failure(code, pattern)(error)))

// ---------- what is newer than ONNX Runtime, or not in it ----------------------------------------------------------------

test('too new an IR version is unsupported, with both numbers', async (t) => {
  await refuses(withGraph(t, (model) => withIrVersion(model, 99)), 'ERR_MODEL_UNSUPPORTED', /model\.onnx/, /version 99/, /highest that ONNX Runtime [\d.]+ reads is 1\d\b/)
})

test('too new an opset is unsupported, with both numbers', async (t) => {
  await refuses(withGraph(t, (model) => withOpset(model, 99)), 'ERR_MODEL_UNSUPPORTED', /model\.onnx/, /opset 99/, /highest that ONNX Runtime [\d.]+ reads is 2\d\b/)
})

test('an operator that the standard does not have is named', async (t) => {
  await refuses(withGraph(t, (model) => withOperator(model, 'MatMul', 'Unheard')), 'ERR_MODEL_UNSUPPORTED', /"Unheard"/, /opset 17/)
})

test('an operator of an unknown domain is named with its domain', async (t) => {
  const folder = withGraph(t, (model) => withOperator(model, 'MatMul', 'Unheard', 'com.example'))
  await refuses(folder, 'ERR_MODEL_UNSUPPORTED', /"Unheard" of "com\.example"/)
})

// ---------- something else in a file's place -----------------------------------------------------------------------------

const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n'
const PAGE = '<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>\n'

const places = [
  ['zoo/bert-mean', 'onnx/model.onnx'],
  ['extra/onnx-external-data', 'onnx/model.onnx_data'],
  ['zoo/bert-mean', 'tokenizer.json'],
  ['zoo/bert-mean', 'config.json'],
  ['zoo/bert-mean', 'modules.json'],
  ['zoo/bert-mean', '1_Pooling/config.json'],
  ['extra/dense-tanh-bias', '2_Dense/model.safetensors'],
]

for (const [name, file] of places) {
  const named = new RegExp(file.replaceAll('.', '\\.'))

  test(`a Git LFS pointer in place of ${file}`, async (t) => {
    const folder = copyOf(name, t)
    writeFileSync(path.join(folder, file), POINTER)
    await refuses(folder, 'ERR_MODEL_INVALID', named, /git lfs pull/, /12345 bytes/)
  })

  test(`a web page in place of ${file}`, async (t) => {
    const folder = copyOf(name, t)
    writeFileSync(path.join(folder, file), PAGE)
    await refuses(folder, 'ERR_MODEL_INVALID', named, /web page/)
  })

  test(`an empty ${file}`, async (t) => {
    const folder = copyOf(name, t)
    truncateSync(path.join(folder, file), 0)
    await refuses(folder, 'ERR_MODEL_INVALID', named, /empty/)
  })

  test(`a folder in place of ${file}`, async (t) => {
    const folder = copyOf(name, t)
    rmSync(path.join(folder, file))
    mkdirSync(path.join(folder, file))
    // As if it were not there: modules.json may be absent, and the network then has no pooling of its own.
    if (file === 'modules.json') return assert.ok((await new Embedder(folder).info()).assumed.includes('pooling'))
    await assert.rejects(new Embedder(folder).load(), ({ code, message }) => ['ERR_FILE_NOT_FOUND', 'ERR_MODEL_UNSUPPORTED'].includes(code) && named.test(message))
  })
}

test('a protobuf of something else is no graph', async (t) => {
  const folder = withGraph(t, () => Buffer.from([0x0a, 3, 97, 98, 99]))
  await refuses(folder, 'ERR_MODEL_INVALID', /model\.onnx/)
})

// ---------- weights beside the graph -------------------------------------------------------------------------------------

test('weights that are cut off are not blamed on the graph', async (t) => {
  const folder = copyOf('extra/onnx-external-data', t)
  truncateSync(path.join(folder, `${GRAPH}_data`), 12_000)
  await refuses(folder, 'ERR_MODEL_INVALID', /^onnx\/model\.onnx_data has 12000 bytes.*16368/)
})

test('weights that are missing are named', async (t) => {
  const folder = copyOf('extra/onnx-external-data', t)
  rmSync(path.join(folder, `${GRAPH}_data`))
  await refuses(folder, 'ERR_FILE_NOT_FOUND', /onnx\/model\.onnx_data.*missing/)
})

test('weights outside the folder are refused', async (t) => {
  const folder = withGraph(t, (model) => Buffer.from(model.toString('latin1').replaceAll('model.onnx_data', '../.onnx_data__'), 'latin1'), 'extra/onnx-external-data')
  // They are there, beside the graph's folder.
  writeFileSync(path.join(folder, '.onnx_data__'), readFileSync(path.join(folder, `${GRAPH}_data`)))
  await refuses(folder, 'ERR_MODEL_INVALID', /\.\.\/\.onnx_data__.*leaves/)
})

// ---------- tokenizer.json -----------------------------------------------------------------------------------------------

for (const part of ['model', 'normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
  test(`a ${part} of an unknown type is named`, async (t) => {
    const folder = copyOf('zoo/bert-mean', t)
    const file = path.join(folder, 'tokenizer.json')
    const tokenizer = readJson(file)
    tokenizer[part] = { ...tokenizer[part], type: 'Unheard' }
    writeFileSync(file, JSON.stringify(tokenizer))
    await refuses(folder, 'ERR_MODEL_UNSUPPORTED', /tokenizer\.json/, new RegExp(`"${part}"`), /"Unheard"/)
  })
}

// ---------- shapes -------------------------------------------------------------------------------------------------------

const INPUTS = ['input_ids', 'attention_mask', 'token_type_ids']
const fixed = (...shape) => (model) => withShapes(model, Object.fromEntries(INPUTS.map((name) => [name, shape])))
const texts = [...someTexts(20, 8), '', ...someTexts(3, 60, 2)]

for (const shape of [[1, 'tokens'], [3, 'tokens'], ['rows', 24], [1, 24], [4, 24]]) {
  test(`a graph for batches of the shape ${JSON.stringify(shape)} gives the vectors of an open one`, async (t) => {
    const embedder = new Embedder(withGraph(t, fixed(...shape)))
    const open = new Embedder(tiny('zoo/bert-mean'), typeof shape[1] === 'number' ? { maxLength: shape[1] } : {})
    const [expected, { data, rows, truncated }] = [await open.embedMany(texts), await embedder.embedMany(texts)]
    assert.equal(rows, texts.length)
    assert.equal(truncated, expected.truncated)
    assertNear(data, expected.data, 1e-5, 'vectors')
    assert.equal((await embedder.info()).maxLength, (await open.info()).maxLength)
  })
}

test('a graph of a fixed length still gives the golden vectors', async (t) => {
  const { texts: cases, runs } = golden('zoo/bert-mean')
  const expected = runs.find(({ id }) => id === 'encode').single
  const { maxLength } = await new Embedder(tiny('zoo/bert-mean')).info()
  const found = await new Embedder(withGraph(t, fixed(1, maxLength))).embed(cases.map(({ text }) => text))
  assert.ok(found.length > 5)
  found.forEach((vector, index) => assertSameVector(vector, expected[index], cases[index].text))
})

test('no more tokens are asked of a graph than it was exported for', async (t) => {
  const folder = withGraph(t, fixed(1, 24))
  await assert.rejects(new Embedder(folder, { maxLength: 25 }).load(), failure('ERR_INVALID_ARG', /24.*maxLength.*25/))
  const embedder = await Embedder.load(folder, { maxLength: 10 })
  assert.equal((await embedder.info()).maxLength, 10)
  await assert.rejects(embedder.embed('text', { maxLength: 25 }), failure('ERR_INVALID_ARG', /24/))
  assert.equal((await embedder.embed('text', { maxLength: 24 })).length, 32)
})

test('a reranker of a fixed shape scores as an open one', async (t) => {
  const pairs = someTexts(9, 10).map((text, index) => [someTexts(9, 4, 3)[index], text])
  const reranker = new Reranker(withGraph(t, fixed(2, 32), 'zoo/bert-ranker-1'))
  assertNear(await reranker.score(pairs), await new Reranker(tiny('zoo/bert-ranker-1'), { maxLength: 32 }).score(pairs), 1e-4, 'scores')
})

test('a cache of earlier tokens that cannot be empty is refused when the model is loaded', async (t) => {
  const name = 'past_key_values.0.key'
  const change = (size) => (model) => withShapes(model, { [name]: ['rows', 1, size, 8] })
  // The fixture's own shape, written by the same hand, is accepted.
  assert.ok((await new Embedder(withGraph(t, change('past'), 'extra/onnx-past-key-values')).embed('text')).length > 0)
  await refuses(withGraph(t, change(5), 'extra/onnx-past-key-values'), 'ERR_MODEL_UNSUPPORTED', /past_key_values\.0\.key/)
})

test('inputs of shapes that contradict each other are refused when the model is loaded', async (t) => {
  const folder = withGraph(t, (model) => withShapes(model, { input_ids: [1, 24], attention_mask: [1, 16] }))
  await refuses(folder, 'ERR_MODEL_UNSUPPORTED', /attention_mask.*\[1, 16\]/, /dynamic/)
})

test('a graph without a mask never sees padding', async (t) => {
  const embedder = new Embedder(withGraph(t, () => maskless()))
  const many = await embedder.embed(texts)
  for (const [index, text] of texts.entries()) assertNear(many[index], await embedder.embed(text), 1e-6, `"${text}"`)
})

test('a fixed length without a mask is refused when the model is loaded', async (t) => {
  const folder = withGraph(t, () => withShapes(maskless(), { input_ids: [1, 24] }))
  await refuses(folder, 'ERR_MODEL_UNSUPPORTED', /24 tokens/, /attention_mask/)
})

for (const shape of [[1, -1, 32], [-1, 2, 32], [1, 7, 32]]) {
  test(`a graph that hides the fixed shape ${JSON.stringify(shape)} is refused when the model is loaded`, async (t) => {
    await assert.rejects(new Embedder(withGraph(t, () => maskless({ shape }))).load(), (error) => {
      assert.ok(['ERR_MODEL_UNSUPPORTED', 'ERR_MODEL_INVALID'].includes(error.code), error.stack)
      assert.match(error.message, /exported for a fixed number of rows or tokens.*dynamic/)
      return true
    })
  })
}

test('an output of another rank is refused when the model is loaded', async (t) => {
  const ranker = readFileSync(path.join(tiny('zoo/bert-ranker-1'), GRAPH))
  await refuses(withGraph(t, () => withName(ranker, 'logits', 'last_hidden_state')), 'ERR_MODEL_INVALID', /"last_hidden_state" has the shape \[2, 1\]/)
})

test('inputs that nobody knows are named', async (t) => {
  await refuses(withGraph(t, (model) => withName(model, 'token_type_ids', 'pixel_values')), 'ERR_MODEL_UNSUPPORTED', /"pixel_values"/)
  await refuses(withGraph(t, () => withShapes(withName(maskless(), 'input_ids', 'attention_mask'), {})), 'ERR_MODEL_UNSUPPORTED', /no input "input_ids"/)
})

test('bytes behind the end of a graph are no graph', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  appendFileSync(path.join(folder, GRAPH), '<html>')
  await refuses(folder, 'ERR_MODEL_INVALID', /model\.onnx/)
})
