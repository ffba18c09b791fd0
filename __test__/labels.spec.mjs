// How many labels a reranker has: what config.json declares must be what the network gives; where it declares nothing, the network decides. The
// scores are those of the golden files, whose configurations declare their number.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Reranker } from 'vecrank'
import { assertNear, copyOf, failure, golden, readJson, tiny } from './fixtures.mjs'

/** Models of 1, 2 and 3 labels. */
const NETWORKS = { 1: 'zoo/bert-ranker-1', 2: 'zoo/bert-ranker-2label', 3: 'zoo/bert-multilabel-3' }
const names = (count) => Object.fromEntries(Array.from({ length: count }, (_, index) => [index, `LABEL_${index}`]))

/** A copy of the model of so many labels, whose config.json declares what is given and nothing else of labels. */
function declaring(t, network, declared) {
  const folder = copyOf(NETWORKS[network], t)
  const file = path.join(folder, 'config.json')
  const { id2label, label2id, num_labels, problem_type, sentence_transformers, sbert_ce_default_activation_function, ...rest } = readJson(file)
  writeFileSync(file, JSON.stringify({ ...rest, ...declared }))
  return folder
}

const nothing = { nothing: {}, 'nothing, not even an architecture': { architectures: undefined }, nulls: { num_labels: null, id2label: null } }
const pairs = [['the capital', 'a large city near the river'], ['a', 'b']]

for (const network of [1, 2]) {
  for (const [what, declared] of Object.entries(nothing)) {
    test(`config.json declares ${what}, the network gives ${network}: its number counts`, async (t) => {
      const reranker = new Reranker(declaring(t, network, declared))
      const expected = await new Reranker(tiny(NETWORKS[network])).score(pairs)
      assertNear(await reranker.score(pairs), expected, 1e-6, 'scores')
      // sentence-transformers' default: a sigmoid for one label, nothing for more.
      const [first] = await reranker.rerank(...[pairs[0][0], [pairs[0][1]]], { activation: 'default' })
      assertNear([first.score], [network === 1 ? 1 / (1 + Math.exp(-expected[0])) : expected[0]], 1e-6, 'the default activation')
    })
  }

  for (const [key, declared] of [['num_labels', { num_labels: network }], ['id2label', { id2label: names(network) }]]) {
    test(`${key} of config.json is ${network}, and so is the network's`, async (t) => {
      const expected = await new Reranker(tiny(NETWORKS[network])).score(pairs)
      assertNear(await new Reranker(declaring(t, network, declared)).score(pairs), expected, 1e-6, 'scores')
    })
  }
}

test('the models of these tests are held by golden scores', () => {
  for (const network of [1, 2]) assert.equal(golden(NETWORKS[network]).kind, 'reranker')
})

test('a network of three labels that config.json does not count is a classifier', async (t) => {
  await assert.rejects(new Reranker(declaring(t, 3, {})).load(), failure('ERR_MODEL_UNSUPPORTED', /onnx\/model\.onnx \(config\.json declares no number\): the model has 3 labels.*`Classifier`/))
})

for (const [key, declared] of [['num_labels', { num_labels: 3 }], ['id2label', { id2label: names(3) }]]) {
  for (const network of [1, 3]) {
    test(`${key} of config.json is 3, the network's is ${network}: a classifier`, async (t) => {
      await assert.rejects(new Reranker(declaring(t, network, declared)).load(), failure('ERR_MODEL_UNSUPPORTED', new RegExp(`config\\.json \\("${key}"\\): the model has 3 labels`)))
    })
  }
}

for (const [declared, network] of [[1, 2], [2, 1], [1, 3], [2, 3]]) {
  for (const [key, config] of [['num_labels', { num_labels: declared }], ['id2label', { id2label: names(declared) }]]) {
    test(`${key} of config.json is ${declared}, the network's is ${network}: the two contradict each other`, async (t) => {
      const words = new RegExp(`config\\.json \\("${key}"\\) declares ${declared} labels?, but onnx/model\\.onnx gives ${network}`)
      await assert.rejects(new Reranker(declaring(t, network, config)).load(), failure('ERR_MODEL_INVALID', words))
    })
  }
}
