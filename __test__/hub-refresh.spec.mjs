// A cached model starts with a Hub that is dead, silent or out of its mind, also where it was to be asked: soon, and with one warning.

import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { failure } from './fixtures.mjs'
import { assertWorks, pull } from './hub/drive.mjs'
import { blackHole } from './hub/wire.mjs'
import { assertSound, filesIn, world, zoo } from './hub/world.mjs'

const ASKS = { path: /\/revision\// }

/** What has become of the Hub. */
const faults = {
  'closed its port': (hub) => hub.close(),
  'accepts nothing': (hub) => hub.fault({}, { stall: 'accept' }),
  'does not answer': (hub) => hub.fault({}, { stall: 'headers' }),
  'stops before the first byte': (hub) => hub.fault({}, { stall: 'first' }),
  'stops in the middle': (hub) => hub.fault({}, { stall: 'body', at: 10 }),
  'sends a byte a second': (hub) => hub.fault({}, { trickle: 1 }),
  'resets each connection': (hub) => hub.fault({}, { cut: 0, reset: true }),
  'answers 500': (hub) => hub.fault({}, { status: 500 }),
  'answers 503 and is to be asked in an hour': (hub) => hub.fault({}, { status: 503, headers: { 'retry-after': '3600' } }),
  'answers 429': (hub) => hub.fault({}, { status: 429, headers: { ratelimit: '"api";r=0;t=300' } }),
  'is a log-in page': (hub) => hub.fault({}, { html: true }),
  'sends in circles': (hub) => hub.fault({}, { redirect: 'self' }),
  'stops in the middle of its JSON': (hub) => hub.fault(ASKS, { short: 600 }),
}

/** The files of zoo/bert-mean with their bytes. */
const model = () => Object.fromEntries(filesIn(zoo('bert-mean')).map((name) => [name, readFileSync(join(zoo('bert-mean'), name))]))

/** Warnings of this process about one model. */
function warningsOf(t, id) {
  const warnings = []
  const listen = (warning) => warning.message.includes(`${id} `) && warnings.push(warning)
  process.on('warning', listen)
  t.after(() => process.off('warning', listen))
  return warnings
}

/** Loads with `refresh` and checks that the cached model comes within 3 s, with one warning that says which commit is used. */
async function assertStarts({ make, id, commit, cacheDir }, t, more) {
  const warnings = warningsOf(t, id)
  const embedder = make({ refresh: true, ...more }, id)
  const start = performance.now()
  await embedder.load()
  const took = performance.now() - start
  assert.ok(took < 3000, `took ${took} ms`)
  await assertWorks(embedder)
  const said = warnings.map(({ message }) => message).join('\n')
  assert.deepEqual(warnings.map(({ name, code }) => [name, code]), [['VecrankWarning', 'VECRANK_HUB']], said)
  assert.ok(warnings[0].message.includes(commit), warnings[0].message)
  assertSound(cacheDir)
}

/** A repository of its own name, as warnings are told apart by it, and all of it in the cache. */
async function cached(t, number, files = zoo('bert-mean')) {
  const all = await world(t)
  const id = `refresh/${number}`
  const commit = all.hub.add(id, files)
  await pull({ ...all, id })
  all.hub.clear()
  return { ...all, id, commit, folder: join(all.cacheDir, `models--refresh--${number}`) }
}

describe('refresh: a cached model starts within 3 s with a Hub that', { concurrency: true }, () => {
  for (const [number, [name, breakIt]] of Object.entries(faults).entries()) {
    test(`${name}`, async (t) => {
      const all = await cached(t, `hub-${number}`)
      await breakIt(all.hub)
      await assertStarts(all, t)
    })
  }

  test('is behind a black hole', async (t) => {
    const endpoint = await blackHole(t)
    if (endpoint === undefined) return t.skip('this system answers to connections beyond the queue: a black hole is NOT tested')
    await assertStarts(await cached(t, 'black-hole'), t, { endpoint })
  })
})

describe('refresh: the same with a cache that', { concurrency: true }, () => {
  /** The files of a conversion that does not say how to pool, but whose base does. */
  const conversion = () => {
    const isLent = ([name]) => name === 'modules.json' || name.startsWith('1_Pooling') || name.includes('sentence_')
    const own = Object.fromEntries(Object.entries(model()).filter((file) => !isLent(file)))
    return { 'README.md': '---\nbase_model: refresh/base\n---\n', ...own }
  }

  test('has no list of the files, as older versions of Python leave it', async (t) => {
    const all = await cached(t, 'no-list')
    rmSync(join(all.folder, 'trees'), { recursive: true })
    rmSync(join(all.folder, '.no_exist'), { recursive: true, force: true })
    all.hub.fault({}, { stall: 'headers' })
    await assertStarts(all, t)
  })

  test('holds a model that takes small files from its base', async (t) => {
    const all = await world(t)
    const id = 'refresh/conversion'
    all.hub.add('refresh/base', zoo('bert-mean'))
    const commit = all.hub.add(id, conversion())
    await pull({ ...all, id })
    all.hub.fault({}, { stall: 'headers' })
    await assertStarts({ ...all, id, commit }, t)
  })
})

test('refresh takes the commit of now where the Hub answers, and only asks for it', async (t) => {
  const all = await cached(t, 'moved')
  const { hub, id, cacheDir, commit, load } = all
  const same = await load({ refresh: true }, id)
  assert.equal((await same.info()).commit, commit)
  assert.equal(hub.requests.length, 1)
  const moved = hub.add(id, { ...model(), 'new.txt': 'new' })
  hub.clear()
  assert.equal((await (await load({}, id)).info()).commit, commit, 'without it the cache decides')
  assert.equal(hub.requests.length, 0)
  const fresh = await load({ refresh: true }, id)
  assert.equal((await fresh.info()).commit, moved)
  await assertWorks(fresh)
  // The files are the same blobs: the commit, its list, and nothing more.
  assert.equal(hub.requests.length, 2, hub.requests.map(({ path }) => path).join('\n'))
  assertSound(cacheDir)
})

test('refresh of a model that has gone from the Hub, or is closed to us, is an error and no silence', async (t) => {
  for (const [status, code] of [[404, 'ERR_MODEL_NOT_FOUND'], [403, 'ERR_UNAUTHORIZED']]) {
    const { hub, id, load } = await cached(t, `gone-${status}`)
    hub.fault(ASKS, { status })
    await assert.rejects(load({ refresh: true }, id), failure(code, new RegExp(id)))
    await assertWorks(await load({}, id))
  }
})

test('a newer commit that cannot be had leaves the cached one as it is', async (t) => {
  const { hub, cacheDir, id, commit, load } = await cached(t, 'half')
  const moved = hub.add(id, { ...model(), 'onnx/model.onnx': Buffer.concat([model()['onnx/model.onnx'], Buffer.from([0])]) })
  hub.fault({ server: 'cdn' }, { status: 403 })
  await assert.rejects(load({ refresh: true }, id), failure('ERR_DOWNLOAD', new RegExp(moved)))
  hub.clear()
  for (const offline of [false, true]) {
    const embedder = await load({ offline }, id)
    await assertWorks(embedder)
    assert.equal((await embedder.info()).commit, commit)
  }
  assert.equal(hub.requests.length, 0)
  assertSound(cacheDir)
})
