// Every example runs to its end and prints what it promises, and stays short enough to be read at a glance.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from './fixtures.mjs'

const run = promisify(execFile)
const folder = path.join(root, 'examples')
const promised = {
  'demo.mjs': [/passages\/s/, /1\. /, /reranked/i],
  'embed.mjs': [/384/, /0\.\d+/],
  'hybrid.mjs': [/sacks[^]*The Panthers defense/],
  'redact.mjs': [/\[(PER|LOC|ORG)\]/],
  'rerank.mjs': [/registered inhabitants/],
  'route.mjs': [/billing +I was charged/, /delivery +When/, /technical +The app/],
  'search.mjs': [/photosynthesis/],
}

test('no example is forgotten', () => {
  assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith('.mjs')).sort(), Object.keys(promised))
})

for (const [name, patterns] of Object.entries(promised)) {
  test(name, async () => {
    const file = path.join(folder, name)
    if (name !== 'demo.mjs') assert.ok(readFileSync(file, 'utf8').trimEnd().split('\n').length <= 30, 'at most 30 lines')
    const { stdout, stderr } = await run(process.execPath, [file], { cwd: root, timeout: 180_000 })
    assert.equal(stderr, '')
    for (const pattern of patterns) assert.match(stdout, pattern)
    // Not a terminal: no colour, no moving bar, nothing wider than 80 columns.
    assert.doesNotMatch(stdout, /\x1b|\r/)
    for (const line of stdout.split('\n')) assert.ok([...line].length <= 80, line)
  })
}
