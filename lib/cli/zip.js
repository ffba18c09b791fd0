'use strict'

/**
 * The directory of a ZIP archive, as wheels, NuGet packages and releases for Windows are. Both readers of archives use it: the build, which has
 * a wheel in memory, and `vecrank runtime add`, which reads a file of any size piece by piece. What the bytes of an entry become is theirs.
 *
 * It reads what such archives use (one volume, under 4 GB, stored or deflated entries, no encryption) and refuses the rest. Nothing that the
 * archive says of itself is believed before it fits: the two headers of an entry agree, and all of them lie inside the archive.
 */

const zlib = require('node:zlib')
const { describe } = require('../errors.js')
const { VecrankError } = require('../failure.js')

const END = 0x06054b50
const END_SIZE = 22
const ZIP64 = 0x07064b50
const ZIP64_SIZE = 20
const ENTRY = 0x02014b50
const ENTRY_SIZE = 46
const LOCAL = 0x04034b50
const LOCAL_SIZE = 30
const LONGEST_COMMENT = 0xffff
/** The directory is held in memory. Those of the largest wheels have less than 100 kB. */
const LARGEST_DIRECTORY = 64 * 2 ** 20
/** What a field of 32 bits holds where the number is in a ZIP64 record. */
const ELSEWHERE = 0xffffffff

function damaged(what) {
  throw new VecrankError('ERR_CORRUPT', what)
}

/** An archive that is in memory, as `readDirectory` takes it. */
const inMemory = (archive) => ({ size: archive.length, read: (at, length) => archive.subarray(at, at + length) })

function read({ size, read: bytes }, at, length) {
  if (at < 0 || at + length > size) damaged('it is cut off, or its directory is damaged')
  return bytes(at, length)
}

/** The record at the archive's end. Its comment must end with the archive, so that no comment can be taken for it. */
function readEnd(source) {
  const from = Math.max(0, source.size - END_SIZE - LONGEST_COMMENT)
  const tail = read(source, from, source.size - from)
  let at = tail.length - END_SIZE
  while (at >= 0 && !(tail.readUInt32LE(at) === END && at + END_SIZE + tail.readUInt16LE(at + 20) === tail.length)) at--
  if (at < 0) damaged('it is not a ZIP archive, or it is cut off')
  const record = tail.subarray(at)
  const count = record.readUInt16LE(10)
  const length = record.readUInt32LE(12)
  const start = record.readUInt32LE(16)
  const isZip64 = at >= ZIP64_SIZE && tail.readUInt32LE(at - ZIP64_SIZE) === ZIP64
  if (isZip64 || start === ELSEWHERE || length === ELSEWHERE) damaged('it is a ZIP64 archive, which is for files of more than 4 GB and not supported')
  if (record.readUInt16LE(4) !== 0 || record.readUInt16LE(8) !== count) damaged('it is a ZIP archive in several volumes, which is not supported')
  if (length > LARGEST_DIRECTORY) damaged('its directory is too large')
  if (start + length !== from + at) damaged('its directory is damaged, or something was put before the archive')
  return { count, start, length }
}

/**
 * The archive's entries, in its order.
 *
 * @param {{ size: number, read: (at: number, length: number) => Buffer }} source
 */
function readDirectory(source) {
  const { count, start, length } = readEnd(source)
  const directory = read(source, start, length)
  const entries = []
  for (let at = 0, left = count; left > 0; left--) {
    if (at + ENTRY_SIZE > length || directory.readUInt32LE(at) !== ENTRY) damaged('its directory is damaged')
    const nameLength = directory.readUInt16LE(at + 28)
    const next = at + ENTRY_SIZE + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
    if (next > length) damaged('its directory is damaged')
    // Only archives made on Unix have Unix's file types.
    const type = directory[at + 5] === 3 ? (directory.readUInt16LE(at + 40) & 0o170000) : 0
    entries.push({
      name: directory.toString('utf8', at + ENTRY_SIZE, at + ENTRY_SIZE + nameLength),
      isPlain: type === 0 || type === 0o100000 || type === 0o040000,
      isEncrypted: (directory.readUInt16LE(at + 8) & 1) === 1,
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      packed: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    })
    at = next
  }
  return entries
}

/** Where the packed bytes of an entry begin. Throws where it is packed in a way that is not supported. */
function startOf(source, { name, isEncrypted, method, packed, size, offset }) {
  const shown = describe(name)
  if (isEncrypted) damaged(`its entry ${shown} is encrypted`)
  if (method !== 0 && method !== 8) damaged(`its entry ${shown} is packed by method ${method}, which is not supported`)
  if (packed === ELSEWHERE || size === ELSEWHERE || offset === ELSEWHERE) damaged(`its entry ${shown} has sizes of ZIP64, which is not supported`)
  if (method === 0 && packed !== size) damaged(`its entry ${shown} has two sizes`)
  const header = read(source, offset, LOCAL_SIZE)
  if (header.readUInt32LE(0) !== LOCAL) damaged(`its entry ${shown} is damaged`)
  const nameLength = header.readUInt16LE(26)
  const own = read(source, offset + LOCAL_SIZE, nameLength).toString('utf8')
  if (own !== name || header.readUInt16LE(8) !== method) damaged(`its entry ${shown} is another one in the directory`)
  const start = offset + LOCAL_SIZE + nameLength + header.readUInt16LE(28)
  if (start + packed > source.size) damaged(`its entry ${shown} is cut off`)
  return start
}

let table
function ownCrc32(content, before = 0) {
  table ??= Uint32Array.from({ length: 256 }, (_, value) => {
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
    return value
  })
  let crc = ~before
  for (const byte of content) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]
  return ~crc >>> 0
}

/** The checksum of ZIP, of bytes that follow those whose checksum is `before`. Node has one of its own only from 20.15 on. */
const crc32 = zlib.crc32 ?? ownCrc32

module.exports = { crc32, inMemory, ownCrc32, readDirectory, startOf }
