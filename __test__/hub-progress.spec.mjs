// Progress of downloads, as the option `onDownload` is told of it.

import assert from 'node:assert/strict'
import { appendFileSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Embedder, Reranker, embed, rerank } from 'vecrank'
import { failure } from './fixtures.mjs'
import { NEEDED, contents, start } from './hub/cli.mjs'
import { errorOf } from './hub/environment.mjs'
import { assertSound, filesIn, hashes, root, temporary, world } from './hub/world.mjs'

const MEAN = contents('bert-mean')
const ONNX = 'onnx/model.onnx'
const SUM = NEEDED.reduce((sum, name) => sum + MEAN[name].length, 0)
const SIZES = Object.fromEntries(NEEDED.map((name) => [name, MEAN[name].length]))

/** A listener that keeps its events. */
function recorder() {
  const events = []
  const listener = (event) => events.push(event)
  return { events, listener }
}

const of = (events, file) => events.filter((event) => event.file === file)

/** Everything that holds for the events of a load that succeeded, whatever its pace. `sizes` are those of the files that had to come. */
function assertWhole(events, sizes, model = 'zoo/bert-mean') {
  for (const event of events) {
    assert.deepEqual(Object.keys(event).sort(), ['file', 'loaded', 'model', 'overall', 'status', 'total'])
    assert.deepEqual(Object.keys(event.overall).sort(), ['loaded', 'total'])
    assert.ok(['download', 'progress', 'done'].includes(event.status), event.status)
    assert.equal(event.model, model)
    for (const count of [event.loaded, event.total, event.overall.loaded, event.overall.total]) {
      assert.ok(Number.isSafeInteger(count) && count >= 0, JSON.stringify(event))
    }
    assert.ok(event.loaded <= event.total && event.overall.loaded <= event.overall.total, JSON.stringify(event))
    assert.ok(event.loaded <= event.overall.loaded, JSON.stringify(event))
  }
  assert.deepEqual([...new Set(events.map(({ file }) => file))].sort(), Object.keys(sizes).sort(), 'the files that had to come, and no others')
  for (const [file, size] of Object.entries(sizes)) {
    const own = of(events, file)
    const states = own.map(({ status }) => status)
    assert.match(states.join(' '), /^download( progress)* done$/, `${file}: ${states}`)
    assert.equal(own[0].loaded, 0)
    assert.deepEqual([own.at(-1).loaded, own.at(-1).total], [size, size], file)
    assert.ok(own.every(({ total }) => total === size), file)
    for (let index = 1; index < own.length; index++) assert.ok(own[index].loaded >= own[index - 1].loaded, `${file} went back`)
  }
  for (let index = 1; index < events.length; index++) {
    assert.ok(events[index].overall.loaded >= events[index - 1].overall.loaded, 'the whole went back')
    assert.ok(events[index].overall.total >= events[index - 1].overall.total, 'the whole shrank')
  }
  const sum = Object.values(sizes).reduce((total, size) => total + size, 0)
  assert.deepEqual(events.at(-1).overall, { loaded: sum, total: sum })
}

test('a load tells of every file that it downloads, and of the whole', async (t) => {
  const { load } = await world(t)
  const { events, listener } = recorder()
  await load({ onDownload: listener })
  assertWhole(events, SIZES)
  // The small files say what else is needed: the total grows once, and is known before the weights begin.
  const totals = [...new Set(events.map(({ overall }) => overall.total))]
  assert.ok(totals.length <= 3, `${totals}`)
  assert.equal(of(events, ONNX)[0].overall.total, SUM)
})

test('a slow download tells how far it is, at most ten times a second', async (t) => {
  const { hub, load } = await world(t)
  hub.fault({ server: 'cdn' }, { rate: 200_000 })
  const { events, listener } = recorder()
  const times = []
  await load({
    onDownload(event) {
      listener(event)
      if (event.file === ONNX && event.status === 'progress') times.push(performance.now())
    },
  })
  assertWhole(events, SIZES)
  const steps = of(events, ONNX).filter(({ status }) => status === 'progress')
  assert.ok(steps.length >= 5, `${steps.length} events in more than a second`)
  assert.ok(steps.length <= 10 + (times.at(-1) - times[0]) / 90, `${steps.length} events`)
  assert.equal(new Set(steps.map(({ loaded }) => loaded)).size, steps.length, 'each has news')
  assert.equal(steps.at(-1).loaded, SIZES[ONNX])
})

test('an event is of one moment: what is kept of it does not change', async (t) => {
  const { hub, load } = await world(t)
  hub.fault({ server: 'cdn' }, { rate: 400_000 })
  const { events, listener } = recorder()
  const copies = []
  await load({
    onDownload(event) {
      listener(event)
      copies.push(structuredClone(event))
    },
  })
  assert.deepEqual(events, copies)
  assert.equal(new Set(events.map(({ overall }) => overall)).size, events.length)
})

test('what is cached is not told of', async (t) => {
  const { make, cacheDir, folder } = await world(t)
  await (await make().load()).dispose()
  const cached = recorder()
  await (await make({ onDownload: cached.listener }).load()).dispose()
  await (await make({ onDownload: cached.listener, offline: true }).load()).dispose()
  await (await make({ onDownload: cached.listener, refresh: true }).load()).dispose()
  assert.deepEqual(cached.events, [])
  // One file is gone, another is damaged: these two come, and are told of.
  rmSync(join(folder, 'blobs', hashes(MEAN['tokenizer.json']).git))
  appendFileSync(join(folder, 'blobs', hashes(MEAN[ONNX]).sha256), 'x')
  const { events, listener } = recorder()
  await make({ onDownload: listener }).load()
  assertWhole(events, { 'tokenizer.json': SIZES['tokenizer.json'], [ONNX]: SIZES[ONNX] })
  assertSound(cacheDir)
})

test('a folder and a package have no downloads', async () => {
  const { events, listener } = recorder()
  const handle = new Embedder(join(root, 'tests/fixtures/zoo/bert-mean'), { onDownload: listener })
  await handle.load()
  await handle.dispose()
  assert.deepEqual(events, [])
})

test('a download that goes on begins above 0, and ends at the whole', async (t) => {
  const { hub, make, cacheDir } = await world(t)
  hub.fault({ server: 'cdn' }, { stall: 'body', at: 200_000 }, { times: 1 })
  const partial = () => filesIn(cacheDir).find((file) => file.endsWith('.incomplete') && existsSync(join(cacheDir, file)))
  const controller = new AbortController()
  const first = recorder()
  const loading = make({ onDownload: first.listener, signal: controller.signal }).load()
  while (!(of(first.events, ONNX).at(-1)?.loaded >= 200_000)) await pause(10)
  assert.ok(partial())
  controller.abort()
  await assert.rejects(loading)
  assert.equal(first.events.at(-1).status, 'progress', 'what is not done is not said to be')

  // Slow enough to be seen before it ends.
  hub.fault({ server: 'cdn' }, { rate: 100_000 })
  const { events, listener } = recorder()
  await make({ onDownload: listener }).load()
  const own = of(events, ONNX)
  const steps = own.filter(({ status }) => status === 'progress')
  assert.ok(steps[0].loaded >= 200_000, `it began at ${steps[0].loaded}`)
  assertWhole(events, Object.fromEntries(Object.entries(SIZES).filter(([file]) => of(events, file).length > 0)))
  assert.equal(hub.bytes(ONNX), SIZES[ONNX])
})

test('a file that comes again from its beginning never goes above its size', async (t) => {
  const { hub, make } = await world(t)
  hub.fault({ server: 'cdn' }, { flip: 1_000_000, rate: 600_000 }, { times: 1 })
  const { events, listener } = recorder()
  await make({ onDownload: listener }).load()
  const own = of(events, ONNX)
  assert.ok(own.every(({ loaded, total }) => loaded <= total))
  assert.deepEqual([own[0].status, own.at(-1).status, own.at(-1).loaded], ['download', 'done', SIZES[ONNX]])
  assert.deepEqual(events.at(-1).overall, { loaded: SUM, total: SUM })
})

test('the repository that lends small files is told of under its own name', async (t) => {
  const { hub, make } = await world(t)
  const { 'modules.json': _, '1_Pooling/config.json': __, ...bare } = MEAN
  hub.add('zoo/converted', { ...bare, 'README.md': '---\nbase_model: zoo/bert-mean\n---\n' })
  const { events, listener } = recorder()
  await make({ onDownload: listener }, 'zoo/converted').load()
  const files = (model) => [...new Set(events.filter((event) => event.model === model).map(({ file }) => file))]
  assert.deepEqual(files('zoo/bert-mean').sort(), ['1_Pooling/config.json', 'modules.json'])
  assert.ok(files('zoo/converted').includes(ONNX))
  // Two files of one name in two repositories are two files.
  const sum = events.filter(({ status }) => status === 'done').reduce((total, { total: size }) => total + size, 0)
  assert.deepEqual(events.at(-1).overall, { loaded: sum, total: sum })
})

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
    process.on('uncaughtException', (error) => console.log('uncaught', error)).on('unhandledRejection', (error) => console.log('unhandled', error))
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
    for (const Class of [Embedder, Reranker]) assert.throws(() => new Class('zoo/bert-mean', { onDownload }), failure('ERR_INVALID_ARG', /onDownload/))
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
