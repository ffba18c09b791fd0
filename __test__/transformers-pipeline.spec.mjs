// Pipelines, tokenizers and models beside those of the real Transformers.js, whose answers `transformers/record.mjs` wrote down.

import assert from 'node:assert/strict'
import path from 'node:path'
import { after, test } from 'node:test'
import * as library from 'vecrank/transformers'
import { readJson, root } from './fixtures.mjs'
import { assertSame } from './transformers/comparison.mjs'
import { cases, dispose } from './transformers/pipeline-cases.mjs'
import { answers } from './transformers/tensor-cases.mjs'

library.env.localModelPath = path.join(root, 'tests', 'fixtures', path.sep)
library.env.allowRemoteModels = false
library.env.logLevel = library.LogLevel.NONE

const recorded = readJson(new URL('transformers/pipelines.json', import.meta.url))
const given = await answers(cases, library)
after(() => dispose(library))

test('every recorded case is asked, and no other', () => {
  assert.deepEqual(Object.keys(given).sort(), Object.keys(recorded).sort())
})

for (const name of Object.keys(recorded)) {
  test(`as Transformers.js: ${name}`, () => assertSame(given[name], recorded[name], 1e-4))
}
