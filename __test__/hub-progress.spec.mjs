// Progress of downloads: what the events of `onDownload` say. Who hears them is hub-progress-listeners.spec.mjs's.

import assert from 'node:assert/strict'
import { appendFileSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Embedder } from 'vecrank'
import { contents } from './hub/cli.mjs'
import { ONNX, SIZES, SUM, assertWhole, of, recorder } from './hub/progress.mjs'
import { assertSound, filesIn, hashes, root, world } from './hub/world.mjs'

const MEAN = contents('bert-mean')

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
  // Other options each time: a session that is still there would be shared, and no file looked at.
  let threads = 0
  const fresh = (options) => make({ threads: ++threads, ...options })
  await (await fresh().load()).dispose()
  const cached = recorder()
  await (await fresh({ onDownload: cached.listener }).load()).dispose()
  await (await fresh({ onDownload: cached.listener, offline: true }).load()).dispose()
  await (await fresh({ onDownload: cached.listener, refresh: true }).load()).dispose()
  assert.deepEqual(cached.events, [])
  // One file is gone, another is damaged: these two come, and are told of.
  rmSync(join(folder, 'blobs', hashes(MEAN['tokenizer.json']).git))
  appendFileSync(join(folder, 'blobs', hashes(MEAN[ONNX]).sha256), 'x')
  const { events, listener } = recorder()
  await fresh({ onDownload: listener }).load()
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
