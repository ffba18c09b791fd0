// A Hub that falls silent, at every point where it can: an error in time, a second try that succeeds, and a caller who is let go at once,
// with the connection. The times are lowered by huggingface_hub's own variables; hub-stalls.spec.mjs waits for the real ones.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { failure } from './fixtures.mjs'
import { makeAuthority } from './hub/authority.mjs'
import { assertWorks, pull, until, withVariables } from './hub/drive.mjs'
import { stages } from './hub/stages.mjs'
import { blackHole, wire } from './hub/wire.mjs'
import { assertSound, world } from './hub/world.mjs'

const LOWERED = { HF_HUB_ETAG_TIMEOUT: '0.4', HF_HUB_DOWNLOAD_TIMEOUT: '0.4' }
/** Six tries of 0.4 s, the pauses between them of at most 4.65 s together, and a machine that is busy. With the usual times it takes 28. */
const LONGEST = 12_000

async function assertEnds(load) {
  const start = performance.now()
  await assert.rejects(load, failure('ERR_DOWNLOAD', /tried [2-6] times/))
  const took = performance.now() - start
  assert.ok(took < LONGEST, `took ${took} ms`)
}

describe('a Hub that stays silent is an error, sooner where the times are lowered', { concurrency: true }, () => {
  for (const [name, { match, fault }] of Object.entries(stages)) {
    test(`${name}`, async (t) => {
      const { hub, cacheDir, make } = await world(t)
      hub.fault({ ...match }, fault)
      const embedder = make()
      await assertEnds(withVariables(LOWERED, () => embedder.load()))
      assertSound(cacheDir, { partials: 1 })
    })
  }

  test('before the system answers to a connection', async (t) => {
    const endpoint = await blackHole(t)
    if (endpoint === undefined) return t.skip('this system answers to connections beyond the queue: a black hole is NOT tested')
    const { make } = await world(t)
    const embedder = make({ endpoint })
    await assertEnds(withVariables(LOWERED, () => embedder.load()))
  })

  test('before the handshake of TLS', async (t) => {
    const { hub, make } = await world(t, { hub: { tls: makeAuthority().issue({ addresses: ['127.0.0.1'] }) } })
    hub.fault({ server: 'hub' }, { stall: 'accept' })
    const embedder = make()
    await assertEnds(withVariables(LOWERED, () => embedder.load()))
  })
})

describe('a Hub that is silent once is asked again', { concurrency: true }, () => {
  for (const [name, { match, fault }] of Object.entries(stages)) {
    test(`${name}`, async (t) => {
      const { hub, cacheDir, make } = await world(t)
      hub.fault({ ...match }, fault, { times: 1 })
      const embedder = make()
      await withVariables(LOWERED, () => embedder.load())
      await assertWorks(embedder)
      assertSound(cacheDir)
    })
  }
})

/** A world whose connections are seen. `until(reached)` the client waits at a stage; `assertLetGo` that nothing of the load goes on. */
async function watched(t, options) {
  const all = await world(t, options)
  const wires = [await wire(t, all.hub.port), await wire(t, all.hub.cdnPort)]
  all.hub.cdn = wires[1].url
  const endpoint = wires[0].url
  const open = () => wires.reduce((sum, one) => sum + one.open.size, 0)
  const assertLetGo = async () => {
    await until(() => open() === 0, 1000, 'all connections are closed')
    const { length } = all.hub.requests
    // A thread that waits to ask again has no connection either.
    await until(() => loaders() === 0, 1000, 'the thread that loads has ended')
    assert.equal(all.hub.requests.length, length)
  }
  return { ...all, make: (more, id) => all.make({ endpoint, ...more }, id), open, assertLetGo }
}

/** Threads of this process that load a model, where the system names them. */
function loaders() {
  if (!existsSync('/proc/self/task')) return 0
  return readdirSync('/proc/self/task').filter((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim() === 'vecrank-load'
    } catch {
      return false
    }
  }).length
}

/** Ends a wait and measures how long the caller still waits. */
async function assertAtOnce(pending, end, isRight) {
  const settled = pending.then(
    () => assert.fail('it should not have loaded'),
    (error) => [error, performance.now()],
  )
  const start = performance.now()
  end()
  const [error, at] = await settled
  isRight(error)
  assert.ok(at - start <= 50, `the caller waited for ${at - start} ms`)
}

const reason = new Error('the caller has left')
const isReason = (error) => assert.equal(error, reason)

// One after the other: the threads of the process are counted.
describe('a signal ends the wait within 50 ms and the download with it', () => {
  for (const [name, { match, fault, reached = (hub) => hub.count(match) > 0 }] of Object.entries(stages)) {
    test(`${name}`, async (t) => {
      const { hub, cacheDir, make, open, assertLetGo } = await watched(t)
      hub.fault(match, fault)
      const controller = new AbortController()
      const pending = make({ signal: controller.signal }).load()
      await until(() => reached(hub) && open() > 0, 5000, 'the client waits')
      await assertAtOnce(pending, () => controller.abort(reason), isReason)
      await assertLetGo()
      assertSound(cacheDir, { partials: 2 })
    })
  }

  test('before the system answers to a connection', async (t) => {
    const endpoint = await blackHole(t)
    if (endpoint === undefined) return t.skip('this system answers to connections beyond the queue: a black hole is NOT tested')
    const { make } = await world(t)
    const controller = new AbortController()
    const pending = make({ endpoint, signal: controller.signal }).load()
    await until(() => loaders() > 0 || process.platform !== 'linux', 5000, 'it loads')
    await assertAtOnce(pending, () => controller.abort(reason), isReason)
    await until(() => loaders() === 0, 1000, 'the thread that loads has ended')
  })

  test('in a pause between two tries', async (t) => {
    const { hub, make, assertLetGo } = await watched(t)
    hub.fault({ path: /\/revision\// }, { status: 429, headers: { 'retry-after': '20' } })
    const controller = new AbortController()
    const pending = make({ signal: controller.signal }).load()
    await until(() => hub.count({ status: 429 }) === 1, 5000, 'the first try was answered')
    await assertAtOnce(pending, () => controller.abort(reason), isReason)
    await assertLetGo()
  })

  test('while another load downloads the same file', async (t) => {
    const { hub, id, cacheDir, make, assertLetGo } = await watched(t)
    hub.fault({ server: 'cdn' }, { stall: 'body' })
    let job
    const other = assert.rejects(pull({ hub, id, cacheDir, onJob: (one) => (job = one) }))
    await until(() => hub.count({ server: 'cdn' }) > 0, 5000, 'the other downloads')
    const controller = new AbortController()
    const pending = make({ signal: controller.signal }).load()
    await until(() => loaders() > 0 || process.platform !== 'linux', 5000, 'it loads')
    await assertAtOnce(pending, () => controller.abort(reason), isReason)
    job.stop()
    await Promise.all([other, assertLetGo()])
    assert.equal(hub.count({ server: 'cdn' }), 1)
  })

  test('that of a call, on a handle without one', async (t) => {
    const { hub, make, assertLetGo } = await watched(t)
    const mend = hub.fault({ server: 'cdn' }, { stall: 'body' })
    const controller = new AbortController()
    const embedder = make()
    const pending = embedder.embed('text', { signal: controller.signal })
    await until(() => hub.count({ server: 'cdn' }) > 0, 5000, 'the client waits')
    await assertAtOnce(pending, () => controller.abort(reason), isReason)
    await assertLetGo()
    mend()
    await assertWorks(embedder)
  })
})

describe('dispose ends a download', () => {
  for (const name of ['before the commit', 'before the first byte of a large file', 'in the middle of a large file']) {
    test(`${name}`, async (t) => {
      const { match, fault } = stages[name]
      const { hub, make, assertLetGo } = await watched(t)
      hub.fault(match, fault)
      const embedder = make()
      const calls = [embedder.load(), embedder.embed('text'), embedder.info()]
      await until(() => hub.count(match) > 0, 5000, 'the client waits')
      let disposing
      const ends = calls.map((call) => assertAtOnce(call, () => (disposing ??= embedder.dispose()), failure('ERR_DISPOSED')))
      await Promise.all([...ends, disposing])
      await assertLetGo()
    })
  }
})

describe('one caller who leaves does not take the load from another', () => {
  /** Two callers of one load: how the first is called, and the second. */
  const pairs = {
    'two handles': ({ make }, signal) => [make({ signal }).load(), make()],
    'two calls of one handle': ({ make }, signal) => {
      const embedder = make()
      return [embedder.embed('text', { signal }), embedder]
    },
  }
  for (const [name, both] of Object.entries(pairs)) {
    test(`${name}`, async (t) => {
      const all = await watched(t)
      all.hub.fault({ server: 'cdn' }, { rate: 400_000 })
      const controller = new AbortController()
      const [leaving, embedder] = both(all, controller.signal)
      const staying = embedder.load()
      await until(() => all.hub.count({ server: 'cdn' }) > 0, 5000, 'the client downloads')
      await assertAtOnce(leaving, () => controller.abort(reason), isReason)
      await staying
      await assertWorks(embedder)
      // The same download went on: no file was asked for twice.
      const files = all.hub.requests.filter(({ status }) => status === 200).map(({ path }) => path)
      assert.equal(new Set(files).size, files.length, files.join('\n'))
    })

    test(`${name}, and both leave: nothing goes on`, async (t) => {
      const all = await watched(t)
      all.hub.fault({ server: 'cdn' }, { stall: 'body' })
      const [one, other] = [new AbortController(), new AbortController()]
      const [leaving, embedder] = both(all, one.signal)
      const too = embedder.embed('text', { signal: other.signal })
      await until(() => all.hub.count({ server: 'cdn' }) > 0, 5000, 'the client downloads')
      await assertAtOnce(leaving, () => one.abort(reason), isReason)
      assert.ok(all.open() > 0, 'one still waits')
      await assertAtOnce(too, () => other.abort(reason), isReason)
      await all.assertLetGo()
    })
  }
})
