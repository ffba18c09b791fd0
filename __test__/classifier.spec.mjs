// Classifiers against the reference's pipeline: golden files of transformers.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Classifier, Reranker } from 'vecrank'
import { assertNear, golden as goldenOf, tiny, tinyOf } from './fixtures.mjs'

const folder = tiny('zoo/bert-multilabel-3')
const classifier = new Classifier(folder)
after(() => classifier.dispose())

/** A model that goes when the test ends. */
function using(t, model) {
  t.after(() => model.dispose())
  return model
}

const byLabel = (labels, scores) => labels.map((label) => scores.find((one) => one.label === label).score)

const classifiers = tinyOf('classifier')

for (const name of classifiers) {
  const golden = goldenOf(name)
  const labels = Object.values(golden.id2label)
  const texts = golden.texts.map(({ text }) => text)
  const logits = golden.runs.find(({ id }) => id === 'logits')

  for (const engine of ['encoder', 'graph']) {
    test(`${name} gives the reference's logits and scores by the ${engine}`, async (t) => {
      const model = using(t, new Classifier(tiny(name), { engine }))
      assert.deepEqual((await model.info()).labels, labels)
      const raw = await model.classify(texts, { activation: 'none' })
      const scores = await model.classify(texts)
      texts.forEach((text, index) => {
        assertNear(byLabel(labels, raw[index]), logits.single[index], 1e-4, `logits of ${golden.texts[index].id}`)
        const expected = golden.hf_pipeline.results[index]
        assertNear(byLabel(labels, scores[index]), byLabel(labels, expected), 1e-4, `scores of ${golden.texts[index].id}`)
        assert.equal(scores[index][0].label, expected[0].label)
      })
    })
  }

  test(`${name}: a text in a batch equals the lone text, and a pair is a pair`, async (t) => {
    const model = using(t, new Classifier(tiny(name)))
    const all = await model.classify(texts)
    for (const [index, text] of texts.entries()) assert.deepEqual(await model.classify(text), all[index])
    if (golden.pair) {
      const { text, text_pair: pair } = golden.pair
      const [first, second, third] = await model.classify([texts[0], { text, pair }, texts[1]], { activation: 'none' })
      assertNear(byLabel(labels, second), golden.pair.logits, 1e-4, 'the pair')
      assertNear(byLabel(labels, first), logits.single[0], 1e-4, 'the text before it')
      assertNear(byLabel(labels, third), logits.single[1], 1e-4, 'the text behind it')
    }
  })
}

test('there are classifiers to test', () => {
  assert.ok(classifiers.length >= 2, `found ${classifiers}`)
})

test('labels come best first; topK keeps the best', async () => {
  const all = await classifier.classify('hello world')
  assert.equal(all.length, 3)
  for (let place = 1; place < all.length; place++) assert.ok(all[place - 1].score >= all[place].score)
  assert.deepEqual(await classifier.classify('hello world', { topK: 2 }), all.slice(0, 2))
  assert.deepEqual(await classifier.classify(['hello world'], { topK: 100 }), [all])
})

test('softmax, sigmoid and none are their formulas on the same logits', async () => {
  const logits = await classifier.classify('hello world', { activation: 'none' })
  const sum = logits.reduce((total, { score }) => total + Math.exp(score), 0)
  const formulas = { softmax: (x) => Math.exp(x) / sum, sigmoid: (x) => 1 / (1 + Math.exp(-x)) }
  for (const [activation, formula] of Object.entries(formulas)) {
    const scores = await classifier.classify('hello world', { activation })
    assertNear(scores.map(({ score }) => score), logits.map(({ score }) => formula(score)), 1e-6, activation)
  }
})

test('an empty list loads nothing; wrong arguments are refused before anything is loaded', async () => {
  const unloaded = new Classifier('./no-such-model')
  assert.deepEqual(await unloaded.classify([]), [])
  for (const wrong of [undefined, null, 7, {}, { text: 7 }, { text: 'a', pair: 7 }, ['a', 7], [['a', 'b']]]) {
    await assert.rejects(unloaded.classify(wrong), { name: 'TypeError', code: 'ERR_INVALID_ARG' })
  }
  for (const options of [{ topK: 0 }, { activation: 'relu' }, { top_k: 1 }]) {
    await assert.rejects(unloaded.classify('a', options), { name: 'TypeError', code: 'ERR_INVALID_ARG' })
  }
  assert.throws(() => new Classifier(), { name: 'TypeError', code: 'ERR_INVALID_ARG' })
})

test('a text that is too long is cut, or refused where that is asked for', async () => {
  const long = 'river '.repeat(500)
  await classifier.classify(long)
  await assert.rejects(classifier.classify(['short', long], { truncation: 'error' }), (error) => {
    assert.equal(error.code, 'ERR_TOO_LONG')
    assert.match(error.message, /`texts\[1\]`/)
    return true
  })
})

test('a model of another kind is refused, and its class is named', async (t) => {
  for (const [name, owner] of [['zoo/bert-mean', 'Embedder'], ['zoo/bert-token-classifier', 'TokenClassifier']]) {
    const model = using(t, new Classifier(tiny(name)))
    await assert.rejects(model.load(), (error) => {
      assert.equal(error.code, 'ERR_MODEL_UNSUPPORTED')
      assert.match(error.message, new RegExp(`\`${owner}\``))
      return true
    })
  }
  const ranker = using(t, new Reranker(folder))
  await assert.rejects(ranker.load(), { code: 'ERR_MODEL_UNSUPPORTED', message: /`Classifier`/ })
})
