// Which files of a repository on the Hub are fetched, and that they give the vectors that the same files give from a folder.

import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { assertSameVector, failure, golden, tiny, tinyOf } from './fixtures.mjs'
import { NEEDED, contents } from './hub/cli.mjs'
import { FakeHub } from './hub/hub.mjs'
import { assertSound, temporary, world, zoo } from './hub/world.mjs'

const TEXTS = ['A query about rivers.', '', 'Two documents, one of them longer than the other one, to fill a batch.']

/** The files that were sent. */
const fetched = (hub) => [...new Set(hub.requests.filter(({ file, status }) => file && status < 300).map(({ file }) => file))].sort()

test('every tiny embedder gives over the Hub what it gives from a folder', async (t) => {
  const hub = await FakeHub.start({ resolveCache: true })
  t.after(() => hub.close())
  const cacheDir = temporary(t)
  for (const name of tinyOf('embedder')) {
    const id = `tiny/${name.replace('/', '-')}`
    hub.add(id, tiny(name))
    const [ours, folder] = [new Embedder(id, { endpoint: hub.url, cacheDir }), new Embedder(tiny(name))]
    assert.deepEqual(await ours.embed(TEXTS), await folder.embed(TEXTS), name)
    await Promise.all([ours.dispose(), folder.dispose()])
  }
  assert.equal(hub.count({ file: 'golden.json' }), 0, 'a file that no model needs')
  assertSound(cacheDir)
})

test('every tiny reranker gives over the Hub what it gives from a folder', async (t) => {
  const hub = await FakeHub.start({ cdn: false })
  t.after(() => hub.close())
  const cacheDir = temporary(t)
  for (const name of tinyOf('reranker')) {
    const id = `tiny/${name.replace('/', '-')}`
    hub.add(id, tiny(name))
    const [ours, folder] = [new Reranker(id, { endpoint: hub.url, cacheDir }), new Reranker(tiny(name))]
    const pairs = TEXTS.map((text) => [TEXTS[0], text])
    assert.deepEqual(await ours.score(pairs), await folder.score(pairs), name)
    await Promise.all([ours.dispose(), folder.dispose()])
  }
  assertSound(cacheDir)
})

test('a model of the Hub gives the vectors of the reference, fetches what it needs once, and info says where it is from', async (t) => {
  const { hub, id, commit, load, folder } = await world(t)
  const embedder = await load()
  const { texts, runs } = golden('zoo/bert-mean')
  const { single } = runs.find((run) => run.id === 'encode')
  const vectors = await embedder.embed(texts.map(({ text }) => text))
  vectors.forEach((vector, index) => assertSameVector(vector, single[index], `text ${index}`))
  assert.deepEqual(fetched(hub), NEEDED)
  for (const file of fetched(hub)) assert.equal(hub.count({ method: 'GET', file, status: 200 }), 1, file)
  const info = await embedder.info()
  assert.deepEqual(
    { model: info.model, source: info.source, commit: info.commit, locked: info.locked, base: info.base },
    { model: id, source: 'hub', commit, locked: false, base: null },
  )
  assert.equal(info.path, join(folder, 'snapshots', commit))
})

// ---------- the ONNX file --------------------------------------------------------------------------------------------------

const fp32 = readFileSync(zoo('bert-mean') + '/onnx/model.onnx')
/** The files of the model without its graph. */
const bare = () => {
  const files = contents('bert-mean')
  for (const file of Object.keys(files)) if (file.endsWith('.onnx') || file === 'golden.json') delete files[file]
  return files
}
const declaring = (dtype) => {
  const config = JSON.parse(bare()['config.json'])
  return { 'config.json': JSON.stringify({ ...config, 'transformers.js_config': { dtype } }) }
}

/** Files that the repository has, options, and the file that is fetched with `info().dtype`. */
const choices = [
  [['onnx/model.onnx', 'onnx/model_quantized.onnx'], {}, 'onnx/model.onnx', 'fp32'],
  [['onnx/model.onnx', 'onnx/model_quantized.onnx'], { dtype: 'q8' }, 'onnx/model_quantized.onnx', 'q8'],
  [['onnx/model_fp16.onnx', 'onnx/model_q4.onnx'], {}, 'onnx/model_fp16.onnx', 'fp16'],
  [['onnx/model_q4.onnx', 'onnx/model_int8.onnx'], {}, 'onnx/model_int8.onnx', 'int8'],
  [['onnx/model_q4f16.onnx', 'onnx/model.onnx'], { dtype: 'q4f16' }, 'onnx/model_q4f16.onnx', 'q4f16'],
  [['onnx/model_bnb4.onnx', 'onnx/model.onnx'], { dtype: 'bnb4' }, 'onnx/model_bnb4.onnx', 'bnb4'],
  [['onnx/model.onnx', 'onnx/model_uint8.onnx'], { dtype: 'uint8' }, 'onnx/model_uint8.onnx', 'uint8'],
  [['model.onnx'], {}, 'model.onnx', 'fp32'],
  [['model_optimized.onnx'], {}, 'model_optimized.onnx', 'fp32'],
  [['onnx/model_O1.onnx', 'onnx/model_O2.onnx', 'onnx/model_O3.onnx', 'onnx/model_O4.onnx'], {}, 'onnx/model_O2.onnx', 'fp32'],
  [['onnx/model.onnx', 'onnx/model_O4.onnx'], { dtype: 'fp16' }, 'onnx/model_O4.onnx', 'fp16'],
  [['onnx/model.onnx', 'onnx/model_quint8_avx2.onnx'], { dtype: 'uint8' }, 'onnx/model_quint8_avx2.onnx', 'uint8'],
  [['onnx/model.onnx', 'onnx/model_O3.onnx'], { file: 'onnx/model_O3.onnx' }, 'onnx/model_O3.onnx', null],
  [['onnx/model.onnx', 'onnx/model_int8.onnx'], { file: 'onnx/model_int8.onnx', dtype: 'fp32' }, 'onnx/model_int8.onnx', 'int8'],
]

for (const [files, options, expected, dtype] of choices) {
  test(`of ${files.join(', ')} with ${JSON.stringify(options)}, ${expected}`, async (t) => {
    const { hub, load } = await world(t)
    hub.add('zoo/choice', { ...bare(), ...Object.fromEntries(files.map((file) => [file, fp32])) })
    const embedder = await load(options, 'zoo/choice')
    const { file, dtype: found } = await embedder.info()
    assert.deepEqual({ file, found }, { file: expected, found: dtype })
    assert.deepEqual(fetched(hub).filter((name) => name.endsWith('.onnx')), [expected])
  })
}

test('of files that were quantised for kinds of processors, the one for this kind', async (t) => {
  const { hub, load } = await world(t)
  const names = ['arm64', 'avx2', 'avx512', 'avx512_vnni'].map((kind) => `onnx/model_qint8_${kind}.onnx`)
  hub.add('zoo/choice', { ...bare(), ...Object.fromEntries(names.map((file) => [file, fp32])) })
  for (const dtype of ['int8', 'q8']) {
    const { file } = await (await load({ dtype }, 'zoo/choice')).info()
    assert.equal(file, process.arch === 'arm64' ? names[0] : names[3])
  }
})

test('the declared dtype is what auto means, and a declared file that is missing is not', async (t) => {
  const { hub, load } = await world(t)
  const both = { 'onnx/model.onnx': fp32, 'onnx/model_quantized.onnx': fp32 }
  hub.add('zoo/q8', { ...bare(), ...declaring('q8'), ...both })
  hub.add('zoo/by-file', { ...bare(), ...declaring({ model: 'q8', decoder: 'q4' }), ...both })
  hub.add('zoo/missing', { ...bare(), ...declaring('q4'), ...both })
  assert.equal((await (await load({}, 'zoo/q8')).info()).dtype, 'q8')
  assert.equal((await (await load({}, 'zoo/by-file')).info()).dtype, 'q8')
  assert.equal((await (await load({}, 'zoo/missing')).info()).dtype, 'fp32')
  assert.equal((await (await load({ dtype: 'fp32' }, 'zoo/q8')).info()).dtype, 'fp32')
})

test('a repository without a graph says what was looked for and how to make one; a named file that is missing is another matter', async (t) => {
  const { hub, make } = await world(t)
  hub.add('zoo/none', bare())
  await assert.rejects(make({}, 'zoo/none').load(), failure('ERR_MODEL_UNSUPPORTED', /onnx\/model\.onnx.*onnx\/model_quantized\.onnx.*optimum-cli export onnx/s))
  await assert.rejects(make({ dtype: 'q4' }).load(), failure('ERR_FILE_NOT_FOUND', /model_q4\.onnx/))
  await assert.rejects(make({ file: 'onnx/other.onnx' }).load(), failure('ERR_FILE_NOT_FOUND', /onnx\/other\.onnx/))
  assert.equal(hub.count({ file: /\.onnx$/ }), 0)
})

test('weights in files of their own come with the graph', async (t) => {
  const { hub, load } = await world(t)
  const data = { 'onnx/model.onnx_data': 'a', 'onnx/model.onnx_data_1': 'b', 'onnx/model.onnx_data_2': 'c', 'onnx/model_q4.onnx_data': 'd' }
  hub.add('zoo/data', { ...bare(), 'onnx/model.onnx': fp32, 'onnx/model_q4.onnx': fp32, ...data })
  const embedder = await load({}, 'zoo/data')
  const graph = fetched(hub).filter((name) => name.startsWith('onnx/'))
  assert.deepEqual(graph, ['onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/model.onnx_data_1', 'onnx/model.onnx_data_2'])
  assert.ok((await embedder.embed('a')).length > 0)
})

// ---------- the base of a conversion -----------------------------------------------------------------------------------------

const small = ['modules.json', 'config_sentence_transformers.json', 'sentence_bert_config.json', '1_Pooling/config.json']

/** A conversion: everything of `model` but the small files of sentence-transformers. */
function conversion(model, card) {
  const files = contents(model)
  for (const file of [...small, '2_Normalize/config.json', 'golden.json']) delete files[file]
  return card === undefined ? files : { ...files, 'README.md': card }
}
const cardOf = (yaml) => `---\nlicense: mit\n${yaml}\n---\n# A conversion\n`

test('a conversion takes the small files of the repository that its card names', async (t) => {
  const { hub, load, cacheDir, options } = await world(t, { model: 'bert-cls' })
  const base = hub.add('owner/original', contents('bert-cls'))
  hub.add('owner/conversion', conversion('bert-cls', cardOf('base_model:\n- owner/original')))
  const embedder = await load({}, 'owner/conversion')
  assert.deepEqual(await embedder.embed(TEXTS), await (await Embedder.load(zoo('bert-cls'))).embed(TEXTS))
  const info = await embedder.info()
  assert.deepEqual(info.base, { model: 'owner/original', commit: base })
  assert.deepEqual({ pooling: info.pooling, normalize: info.normalize, assumed: info.assumed }, { pooling: 'cls', normalize: true, assumed: [] })
  assert.equal(hub.count({ id: 'owner/original', file: /onnx|tokenizer|^config\.json$/ }), 0, 'the network is the conversion’s own')
  assertSound(cacheDir)
  hub.clear()
  const again = new Embedder('owner/conversion', options({ offline: true }))
  assert.deepEqual((await again.info()).base, info.base)
  assert.equal(hub.requests.length, 0)
  // Both repositories are verified: a damaged file of the base is noticed. A model in memory would not be read again.
  await Promise.all([embedder.dispose(), again.dispose()])
  const pooling = join(cacheDir, 'models--owner--original/snapshots', base, '1_Pooling/config.json')
  const bytes = readFileSync(pooling)
  rmSync(pooling)
  writeFileSync(pooling, String(bytes).replace('true', 'tRue'))
  await assert.rejects(new Embedder('owner/conversion', options({ offline: true })).load(), failure('ERR_CORRUPT', /owner\/original/))
})

test('no base, several, one that lends nothing, one that is hidden: assumed aloud', async (t) => {
  const warnings = []
  process.on('warning', (warning) => warnings.push(warning))
  const { hub, load } = await world(t)
  hub.token = 'hf_x'
  hub.add('owner/plain', conversion('bert-mean'))
  hub.add('owner/private', contents('bert-cls'), { isPrivate: true })
  const cards = {
    none: undefined,
    several: cardOf('base_model:\n- zoo/bert-mean\n- owner/plain'),
    nothing: cardOf('base_model: owner/plain'),
    itself: cardOf('base_model: owner/of-itself'),
    private: cardOf('base_model: owner/private'),
    missing: cardOf('base_model: owner/missing'),
  }
  for (const [name, card] of Object.entries(cards)) {
    hub.add(`owner/of-${name}`, conversion('bert-mean', card))
    const info = await (await load({}, `owner/of-${name}`)).info()
    assert.deepEqual([info.base, info.assumed], [null, ['pooling', 'normalize']], name)
    // The answer is kept: neither a request nor a difference the next time.
    hub.clear()
    const offline = await (await load({ offline: true }, `owner/of-${name}`)).info()
    const again = await (await load({}, `owner/of-${name}`)).info()
    assert.deepEqual([offline.base, again.base, hub.requests.length], [null, null, 0], name)
  }
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(warnings.filter(({ code }) => code === 'VECRANK_ASSUMED').length, Object.keys(cards).length)
  // With each of the three loads: what is kept is not passed over.
  assert.equal(warnings.filter(({ code }) => code === 'VECRANK_HUB').length, 2 * 3, 'private and missing')
})
