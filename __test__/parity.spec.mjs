// Our numbers against those of sentence-transformers, read from golden.json, for every embedder and reranker of the fixtures, through the
// public API and with both engines. Which call of ours stands for a run of the reference is written down here; a run that nobody knows is a
// failure.

import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { assertNear, assertSameVector, cosine, failure, fullSize, golden, readJson, root, tiny, tinyOf } from './fixtures.mjs'

// Those of `beyond/` have specs of their own.
const embedders = tinyOf('embedder').filter((name) => !name.startsWith('beyond/'))
const rerankers = tinyOf('reranker')

test('the fixtures are complete', () => {
  const zoo = (names) => names.filter((name) => name.startsWith('zoo/')).length
  assert.equal(zoo(embedders), 7)
  assert.equal(zoo(rerankers), 3)
  assert.ok(embedders.length + rerankers.length > 50)
})

/** The call that does what a run of the reference did: the method and its options. */
function callFor({ id, prompt }, prompts) {
  if (id === 'encode') return ['embed', {}]
  if (id === 'encode_query') return ['embedQuery', {}]
  // embedDocument also looks for `passage` and `corpus`, the reference does not.
  if (id === 'encode_document') return prompts.document || !(prompts.passage || prompts.corpus) ? ['embedDocument', {}] : ['embed', { prompt: 'document' }]
  if (id === 'before_normalize') return ['embed', { normalize: false }]
  if (id === 'encode_normalized') return ['embed', { normalize: true }]
  if (/^encode_(custom|empty)_prompt\d*$/.test(id)) return ['embed', { promptText: prompt }]
  const named = /^encode_prompt_name_(.+)$/.exec(id)
  if (named) return ['embed', { prompt: named[1] }]
  const cut = /^truncate_(\d+)(_normalized)?$/.exec(id)
  if (cut) return ['embed', { dimensions: Number(cut[1]), ...(cut[2] && { normalize: true }) }]
  throw new Error(`No call is known for the run ${id}`)
}

/**
 * What a run's vectors are to be compared with. The reference's lone vectors, as its batches depend on the padding for an encoder that pads on the
 * left; but its row of the batch where it fails on a lone text, one without tokens.
 */
function expectedOf({ id, single, batch }, info) {
  const rows = single.map((vector, index) => (vector.error === undefined ? vector : batch[index]))
  // By the contract a cut vector is normalised wherever the model's are; the reference cuts after it has normalised.
  return /^truncate_\d+$/.test(id) && info.normalize ? rows.map(scaled) : rows
}

function scaled(vector) {
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

/** The reference's names of poolings, and ours. */
const POOLING = { cls: 'cls', max: 'max', mean: 'mean', mean_sqrt_len_tokens: 'mean_sqrt_len', weightedmean: 'weighted_mean', lasttoken: 'last' }

/** A repository and an engine: what `auto` takes, and ONNX Runtime. */
const withEngines = (names) => names.flatMap((repository) => ['auto', 'graph'].map((engine) => ({ repository, engine, name: `${repository}, ${engine}` })))

test('auto is the encoder where the graph says what its tensors are, else ONNX Runtime', async () => {
  const engineOf = async (name, options) => (await new Embedder(tiny(name), options).info()).engine
  for (const name of ['bert-mean', 'bert-cls', 'xlmr-mean-prefix', 'mpnet-mean-sentence-embedding']) assert.equal(await engineOf(`zoo/${name}`), 'encoder', name)
  assert.equal(await engineOf('zoo/bert-mean', { engine: 'graph' }), 'graph')
  // The tensors of these have lost their names.
  assert.equal(await engineOf('extra/family-electra'), 'graph')
  await assert.rejects(engineOf('extra/family-electra', { engine: 'encoder' }), failure('ERR_MODEL_UNSUPPORTED', /nothing tells which parameter/))
})

for (const { repository, engine, name } of withEngines(embedders)) {
  const { runs, texts, dimension, prompts = {}, pooling, effective_max_length: maxLength, onnx_variants: variants = [] } = golden(repository)
  const sentences = texts.map(({ text }) => text)
  const embedder = new Embedder(tiny(repository), { engine })

  test(`${name}: what it is`, async () => {
    const info = await embedder.info()
    assert.equal(info.maxLength, maxLength)
    assert.equal(info.kind, 'embedder')
    // The zoo's own golden files do not say how they pool.
    if (pooling) assert.deepEqual([info.pooling].flat(), pooling.modes.map((mode) => POOLING[mode]))
    // A repository that cuts by itself tells what is left.
    assert.ok(info.dimensions <= dimension || info.dimensions === runs[0].batch[0].length)
  })

  assert.ok(runs.length > 0, name)
  for (const run of runs) {
    test(`${name}: ${run.id}`, async () => {
      const [method, options] = callFor(run, prompts)
      const info = await embedder.info()
      if (options.dimensions > dimension) {
        // The reference cuts nothing then; here an option that has no effect is an error.
        return assert.rejects(embedder[method](sentences, options), failure('ERR_INVALID_ARG', /dimensions/))
      }
      const expected = expectedOf(run, info)
      assert.equal(expected.length, sentences.length)
      // The reference is fp32; a repository that has nothing but fp16 is near it.
      const same = info.dtype === 'fp32' ? assertSameVector : (row, other, what) => assert.ok(cosine(row, other) >= 0.9999, what)
      const rows = await embedder[method](sentences, options)
      rows.forEach((row, index) => same(row, expected[index], `batch, ${texts[index].id}`))
      for (let index = 0; index < sentences.length; index++) {
        same(await embedder[method](sentences[index], options), expected[index], `alone, ${texts[index].id}`)
      }
    })
  }

  for (const { file, single } of variants) {
    test(`${name}: ${file}`, async () => {
      const variant = new Embedder(tiny(repository), { file, engine })
      for (let index = 0; index < sentences.length; index++) {
        const vector = await variant.embed(sentences[index])
        assert.ok(cosine(vector, single[index]) >= (file.includes('fp16') ? 0.9999 : 0.99), `${texts[index].id}: ${cosine(vector, single[index])}`)
      }
    })
  }
}

// Prompts by name are not an option of rerank(), so these runs cannot be asked for.
const UNREACHABLE = /^(no_prompt|prompt_name_.+)$/

for (const { repository, engine, name } of withEngines(rerankers)) {
  const { runs, pairs, rank, num_labels: labels, default_activation: activation } = golden(repository)
  const own = pairs.map(({ query, document }) => [query, document])
  const reranker = new Reranker(tiny(repository), { engine })
  // Of two labels the score is the second less the first.
  const oneScore = (value) => (labels === 2 ? value[1] - value[0] : value)
  const scoreEach = async (activation) => {
    const scores = []
    for (const [query, document] of own) scores.push((await reranker.rerank(query, [document], { activation }))[0].score)
    return scores
  }

  for (const run of runs.filter(({ id }) => !UNREACHABLE.test(id))) {
    test(`${name}: ${run.id}`, async () => {
      if (run.id === 'logits') {
        assertNear(await reranker.score(own), run.batch.map(oneScore), 1e-3, 'batch')
        assertNear(await scoreEach('none'), run.single.map(oneScore), 1e-3, 'alone')
      } else if (run.id === 'default') {
        if (labels === 2) assert.equal(activation, 'Identity')
        assertNear(await scoreEach('default'), run.single.map(oneScore), 1e-3, 'declared activation')
      } else if (run.id === 'softmax') {
        assertNear(await scoreEach('sigmoid'), run.single.map((both) => both[1]), 1e-4, 'the sigmoid of the log-odds')
      } else assert.fail(`No call is known for the run ${run.id}`)
    })
  }

  if (rank.result.error === undefined) {
    test(`${name}: rank`, async () => {
      const ranking = await reranker.rerank(rank.query, rank.documents, { activation: 'default' })
      assertNear(ranking.map(({ score }) => score), rank.result.map(({ score }) => score), 1e-3, 'scores')
      // Equal scores may stand in any order there; here they keep the input's.
      rank.result.forEach(({ corpus_id, score }, place) => {
        if (rank.result.filter((other) => Math.abs(other.score - score) < 1e-4).length === 1) assert.equal(ranking[place].index, corpus_id)
      })
    })
  }
}

const minilm = fullSize('all-MiniLM-L6-v2')
for (const engine of ['encoder', 'graph']) {
  test(`all-MiniLM-L6-v2 fp32, ${engine}`, { skip: minilm.skip }, async () => {
    const { texts, single } = readJson(path.join(minilm.folder, 'golden.json'))
    const embedder = new Embedder(minilm.folder, { dtype: 'fp32', engine })
    const rows = await embedder.embed(texts.map(({ text }) => text))
    rows.forEach((row, index) => assertSameVector(row, single[index], texts[index].id))
    if (engine === 'graph') return
    // The file's numbers have seven digits.
    rows.forEach((row, index) => row.forEach((value, at) => assert.ok(Math.abs(value - single[index][at]) <= 1e-5, texts[index].id)))
  })
}

test('all-MiniLM-L6-v2 bf16: near fp32', { skip: minilm.skip }, async () => {
  const { texts, single } = readJson(path.join(minilm.folder, 'golden.json'))
  const embedder = new Embedder(minilm.folder, { dtype: 'bf16' })
  assert.equal((await embedder.info()).dtype, 'bf16')
  const rows = await embedder.embed(texts.map(({ text }) => text))
  rows.forEach((row, index) => assert.ok(cosine(row, single[index]) >= 0.9999, `${texts[index].id}: ${cosine(row, single[index])}`))
})

const mini = fullSize('vecrank-reranker-mini')
test('vecrank-reranker-mini fp32', { skip: mini.skip }, async () => {
  const { cases } = readJson(path.join(mini.folder, 'golden.json'))
  const reranker = new Reranker(mini.folder, { dtype: 'fp32' })
  for (const { query, documents, logits, order } of cases) {
    assertNear(await reranker.score(documents.map((document) => [query, document])), logits, 1e-3, query)
    const ranking = await reranker.rerank(query, documents)
    ranking.forEach(({ index }, place) => {
      // Logits nearer than the tolerance may change places.
      if (index !== order[place]) assert.ok(Math.abs(logits[index] - logits[order[place]]) < 2e-3, query)
    })
  }
})

// The bundled int8 models: the graph against Python's onnxruntime on the same file, one text a call; the encoder against fp32.
const q8 = path.join(root, 'tests', 'fixtures', 'models')
test('the bundled models have their expected values', () => {
  assert.ok(existsSync(q8), 'tests/fixtures/models is missing')
  assert.deepEqual(readdirSync(q8).filter((name) => name.endsWith('.q8.json')).sort(), ['all-MiniLM-L6-v2.q8.json', 'vecrank-reranker-mini.q8.json'])
})

test('all-MiniLM-L6-v2 int8, bundled', async () => {
  const { file, texts, vectors } = readJson(path.join(q8, 'all-MiniLM-L6-v2.q8.json'))
  const embedder = new Embedder('vecrank-model-all-minilm-l6-v2', { engine: 'graph' })
  assert.equal((await embedder.info()).file, file)
  assert.ok(texts.length >= 20)
  for (let index = 0; index < texts.length; index++) {
    const likeness = cosine(await embedder.embed(texts[index].text), vectors[index])
    assert.ok(likeness >= 0.99, `${texts[index].id}: ${likeness}`)
  }
})

test('all-MiniLM-L6-v2 int8, bundled, by the encoder: near fp32, and the same vector in any batch', async () => {
  const { texts, single } = readJson(path.join(q8, 'all-MiniLM-L6-v2.golden.json'))
  const embedder = new Embedder('vecrank-model-all-minilm-l6-v2')
  assert.equal((await embedder.info()).engine, 'encoder')
  const all = await embedder.embed(texts.map(({ text }) => text))
  const likenesses = all.map((row, index) => cosine(row, single[index]))
  assert.ok(Math.min(...likenesses) >= 0.99, `${Math.min(...likenesses)}`)
  assert.ok(likenesses.reduce((sum, value) => sum + value) / likenesses.length >= 0.997)
  const many = await embedder.embedMany(texts.map(({ text }) => text).reverse())
  for (let index = 0; index < texts.length; index++) {
    assert.deepEqual(await embedder.embed(texts[index].text), all[index], texts[index].id)
    assert.deepEqual(many.row(texts.length - 1 - index), all[index], texts[index].id)
  }
  let place = 0
  for await (const { index, embedding } of embedder.embedStream(texts.map(({ text }) => text))) {
    assert.equal(index, place++)
    assert.deepEqual(embedding, all[index], texts[index].id)
  }
})

test('vecrank-reranker-mini int8, bundled, by the encoder: near fp32, and the same score in any batch', async () => {
  const { cases } = readJson(path.join(q8, 'vecrank-reranker-mini.golden.json'))
  const reranker = new Reranker('vecrank-model-reranker-mini')
  assert.equal((await reranker.info()).engine, 'encoder')
  for (const { query, documents, logits } of cases) {
    const scores = await reranker.score(documents.map((document) => [query, document]))
    assert.ok(cosine(scores, logits) >= 0.99, `${query}: ${cosine(scores, logits)}`)
    for (let index = 0; index < documents.length; index++) {
      assert.deepEqual(await reranker.score([[query, documents[index]]]), scores.slice(index, index + 1), query)
    }
  }
})

test('vecrank-reranker-mini int8, bundled', async () => {
  const { file, cases } = readJson(path.join(q8, 'vecrank-reranker-mini.q8.json'))
  const inputs = readJson(path.join(q8, 'vecrank-reranker-mini.golden.json')).cases
  const reranker = new Reranker('vecrank-model-reranker-mini', { engine: 'graph' })
  assert.equal((await reranker.info()).file, file)
  assert.ok(cases.length >= 20)
  for (let index = 0; index < cases.length; index++) {
    const { query, documents } = inputs[index]
    assert.equal(query, cases[index].query)
    const scores = []
    for (const document of documents) scores.push(...(await reranker.score([[query, document]])))
    const likeness = cosine(scores, cases[index].logits)
    assert.ok(likeness >= 0.99, `${query}: ${likeness}`)
  }
})
