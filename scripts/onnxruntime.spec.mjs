import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { zipOf } from '../__test__/archives.mjs'
import { platform } from '../lib/platform.js'
import { elfHash, replaceSoname, sonameOf } from '../lib/cli/soname.js'
import { crc32, ownCrc32 } from '../lib/cli/zip.js'
import { fetchLibrary, readPins } from './onnxruntime.mjs'
import { root, sha256 } from './pypi.mjs'
import { readFromWheel } from './wheel.mjs'

const pins = readPins()
const { from, to } = pins.soname
const linux = process.platform === 'linux' ? false : 'the library of this platform is no ELF file'

function library() {
  return readFileSync(fetchLibrary())
}

/** A folder that is gone when the test ends. */
function temporary(context) {
  const folder = mkdtempSync(join(tmpdir(), 'vecrank-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('the library in place is the pinned one, and a second fetch leaves it alone', () => {
  const pin = pins.platforms[platform()]
  assert.equal(sha256(library()), pin.sha256)
  const start = performance.now()
  fetchLibrary()
  assert.ok(performance.now() - start < 2_000)
})

test('the SONAME changes and changes back, and nothing else does', { skip: linux }, () => {
  const ours = library()
  const theirs = replaceSoname(ours, to, from)
  assert.equal(theirs.length, ours.length)
  assert.deepEqual([sonameOf(ours), sonameOf(theirs)], [to, from])
  assert.equal(ours.includes(`\0${from}\0`), false)
  assert.equal(theirs.includes(`\0${from}\0`), true)
  assert.ok(replaceSoname(theirs, from, to).equals(ours))
})

test('what is not as expected is refused', { skip: linux }, () => {
  const ours = library()
  assert.throws(() => replaceSoname(ours, from, to), /it is "libvecrank-ort.so.1", expected "libonnxruntime.so.1"/)
  assert.throws(() => replaceSoname(ours, to, 'short.so'), /must be as long as/)
  assert.throws(() => replaceSoname(Buffer.from('MZ'), from, to), /not an ELF file/)
  const big = Buffer.from(ours.subarray(0, 4096))
  big[5] = 2
  assert.throws(() => replaceSoname(big, to, from), /little-endian/)
})

test('the hash of a name is that of the ABI', () => {
  assert.equal(elfHash(''), 0)
  assert.equal(elfHash('printf'), 0x077905a6)
  assert.equal(elfHash('GLIBC_2.2.5'), 0x09691a75)
})

test('a wheel gives the files that are asked for and says which one it lacks', () => {
  const archive = zipOf({ first: 'one', 'onnxruntime/LICENSE': 'MIT '.repeat(100) })
  assert.equal(readFromWheel(archive, ['onnxruntime/LICENSE'])[0].toString(), 'MIT '.repeat(100))
  assert.throws(() => readFromWheel(archive, ['other']), /has no file other/)
  assert.throws(() => readFromWheel(Buffer.alloc(100), ['other']), /not a ZIP archive/)
})

test('the checksum of ZIP is the right one, also where Node has none', () => {
  for (const sum of [crc32, ownCrc32]) {
    assert.equal(sum(Buffer.from('123456789')), 0xcbf43926)
    assert.equal(sum(Buffer.from('6789'), sum(Buffer.from('12345'))), 0xcbf43926)
    assert.equal(sum(Buffer.alloc(0)), 0)
  }
})

test('a wheel with another digest is thrown away and both digests are named', (context) => {
  const folder = temporary(context)
  const pin = pins.platforms['linux-x64-gnu']
  const wheels = join(folder, 'wheels')
  const info = `onnxruntime-${pins.version}.dist-info`
  const wrong = zipOf({
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: onnxruntime\nVersion: ${pins.version}\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: false\n',
    [`${info}/RECORD`]: '',
  })
  mkdirSync(wheels)
  writeFileSync(join(wheels, pin.wheel), wrong)
  const script = `import { fetchLibrary } from './scripts/onnxruntime.mjs'
    import { runScript } from './scripts/pypi.mjs'
    runScript(() => fetchLibrary({ platform: 'linux-x64-gnu', folder: process.argv[1] }))`
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), PIP_NO_INDEX: '1', PIP_FIND_LINKS: wheels }
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, folder], { cwd: root, env, encoding: 'utf8' })
  assert.equal(status, 1, stderr)
  assert.ok(stderr.includes(pin.wheelSha256) && stderr.includes(sha256(wrong)), stderr)
  assert.deepEqual(readdirSync(join(folder, 'cache', 'vecrank')), [])
})
