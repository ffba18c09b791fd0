// Where Transformers.js is wrong and this is right (docs/transformers.md lists it): held against the outputs of Python.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import {
  AutoModel,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  FeatureExtractionPipeline,
  LogLevel,
  Tensor,
  env,
  pipeline,
} from 'vecrank/transformers'
import { assertNear, assertSameVector, failure, golden, root, someTexts, tiny } from './fixtures.mjs'

env.localModelPath = path.join(root, 'tests', 'fixtures', path.sep)
env.allowRemoteModels = false
env.logLevel = LogLevel.NONE

const open = []
after(() => Promise.all(open.map((each) => each.dispose())))
async function opened(promise) {
  const each = await promise
  open.push(each)
  return each
}
const rowsOf = (tensor) => Array.from({ length: tensor.dims[0] }, (_, row) => tensor[row].data)

// ---------- labels ------------------------------------------------------------------------------------------------------

for (const model of [
  'beyond/single-1',
  'beyond/regression-1',
  'zoo/bert-multilabel-3',
  'zoo/distilbert-classifier-2',
  'beyond/roberta-classifier-4',
  'beyond/modernbert-classifier-3',
  'beyond/nli-3',
]) {
  test(`text-classification is as in Python, one label and cut texts included: ${model}`, async () => {
    const classifier = await opened(pipeline('text-classification', model))
    const { texts, hf_pipeline } = golden(model)
    const results = await classifier(
      texts.map(({ text }) => text),
      { top_k: null },
    )
    const expected = hf_pipeline.results ?? hf_pipeline
    results.forEach((labels, index) => {
      assert.equal(labels.length, expected[index].length)
      assertNear(
        labels.map(({ score }) => score),
        expected[index].map(({ score }) => score),
        1e-4,
        texts[index].id,
      )
      const top = expected[index].filter(({ score }) => expected[index][0].score - score < 1e-4).map(({ label }) => label)
      assert.ok(top.includes(labels[0].label), texts[index].id)
    })
  })
}

test('a text whose model has one label gets its own score, and never 1 for all', async () => {
  const classifier = await opened(pipeline('text-classification', 'zoo/xlmr-ranker-1-undeclared'))
  const scores = (await classifier(someTexts(8))).map(({ score }) => score)
  assert.ok(new Set(scores).size > 4, `${scores}`)
  assert.ok(scores.every((score) => score > 0 && score < 1))
})

test('pairs are classified as Python classifies them', async () => {
  const classifier = await opened(pipeline('text-classification', 'beyond/nli-3'))
  const { pairs, pair_hf_pipeline } = golden('beyond/nli-3')
  const results = await classifier(
    pairs.map(({ text, text_pair }) => ({ text, text_pair })),
    { top_k: null },
  )
  results.forEach((labels, index) => {
    assertNear(
      labels.map(({ score }) => score),
      pair_hf_pipeline.results[index].map(({ score }) => score),
      1e-4,
      pairs[index].id,
    )
  })
})

test('logits of a model called with tensors are those of Python, for every text of a batch', async () => {
  for (const model of ['zoo/bert-ranker-1', 'zoo/xlmr-ranker-1-undeclared']) {
    const tokenizer = await AutoTokenizer.from_pretrained(model)
    const network = await opened(AutoModelForSequenceClassification.from_pretrained(model))
    const { pairs, runs } = golden(model)
    const inputs = tokenizer(
      pairs.map(({ query }) => query),
      { text_pair: pairs.map(({ document }) => document), padding: true, truncation: true },
    )
    const { logits } = await network(inputs)
    assert.deepEqual(logits.dims, [pairs.length, 1])
    assertNear(logits.data, runs.find(({ id }) => id === 'logits').single.flat(), 1e-4, model)
  }
})

// ---------- tokens ------------------------------------------------------------------------------------------------------

for (const model of ['zoo/bert-mean', 'zoo/xlmr-mean-prefix', 'zoo/modernbert-cls', 'zoo/mpnet-mean-sentence-embedding', 'zoo/qwen3-lasttoken']) {
  test(`texts are cut as Python cuts them, special tokens stay: ${model}`, async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(model)
    const { texts, tokens, effective_max_length } = golden(model)
    const { input_ids } = tokenizer(
      texts.map(({ text }) => text),
      { truncation: true, max_length: effective_max_length, return_tensor: false },
    )
    // The other runs put prompts in front.
    tokens.encode.input_ids.forEach((expected, index) => assert.deepEqual(input_ids[index], expected, texts[index].id))
  })
}

for (const model of ['zoo/bert-ranker-1', 'zoo/xlmr-ranker-1-undeclared', 'extra/ranker-odd-budget']) {
  test(`of pairs the longer text is cut: ${model}`, async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(model)
    const { pairs, tokens, effective_max_length } = golden(model)
    const options = { text_pair: pairs.map(({ document }) => document), truncation: true, max_length: effective_max_length, return_tensor: false }
    const { input_ids } = tokenizer(
      pairs.map(({ query }) => query),
      options,
    )
    tokens.input_ids.forEach((expected, index) => assert.deepEqual(input_ids[index], expected, pairs[index].id))
  })
}

test('types of a cut pair belong to its tokens', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-ranker-1')
  const { input_ids, token_type_ids, attention_mask } = tokenizer('one two three four', {
    text_pair: 'five six seven eight nine',
    truncation: true,
    max_length: 12,
    return_tensor: false,
  })
  assert.equal(input_ids.length, 12)
  assert.equal(attention_mask.length, 12)
  const separator = input_ids.indexOf(tokenizer.sep_token_id)
  assert.deepEqual(
    token_type_ids,
    input_ids.map((_, index) => (index <= separator ? 0 : 1)),
  )
  assert.equal(input_ids.at(-1), tokenizer.sep_token_id)
})

test('an empty pair in a list is a pair, and a lone one is none, as in Python', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-ranker-1')
  const { sep_token_id } = tokenizer
  assert.deepEqual(tokenizer(['a'], { text_pair: [''], return_tensor: false }).input_ids[0].slice(-2), [sep_token_id, sep_token_id])
  assert.deepEqual(tokenizer('a', { text_pair: '', return_tensor: false }).input_ids, tokenizer('a', { return_tensor: false }).input_ids)
})

test('a limit below the special tokens is refused', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-mean')
  assert.throws(() => tokenizer('one two three', { truncation: true, max_length: 1 }), failure('ERR_INVALID_ARG', /max_length/))
})

// ---------- vectors -----------------------------------------------------------------------------------------------------

test('the last token is the last one that the mask shows, whatever stands beside a text', async () => {
  for (const model of ['zoo/bert-mean', 'extra/decoder-lasttoken-right', 'zoo/qwen3-lasttoken']) {
    const extractor = await opened(pipeline('feature-extraction', model))
    const texts = ['a', 'The quick brown fox jumps over the lazy dog.', 'some words']
    const batch = rowsOf(await extractor(texts, { pooling: 'last_token', normalize: true }))
    for (const [index, text] of texts.entries()) {
      assertNear(batch[index], (await extractor(text, { pooling: 'last_token', normalize: true })).data, 1e-5, `${model}, ${text}`)
    }
  }
})

test('last-token embeddings are those of sentence-transformers, in a batch', async () => {
  const model = 'zoo/qwen3-lasttoken'
  const extractor = await opened(pipeline('feature-extraction', model))
  const { texts, runs } = golden(model)
  const rows = rowsOf(
    await extractor(
      texts.map(({ text }) => text),
      { pooling: 'last_token', normalize: true },
    ),
  )
  rows.forEach((row, index) => assertSameVector(row, runs.find(({ id }) => id === 'encode').single[index], texts[index].id))
})

for (const model of ['extra/dense-relu', 'extra/dense-tanh-bias', 'extra/layer-norm']) {
  test(`layers that follow pooling are not dropped: ${model}`, async () => {
    const extractor = await opened(pipeline('feature-extraction', model))
    const { texts, runs } = golden(model)
    const rows = rowsOf(
      await extractor(
        texts.map(({ text }) => text),
        { pooling: 'mean', normalize: false },
      ),
    )
    rows.forEach((row, index) => assertSameVector(row, runs.find(({ id }) => id === 'encode').single[index], texts[index].id))
  })
}

test('nor where the folder has another name, by a link', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vecrank-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  symlinkSync(tiny('extra/dense-relu'), path.join(folder, 'model'), 'junction')
  const extractor = await opened(pipeline('feature-extraction', path.join(folder, 'model')))
  const direct = await opened(pipeline('feature-extraction', 'extra/dense-relu'))
  const options = { pooling: 'mean', normalize: true }
  assertNear((await extractor('a text', options)).data, (await direct('a text', options)).data, 1e-6, 'by its link')
})

test('a row of a batch is the lone row, and padded places hold its mean', async () => {
  const extractor = await opened(pipeline('feature-extraction', 'zoo/bert-mean'))
  const texts = someTexts(6)
  const batch = await extractor(texts)
  const { attention_mask } = extractor.tokenizer(texts, { padding: true, truncation: true })
  const [, length, width] = batch.dims
  for (const [row, text] of texts.entries()) {
    const alone = await extractor(text)
    assertNear(batch[row].data.slice(0, alone.data.length), alone.data, 1e-5, text)
    const [mean] = (await extractor(text, { pooling: 'mean' })).tolist()
    const padded = batch[row].data.slice(alone.data.length)
    for (let at = 0; at < padded.length; at += width) assertNear(padded.slice(at, at + width), mean, 1e-5, `${text}, place ${at / width}`)
    assert.equal(alone.data.length / width, attention_mask[row].tolist().filter((shown) => shown === 1n).length)
  }
  assert.ok(texts.length * length * width === batch.data.length)
})

test('a mean or a maximum over a whole row, padding and all, is that of the lone row', async () => {
  const model = await opened(AutoModel.from_pretrained('zoo/bert-mean'))
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-mean')
  const texts = someTexts(6)
  for (const side of ['right', 'left']) {
    tokenizer.padding_side = side
    const batch = (await model(tokenizer(texts, { padding: true }))).last_hidden_state
    for (const [row, text] of texts.entries()) {
      const alone = (await model(tokenizer(text))).last_hidden_state
      assertNear(batch[row].mean(0).data, alone[0].mean(0).data, 1e-5, `${text}, ${side}`)
      const most = (tensor) => tensor.tolist().reduce((all, state) => all.map((value, at) => Math.max(value, state[at])))
      assertNear(most(batch[row]), most(alone[0]), 1e-5, `${text}, ${side}`)
    }
  }
})

test("Python's return_tensors is passed over, whatever it says", async () => {
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-mean')
  for (const return_tensors of ['pt', false]) assert.ok(tokenizer('a text', { return_tensors }).input_ids instanceof Tensor)
})

test('padded places of logits are 0', async () => {
  const model = await opened(AutoModelForTokenClassification.from_pretrained('zoo/bert-token-classifier'))
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-token-classifier')
  const { logits } = await model(tokenizer(['a', 'a longer text than the other'], { padding: true }))
  const [, , width] = logits.dims
  const [, ids] = tokenizer('a').input_ids.dims
  assert.ok(logits[0].data.slice(ids * width).every((value) => value === 0))
  assert.ok(logits[0].data.slice(0, ids * width).some((value) => value !== 0))
})

test('a pipeline made by hand pools by itself, and the same', async () => {
  const model = 'zoo/bert-mean'
  const own = new FeatureExtractionPipeline({
    task: 'feature-extraction',
    model: await opened(AutoModel.from_pretrained(model)),
    tokenizer: await AutoTokenizer.from_pretrained(model),
  })
  const whole = await opened(pipeline('feature-extraction', model))
  const texts = someTexts(5)
  for (const pooling of ['mean', 'cls', 'last_token']) {
    const expected = await whole(texts, { pooling, normalize: true })
    assertNear((await own(texts, { pooling, normalize: true })).data, expected.data, 1e-5, pooling)
  }
})

test('padding on the left changes nothing', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-mean')
  const model = await opened(AutoModel.from_pretrained('zoo/bert-mean'))
  const texts = ['a', 'some more words in here']
  const right = (await model(tokenizer(texts, { padding: true }))).last_hidden_state
  tokenizer.padding_side = 'left'
  const inputs = tokenizer(texts, { padding: true })
  const left = (await model(inputs)).last_hidden_state
  const shown = inputs.attention_mask[0].tolist().filter((each) => each === 1n).length
  const width = right.dims[2]
  assertNear(left[0].data.slice(-shown * width), right[0].data.slice(0, shown * width), 1e-6, 'the short text')
  assertNear(left[1].data, right[1].data, 1e-6, 'the long text')
})

// ---------- what cannot be honoured -------------------------------------------------------------------------------------

test('a mask with holes, and inputs that are not read, are refused by name', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-mean')
  const model = await opened(AutoModel.from_pretrained('zoo/bert-mean'))
  const inputs = tokenizer('some more words')
  const holed = inputs.attention_mask.clone()
  holed.data[1] = 0n
  await assert.rejects(model({ ...inputs, attention_mask: holed }), failure('ERR_INVALID_ARG', /attention_mask\[0\].*1/))
  await assert.rejects(model({ ...inputs, position_ids: inputs.input_ids }), failure('ERR_INVALID_ARG', /position_ids/))
  await assert.rejects(model({}), failure('ERR_INVALID_ARG', /input_ids/))
  await assert.rejects(model({ input_ids: inputs.input_ids.flatten() }), failure('ERR_INVALID_ARG', /two dimensions/))
  await assert.rejects(model({ input_ids: new Tensor('int64', [-1], [1, 1]) }), failure('ERR_INVALID_ARG', /input_ids\[0\]\[0\]/))
  await assert.rejects(model.generate({}), failure('ERR_INVALID_ARG', /generate/))
})

test('without a mask every token counts; in a row without any nothing does', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-mean')
  const model = await opened(AutoModel.from_pretrained('zoo/bert-mean'))
  const { input_ids, attention_mask } = tokenizer(['some more words', 'some other words'])
  const whole = (await model({ input_ids, attention_mask })).last_hidden_state
  assert.deepEqual(Array.from((await model({ input_ids })).last_hidden_state.data), Array.from(whole.data))
  const mask = attention_mask.clone()
  mask[0].data.fill(0n)
  const half = (await model({ input_ids, attention_mask: mask })).last_hidden_state
  assert.ok(half[0].data.every((value) => value === 0))
  assertNear(half[1].data, whole[1].data, 1e-6, 'the other row')
})

test('an option that Transformers.js would ignore is refused', async () => {
  await assert.rejects(pipeline('feature-extraction', 'zoo/bert-mean', { dype: 'q8' }), failure('ERR_INVALID_ARG', /known option .*dtype.*dype/))
  const extractor = await opened(pipeline('feature-extraction', 'zoo/bert-mean'))
  await assert.rejects(extractor('a', { pool: 'mean' }), failure('ERR_INVALID_ARG', /known option .*pooling/))
  const classifier = await opened(pipeline('zero-shot-classification', 'beyond/nli-3'))
  await assert.rejects(classifier('a', ['b'], { hypothesis_template: 'no place' }), failure('ERR_INVALID_ARG', /\{\}/))
})

test('a label with the sign of a replacement is itself', async () => {
  const classifier = await opened(pipeline('zero-shot-classification', 'beyond/nli-3'))
  // As a pattern of `replace` it would stand for what is before the place: 'This example is '.
  const [odd, wrong] = [await classifier('a b', ['$`', 'y']), await classifier('a b', ['This example is ', 'y'])]
  assert.deepEqual([...odd.labels].sort(), ['$`', 'y'])
  assert.notDeepEqual(odd.scores, wrong.scores)
})

test('tasks and models that vecrank has not say so', async () => {
  await assert.rejects(pipeline('text-generation', 'owner/name'), failure('ERR_INVALID_ARG', /text-generation.*@huggingface\/transformers/))
  await assert.rejects(pipeline('translation_en_to_de'), failure('ERR_INVALID_ARG', /translation_en_to_de/))
  await assert.rejects(pipeline('text-classification', 'zoo/bert-mean'), failure('ERR_MODEL_UNSUPPORTED'))
  await assert.rejects(pipeline('feature-extraction', 'https://huggingface.co/owner/name'), failure('ERR_INVALID_ARG', /address/))
})

test('after dispose a pipeline says so', async () => {
  const extractor = await pipeline('feature-extraction', 'zoo/bert-mean')
  await extractor.dispose()
  await assert.rejects(extractor('a', { pooling: 'mean' }), (error) => error.code === 'ERR_DISPOSED')
  await assert.rejects(extractor('a'), (error) => error.code === 'ERR_DISPOSED')
})

test('text-ranking: the best first, as the Reranker ranks', async () => {
  const ranker = await opened(pipeline('text-ranking', 'zoo/bert-ranker-1'))
  const { pairs } = golden('zoo/bert-ranker-1')
  const documents = pairs.map(({ document }) => document)
  const ranked = await ranker(pairs[0].query, documents)
  assert.equal(ranked.length, documents.length)
  assert.deepEqual(
    [...ranked].sort((a, b) => b.score - a.score),
    ranked,
  )
  const [best] = await ranker(pairs[0].query, documents, { top_k: 1, return_documents: true, function_to_apply: 'sigmoid' })
  assert.equal(best.text, documents[best.index])
  assert.ok(best.score > 0 && best.score < 1)
  assert.equal(best.index, ranked[0].index)
})

test('what a failed call had as inputs is not printed', async () => {
  const program = `
    import { AutoModel, AutoTokenizer, env } from 'vecrank/transformers'
    env.localModelPath = ${JSON.stringify(env.localModelPath)}
    const tokenizer = await AutoTokenizer.from_pretrained('zoo/bert-mean')
    const model = await AutoModel.from_pretrained('zoo/bert-mean')
    const inputs = tokenizer('secret words')
    inputs.input_ids.data[1] = 99999n
    await model(inputs).catch(({ code }) => console.log(code))`
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { cwd: root })
  assert.match(stdout, /^ERR_\w+\n$/)
  assert.equal(stderr, '')
})
