// Every name of Transformers.js is here, under both module systems; one that vecrank lacks says so when it is used, and not before.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { inspect, promisify } from 'node:util'
import * as library from 'vecrank/transformers'
import { failure, readJson, root } from './fixtures.mjs'

const run = promisify(execFile)
const require = createRequire(import.meta.url)
const { names, version } = readJson(new URL('transformers/names.json', import.meta.url))
const { RawImage, BaseStreamer, AutoProcessor, WhisperForConditionalGeneration, load_image } = library

test('every name of the peer can be imported and required, and is one thing', () => {
  const required = require('vecrank/transformers')
  assert.deepEqual(
    names.filter((name) => !(name in library)),
    [],
  )
  for (const name of names) assert.equal(library[name], required[name], name)
  assert.equal(library.env.version, version)
})

test('every name of its version 3 as well, for which many libraries were made', () => {
  const older = readJson(new URL('transformers/names-3.json', import.meta.url)).names
  assert.deepEqual(
    older.filter((name) => !(name in library)),
    [],
  )
  assert.throws(() => library.hanning(4), failure('ERR_INVALID_ARG', /^hanning\(\): .*has no hanning/))
})

test('named imports work in a program', async () => {
  const code = `import { ${names.join(', ')} } from 'vecrank/transformers'; console.log([${names.join(', ')}].includes(undefined))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: root })
  assert.equal(stdout.trim(), 'false')
})

test('importing loads no native code', async () => {
  const code = `require('vecrank/transformers'); console.log(process.report.getReport().sharedObjects.filter((file) => /vecrank/.test(file)).length)`
  const { stdout } = await run(process.execPath, ['--eval', code], { cwd: root })
  assert.equal(stdout.trim(), '0')
})

test('a name that vecrank lacks: called, constructed or read from, it says which and what to do', async () => {
  const lacks = (used) => failure('ERR_INVALID_ARG', new RegExp(`^${used.replace(/[.()]/g, '\\$&')}: .*has no .*@huggingface/transformers`))
  assert.throws(() => new RawImage(), lacks('new RawImage()'))
  assert.throws(() => RawImage(), lacks('RawImage()'))
  assert.throws(() => RawImage.read('a.png'), lacks('RawImage.read'))
  await assert.rejects(load_image('a.png'), lacks('load_image()'))
  await assert.rejects(AutoProcessor.from_pretrained('owner/name'), lacks('AutoProcessor.from_pretrained()'))
  await assert.rejects(WhisperForConditionalGeneration.from_pretrained('owner/name'), lacks('WhisperForConditionalGeneration.from_pretrained()'))
})

test('a name that vecrank lacks: what is no use of it does no harm', async () => {
  assert.equal({} instanceof RawImage, false)
  assert.equal(RawImage.name, 'RawImage')
  assert.match(inspect(RawImage), /RawImage/)
  assert.match(String(RawImage), /function/)
  assert.equal(typeof RawImage, 'function')
  assert.equal(await Promise.resolve(RawImage), RawImage)
  class Own extends BaseStreamer {}
  assert.throws(() => new Own(), failure('ERR_INVALID_ARG', /BaseStreamer/))
})

test('the types declare what there is, and nothing else', () => {
  const source = readFileSync(path.join(root, 'types', 'transformers.d.ts'), 'utf8')
  const declared = new Set([...source.matchAll(/^export (?:class|function|const) (\w+)/gm)].map(([, name]) => name))
  declared.add(/export \{ PreTrainedTokenizer as (\w+) \}/.exec(source)[1])
  const lacking = Object.keys(require(path.join(root, 'lib', 'transformers', 'lacking.js')))
  const there = Object.keys(require('vecrank/transformers')).filter((name) => !lacking.includes(name))
  assert.deepEqual([...declared].sort(), there.sort())
})

test('in an edge runtime and a browser every name is there, and its use says where it belongs', async () => {
  const elsewhere = require(path.join(root, 'lib', 'transformers', 'elsewhere.js'))
  assert.deepEqual(
    [...names, ...Object.keys(require('vecrank/transformers'))].filter((name) => !(name in elsewhere)),
    [],
  )
  const refuses = failure('ERR_RUNTIME', /needs Node/)
  await assert.rejects(elsewhere.pipeline('feature-extraction'), refuses)
  await assert.rejects(elsewhere.AutoTokenizer.from_pretrained('owner/name'), refuses)
  assert.throws(() => new elsewhere.Tensor('float32', [1], [1]), refuses)
  // Programs for both places set these when they start.
  elsewhere.env.allowLocalModels = false
  elsewhere.env.backends.onnx.wasm.numThreads = 1
})

test('what stands in elsewhere needs nothing of Node', async () => {
  const code = `
    const Module = require('node:module')
    const load = Module._load
    Module._load = (name, ...rest) => { if (name.startsWith('node:')) throw new Error('needs ' + name); return load(name, ...rest) }
    require('./lib/transformers/elsewhere.js')
    console.log('done')`
  const { stdout } = await run(process.execPath, ['--eval', code], { cwd: root })
  assert.equal(stdout.trim(), 'done')
})
