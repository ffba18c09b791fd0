import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { platform } from '../lib/platform.js'
import { elfHash, replaceSoname, sonameOf } from '../lib/soname.js'
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

/** A ZIP archive of the files, deflated. */
function archiveOf(files) {
  const bodies = []
  const entries = []
  let offset = 0
  for (const [name, text] of Object.entries(files)) {
    const content = Buffer.from(text)
    const packed = deflateRawSync(content)
    // What the local header and the directory both say, from their field "version needed" on.
    const facts = Buffer.alloc(26)
    facts.writeUInt16LE(20, 0)
    facts.writeUInt16LE(8, 4)
    facts.writeUInt32LE(crc32(content), 10)
    facts.writeUInt32LE(packed.length, 14)
    facts.writeUInt32LE(content.length, 18)
    facts.writeUInt16LE(name.length, 22)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    facts.copy(entry, 6)
    entry.writeUInt32LE(offset, 42)
    const body = Buffer.concat([Buffer.from('PK\x03\x04'), facts, Buffer.from(name), packed])
    offset += body.length
    bodies.push(body)
    entries.push(entry, Buffer.from(name))
  }
  const directory = Buffer.concat(entries)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(bodies.length, 8)
  end.writeUInt16LE(bodies.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...bodies, directory, end])
}

/** The checksum of ZIP. Node has one of its own only from 20.15 on. */
function crc32(content) {
  let crc = 0xffffffff
  for (const byte of content) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
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
  const archive = archiveOf({ first: 'one', 'onnxruntime/LICENSE': 'MIT '.repeat(100) })
  assert.equal(readFromWheel(archive, ['onnxruntime/LICENSE'])[0].toString(), 'MIT '.repeat(100))
  assert.throws(() => readFromWheel(archive, ['other']), /has no file other/)
  assert.throws(() => readFromWheel(Buffer.alloc(100), ['other']), /not a ZIP archive/)
})

test('a wheel with another digest is thrown away and both digests are named', (context) => {
  const folder = temporary(context)
  const pin = pins.platforms['linux-x64-gnu']
  const wheels = join(folder, 'wheels')
  const info = `onnxruntime-${pins.version}.dist-info`
  const wrong = archiveOf({
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
