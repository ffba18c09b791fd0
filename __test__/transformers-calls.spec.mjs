// How programs call: with arrays that they use again, options of a class, limits that a tokenizer names, classes and functions of their own.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import vm from 'node:vm'
import {
  AutoModel,
  AutoTokenizer,
  BertModel,
  FeatureExtractionPipeline,
  Tensor,
  cat,
  env,
  layer_norm,
  matmul,
  pipeline,
  slice,
  topk,
} from 'vecrank/transformers'
import { assertNear, copyOf, readJson, root, tiny } from './fixtures.mjs'

const at = (folder) => path.relative('.', folder)
/** A copy of a model whose tokenizer says how long texts may be. */
function limited(t, name, model_max_length) {
  const folder = copyOf(name, t)
  const file = path.join(folder, 'tokenizer_config.json')
  writeFileSync(file, JSON.stringify({ ...readJson(file), model_max_length }))
  return folder
}

test('a list is read when the call is made: a program may use its array again', async () => {
  const extract = await pipeline('feature-extraction', at(tiny('zoo/bert-mean')))
  const label = await pipeline('token-classification', at(tiny('zoo/bert-token-classifier')))
  const choose = await pipeline('zero-shot-classification', at(tiny('beyond/nli-3')))
  const changes = [(list) => (list.length = 0), (list) => list.push('more'), (list) => list.reverse(), (list) => (list[0] = 'another')]
  for (const [run, plain] of [
    [(texts) => extract(texts, { pooling: 'mean' }), ({ data }) => [...data]],
    [(texts) => extract(texts), ({ data }) => [...data]],
    [(texts) => label(texts, { ignore_labels: [] }), (spans) => spans],
    [(texts) => choose(texts, ['a', 'b']), (found) => found],
    [(labels) => choose('a text', labels), (found) => found],
  ]) {
    const expected = plain(await run(['one text', 'two']))
    for (const change of changes) {
      const texts = ['one text', 'two']
      const pending = run(texts)
      change(texts)
      assert.deepEqual(plain(await pending), expected)
    }
  }
  await Promise.all([extract, label, choose].map((pipe) => pipe.dispose()))
})

test('a tokenizer that allows more than the network has positions for: texts are cut to those', async (t) => {
  const long = 'river bank '.repeat(300)
  for (const most of [5000, 131_072, 1e30]) {
    const extract = await pipeline('feature-extraction', at(limited(t, 'zoo/bert-mean', most)))
    const plain = await pipeline('feature-extraction', at(tiny('zoo/bert-mean')))
    for (const text of ['hi', long]) {
      const found = await extract(text, { pooling: 'mean' })
      // The plain one is cut to 48 of 64 tokens.
      if (text === 'hi') assertNear(found.data, (await plain(text, { pooling: 'mean' })).data, 1e-6, `${most}`)
      assert.deepEqual(found.dims, [1, 32])
      assert.equal((await extract(text)).dims[1] <= 64, true, `${most}`)
    }
    const classify = await pipeline('text-classification', at(limited(t, 'beyond/nli-3', most)))
    assert.equal((await classify([long, 'short'])).length, 2)
    const rank = await pipeline('text-ranking', at(limited(t, 'zoo/bert-ranker-1', most)))
    assert.equal((await rank('river', [long])).length, 1)
    await Promise.all([extract, plain, classify, rank].map((pipe) => pipe.dispose()))
  }
})

test('`max_length: tokenizer.model_max_length` is no limit where there is none', async (t) => {
  const tokenizer = await AutoTokenizer.from_pretrained(at(limited(t, 'zoo/bert-mean', 1e30)))
  const all = tokenizer('river bank '.repeat(50))
  for (const max_length of [tokenizer.model_max_length, 1e30, Infinity]) {
    assert.deepEqual(tokenizer('river bank '.repeat(50), { truncation: true, max_length }).input_ids.dims, all.input_ids.dims)
  }
  assert.throws(() => tokenizer('a', { max_length: -1 }), { code: 'ERR_INVALID_ARG' })
})

test('options may come from a class or a prototype', async () => {
  const extract = await pipeline('feature-extraction', at(tiny('zoo/bert-mean')))
  class Options {
    get pooling() {
      return 'mean'
    }
  }
  for (const options of [new Options(), Object.create({ pooling: 'mean' }), Object.defineProperty({}, 'pooling', { value: 'mean' })]) {
    assert.deepEqual((await extract('a b c', options)).dims, [1, 32])
  }
  const tokenizer = await AutoTokenizer.from_pretrained(at(tiny('zoo/bert-mean')))
  assert.deepEqual(tokenizer('a b c d e', Object.create({ truncation: true, max_length: 3 })).input_ids.dims, [1, 3])
  await extract.dispose()
})

test('null is false where the default is true', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained(at(tiny('zoo/bert-mean')))
  assert.deepEqual(tokenizer.encode('hello', { add_special_tokens: null }), tokenizer.encode('hello', { add_special_tokens: false }))
  assert.ok(Array.isArray(tokenizer('hello', { return_tensor: null }).input_ids))
})

test('a class of one’s own over a model class is what its from_pretrained gives', async () => {
  class Own extends BertModel {
    async forward(inputs) {
      const output = await super.forward(inputs)
      return { ...output, mine: true }
    }
  }
  const model = await Own.from_pretrained(at(tiny('zoo/bert-mean')))
  const tokenizer = await AutoTokenizer.from_pretrained(at(tiny('zoo/bert-mean')))
  assert.ok(model instanceof Own && model instanceof BertModel)
  assert.equal((await model(tokenizer('hello'))).mine, true)
  const auto = await AutoModel.from_pretrained(at(tiny('zoo/bert-mean')))
  assert.ok(auto instanceof BertModel && !(auto instanceof Own))
  await Promise.all([model.dispose(), auto.dispose()])
})

test('a pipeline over a function of one’s own', async () => {
  const name = at(tiny('zoo/bert-mean'))
  const [tokenizer, inner] = [await AutoTokenizer.from_pretrained(name), await AutoModel.from_pretrained(name)]
  const pipe = new FeatureExtractionPipeline({ task: 'feature-extraction', tokenizer, model: async (inputs) => inner(inputs) })
  const plain = await pipeline('feature-extraction', name)
  assertNear((await pipe('hello world', { pooling: 'mean' })).data, (await plain('hello world', { pooling: 'mean' })).data, 1e-5, 'vectors')
  await Promise.all([inner.dispose(), plain.dispose()])
})

test('the network of a model that reads chats takes tokens', async () => {
  const name = at(tiny('beyond/chat-embedder'))
  const extract = await pipeline('feature-extraction', name)
  const model = await AutoModel.from_pretrained(name)
  const inputs = extract.tokenizer('a text')
  const { last_hidden_state } = await model(inputs)
  const { dims, data } = await extract('a text')
  assert.deepEqual(dims, last_hidden_state.dims)
  assertNear(data, last_hidden_state.data, 1e-5, 'states')
  await Promise.all([extract.dispose(), model.dispose()])
})

test('AutoModel is the network alone, whatever is made of it: late interaction, yes and no', async () => {
  for (const name of ['zoo/colbert-multi-vector', 'beyond/colbert-min-expansion', 'beyond/yesno-chatml']) {
    const folder = at(tiny(name))
    const [model, tokenizer] = [await AutoModel.from_pretrained(folder), await AutoTokenizer.from_pretrained(folder)]
    const inputs = tokenizer('hello world')
    assert.deepEqual((await model(inputs)).last_hidden_state.dims.slice(0, 2), inputs.input_ids.dims)
    await model.dispose()
  }
})

test('token types of a network with one type change nothing, as its graph has no such input', async () => {
  const folder = at(tiny('zoo/xlmr-mean-prefix'))
  const [model, tokenizer] = [await AutoModel.from_pretrained(folder), await AutoTokenizer.from_pretrained(folder)]
  const inputs = tokenizer('hello', { return_token_type_ids: false })
  const token_type_ids = new Tensor('int64', new BigInt64Array(inputs.input_ids.data.length).fill(1n), inputs.input_ids.dims)
  assert.deepEqual((await model({ ...inputs, token_type_ids })).last_hidden_state.data, (await model(inputs)).last_hidden_state.data)
  await model.dispose()
})

test('tokens are written as Python writes them, also those that the vocabulary lacks', async () => {
  // `tokenizer.tokenize('a ñ b')` of transformers 5.24.
  const unigram = await AutoTokenizer.from_pretrained(at(tiny('zoo/xlmr-mean-prefix')))
  assert.ok(unigram.tokenize('ñandú').join('').includes('ñ'), `${unigram.tokenize('ñandú')}`)
  const wordpiece = await AutoTokenizer.from_pretrained(at(tiny('zoo/bert-mean')))
  assert.ok(wordpiece.tokenize('\u{1f600}').includes('[UNK]'))
  assert.deepEqual(wordpiece.tokenize('a', { add_special_tokens: true }).slice(0, 1), ['[CLS]'])
})

test('blanks are taken from decoded text in the order of Python', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained(at(tiny('zoo/bert-mean')))
  const joined = (words) => tokenizer.decode(tokenizer.encode(words, { add_special_tokens: false }), { clean_up_tokenization_spaces: true })
  // As `tokenizer.decode(ids, clean_up_tokenization_spaces=True)` of transformers 5.24.
  assert.equal(joined("a ' 's a"), "a'' s a")
  assert.equal(joined('a , b . c ? d !'), 'a, b. c? d!')
})

test('null and Infinity are all that there are', async () => {
  const fill = await pipeline('fill-mask', at(tiny('beyond/masked-lm')))
  const classify = await pipeline('text-classification', at(tiny('beyond/nli-3')))
  const { vocab_size } = fill.model.config
  for (const top_k of [null, Infinity]) {
    assert.equal((await fill('a [MASK] b', { top_k })).length, vocab_size)
    assert.equal((await classify('a', { top_k })).length, 3)
  }
  await Promise.all([fill.dispose(), classify.dispose()])
})

test('pooling of a model that gives no vectors of tokens says so', async () => {
  const extract = await pipeline('feature-extraction', at(path.join(root, 'tests', 'fixtures', 'extra', 'ranker-deberta-v2')))
  for (const pooling of ['cls', 'mean']) await assert.rejects(extract('a', { pooling }), { code: 'ERR_INVALID_ARG', message: /no vectors of tokens/ })
  await extract.dispose()
})

test('after dispose a model says so by a name that its user knows', async () => {
  const model = await AutoModel.from_pretrained(at(tiny('zoo/bert-mean')))
  const tokenizer = await AutoTokenizer.from_pretrained(at(tiny('zoo/bert-mean')))
  await model.dispose()
  await assert.rejects(model(tokenizer('a')), { code: 'ERR_DISPOSED', message: /^This model has been disposed of/ })
})

test('a typed array of another realm is as good', () => {
  const data = vm.runInNewContext('Float32Array.of(1, 2)')
  assert.deepEqual(new Tensor(data, [2]).tolist(), [1, 2])
  assert.equal(new Tensor(data, [2]).type, 'float32')
})

test('folders of env may be absent, or the one that the program runs in', () => {
  const { cacheDir, localModelPath } = env
  env.cacheDir = undefined
  assert.equal(env.cacheDir, null)
  env.localModelPath = ''
  assert.equal(env.localModelPath, './')
  Object.assign(env, { cacheDir, localModelPath })
})

test('products, joined tensors, parts, norms and the largest values are those of plain loops', async () => {
  let state = 11
  const random = () => ((state = (state * 48271) % 2147483647) / 2147483647) * 2 - 1
  const tensor = (...dims) => new Tensor('float32', Float32Array.from({ length: dims.reduce((a, b) => a * b) }, random), dims)
  const [a, b] = [tensor(2, 70, 90), tensor(90, 80)]
  const product = await matmul(a, b)
  assert.deepEqual(product.dims, [2, 70, 80])
  const [x, y] = [a.data, b.data]
  for (let row = 0; row < 140; row += 7) {
    for (let column = 0; column < 80; column += 3) {
      let sum = 0
      for (let step = 0; step < 90; step++) sum += x[row * 90 + step] * y[step * 80 + column]
      assert.ok(Math.abs(product.data[row * 80 + column] - sum) < 1e-5)
    }
  }
  const values = tensor(3, 500)
  values.data[7] = values.data[9] = values.data[11] = 5
  for (const k of [0, 1, 5, 64, 65, 500]) {
    const [best, places] = await topk(values, k)
    for (let row = 0; row < 3; row++) {
      const numbers = [...values.data.subarray(row * 500, row * 500 + 500)]
      const order = numbers.map((_, index) => index).sort((i, j) => numbers[j] - numbers[i] || i - j).slice(0, k)
      assert.deepEqual([...places.data.subarray(row * k, row * k + k)].map(Number), order, `k ${k}`)
      assert.deepEqual([...best.data.subarray(row * k, row * k + k)], order.map((index) => numbers[index]))
    }
  }
  const joined = cat([values, values], 1)
  assert.deepEqual(joined.dims, [3, 1000])
  assert.deepEqual([...joined.data.subarray(1000, 1010)], [...values.data.subarray(500, 510)])
  const part = await slice(values, [1, 10], [3, 20], [0, 1])
  assert.deepEqual([...part.data.subarray(0, 10)], [...values.data.subarray(510, 520)])
  const normed = layer_norm(values, [500])
  const row = [...values.data.subarray(0, 500)]
  const mean = row.reduce((sum, value) => sum + value, 0) / 500
  const deviation = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 500)
  assert.ok(Math.abs(normed.data[3] - (row[3] - mean) / (deviation + 1e-5)) < 1e-5)
})
