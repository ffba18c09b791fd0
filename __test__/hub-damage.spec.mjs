// A cached file that was damaged later: noticed by every load that reads it, named where there is no network, mended where there is one.
//
// The cache is filled by the downloader alone: as long as a session lives, a load of the same model is given it and reads no file.

import assert from 'node:assert/strict'
import { closeSync, copyFileSync, lstatSync, mkdirSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs'
import { renameSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { failure, seeded } from './fixtures.mjs'
import { assertWorks, pull } from './hub/drive.mjs'
import { assertSound, filesIn, soak, world } from './hub/world.mjs'

const FILES = ['config.json', 'tokenizer.json', 'onnx/model.onnx', 'modules.json', '1_Pooling/config.json', 'tokenizer_config.json']

/** Inverts a bit of a file, in place: its size and its place on the disk stay. */
function flip(path, random) {
  const file = openSync(path, 'r+')
  const at = Math.floor(random() * statSync(path).size)
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  byte[0] ^= 1 << Math.floor(random() * 8)
  writeSync(file, byte, 0, 1, at)
  closeSync(file)
}

function makeFolder(path) {
  rmSync(path)
  mkdirSync(path)
  // One that a plain rmdir does not take away.
  writeFileSync(join(path, 'inside'), 'a file')
}

/** `how` damages, given the pointer in the snapshot, the blob behind it, random numbers and the blobs' folder. */
const damages = [
  { name: 'truncated', count: [5, 100], how: ({ blob, random }) => truncateSync(blob, Math.floor(random() * statSync(blob).size)) },
  { name: 'a flipped bit', count: [5, 100], how: ({ blob, random }) => flip(blob, random) },
  { name: 'a flipped bit, and the time of before', count: [5, 100], how: flipAndHide },
  { name: 'emptied', count: [5, 20], how: ({ blob }) => truncateSync(blob, 0) },
  { name: 'grown', count: [5, 20], how: ({ blob }) => writeFileSync(blob, '\n', { flag: 'a' }) },
  { name: 'another file in its place', count: [5, 20], how: replace },
  { name: 'a folder in its place', count: [5, 20], how: ({ blob }) => makeFolder(blob) },
  { name: 'a folder in the place of its link', count: [5, 20], how: ({ pointer }) => makeFolder(pointer) },
  { name: 'a file in the place of its link', count: [5, 20], how: ({ pointer }) => (rmSync(pointer), writeFileSync(pointer, 'not this')) },
  { name: 'a link to another blob', count: [5, 20], how: ({ pointer, other }) => (rmSync(pointer), symlinkSync(other, pointer)) },
  { name: 'no blob any more', count: [5, 20], how: ({ blob }) => rmSync(blob), code: 'ERR_OFFLINE' },
  { name: 'no link any more', count: [5, 20], how: ({ pointer }) => rmSync(pointer), code: 'ERR_OFFLINE' },
]

/** Nothing but the time of the last change of the file's own record tells, and that one no program can set. */
function flipAndHide({ blob, random }) {
  const before = statSync(blob)
  flip(blob, random)
  utimesSync(blob, before.atime, before.mtime)
  const after = statSync(blob)
  assert.deepEqual([after.size, after.mtimeMs, after.ino], [before.size, before.mtimeMs, before.ino])
}

function replace({ blob }) {
  const other = `${blob}.other`
  copyFileSync(blob, other)
  flip(other, () => 0.5)
  renameSync(other, blob)
}

/**
 * A cache with all files of the model, pulled. Times of files go in steps of some milliseconds: a change in the step of the download has
 * the time of the download, so the clock is waited for.
 */
async function filled(t) {
  const all = await world(t)
  await pull(all)
  // Whole seconds, which utimes can set again to the nanosecond.
  for (const file of FILES) utimesSync(join(all.folder, 'snapshots', all.commit, file), 1_700_000_000, 1_700_000_000)
  await pull(all)
  await sleep(20)
  all.hub.clear()
  const place = (file) => {
    const pointer = join(all.folder, 'snapshots', all.commit, file)
    return { pointer, blob: realpathSync(pointer) }
  }
  return { ...all, place }
}

for (const { name, count, how, code = 'ERR_CORRUPT' } of damages) {
  const times = count[soak ? 1 : 0]
  describe(`${name}: noticed and mended ${times} times of ${times}`, { concurrency: 4 }, () => {
    for (let number = 0; number < times; number++) {
      const file = FILES[number % FILES.length]
      test(`${file} (${number})`, async (t) => {
        const { hub, id, cacheDir, folder, place, load } = await filled(t)
        const { pointer, blob } = place(file)
        how({ pointer, blob, random: seeded(number), other: place(file === 'config.json' ? 'modules.json' : 'config.json').blob })
        const found = readState(folder)
        const named = new RegExp(`${file.replaceAll('.', '\\.')}.*vecrank pull ${id}`)
        // Twice, as the first look must not make it look right.
        for (const look of [1, 2]) await assert.rejects(load({ offline: true }), failure(code, named), `look ${look}`)
        assert.equal(hub.requests.length, 0)
        assert.deepEqual(readState(folder), found, 'nothing is thrown away where there is no other')

        const embedder = await load()
        await assertWorks(embedder)
        // One request, or two for an LFS file with its redirect; none where the right bytes were still there. Of this file only.
        assert.ok(hub.requests.every((entry) => entry.file === file && entry.method === 'GET'), JSON.stringify(hub.requests))
        assert.ok(hub.count({ server: 'hub' }) <= 1 && hub.count({ server: 'cdn' }) <= 1)
        assertSound(cacheDir)
        assert.ok(statSync(pointer).isFile() && lstatSync(pointer).isSymbolicLink())
        hub.clear()
        await pull({ hub, id, cacheDir, offline: true })
        assert.equal(hub.requests.length, 0)
      })
    }
  })
}

/** What lies where, for comparison. */
function readState(folder) {
  const files = filesIn(folder).filter((file) => /^(blobs|snapshots)\//.test(file))
  return files.map((file) => {
    const { size, mtimeMs, ino } = lstatSync(join(folder, file))
    return [file, size, mtimeMs, ino]
  })
}

test('a file that was touched, copied or restored without its links is hashed again and taken, with no request', async (t) => {
  const { hub, place, load } = await filled(t)
  const changes = {
    'tokenizer.json': ({ blob }) => utimesSync(blob, new Date(), new Date()),
    'onnx/model.onnx': ({ blob }) => (copyFileSync(blob, `${blob}.copy`), renameSync(`${blob}.copy`, blob)),
    'config.json': ({ pointer, blob }) => (rmSync(pointer), copyFileSync(blob, pointer)),
    'modules.json': ({ pointer, blob }) => (rmSync(pointer), renameSync(blob, pointer)),
  }
  for (const [file, change] of Object.entries(changes)) change(place(file))
  await assertWorks(await load())
  assert.equal(hub.requests.length, 0)
})

test('all files damaged at once are mended in one load, each downloaded once', async (t) => {
  const { hub, cacheDir, place, load } = await filled(t)
  for (const file of FILES) flip(place(file).blob, seeded(1))
  await assertWorks(await load())
  for (const file of FILES) assert.equal(hub.count({ file, status: 200 }), 1, file)
  assertSound(cacheDir)
})

test('a branch whose note of its commit is damaged is asked for again, and offline that is named', async (t) => {
  const notes = { 'cut short': (commit) => commit.slice(0, 20), 'not text': () => Buffer.from([0xff, 0xfe, 0]), 'a folder': undefined }
  for (const [name, damaged] of Object.entries(notes)) {
    const { hub, cacheDir, folder, commit, load } = await filled(t)
    const note = join(folder, 'refs/main')
    assert.equal(readFileSync(note, 'utf8'), commit)
    if (damaged) writeFileSync(note, damaged(commit))
    else makeFolder(note)
    await assert.rejects(load({ offline: true }), (error) => {
      assert.match(error.code, /^ERR_(CORRUPT|OFFLINE)$/, name)
      return failure(error.code, /main/)(error)
    })
    await assertWorks(await load())
    assert.equal(readFileSync(note, 'utf8'), commit, name)
    assert.equal(hub.count({ file: /./ }), 0, 'no file is downloaded again')
    assertSound(cacheDir)
  }
})

test('a list of files that is damaged costs at most a request', async (t) => {
  for (const damage of ['', '{"format_version": 1, "files": {', '[]']) {
    const { hub, cacheDir, folder, commit, place, load } = await filled(t)
    writeFileSync(join(folder, 'trees', `${commit}.json`), damage)
    rmSync(place('tokenizer.json').blob)
    await assertWorks(await load())
    assert.ok(hub.requests.length <= 2, JSON.stringify(hub.requests.map(({ path }) => path)))
    assertSound(cacheDir)
  }
})
