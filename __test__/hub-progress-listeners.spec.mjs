// Progress of downloads: who is told, and what happens when a listener fails.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Embedder, Reranker, embed, rerank } from 'vecrank'
import { failure } from './fixtures.mjs'
import { contents, start } from './hub/cli.mjs'
import { errorOf } from './hub/environment.mjs'
import { ONNX, SIZES, assertWhole, of, recorder } from './hub/progress.mjs'
import { assertSound, temporary, world } from './hub/world.mjs'

// ---------- who is told ------------------------------------------------------------------------------------------------

test('several handles on one download are told each, in full', async (t) => {
  const { hub, make } = await world(t)
  hub.fault({ server: 'cdn' }, { rate: 400_000 })
  const recorders = Array.from({ length: 5 }, recorder)
  const silent = make()
  await Promise.all([silent.load(), ...recorders.map(({ listener }) => make({ onDownload: listener }).load())])
  for (const { events } of recorders) assertWhole(events, SIZES)
  assert.equal(hub.count({ server: 'cdn' }), 1, 'one download')
})

test('who comes late is told of the files from the first to the last', async (t) => {
  const { hub, make } = await world(t)
  hub.fault({ server: 'cdn' }, { rate: 250_000 })
  const [early, late] = [recorder(), recorder()]
  const first = make({ onDownload: early.listener }).load()
  while (!(of(early.events, ONNX).at(-1)?.loaded > 50_000)) await pause(10)
  await Promise.all([first, make({ onDownload: late.listener }).load()])
  assertWhole(early.events, SIZES)
  assert.deepEqual([late.events.at(-1).status, late.events.at(-1).overall.loaded], ['done', late.events.at(-1).overall.total])
  assert.equal(of(late.events, ONNX)[0].status, 'download')
  assert.equal(hub.count({ server: 'cdn' }), 1)
})

test('each call of embed() and rerank() has its own listener, though they share an instance', async (t) => {
  const { hub, id, options } = await world(t)
  hub.add('zoo/ranker', contents('bert-ranker-1'))
  hub.fault({ server: 'cdn' }, { rate: 600_000 })
  const recorders = Array.from({ length: 3 }, recorder)
  const calls = recorders.map(({ listener }) => embed('a', { model: id, load: options({ onDownload: listener }) }))
  await Promise.all([...calls, embed('a', { model: id, load: options() })])
  for (const { events } of recorders) assertWhole(events, SIZES)
  assert.equal(hub.count({ server: 'cdn' }), 1)
  // The model is loaded now: a later call has nothing to tell.
  const later = recorder()
  await embed('b', { model: id, load: options({ onDownload: later.listener }) })
  assert.deepEqual(later.events, [])
  const ranked = recorder()
  await rerank('a', ['b'], { model: 'zoo/ranker', load: options({ onDownload: ranked.listener }) })
  assert.ok(ranked.events.length > 0 && ranked.events.every(({ model }) => model === 'zoo/ranker'))
  for (const handle of globalThis[Symbol.for('vecrank.instances')].values()) await handle.dispose()
})

test('a handle that was loaded by its first call is told as well', async (t) => {
  const { make } = await world(t)
  const { events, listener } = recorder()
  const embedder = make({ onDownload: listener })
  assert.deepEqual(events, [], 'a constructor downloads nothing')
  await embedder.embed('a')
  assertWhole(events, SIZES)
  const { length } = events
  await embedder.embed('b')
  assert.equal(events.length, length)
})

// ---------- listeners that fail ----------------------------------------------------------------------------------------

test('a listener that throws ends its own load with that error, and no other', async (t) => {
  const { hub, make, cacheDir } = await world(t)
  hub.fault({ server: 'cdn' }, { rate: 400_000 })
  const mine = new Error('the terminal is gone')
  let calls = 0
  const failing = make({
    onDownload() {
      calls++
      throw mine
    },
  })
  const other = recorder()
  const [first, second] = await Promise.allSettled([failing.load(), make({ onDownload: other.listener }).load()])
  assert.equal(first.reason, mine)
  assert.equal(calls, 1, 'it is not called again')
  assert.equal(second.status, 'fulfilled')
  assertWhole(other.events, SIZES)
  // A failed load is not kept: the handle may be used again, and now there is nothing to tell.
  await failing.load()
  assert.equal(calls, 1)
  assertSound(cacheDir)
})

test('a listener that throws at any time, anything at all, is an error of the load and never of the process', async (t) => {
  const program = `
    import { Embedder, embed } from ${JSON.stringify(new URL('../index.js', import.meta.url).href)}
    const asked = JSON.parse(process.env.ASKED)
    for (const name of ['uncaughtException', 'unhandledRejection']) process.on(name, (error) => console.log(name, error))
    const said = (error) => (error === undefined ? 'undefined' : String(error))
    const outcome = (promise) => promise.then(() => 'loaded', said)
    for (const [number, when] of ['download', 'progress', 'done'].entries()) {
      for (const thrown of [new Error('mine'), 'a string', undefined, null]) {
        const onDownload = ({ status, file }) => { if (status === when && file.endsWith('.onnx')) throw thrown }
        const cacheDir = asked.cacheDir + number + said(thrown).slice(0, 3)
        const options = { endpoint: asked.endpoint, cacheDir, onDownload }
        console.log(when, said(thrown), await outcome(Embedder.load(asked.id, options)))
        console.log(when, said(thrown), await outcome(embed('a', { model: asked.id, load: { ...options, cacheDir: cacheDir + 'e' } })))
      }
    }`
  const { hub, id, cacheDir } = await world(t)
  hub.fault({ server: 'cdn' }, { rate: 1_500_000 })
  const env = { ASKED: JSON.stringify({ id, cacheDir, endpoint: hub.url }) }
  const { code, stdout, stderr } = await start(t, process.execPath, ['--input-type=module', '-e', program], { env }).ended
  assert.deepEqual([code, stderr], [0, ''])
  const lines = stdout.trim().split('\n')
  assert.equal(lines.length, 24, stdout)
  for (const line of lines) {
    const [, thrown, got] = /^\w+ (Error: mine|a string|undefined|null) (.*)$/.exec(line) ?? assert.fail(line)
    assert.equal(got, thrown, line)
  }
})

test('a listener may dispose of its handle', async (t) => {
  const { hub, make } = await world(t)
  hub.fault({ server: 'cdn' }, { rate: 200_000 })
  const ended = []
  const embedder = make({ onDownload: ({ file }) => file === ONNX && ended.length === 0 && ended.push(embedder.dispose()) })
  failure('ERR_DISPOSED')(await errorOf(embedder.load()))
  assert.equal(ended.length, 1)
  await Promise.all(ended)
})

test('what is no function is refused', () => {
  for (const onDownload of [null, 'log', {}, 7]) {
    for (const Class of [Embedder, Reranker])
      assert.throws(() => new Class('zoo/bert-mean', { onDownload }), failure('ERR_INVALID_ARG', /onDownload/))
  }
})

test('a load that fails tells nothing after its error', async (t) => {
  const { hub, make } = await world(t)
  hub.fault({ server: 'cdn' }, { status: 403 })
  const { events, listener } = recorder()
  failure('ERR_DOWNLOAD')(await errorOf(make({ onDownload: listener, cacheDir: join(temporary(t), 'hub') }).load()))
  const { length } = events
  assert.ok(length > 0)
  assert.ok(!of(events, ONNX).some(({ status }) => status === 'done'))
  await pause(250)
  assert.equal(events.length, length)
})
