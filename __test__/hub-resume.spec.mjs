// A download that was interrupted goes on where it stopped, and begins again where going on would mix two files. What was sent twice is
// counted by the Hub; whether the result is right, node:crypto says.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { failure } from './fixtures.mjs'
import { assertWorks, pull, smallest } from './hub/drive.mjs'
import { FakeHub } from './hub/hub.mjs'
import { assertSound, filesIn, hashes, inProcess, soak, temporary, world, zoo } from './hub/world.mjs'

const FILE = 'onnx/model.onnx'
const MB = 1 << 20

/** A repository with a large file of random bytes, which is no network: it is pulled, not loaded. */
async function large(t, size = 2 * MB) {
  const hub = await FakeHub.start()
  t.after(() => hub.close())
  const id = 'large/random'
  const bytes = randomBytes(size)
  const commit = hub.add(id, smallest({ [FILE]: bytes }))
  const cacheDir = join(temporary(t), 'hub')
  const folder = join(cacheDir, 'models--large--random')
  const { sha256 } = hashes(bytes)
  const blob = join(folder, 'blobs', sha256)
  const isRight = () => readFileSync(blob).equals(bytes)
  const partials = () => filesIn(join(folder, 'blobs')).filter((name) => name.endsWith('.incomplete'))
  return { hub, id, bytes, size, commit, cacheDir, folder, blob, sha256, isRight, partials }
}

/** Half of the file comes, and then nothing for this load: what is refused is not tried again. Gives the end of the refusal. */
function breakOff({ hub }) {
  hub.fault({ server: 'cdn', file: FILE }, { cut: MB }, { times: 1 })
  return hub.fault({ server: 'hub', file: FILE, range: /./ }, { status: 403 })
}

/** Breaks a download off in the middle and gives the path of what it left. */
async function leave(all) {
  const mend = breakOff(all)
  await assert.rejects(pull(all), failure('ERR_UNAUTHORIZED'))
  mend()
  all.hub.clear()
  const [name, ...others] = all.partials()
  assert.deepEqual(others, [])
  return join(all.folder, 'blobs', name)
}

const ranges = (hub) => hub.requests.filter(({ server, file }) => server === 'cdn' && file === FILE).map(({ range }) => range)

test('a connection that breaks after every megabyte costs no byte twice, in one load', async (t) => {
  const all = await large(t, (soak ? 50 : 20) * MB)
  all.hub.fault({ file: FILE }, { cutEvery: MB })
  await pull(all)
  assert.ok(all.isRight())
  const sent = all.hub.bytes(FILE)
  assert.ok(sent <= 1.05 * all.size, `${sent} bytes for ${all.size}`)
  assertSound(all.cacheDir)
})

/** What comes instead of the second half of the file, as often as a part of it is asked for. */
const rest = {
  'a server that knows no ranges': { ignoreRange: true },
  416: { status: 416 },
  'a part without its place': { headers: { 'content-range': null } },
  'a part from the start': { headers: { 'content-range': 'bytes 0-1048575/2097152' } },
  'a part that begins too late': { headers: { 'content-range': 'bytes 1048577-2097151/2097152' } },
  'a part that ends too early': { headers: { 'content-range': 'bytes 1048576-2097150/2097152' } },
  'a part of a file of another size': { headers: { 'content-range': 'bytes 1048576-2097151/2097153' } },
  'a part of nothing known': { headers: { 'content-range': 'bytes */2097152' } },
  'a part in other units': { headers: { 'content-range': 'lines 1048576-2097151/2097152' } },
  'a part that is shorter than it says': { short: 1 },
  'a part that is longer than it says': { long: 1 },
  'a part that is compressed': { gzip: true },
  'a part of another version of the file': { flip: 2 * MB * 8 - 1 },
  'a page': { html: true },
}

describe('what is not the rest of the file is not appended to it', { concurrency: true }, () => {
  for (const [name, fault] of Object.entries(rest)) {
    test(`${name}: begins again, and succeeds`, async (t) => {
      const all = await large(t)
      all.hub.fault({ server: 'cdn', file: FILE }, { cut: MB }, { times: 1 })
      all.hub.fault({ server: 'cdn', file: FILE, range: /./ }, fault)
      await pull(all)
      assert.ok(all.isRight())
      const asked = ranges(all.hub)
      assert.deepEqual(asked.slice(0, 2), [undefined, `bytes=${MB}-`], 'it did ask for the rest')
      assert.ok(all.hub.bytes(FILE) <= 2.6 * all.size, `${all.hub.bytes(FILE)} bytes for ${all.size}`)
      assertSound(all.cacheDir)
    })
  }
})

test('a branch that moves in the middle of a download does not mix two versions', async (t) => {
  const all = await large(t)
  const other = randomBytes(all.size)
  await leave(all)
  const moved = all.hub.add(all.id, smallest({ [FILE]: other }))
  assert.notEqual(moved, all.commit)
  const { parts } = await pull(all)
  assert.equal(parts[0].commit, moved)
  assert.ok(readFileSync(join(parts[0].path, FILE)).equals(other))
  assert.deepEqual(ranges(all.hub), [undefined])
  // What the first had brought is of use to who asks for that commit.
  await pull({ ...all, revision: all.commit })
  assert.ok(all.isRight())
  assert.deepEqual(ranges(all.hub), [undefined, `bytes=${MB}-`])
  assertSound(all.cacheDir)
})

describe('a file that has another hash than the list says', { concurrency: true }, () => {
  const another = `"${'a'.repeat(64)}"`

  test('once: it is asked for again, and begun again', async (t) => {
    const all = await large(t)
    all.hub.fault({ server: 'cdn', file: FILE }, { cut: MB }, { times: 1 })
    all.hub.fault({ server: 'hub', file: FILE, range: /./ }, { etag: another }, { times: 1 })
    await pull(all)
    assert.ok(all.isRight())
    assertSound(all.cacheDir)
  })

  test('for good: an error that says so, and nothing is kept', async (t) => {
    const all = await large(t)
    all.hub.fault({ server: 'hub', file: FILE }, { etag: another })
    await assert.rejects(pull(all), failure('ERR_CORRUPT', /onnx\/model\.onnx of large\/random with one hash and sends it with another/))
    assert.deepEqual(all.partials(), [])
    assertSound(all.cacheDir)
  })

  test('because the list is old: the Hub is asked for it anew', async (t) => {
    // A server that was put up anew, with other files under the same commit: the kept list and what an earlier download left are of before.
    const all = await large(t)
    const left = await leave(all)
    renameSync(left, left.replace(all.sha256, 'a'.repeat(64)))
    const list = join(all.folder, 'trees', `${all.commit}.json`)
    const right = readFileSync(list, 'utf8')
    writeFileSync(list, right.replaceAll(all.sha256, 'a'.repeat(64)))
    assert.notEqual(readFileSync(list, 'utf8'), right)
    await pull(all)
    assert.ok(all.isRight())
    assert.equal(readFileSync(list, 'utf8'), right)
    assert.equal(ranges(all.hub).at(-1), undefined, 'from the start, though there were bytes of the other file')
  })

  const wrongEntries = {
    'because the kept list has another size too': { size: 100, lfs_size: 100, lfs_sha256: 'a'.repeat(64) },
    'because only its size in the kept list is wrong': { size: 100, lfs_size: 100 },
  }
  for (const [name, wrong] of Object.entries(wrongEntries)) {
    test(`${name}: asked for anew as well`, async (t) => {
      const all = await large(t)
      await pull(all)
      const list = join(all.folder, 'trees', `${all.commit}.json`)
      const kept = JSON.parse(readFileSync(list, 'utf8'))
      Object.assign(kept.files[FILE], wrong)
      writeFileSync(list, JSON.stringify(kept))
      // A cache that is empty but for the list.
      for (const folder of ['blobs', 'snapshots', '.vecrank']) rmSync(join(all.folder, folder), { recursive: true })
      await pull(all)
      assert.ok(all.isRight())
      assertSound(all.cacheDir)
    })
  }
})

describe('an interrupted download goes on in a later load', { concurrency: true }, () => {
  const program = (all, more = '') => `
    import { pull } from './__test__/hub/drive.mjs'
    const { url, id, cacheDir } = ${JSON.stringify({ url: all.hub.url, id: all.id, cacheDir: all.cacheDir })}
    await pull({ hub: { url }, id, cacheDir }).then(() => console.log('pulled'), ({ code }) => console.log(code))
    ${more}`
  const assertResumed = (all, left) => {
    assert.ok(all.isRight())
    assert.deepEqual(ranges(all.hub), [undefined, `bytes=${MB}-`])
    assert.ok(all.hub.bytes(FILE) <= 1.05 * all.size, `${all.hub.bytes(FILE)} bytes for ${all.size}`)
    assertSound(all.cacheDir, left)
  }

  test('in the same process', async (t) => {
    const all = await large(t)
    const mend = breakOff(all)
    await assert.rejects(pull(all), failure('ERR_UNAUTHORIZED'))
    assert.equal(all.partials().length, 1)
    mend()
    await pull(all)
    assertResumed(all)
  })

  test('in another process, after the first has ended', async (t) => {
    const all = await large(t)
    const mend = breakOff(all)
    const first = await inProcess(program(all)).ended
    assert.equal(first.stdout.trim(), 'ERR_UNAUTHORIZED', first.stderr)
    mend()
    await pull(all)
    assertResumed(all)
  })

  test('in another process, while the first goes on to live', async (t) => {
    const all = await large(t)
    const mend = breakOff(all)
    const first = inProcess(program(all, 'setInterval(() => {}, 1000)'))
    t.after(() => first.child.kill('SIGKILL'))
    await new Promise((resolve) => first.child.stdout.on('data', resolve))
    mend()
    await pull(all)
    // Who lives might write yet: its file is not ours to take away, only to copy.
    assertResumed(all, { partials: 1 })
  })

  test('in the same process, after its signal has ended the first', async (t) => {
    const { hub, cacheDir, id, make } = await world(t)
    // Weights beside the graph are fetched with it, because they are there. They are not read, as the graph does not name them.
    const weights = 'onnx/model.onnx_data'
    const bytes = randomBytes(8 * MB)
    const model = filesIn(zoo('bert-mean')).map((name) => [name, readFileSync(join(zoo('bert-mean'), name))])
    hub.add(id, { ...Object.fromEntries(model), [weights]: bytes })
    const slow = hub.fault({ server: 'cdn', file: weights }, { rate: 2 * MB })
    const controller = new AbortController()
    const onDownload = ({ file, loaded }) => file === weights && loaded > MB && controller.abort()
    await assert.rejects(make({ signal: controller.signal, onDownload }).load(), { name: 'AbortError' })
    slow()
    await assertWorks(await make().load())
    const [first, second] = hub.requests.filter(({ server, file }) => server === 'cdn' && file === weights)
    const from = Number(/^bytes=(\d+)-$/.exec(second.range)[1])
    assert.ok(from > MB && from <= first.sent, `from ${from}, where ${first.sent} had come`)
    assert.ok(hub.bytes(weights) <= 1.05 * bytes.length, `${hub.bytes(weights)} bytes for ${bytes.length}`)
    assertSound(cacheDir)
  })
})

describe('what an earlier download left is not trusted', { concurrency: true }, () => {
  const half = (bytes) => bytes.subarray(0, MB)
  const wrong = (bytes) => bytes.map((byte, at) => (at === 1000 ? byte ^ 1 : byte))
  /** `left` of the right bytes; which ranges of the file are then asked for. */
  const leftovers = {
    'half of it, right': { left: half, asked: [`bytes=${MB}-`] },
    'half of it, with a wrong bit': { left: (bytes) => wrong(half(bytes)), asked: [`bytes=${MB}-`, undefined] },
    'all of it, right': { left: (bytes) => bytes, asked: [] },
    'all of it, with a wrong bit': { left: wrong, asked: [undefined] },
    'more than all of it': { left: (bytes) => Buffer.concat([bytes, Buffer.from('!')]), asked: [undefined] },
    nothing: { left: () => Buffer.alloc(0), asked: [undefined] },
  }
  for (const [name, { left, asked }] of Object.entries(leftovers)) {
    test(`${name}`, async (t) => {
      const all = await large(t)
      writeFileSync(await leave(all), left(all.bytes))
      await pull(all)
      assert.ok(all.isRight())
      assert.deepEqual(ranges(all.hub), asked)
      assertSound(all.cacheDir)
    })
  }

  test('the longest of several is used, and all of them go', async (t) => {
    const all = await large(t)
    const path = await leave(all)
    for (const size of [1000, MB + 1000, 5000]) writeFileSync(path.replace(/\.incomplete$/, `${size}$&`), all.bytes.subarray(0, size))
    await pull(all)
    assert.ok(all.isRight())
    assert.deepEqual(ranges(all.hub), [`bytes=${MB + 1000}-`])
    assertSound(all.cacheDir)
  })

  test('and that of another file is left alone', async (t) => {
    const all = await large(t)
    const path = await leave(all)
    renameSync(path, path.replace(all.sha256, 'b'.repeat(64)))
    await pull(all)
    assert.deepEqual(ranges(all.hub), [undefined])
    assert.equal(all.partials().length, 1, 'not ours to take away before a day has passed')
  })
})
