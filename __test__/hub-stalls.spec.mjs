// A Hub that falls silent, and the times as they are by default: a typed error within 30 s, wherever that happens. This file takes as long,
// and idles: all cases wait at the same time.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { failure } from './fixtures.mjs'
import { pull, smallest } from './hub/drive.mjs'
import { stages } from './hub/stages.mjs'
import { blackHole } from './hub/wire.mjs'
import { assertSound, inProcess, world } from './hub/world.mjs'

const LIMIT = 30_000

/** The time counts from when the client met the silence: how long it took to get there is the machine's affair. */
async function assertInTime(load, hub, match) {
  const start = Date.now()
  await assert.rejects(load, failure('ERR_DOWNLOAD'))
  const met = hub?.requests.find((entry) => Object.entries(match).every(([name, value]) => entry[name]?.match(value)))
  const took = Date.now() - (met?.time ?? start)
  assert.ok(took < LIMIT, `took ${took} ms`)
}

const large = (hub, id, size) => hub.add(id, smallest({ 'onnx/model.onnx': randomBytes(size) }))

describe('a Hub that stays silent is an error within 30 s', { concurrency: true, timeout: 2 * LIMIT }, () => {
  for (const [name, { match, fault }] of Object.entries(stages)) {
    test(`${name}`, async (t) => {
      const { hub, cacheDir, load } = await world(t)
      hub.fault(match, fault)
      await assertInTime(load(), hub, match)
      assertSound(cacheDir, { partials: 1 })
    })
  }

  test('before the system answers to a connection', async (t) => {
    const endpoint = await blackHole(t)
    if (endpoint === undefined) return t.skip('this system answers to connections beyond the queue: a black hole is NOT tested')
    const { load } = await world(t)
    await assertInTime(load({ endpoint }))
  })

  test('in the middle of a large file, and then before the rest', async (t) => {
    const { hub, cacheDir, load } = await world(t)
    hub.fault({ server: 'cdn' }, { stall: 'body' }, { times: 1 })
    hub.fault({ server: 'cdn', range: /./ }, { stall: 'first' })
    await assertInTime(load(), hub, { server: 'cdn' })
    assertSound(cacheDir, { partials: 1 })
  })

  test('a list of files that never ends: each page is the first', async (t) => {
    const { hub, commit, load } = await world(t)
    const again = `<${hub.url}/api/models/zoo/bert-mean/tree/${commit}?recursive=true>; rel="next"`
    hub.fault({ path: /\/tree\// }, { delay: 100, headers: { link: again } })
    await assertInTime(load())
  })

  test('redirects in circles, each after a while', async (t) => {
    const { hub, load } = await world(t)
    hub.fault({ path: /\/revision\// }, { redirect: 'self', delay: 8000 })
    await assertInTime(load())
  })

  test('asks to wait ten seconds, again and again', async (t) => {
    const { hub, load } = await world(t)
    hub.fault({ file: 'config.json' }, { status: 429, headers: { 'retry-after': '10' } })
    await assertInTime(load())
    assert.equal(hub.count({ file: 'config.json' }), 3)
  })

  test('for a second load that waits for the first, here and in another process', async (t) => {
    const { hub, cacheDir } = await world(t)
    const id = 'large/one'
    large(hub, id, 1 << 20)
    hub.fault({ server: 'cdn' }, { stall: 'first' })
    const first = pull({ hub, id, cacheDir })
    const program = `
      import { pull } from './__test__/hub/drive.mjs'
      const start = performance.now()
      const { code } = await pull(${JSON.stringify({ hub: { url: hub.url }, id, cacheDir })}).catch((error) => error)
      console.log(code, performance.now() - start < ${LIMIT})`
    const [other] = await Promise.all([inProcess(program).ended, assertInTime(first), assertInTime(pull({ hub, id, cacheDir }))])
    assert.equal(other.stdout.trim(), 'ERR_DOWNLOAD true', other.stderr)
  })

  test('but a slow one is waited for: two kilobytes a second', async (t) => {
    const { hub, cacheDir } = await world(t)
    const id = 'large/slow'
    large(hub, id, 54_000)
    hub.fault({ server: 'cdn' }, { rate: 2000 })
    await pull({ hub, id, cacheDir })
    assert.equal(hub.count({ server: 'cdn' }), 1)
    assertSound(cacheDir)
  })
})
