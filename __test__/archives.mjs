// Archives and libraries as tests need them: small, and wrong in any way that is asked for. Nothing here is read by our own code's functions,
// but for the checksum of ZIP, which has a test of its own.

import { createHash } from 'node:crypto'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { ownCrc32 } from '../lib/cli/zip.js'

/** Pairs of name and content; an object has no two entries of one name. */
const pairsOf = (files) => (Array.isArray(files) ? files : Object.entries(files))

/** An entry is a text, bytes, or `{ content, ... }` with fields that replace the right ones. */
const fieldsOf = (entry) => (typeof entry === 'string' || Buffer.isBuffer(entry) ? { content: entry } : entry)

/** A ZIP archive, deflated. Of an entry `crc`, `size`, `packed`, `method`, `flags`, `mode` (of Unix) and `localName` can be other than they should be. */
export function zipOf(files) {
  const bodies = []
  const entries = []
  let offset = 0
  for (const [name, entry] of pairsOf(files)) {
    const { content: given = '', method = 8, flags = 0, mode, localName = name, ...fields } = fieldsOf(entry)
    const content = Buffer.from(given)
    const packed = fields.deflated ?? (method === 8 ? deflateRawSync(content, { level: 1 }) : content)
    // What the local header and the directory both say, from their field "version needed" on.
    const facts = Buffer.alloc(26)
    facts.writeUInt16LE(20, 0)
    facts.writeUInt16LE(flags, 2)
    facts.writeUInt16LE(method, 4)
    facts.writeUInt32LE(fields.crc ?? ownCrc32(content), 10)
    facts.writeUInt32LE(fields.packed ?? packed.length, 14)
    facts.writeUInt32LE(fields.size ?? content.length, 18)
    const named = (text) => {
      facts.writeUInt16LE(Buffer.byteLength(text), 22)
      return Buffer.from(facts)
    }
    const directory = Buffer.alloc(46)
    directory.writeUInt32LE(0x02014b50, 0)
    if (mode !== undefined) directory[5] = 3
    named(name).copy(directory, 6)
    directory.writeUInt32LE(((mode ?? 0) << 16) >>> 0, 38)
    directory.writeUInt32LE(offset, 42)
    const body = Buffer.concat([Buffer.from('PK\x03\x04'), named(localName), Buffer.from(localName), packed])
    offset += body.length
    bodies.push(body)
    entries.push(directory, Buffer.from(name))
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

/** A wheel: a ZIP with a RECORD, which `recorded` replaces, and METADATA. */
export function wheelOf(name, version, files, recorded = {}) {
  const info = `${name}-${version}.dist-info`
  const all = { ...files, [`${info}/METADATA`]: `Metadata-Version: 2.4\nName: ${name.replaceAll('_', '-')}\nVersion: ${version}\n\nName: of a description\n` }
  const lines = Object.entries({ ...all, ...recorded }).map(([file, entry]) => {
    const content = Buffer.from(fieldsOf(entry).content)
    return `${file},sha256=${createHash('sha256').update(content).digest('base64url')},${content.length}`
  })
  return zipOf({ ...all, [`${info}/RECORD`]: [...lines, `${info}/RECORD,,`, ''].join('\n') })
}

/** A tarball. Of an entry `type`, `link`, `size` can be given; `pax` is what an extended header before it says. */
export function tarballOf(files) {
  const blocks = pairsOf(files).flatMap(([name, entry]) => {
    const { content: given = '', type = '0', link = '', size, pax } = fieldsOf(entry)
    const content = Buffer.from(given)
    const own = [tarHeader(name, type, link, size ?? content.length), padded(content)]
    if (pax === undefined) return own
    const said = Buffer.from(Object.entries(pax).map(([key, value]) => paxLine(key, value)).join(''))
    return [tarHeader('PaxHeader', 'x', '', said.length), padded(said), ...own]
  })
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]))
}

function tarHeader(name, type, link, size) {
  const block = Buffer.alloc(512)
  block.write(name, 0, 100)
  block.write('0000644\0', 100)
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  block.write(type, 156)
  block.write(link, 157, 100)
  block.write('ustar\x0000', 257)
  block.write(' '.repeat(8), 148)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

const padded = (content) => Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)])

function paxLine(key, value) {
  const rest = ` ${key}=${value}\n`
  let length = Buffer.byteLength(rest) + 1
  while (String(length).length + Buffer.byteLength(rest) !== length) length++
  return `${length}${rest}`
}

const MACHINES = { elf: { x64: 62, arm64: 183 }, pe: { x64: 0x8664, arm64: 0xaa64 }, mach: { x64: 0x01000007, arm64: 0x0100000c } }

/** A shared library for Linux with nothing in it but a SONAME and one symbol, which is what changing the SONAME looks at. */
export function elf(soname, { machine = MACHINES.elf.x64, text = '' } = {}) {
  const strings = Buffer.from(`\0OrtGetApiBase\0${soname}\0`)
  const symbols = Buffer.alloc(48)
  symbols.writeUInt32LE(1, 24)
  const tags = [
    [5, 0],
    [10, strings.length],
    [14, strings.indexOf(soname)],
    [0, 0],
  ]
  const start = 64 + 2 * 56
  const dynamic = Buffer.alloc(16 * tags.length)
  const at = { strings: start + dynamic.length, symbols: start + dynamic.length + strings.length }
  tags[0][1] = at.strings
  for (const [index, [tag, value]] of tags.entries()) {
    dynamic.writeBigUInt64LE(BigInt(tag), 16 * index)
    dynamic.writeBigUInt64LE(BigInt(value), 16 * index + 8)
  }
  const content = Buffer.concat([dynamic, strings, symbols, Buffer.from(text)])
  const header = Buffer.alloc(start)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(3, 16)
  header.writeUInt16LE(machine, 18)
  header.writeBigUInt64LE(64n, 32)
  header.writeBigUInt64LE(BigInt(start + content.length), 40)
  for (const [field, value] of [[54, 56], [56, 2], [58, 64], [60, 1]]) header.writeUInt16LE(value, field)
  for (const [index, [type, offset, size]] of [[1, 0, start + content.length], [2, start, dynamic.length]].entries()) {
    const segment = 64 + 56 * index
    header.writeUInt32LE(type, segment)
    for (const [field, value] of [[8, offset], [16, offset], [32, size]]) header.writeBigUInt64LE(BigInt(value), segment + field)
  }
  const section = Buffer.alloc(64)
  section.writeUInt32LE(11, 4)
  for (const [field, value] of [[24, at.symbols], [32, symbols.length], [56, 24]]) section.writeBigUInt64LE(BigInt(value), field)
  return Buffer.concat([header, content, section])
}

export const elfForArm = (soname) => elf(soname, { machine: MACHINES.elf.arm64 })

/** The beginning of a library for Windows, with a version in its resources. */
export function pe(cpu, [major, minor] = [1, 31]) {
  const image = Buffer.alloc(1024)
  image.write('MZ')
  image.writeUInt32LE(0x80, 0x3c)
  image.write('PE\0\0', 0x80, 'latin1')
  image.writeUInt16LE(MACHINES.pe[cpu], 0x84)
  image.write('bd04effe00000100', 512, 'hex')
  image.writeUInt32LE(major * 65536 + minor, 520)
  return image
}

/** The beginning of a library for macOS. */
export function macho(cpu) {
  const image = Buffer.alloc(64)
  image.writeUInt32LE(0xfeedfacf, 0)
  image.writeUInt32LE(MACHINES.mach[cpu], 4)
  return image
}

/** One for both processors of macOS. */
export function universal() {
  const image = Buffer.alloc(64)
  image.writeUInt32BE(0xcafebabe, 0)
  image.writeUInt32BE(2, 4)
  image.writeUInt32BE(MACHINES.mach.x64, 8)
  image.writeUInt32BE(MACHINES.mach.arm64, 28)
  return image
}
