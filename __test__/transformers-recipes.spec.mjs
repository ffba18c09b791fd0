// Programs written for Transformers.js run as they stand once their import is changed, and give what they gave.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readJson } from './fixtures.mjs'
import { assertSame } from './transformers/comparison.mjs'
import { recipes, run } from './transformers/recipes.mjs'

const recorded = readJson(new URL('transformers/recipes.json', import.meta.url))

test('every recipe was recorded', () => assert.deepEqual(Object.keys(recorded).sort(), [...recipes].sort()))

for (const recipe of recipes) {
  test(`recipe: ${recipe}`, async () => {
    const { result, stderr } = await run(recipe)
    assertSame(result, recorded[recipe], 1e-4)
    assert.equal(stderr, '')
  })
}
