// Nothing wrong enters the cache: every way in which an answer can be wrong, for each kind of file, once and for good. The hashes are
// node:crypto's, the vectors Python's, the requests are counted by the Hub.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { failure, seeded } from './fixtures.mjs'
import { assertWorks, inTurns, pull, smallest } from './hub/drive.mjs'
import { FakeHub } from './hub/hub.mjs'
import { assertSound, hashes, soak, temporary, world, zoo } from './hub/world.mjs'

/** Where a file's bytes come from. An LFS file has two places: the Hub, which sends on, and the CDN. */
const places = {
  'a small file': { file: 'config.json', server: 'hub' },
  'the tokenizer': { file: 'tokenizer.json', server: 'hub' },
  'the graph, at the Hub': { file: 'onnx/model.onnx', server: 'hub', hasNoBody: true },
  'the graph, at the CDN': { file: 'onnx/model.onnx', server: 'cdn' },
}
const sizeOf = (file) => readFileSync(join(zoo('bert-mean'), file)).length

/** What a status means depends on who says it: a CDN knows signatures, and nothing of accounts and repositories. */
const atHub = (code) => (server) => (server === 'hub' ? code : 'ERR_DOWNLOAD')
const download = () => 'ERR_DOWNLOAD'
const lost = (what) => ({ status: 404, headers: { 'x-error-code': what } })
/** A body that ends early, from a server that knows no ranges: else every try would bring the rest nearer, and in the end succeed. */
const half = (name) => (size) => ({ [name]: size >> 1, ignoreRange: true })

/** `fault` of the file's size; `code` by the server; `passes`: a try later it may be gone, and is tried again. */
const faults = [
  { name: 'an endless redirect', fault: () => ({ redirect: 'self', status: 301 }), code: download, most: 10 },
  { name: '400', fault: () => ({ status: 400 }), code: download, most: 1 },
  { name: '401', fault: () => ({ status: 401 }), code: atHub('ERR_UNAUTHORIZED'), most: 1 },
  { name: '403', fault: () => ({ status: 403 }), code: atHub('ERR_UNAUTHORIZED'), most: 1 },
  { name: '404', fault: () => ({ status: 404 }), code: atHub('ERR_FILE_NOT_FOUND'), most: 1 },
  { name: '404 of a lost repository', fault: () => lost('RepoNotFound'), code: atHub('ERR_MODEL_NOT_FOUND'), most: 1 },
  { name: '404 of a lost commit', fault: () => lost('RevisionNotFound'), code: atHub('ERR_MODEL_NOT_FOUND'), most: 1 },
  { name: '410', fault: () => ({ status: 410 }), code: download, most: 1 },
  { name: '416', fault: () => ({ status: 416 }), code: download, most: 6 },
  ...[408, 429, 500, 502, 503, 504].map((status) => ({
    name: String(status),
    fault: () => ({ status }),
    code: download,
    passes: true,
    status,
  })),
  { name: 'a page with 200', fault: () => ({ html: true }), code: download, passes: true, says: /text\/html/ },
  { name: 'too short', fault: () => ({ short: 1 }), code: download, passes: true, body: true },
  { name: 'too long', fault: () => ({ long: 1 }), code: download, passes: true, body: true },
  { name: 'too long, and without a length', fault: () => ({ long: 1, closed: Infinity }), code: download, passes: true, body: true },
  { name: 'cut', fault: half('cut'), code: download, passes: true, body: true },
  { name: 'reset', fault: (size) => ({ cut: size >> 1, reset: true, ignoreRange: true }), code: download, passes: true, body: true },
  { name: 'closed in the middle, without a length', fault: half('closed'), code: download, passes: true, body: true },
  { name: 'chunked without end', fault: half('chunkedWithoutEnd'), code: download, passes: true, body: true },
  { name: 'gzip', fault: () => ({ gzip: true }), code: download, passes: true, body: true },
  { name: 'a flipped bit', fault: (size) => ({ flip: size * 4 }), code: () => 'ERR_CORRUPT', passes: true, body: true },
]

const cases = Object.entries(places).flatMap(([place, { file, server, hasNoBody }]) =>
  faults.filter(({ body }) => !(body && hasNoBody)).map((fault) => ({ ...fault, place, file, server, fault: fault.fault(sizeOf(file)) })),
)

// All at the same time: nearly all of it is waiting between tries.
describe('a fault that stays is an error, leaves nothing wrong, and is forgotten when it is gone', { concurrency: cases.length }, () => {
  for (const { name, place, file, server, fault, code, most = 6, passes, status, says } of cases) {
    test(`${name}: ${place}`, async (t) => {
      const { hub, cacheDir, folder, commit, make } = await world(t)
      const embedder = make()
      const mend = hub.fault({ method: 'GET', file, server }, fault)
      await assert.rejects(embedder.load(), (error) => {
        failure(code(server))(error)
        // An account's rights are for a repository.
        assert.ok(error.message.includes(/UNAUTHORIZED|MODEL/.test(error.code) ? 'zoo/bert-mean' : file), error.message)
        // Whoever has the query of a CDN's address can download.
        assert.doesNotMatch(`${error.stack} ${error.cause?.stack}`, /X-Signature|secret\d/)
        const tries = hub.count({ method: 'GET', file, server })
        assert.ok(tries <= most, `${tries} tries`)
        if (passes) assert.ok(tries > 1, 'tried only once')
        if (status) assert.match(error.message, new RegExp(`status ${status}\\b.*tried ${tries} times`))
        if (says) assert.match(error.message, says)
        return true
      })
      // What a broken connection has brought may be kept to go on from, but not under a name that anybody reads.
      assertSound(cacheDir, { partials: 1 })
      assert.ok(!existsSync(join(folder, 'snapshots', commit, file)), 'the file has no name')
      mend()
      await assertWorks(embedder)
      assertSound(cacheDir)
    })
  }
})

const passing = cases.filter(({ passes, name }) => passes || name === 'an endless redirect')
describe('a fault that passes is not noticed', { concurrency: passing.length }, () => {
  for (const { name, place, file, server, fault } of passing) {
    test(`${name}, once: ${place}`, async (t) => {
      const { hub, cacheDir, load } = await world(t)
      hub.fault({ method: 'GET', file, server }, fault, { times: 1 })
      await assertWorks(await load())
      assert.equal(hub.count({ method: 'GET', file, server }), 2)
      assertSound(cacheDir)
    })
  }
})

test('answers that are unusual and right are taken: no length, no end of the last chunk, no etag', async (t) => {
  const nothingSaid = { headers: { etag: null, 'x-linked-etag': null, 'x-linked-size': null, 'x-repo-commit': null } }
  for (const fault of [{ closed: Infinity }, { chunkedWithoutEnd: Infinity }, nothingSaid]) {
    const { hub, cacheDir, load } = await world(t)
    hub.fault({ method: 'GET', file: /./ }, fault)
    await assertWorks(await load())
    assert.equal(hub.count({ method: 'GET', file: 'onnx/model.onnx', server: 'cdn' }), 1)
    assertSound(cacheDir)
  }
})

const flips = soak ? 500 : 30
for (const [kind, file] of Object.entries({ 'an LFS file (SHA-256)': 'onnx/model.onnx', 'a small file (git)': 'tokenizer.json' })) {
  test(`${flips} of ${flips} single-bit flips of ${kind} are refused`, async (t) => {
    const hub = await FakeHub.start()
    t.after(() => hub.close())
    const cacheDir = join(temporary(t), 'hub')
    const random = seeded(file.length)
    const bytes = Buffer.from(Array.from({ length: 4096 }, () => random() * 256))
    const files = smallest({ 'onnx/model.onnx': bytes, 'tokenizer.json': `{"a":"${bytes.toString('hex')}"}` })
    const bits = files[file].length * 8
    // The first and the last bit, and any others; each in a repository of its own, so that they can go on side by side.
    const flipped = [0, bits - 1, ...Array.from({ length: flips - 2 }, () => Math.floor(random() * bits))]
    const accepted = []
    await inTurns(flipped, 24, async (bit, number) => {
      const id = `flip/${number}`
      hub.add(id, files)
      hub.fault({ method: 'GET', id, file }, { flip: bit })
      const refused = failure('ERR_CORRUPT', new RegExp(`${file} of ${id} is damaged: its hash is [0-9a-f]+`))
      await pull({ hub, id, cacheDir }).then(() => accepted.push(bit), refused)
    })
    assert.deepEqual(accepted, [])
    const { sha256, git } = hashes(Buffer.from(files[file]))
    const isFile = (name) => name.endsWith(`/blobs/${sha256}`) || name.endsWith(`/blobs/${git}`)
    assert.equal(assertSound(cacheDir).filter(isFile).length, 0)
    // Without the fault the file comes, under that name: it was the flip that was refused.
    hub.add('flip/right', files)
    await pull({ hub, id: 'flip/right', cacheDir })
    assert.equal(assertSound(cacheDir).filter(isFile).length, 1)
  })
}
