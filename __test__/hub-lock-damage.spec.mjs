// Files that are not what the lock file pins, and lock files that are none.

import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { failure } from './fixtures.mjs'
import { application, vecrank } from './hub/cli.mjs'
import { LOCK, MEAN, assertVectorsOf, lockOf, lockedWorld } from './hub/lock.mjs'
import { assertSound, hashes, world } from './hub/world.mjs'

const corrupt = failure('ERR_CORRUPT')

// ---------- files that are not what is pinned --------------------------------------------------------------------------

test('a cached file that was damaged is healed online, and refused by name offline', async (t) => {
  const { hub, id, folder, lock, make } = await lockedWorld(t)
  // Other options each time: a session that is still there would be shared, and no file looked at.
  let threads = 0
  const fresh = (options) => make({ lock, threads: ++threads, ...options })
  await (await fresh().load()).dispose()
  for (const [file, blob] of [
    ['onnx/model.onnx', hashes(MEAN['onnx/model.onnx']).sha256],
    ['config.json', hashes(MEAN['config.json']).git],
  ]) {
    appendFileSync(join(folder, 'blobs', blob), ' ')
    hub.clear()
    const refused = failure('ERR_CORRUPT', new RegExp(`${file} of ${id}.*lock file`))
    await assert.rejects(fresh({ offline: true }).load(), refused, file)
    assert.equal(hub.requests.length, 0)
    const embedder = await fresh().load()
    assert.deepEqual(
      hub.requests.filter((entry) => entry.status === 200 && entry.file).map((entry) => entry.file),
      [file],
    )
    await assertVectorsOf('bert-mean', embedder)
    await embedder.dispose()
  }
})

test('a hash that was tampered with is refused, before and after the download, online and offline', async (t) => {
  for (const file of ['onnx/model.onnx', 'config.json', '1_Pooling/config.json']) {
    const { hub, commit, cacheDir, lock, make } = await lockedWorld(t, (pins) => {
      const { sha256 } = pins.files[file]
      pins.files[file].sha256 = `${sha256[0] === '0' ? '1' : '0'}${sha256.slice(1)}`
    })
    const refused = failure('ERR_CORRUPT', new RegExp(`^${file} of zoo/bert-mean is not .*lock file`))
    await assert.rejects(make({ lock }).load(), refused, `${file}, empty cache`)
    await assert.rejects(make({ lock }).load(), refused, `${file}, cached`)
    await assert.rejects(make({ lock, offline: true }).load(), refused, `${file}, offline`)
    assert.ok(hub.count({ method: 'GET', file, status: 200 }) <= 2, 'not downloaded again and again')
    // The cache itself is sound: without the lock file it is used.
    assertSound(cacheDir)
    assert.equal((await (await make({ revision: commit }).load()).info()).locked, false)
  }
})

test('a session that was loaded without the lock file does not vouch for it', async (t) => {
  const { hub, lock, make } = await lockedWorld(t, (pins) => (pins.files['onnx/model.onnx'].sha256 = '0'.repeat(64)))
  const free = await make().load()
  await assert.rejects(make({ lock }).load(), corrupt)
  await assert.rejects(make({ lock, offline: true }).load(), corrupt)
  assert.equal((await free.info()).locked, false)
  assert.equal(hub.count({ method: 'GET', file: 'onnx/model.onnx', server: 'cdn' }), 1)
})

test('a Hub that gives other bytes for the pinned commit is refused', async (t) => {
  // The commit is the same and so are its name and its list: only the lock file tells.
  const { hub, lock, make, cacheDir } = await lockedWorld(t)
  const forged = Buffer.from(MEAN['config.json'].toString().replace('"vocab_size"', '"vocab_sizf"'))
  const { git } = hashes(forged)
  hub.fault({ file: 'config.json' }, { status: 200, body: forged, headers: { etag: `"${git}"`, 'content-length': forged.length } })
  hub.fault({ path: /\/tree\// }, { status: 200, body: treeWith('config.json', forged) })
  await assert.rejects(make({ lock }).load(), corrupt)
  await assert.rejects(make({ lock, offline: true }).load(), corrupt)
  assertSound(cacheDir)
  // Without the lock file nobody notices: the Hub's own hashes agree with what it sends.
  assert.equal((await (await make({ cacheDir: join(cacheDir, 'free') }).load()).info()).locked, false)
})

/** The list of a commit's files with other bytes for one of them. */
function treeWith(forgedName, forged) {
  const entries = Object.entries(MEAN).map(([path, own]) => {
    const bytes = path === forgedName ? forged : own
    const { git: oid, sha256 } = hashes(bytes)
    const lfs = path.endsWith('.onnx') ? { oid: sha256, size: bytes.length, pointerSize: 130 } : undefined
    return { type: 'file', path, oid, size: bytes.length, lfs }
  })
  return JSON.stringify(entries)
}

// ---------- lock files that are none -------------------------------------------------------------------------------------

test('a lock file that is damaged, or of another version, is refused by name, and nobody is asked', async (t) => {
  const { hub, id, lock, pins, make } = await lockedWorld(t)
  const main = (change) => lockOf({ [id]: { main: { ...pins, ...change } } })
  const one = (pin, path = 'config.json') => main({ files: { [path]: { size: 1, sha256: '0'.repeat(64), ...pin } } })
  const whole = readFileSync(lock, 'utf8')
  for (const [name, text, pattern = /npx vecrank pull .*--lock/] of [
    ['nothing', ''],
    ['no JSON', 'vecrank'],
    ['half of it', whole.slice(0, whole.length / 2)],
    ['a merge conflict', `<<<<<<< HEAD\n${whole}=======\n${whole}>>>>>>> branch\n`],
    ['a list', '[]'],
    ['null', 'null'],
    ['no version', '{"models":{}}'],
    ['a later version', '{"version":2,"models":{}}', /version 2.*version 1/],
    ['no models', '{"version":1}'],
    ['an unknown field', '{"version":1,"models":{},"more":1}'],
    ['an id that climbs', lockOf({ '../..': { main: pins } })],
    ['a revision that climbs', lockOf({ [id]: { '../main': pins } })],
    ['a commit that is none', main({ commit: 'main' })],
    ['a commit in capitals', main({ commit: 'A'.repeat(40) })],
    ['a path that climbs', one({}, '../../config.json')],
    ['a hash that is none', one({ sha256: '0'.repeat(63) })],
    ["git's hash for SHA-256", one({ sha256: '0'.repeat(40) })],
    ['a negative size', one({ size: -1 })],
    ['no hash', one({ sha256: undefined })],
  ]) {
    writeFileSync(lock, text)
    const expected = failure('ERR_CORRUPT', pattern)
    await assert.rejects(make({ lock }).load(), (error) => expected(error) && error.message.includes(lock), name)
  }
  rmSync(lock)
  await assert.rejects(make({ lock }).load(), failure('ERR_FILE_NOT_FOUND', /There is no lock file .*npx vecrank pull .*--lock/))
  mkdirSync(lock)
  await assert.rejects(make({ lock }).load(), failure('ERR_DISK', /vecrank\.lock\.json/))
  assert.equal(hub.connections, 0)
})

test('the advice for a damaged lock file can be followed: --lock does not trip over it after the download', async (t) => {
  const { hub, id, cacheDir } = await world(t)
  const cwd = application(t, { [LOCK]: '<<<<<<< HEAD' })
  const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir }
  const { code, stderr } = await vecrank(t, ['pull', id, '--lock', '--quiet'], { cwd, env })
  if (code === 0) return void JSON.parse(readFileSync(join(cwd, LOCK), 'utf8'))
  // Or it is refused at once, in words that do not send the user round in a circle.
  assert.match(stderr, /[Dd]elete|[Rr]emove/)
  assert.equal(hub.count({ file: /./ }), 0)
})
