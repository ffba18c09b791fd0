// The recorded answers of Transformers.js are still its answers: the real one, asked again. The specs `transformers-*` compare vecrank with the records.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { readJson, root } from '../fixtures.mjs'
import { assertSame } from '../transformers/comparison.mjs'
import * as pipelines from '../transformers/pipeline-cases.mjs'
import * as tensors from '../transformers/tensor-cases.mjs'
import { program } from './programs.mjs'

const peer = program('peer')
const library = peer.skip ? undefined : createRequire(peer.path)('@huggingface/transformers')
const recorded = (name) => readJson(path.join(root, '__test__', 'transformers', name))

test('its names', { skip: peer.skip }, () => {
  assert.deepEqual(recorded('names.json'), { version: library.env.version, names: Object.keys(library).sort() })
})

test('its tensors', { skip: peer.skip }, async () => {
  assertSame(await tensors.answers(tensors.cases, library), recorded('tensors.json'))
})

test('its pipelines, tokenizers and models', { skip: peer.skip }, async () => {
  library.env.localModelPath = path.join(root, 'tests', 'fixtures', path.sep)
  library.env.allowRemoteModels = false
  library.env.logLevel = library.LogLevel.NONE
  assertSame(await tensors.answers(pipelines.cases, library), recorded('pipelines.json'), 1e-4)
  await pipelines.dispose(library)
})
