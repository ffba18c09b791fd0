// What a program sees of the package: both module systems, one copy, no work at import.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import * as imported from 'vecrank'
import { failure, root } from './fixtures.mjs'

const run = promisify(execFile)
const require = createRequire(import.meta.url)
const NAMES = ['Bm25', 'Classifier', 'Embedder', 'LateEmbedder', 'Reranker', 'SparseEmbedder', 'SparseMatrix', 'TokenClassifier', 'VecrankError', 'chunk', 'cosineSimilarity', 'dispose', 'dot', 'embed', 'fuse', 'hardware', 'maxSim', 'pipeline', 'rerank', 'topK']

test('import and require give the same things', () => {
  const required = require('vecrank')
  assert.deepEqual(Object.keys(required).sort(), NAMES)
  for (const name of NAMES) assert.equal(imported[name], required[name], name)
})

test('named imports work in a program', async () => {
  const code = `import { ${NAMES.join(', ')} } from 'vecrank'; console.log([${NAMES.join(', ')}].every((value) => typeof value === 'function'))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: root })
  assert.equal(stdout.trim(), 'true')
})

test('importing loads no native code', async () => {
  const code = `require('vecrank'); console.log(process.report.getReport().sharedObjects.filter((file) => /vecrank/.test(file)).length)`
  const { stdout } = await run(process.execPath, ['--eval', code], { cwd: root })
  assert.equal(stdout.trim(), '0')
})

test('the two module systems share instances', async () => {
  const required = require('vecrank')
  const model = 'vecrank-model-all-minilm-l6-v2'
  await Promise.all([imported.embed('a', { model }), required.embed('a', { model })])
  const keys = [...globalThis[Symbol.for('vecrank.instances')].keys()]
  assert.equal(keys.filter((key) => key.includes(model)).length, 1)
})

test('a second copy of the package (hot reload) uses the same instances', async () => {
  const model = 'vecrank-model-all-minilm-l6-v2'
  await imported.embed('a', { model })
  const instances = globalThis[Symbol.for('vecrank.instances')]
  const before = [...instances.values()]
  const files = Object.keys(require.cache).filter((file) => file === path.join(root, 'index.js') || file.startsWith(path.join(root, 'lib') + path.sep))
  const kept = files.map((file) => [file, require.cache[file]])
  for (const file of files) delete require.cache[file]
  try {
    const copy = require('vecrank')
    assert.notEqual(copy.embed, imported.embed)
    assert.equal((await copy.embed('a', { model })).length, 384)
    assert.equal((await copy.embed('a', { model: before[0] })).length > 0, true)
    for (const either of [model, before[0]]) assert.equal((await copy.chunk('a', { model: either })).length, 1)
    assert.deepEqual([...instances.values()], before)
  } finally {
    for (const [file, module] of kept) require.cache[file] = module
  }
})

test('every listed file exists and every script of the face is listed', () => {
  const { files, exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  for (const name of ['index.js', 'index.d.ts', 'lib', 'bin']) {
    assert.ok(files.includes(name), name)
    assert.ok(existsSync(path.join(root, name)), name)
  }
  assert.equal(exports['.'].default, './index.js')
})

test('an addon or library that cannot be loaded is ERR_RUNTIME with the fix', async () => {
  const attempt = async (env, before = '') => {
    const code = `${before}; require('vecrank').embed('a', { load: { engine: 'graph' } }).then(() => console.log('{}'), ({ name, code, message }) => console.log(JSON.stringify({ name, code, message })))`
    const { stdout } = await run(process.execPath, ['--eval', code], { cwd: root, env: { ...process.env, ...env } })
    return JSON.parse(stdout)
  }
  const check = failure('ERR_RUNTIME')
  check(await attempt({ VECRANK_ONNXRUNTIME: 'relative/path.so' }))
  const missing = await attempt({ VECRANK_ONNXRUNTIME: path.join(root, 'no-such-library.so') })
  check(missing)
  assert.match(missing.message, /no-such-library/)
  // The encoder needs no library.
  const code = `require('vecrank').embed('a').then(({ length }) => console.log(length))`
  const env = { ...process.env, VECRANK_ONNXRUNTIME: path.join(root, 'no-such-library.so') }
  const { stdout } = await run(process.execPath, ['--eval', code], { cwd: root, env })
  assert.equal(stdout.trim(), '384')
  // The addon fails to open as it would where the platform's package is missing.
  const broken = await attempt({}, `process.dlopen = () => { throw new Error('no file for this platform') }`)
  check(broken)
  assert.match(broken.message, /Tried:[^]*no file for this platform[^]*Cannot find module 'vecrank-/)
})

test('where native code cannot run, the same names are there and say so', async () => {
  const elsewhere = require('../lib/elsewhere.js')
  assert.deepEqual(Object.keys(elsewhere).sort(), NAMES)
  const { exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  for (const condition of ['edge-light', 'workerd', 'browser']) assert.equal(exports['.'][condition], './lib/elsewhere.js')
  const refuses = (error) => error instanceof elsewhere.VecrankError && error.code === 'ERR_RUNTIME' && /runtime = 'nodejs'/.test(error.message)
  for (const name of ['chunk', 'embed', 'rerank']) await assert.rejects(elsewhere[name]('a', []), refuses)
  for (const name of ['Embedder', 'LateEmbedder', 'Reranker']) {
    assert.throws(() => new elsewhere[name](), refuses)
    await assert.rejects(elsewhere[name].load(), refuses)
  }
  for (const name of ['fit', 'fromJSON']) assert.throws(() => elsewhere.Bm25[name](), refuses)
  for (const name of ['topK', 'dot', 'cosineSimilarity', 'maxSim', 'fuse']) assert.throws(() => elsewhere[name](), refuses)
})
