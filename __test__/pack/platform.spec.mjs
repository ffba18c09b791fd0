// Which platform a process is on, and where ONNX Runtime is found if no package carries it: what decides on Alpine, tried with files made for it.
// The code under test is that of the tarball.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { here, place, project } from './project.mjs'
import { CALLS, assertRefused, calls } from './refusal.mjs'

let scratch
let platform
let onnxruntime
before((t) => {
  scratch = project(t)
  place(scratch, ['vecrank', here.package])
  const require = createRequire(join(scratch.folder, 'node_modules', 'vecrank', 'index.js'))
  platform = require('./lib/platform.js')
  onnxruntime = require('./lib/onnxruntime.js').onnxruntime
})

// ---------- the C library ----------------------------------------------------------------------------------------------------

/** The start of a 64-bit ELF program that asks for a loader; `byteOrder` 1 is little-endian. */
function elf(loader, { byteOrder = 1, segments = [3] } = {}) {
  const header = Buffer.alloc(64)
  const little = byteOrder === 1
  const short = (buffer, value, at) => (little ? buffer.writeUInt16LE(value, at) : buffer.writeUInt16BE(value, at))
  const word = (buffer, value, at) => (little ? buffer.writeUInt32LE(value, at) : buffer.writeUInt32BE(value, at))
  const long = (buffer, value, at) => (little ? buffer.writeBigUInt64LE(BigInt(value), at) : buffer.writeBigUInt64BE(BigInt(value), at))
  header.write('\x7fELF\x02', 0, 'latin1')
  header[5] = byteOrder
  long(header, 64, 32)
  short(header, 56, 54)
  short(header, segments.length, 56)
  const text = Buffer.from(`${loader}\0`)
  const table = Buffer.concat(
    segments.map((type) => {
      const entry = Buffer.alloc(56)
      word(entry, type, 0)
      long(entry, 64 + 56 * segments.length, 8)
      long(entry, text.length, 32)
      return entry
    }),
  )
  return Buffer.concat([header, table, text])
}

function program(name, content) {
  const file = join(scratch.base, name)
  writeFileSync(file, content)
  return file
}

test("a program's loader is read from it, wherever in the table it stands", () => {
  const musl = '/lib/ld-musl-x86_64.so.1'
  assert.match(platform.elfInterpreter(program('musl', elf(musl))), /^\/lib\/ld-musl-x86_64\.so\.1\0?$/)
  assert.match(platform.elfInterpreter(program('later', elf(musl, { segments: [6, 1, 1, 3, 2] }))), /^\/lib\/ld-musl-x86_64\.so\.1\0?$/)
  assert.match(platform.elfInterpreter(program('gnu', elf('/nix/store/abc-glibc/lib/ld-linux-x86-64.so.2'))), /ld-linux/)
})

test('no program makes the reader throw: static, the other byte order, 32 bits, every length, garbage, a folder, none', () => {
  const whole = elf('/lib/ld-musl-x86_64.so.1')
  assert.equal(platform.elfInterpreter(program('static', elf('', { segments: [1, 1] }))), undefined)
  assert.equal(platform.elfInterpreter(program('big-endian', elf('/lib/ld64.so.1', { byteOrder: 2 }))), undefined)
  const narrow = Buffer.from(whole)
  narrow[4] = 1
  assert.equal(platform.elfInterpreter(program('narrow', narrow)), undefined)
  for (let length = 0; length < whole.length; length++) {
    const found = platform.elfInterpreter(program('short', whole.subarray(0, length)))
    assert.ok(found === undefined || '/lib/ld-musl-x86_64.so.1'.startsWith(found), `${length} bytes: ${found}`)
  }
  // Every field at its largest, one after the other: sizes and places far outside of the file.
  for (let at = 5; at < whole.length; at++) {
    const wild = Buffer.from(whole)
    wild.fill(0xff, at, Math.min(at + 8, wild.length))
    assert.ok(['string', 'undefined'].includes(typeof platform.elfInterpreter(program('wild', wild))), `filled at ${at}`)
  }
  for (const path of [program('script', '#!/bin/sh\n'), scratch.base, join(scratch.base, 'none')])
    assert.equal(platform.elfInterpreter(path), undefined)
})

test(
  'under musl the package for musl is sought, and one for glibc is said to be for another platform',
  { skip: here.libc !== 'glibc' && 'here is no package for glibc' },
  async () => {
    const node = program('node', elf(`/lib/ld-musl-${here.cpu === 'x64' ? 'x86_64' : 'aarch64'}.so.1`))
    const [error] = calls(
      await scratch.run(process.execPath, [
        '--eval',
        `Object.defineProperty(process, 'execPath', { value: ${JSON.stringify(node)} })\n${CALLS}`,
      ]),
    )
    assertRefused(error, 'other platform', [new RegExp(`Cannot find module 'vecrank-linux-${here.cpu}-musl'`)], `linux-${here.cpu}-musl`)
    assert.match(error.message, new RegExp(`Installed is .*${here.name}`))
  },
)

test('the platform is the same when the program itself cannot be read, as under the permission model', async () => {
  const file = JSON.stringify(join(scratch.folder, 'node_modules', 'vecrank', 'lib', 'platform.js'))
  const code = `Object.defineProperty(process, 'execPath', { value: '/none' }); console.log(require(${file}).platform())`
  assert.equal((await scratch.run(process.execPath, ['--eval', code])).stdout.trim(), here.name)
})

// ---------- ONNX Runtime of a distribution -----------------------------------------------------------------------------------

function folderOf(name, files) {
  const folder = join(scratch.base, name)
  mkdirSync(folder)
  for (const file of files) writeFileSync(join(folder, file), '')
  return folder
}

test('without a library in the package the newest of the first folder that has one is taken', () => {
  const none = join(scratch.base, 'no-such-folder')
  const empty = folderOf('empty', ['libonnxruntime_providers_shared.so', 'libonnxruntime.so.txt', 'libonnxruntime.a'])
  const many = folderOf('many', [
    'libonnxruntime.so.1.9.0',
    'libonnxruntime.so.1.10.0',
    'libonnxruntime.so.1.10.0.bak',
    'libonnxruntime.so.1',
    'libonnxruntime.so',
  ])
  const next = folderOf('next', ['libonnxruntime.so.2'])
  const plain = folderOf('plain', ['libonnxruntime.so'])
  assert.deepEqual(onnxruntime('linux-x64-musl', undefined, [none, empty, many, next]), { library: join(many, 'libonnxruntime.so.1.10.0'), isChosen: false })
  assert.deepEqual(onnxruntime('linux-x64-musl', undefined, [plain, many]), { library: join(plain, 'libonnxruntime.so'), isChosen: false })
})

test('the library in the package goes before that of the distribution, and the variable before both', (t) => {
  const folder = folderOf('distribution', ['libonnxruntime.so.1.24.0'])
  assert.deepEqual(onnxruntime('linux-x64-gnu', '/package/library.so', [folder]), { library: '/package/library.so', isChosen: false })
  const given = process.env.VECRANK_ONNXRUNTIME
  t.after(() => (given === undefined ? delete process.env.VECRANK_ONNXRUNTIME : (process.env.VECRANK_ONNXRUNTIME = given)))
  process.env.VECRANK_ONNXRUNTIME = join(scratch.base, 'chosen.so')
  assert.deepEqual(onnxruntime('linux-x64-gnu', '/package/library.so', [folder]), { library: join(scratch.base, 'chosen.so'), isChosen: true })
  process.env.VECRANK_ONNXRUNTIME = 'relative.so'
  assert.throws(() => onnxruntime('linux-x64-gnu', '/package/library.so', [folder]), {
    code: 'ERR_RUNTIME',
    message: /VECRANK_ONNXRUNTIME.*relative\.so.*absolute/,
  })
})

test('without any library the message says what to install, how new it must be, and where it was sought', () => {
  const [one, two] = [join(scratch.base, 'one'), join(scratch.base, 'two')]
  assert.throws(
    () => onnxruntime('linux-x64-musl', undefined, [one, two]),
    (error) => {
      assert.equal(error.code, 'ERR_RUNTIME')
      for (const part of ['linux-x64-musl', 'apk add onnxruntime', '1.24', 'Alpine 3.24', 'VECRANK_ONNXRUNTIME', one, two])
        assert.ok(error.message.includes(part), `${part}: ${error.message}`)
      return true
    },
  )
})
