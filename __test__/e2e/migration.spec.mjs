// The guide for those who come from Transformers.js says what a program was and what it becomes. Here the first is run on Transformers.js itself, the second on
// the packed packages: one result.

import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join, sep } from 'node:path'
import { after, test } from 'node:test'
import { root } from '../fixtures.mjs'
import { project } from '../pack/project.mjs'
import { assertAlike, cacheIn, modelsIn, snippets } from '../snippets.mjs'
import { answer, application } from './application.mjs'
import { program } from './programs.mjs'

const peer = program('peer')

/** Runs blocks one after the other in one process: what the variable of each is, by its line. */
const RUNNER = `
const results = {}
for (const line of JSON.parse(process.env.LINES)) results[line] = (await import('./line-' + line + '.mjs')).result
const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : typeof value === 'bigint' ? Number(value) : value)
console.log(JSON.stringify(results, plain))
`
const LOCAL = `
import { env } from '@huggingface/transformers'
env.localModelPath = process.env.MODELS
env.allowRemoteModels = false
`

async function resultsOf(scratch, blocks, first, env) {
  scratch.write('runner.mjs', `${first}${RUNNER}`)
  for (const { code, name, line } of blocks) scratch.write(`line-${line}.mjs`, `${code}\nexport { ${name} as result }\n`)
  return answer(await scratch.run(process.execPath, ['runner.mjs'], { env: { ...env, LINES: JSON.stringify(blocks.map(({ line }) => line)) } }))
}

test('what programs gave on Transformers.js they give on vecrank, as the guide changes them', { skip: peer.skip }, async (t) => {
  const blocks = snippets()
  const pairs = blocks.flatMap((block, index) => (block.mark === 'after' ? [[blocks[index - 1], block]] : []))
  assert.ok(pairs.length >= 9, `${pairs.length} pairs`)

  const before = project(t, { manifest: { type: 'module' } })
  symlinkSync(join(root, 'e2e', 'node_modules'), join(before.folder, 'node_modules'), 'junction')
  const models = join(before.base, 'models') + sep
  modelsIn(models)
  const theirs = await resultsOf(before, pairs.map(([block]) => block), LOCAL, { MODELS: models })

  const app = await application({ after })
  mkdirSync(join(app.base, 'cache'))
  cacheIn(join(app.base, 'cache'))
  const ours = await resultsOf(app, pairs.map(([, block]) => block), '', { HF_HOME: join(app.base, 'cache') })

  for (const [{ line, heading }, { line: changed }] of pairs) assertAlike(ours[changed], theirs[line], `${heading}, line ${line}`)
})
