// Files of a model's folder that are replaced while it is in use, and the end of what embed() and rerank() share.

import assert from 'node:assert/strict'
import { cpSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Embedder, Reranker, dispose, embed, rerank } from 'vecrank'
import { assertNear, copyOf, failure, largestDifference, readJson, root, someTexts, tiny } from './fixtures.mjs'

const run = promisify(execFile)
const instances = globalThis[Symbol.for('vecrank.instances')] ??= new Map()
const GRAPH = path.join('onnx', 'model.onnx')

/** Another number for a key of the pooling, so that vectors differ. */
function poolByFirstToken(folder) {
  const file = path.join(folder, '1_Pooling', 'config.json')
  writeFileSync(file, JSON.stringify({ ...readJson(file), pooling_mode_mean_tokens: false, pooling_mode_cls_token: true }))
}

/** Weights of the same size: every fourth has another sign. */
function otherWeights(file) {
  const bytes = readFileSync(file)
  for (let at = 0; at + 4 <= bytes.length; at += 16) bytes.writeFloatLE(-bytes.readFloatLE(at), at)
  return bytes
}

const differs = (a, b) => largestDifference(a, b) > 1e-3

test('a new handle notices a file that was written anew, and the old one goes on', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  const old = await Embedder.load(folder)
  const before = await old.embed('text')
  poolByFirstToken(folder)
  const expected = await new Embedder(tiny('zoo/bert-mean'), { pooling: 'cls' }).embed('text')
  const fresh = new Embedder(folder)
  assertNear(await fresh.embed('text'), expected, 1e-6, 'the new handle')
  assertNear(await old.embed('text'), before, 1e-6, 'the old handle')
  assert.equal((await old.info()).pooling, 'mean')
  assertNear(await new Embedder(folder).embed('text'), expected, 1e-6, 'a third handle')
})

test('a new handle notices a file of the same size and time', async (t) => {
  const folder = copyOf('extra/onnx-external-data', t)
  const old = await Embedder.load(folder)
  const before = await old.embed('text')
  const file = path.join(folder, `${GRAPH}_data`)
  const { atime, mtime } = statSync(file)
  writeFileSync(`${file}.new`, otherWeights(file))
  renameSync(`${file}.new`, file)
  utimesSync(file, atime, mtime)
  assert.ok(differs(await new Embedder(folder).embed('text'), before))
  assertNear(await old.embed('text'), before, 1e-6, 'the old handle')
})

test('a new handle notices a file that appeared and one that is gone', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  const first = await Embedder.load(folder)
  const file = path.join(folder, 'modules.json')
  const content = readFileSync(file)
  rmSync(file)
  assert.ok((await new Embedder(folder).info()).assumed.includes('pooling'))
  const kept = await Embedder.load(folder)
  writeFileSync(file, content)
  assert.deepEqual((await new Embedder(folder).info()).assumed, (await first.info()).assumed)
  await kept.dispose()
})

test('a new handle notices that a link leads to another folder', async (t) => {
  const [one, other] = [copyOf('zoo/bert-mean', t), copyOf('zoo/bert-mean', t)]
  poolByFirstToken(other)
  const link = path.join(one, 'current')
  symlinkSync(one, link)
  assert.equal((await new Embedder(link).info()).pooling, 'mean')
  const first = await embed('text', { model: link })
  rmSync(link)
  symlinkSync(other, link)
  assert.equal((await new Embedder(link).info()).pooling, 'cls')
  assert.ok(differs(await embed('text', { model: link }), first))
})

test('weights that are written over in place do not change a model that is in use', async (t) => {
  const folder = copyOf('extra/onnx-external-data', t)
  const embedder = await Embedder.load(folder)
  const before = await embedder.embed('text')
  const file = path.join(folder, `${GRAPH}_data`)
  writeFileSync(file, otherWeights(file))
  assertNear(await embedder.embed('text'), before, 1e-6, 'written over')
})

test('weights that are cut off do not end a process that uses them', async (t) => {
  const folder = copyOf('extra/onnx-external-data', t)
  const code = `
    const { Embedder } = require('vecrank')
    const { truncateSync } = require('node:fs')
    Embedder.load(${JSON.stringify(folder)}).then(async (embedder) => {
      const before = await embedder.embed('text')
      truncateSync(${JSON.stringify(path.join(folder, `${GRAPH}_data`))}, 0)
      console.log((await embedder.embed('text')).every((value, index) => value === before[index]))
    })`
  const { stdout } = await run(process.execPath, ['--eval', code], { cwd: root })
  assert.equal(stdout.trim(), 'true')
})

test('an unchanged folder is still one model', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  await embed('text', { model: folder })
  const shared = [...instances.values()].at(-1)
  await embed('text', { model: folder })
  assert.equal([...instances.values()].at(-1), shared)
})

// ---------- the two-line way ---------------------------------------------------------------------------------------------

test('embed() with a folder notices that files were replaced, and calls in flight end with the old ones', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  const texts = someTexts(3000)
  const before = await embed(texts, { model: folder })
  const count = instances.size
  // More than one native request, so that it goes on after the files were replaced.
  const running = embed(texts, { model: folder })
  poolByFirstToken(folder)
  const after = await embed('text', { model: folder })
  assertNear(after, await new Embedder(tiny('zoo/bert-mean'), { pooling: 'cls' }).embed('text'), 1e-6, 'the next call')
  const rows = await running
  rows.forEach((row, index) => assertNear(row, before[index], 1e-4, `text ${index} of the call in flight`))
  assert.equal(instances.size, count)
})

test('the instance whose files were replaced is given back', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  await embed('text', { model: folder })
  const old = [...instances.values()].at(-1)
  poolByFirstToken(folder)
  await embed('text', { model: folder })
  await assert.rejects(old.embed('text'), failure('ERR_DISPOSED'))
})

test('files that cannot be used are an error, and the next call takes what is there then', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  const before = await embed('text', { model: folder })
  const kept = readFileSync(path.join(folder, GRAPH))
  truncateSync(path.join(folder, GRAPH), 1000)
  await assert.rejects(embed('text', { model: folder }), failure('ERR_MODEL_INVALID', /model\.onnx/))
  writeFileSync(path.join(folder, GRAPH), kept)
  assertNear(await embed('text', { model: folder }), before, 1e-6, 'mended')
})

test('looking whether files were replaced takes less than 0.1 ms', async (t) => {
  const model = await Embedder.load(copyOf('extra/dense-tanh-bias', t))
  const stale = Symbol.for('vecrank.stale')
  const rounds = Array.from({ length: 15 }, () => {
    const start = process.hrtime.bigint()
    for (let round = 0; round < 100; round++) assert.equal(model[stale], false)
    return Number(process.hrtime.bigint() - start) / 100 / 1e6
  }).sort((a, b) => a - b)
  t.diagnostic(`median ${rounds[7].toFixed(4)} ms`)
  // The fastest: other programs of the machine only make it slower.
  assert.ok(rounds[0] < 0.1, `${rounds[0]} ms`)
})

test('dispose() gives back what embed() and rerank() share, and the next call loads anew', async () => {
  const folder = tiny('zoo/bert-cls')
  const own = await Embedder.load(tiny('zoo/bert-mean'))
  const expected = await embed('text', { model: folder })
  await rerank('a', ['b'], { model: tiny('zoo/bert-ranker-1') })
  const shared = [...instances.values()]
  assert.ok(shared.length >= 2)
  await dispose()
  assert.equal(instances.size, 0)
  for (const instance of shared) await assert.rejects(instance.load(), failure('ERR_DISPOSED'))
  assert.equal((await own.embed('text')).length, 32)
  assertNear(await embed('text', { model: folder }), expected, 1e-6, 'the next call')
  assert.equal(instances.size, 1)
  await dispose()
  await dispose()
})

test('dispose() while calls run: each settles, and a call after it is served', async () => {
  const model = tiny('zoo/bert-cls')
  const calls = Promise.allSettled(Array.from({ length: 20 }, () => embed(someTexts(100), { model })))
  const gone = dispose()
  const next = embed('text', { model })
  await gone
  for (const { status, value, reason } of await calls) {
    if (status === 'rejected') failure('ERR_DISPOSED')(reason)
    else assert.equal(value.length, 100)
  }
  assert.equal((await next).length, (await new Embedder(model).info()).dimensions)
  await dispose()
})

test('memory of a shared model comes back with dispose()', async (t) => {
  const code = `
    const { dispose, embed } = require('vecrank')
    const models = () => process.memoryUsage().rss / 2 ** 20
    const model = 'vecrank-model-all-minilm-l6-v2'
    const round = async () => { await embed('text', { model }); const loaded = models(); await dispose(); return loaded }
    ;(async () => {
      for (let n = 0; n < 3; n++) await round()
      const early = models()
      for (let n = 0; n < 12; n++) await round()
      console.log(JSON.stringify({ early, late: models() }))
    })()`
  const { stdout } = await run(process.execPath, ['--eval', code], { cwd: root })
  const { early, late } = JSON.parse(stdout)
  t.diagnostic(`${early.toFixed(0)} MiB after 3 rounds, ${late.toFixed(0)} MiB after 15`)
  // Twelve copies of the weights would be 260 MiB more.
  assert.ok(late - early < 130, `${early} MiB, then ${late} MiB`)
})
