// The guide for those who come from Transformers.js: each of its snippets is run. What stands before a change is run with its import changed and nothing
// else; of two that stand for the same, the results are compared. `e2e/migration.spec.mjs` runs the same on Transformers.js itself.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { root } from './fixtures.mjs'
import { assertAlike, cacheIn, reporting, snippets } from './snippets.mjs'

const folder = mkdtempSync(path.join(tmpdir(), 'vecrank-migration-'))
after(() => rmSync(folder, { recursive: true, force: true }))
cacheIn(folder)

function run({ code, name, line }) {
  const source = code.replaceAll("'@huggingface/transformers'", "'vecrank/transformers'") + (name ? reporting(name) : '')
  const env = { ...process.env, HF_HOME: folder, HF_HUB_OFFLINE: '1' }
  for (const other of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'MODEL_CACHE', 'VECRANK_LOCK']) delete env[other]
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', source], { cwd: root, env, encoding: 'utf8' })
  assert.equal(stderr, '', `line ${line}`)
  assert.equal(status, 0, `line ${line}`)
  return name ? JSON.parse(stdout.trim().split('\n').at(-1)) : undefined
}

const blocks = snippets()

test('every block says what it is, and each that changes one has it before it', () => {
  assert.ok(blocks.length >= 25, `${blocks.length} blocks`)
  for (const { mark, line } of blocks) assert.ok(['before', 'after', 'run', 'check'].includes(mark), `line ${line}: ${mark}`)
  for (const [index, { mark, name, heading, line }] of blocks.entries()) {
    if (mark !== 'after') continue
    const { mark: before, name: same, heading: section } = blocks[index - 1]
    assert.deepEqual([before, same, section], ['before', name, heading], `line ${line}`)
  }
})

for (const [index, block] of blocks.entries()) {
  const { mark, heading, line } = block
  const title = `${heading}, line ${line}`
  if (mark === 'check') {
    test(`${title}: it can be parsed`, () => {
      const file = path.join(folder, `line-${line}.mjs`)
      writeFileSync(file, block.code)
      const { status, stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
    })
  } else if (mark === 'after') {
    test(`${title}: the same as before, with one import changed`, () => {
      assertAlike(run(block), run(blocks[index - 1]), title)
    })
  } else if (blocks[index + 1]?.mark !== 'after') {
    test(`${title}: it runs`, () => {
      const value = run(block)
      if (block.name) assert.ok(value.length > 0)
    })
  }
}
