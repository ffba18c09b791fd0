// Takes single files out of a Python wheel, which is a ZIP archive. Reads what wheels use (stored or deflated entries,
// no encryption, under 4 GB) and refuses the rest. The wheel's own digest has been checked, so its checksums are not.

import { inflateRawSync } from 'node:zlib'

const END = 0x06054b50
const ENTRY = 0x02014b50
const LOCAL = 0x04034b50

/** The archive's entries by name. */
function readDirectory(archive) {
  let end = archive.length - 22
  while (end >= 0 && archive.readUInt32LE(end) !== END) end--
  if (end < 0) throw new Error('the wheel is not a ZIP archive')
  const entries = new Map()
  let at = archive.readUInt32LE(end + 16)
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    if (archive.readUInt32LE(at) !== ENTRY) throw new Error("the wheel's directory is damaged")
    const nameLength = archive.readUInt16LE(at + 28)
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength)
    entries.set(name, {
      encrypted: (archive.readUInt16LE(at + 8) & 1) === 1,
      method: archive.readUInt16LE(at + 10),
      packed: archive.readUInt32LE(at + 20),
      size: archive.readUInt32LE(at + 24),
      offset: archive.readUInt32LE(at + 42),
    })
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  return entries
}

/**
 * The contents of the named files, in the order asked for.
 *
 * @param {Buffer} archive a wheel whose digest has been checked
 * @param {readonly string[]} names
 * @returns {Buffer[]}
 */
export function readFromWheel(archive, names) {
  const entries = readDirectory(archive)
  return names.map((name) => {
    const entry = entries.get(name)
    if (entry === undefined) throw new Error(`the wheel has no file ${name}`)
    if (archive.readUInt32LE(entry.offset) !== LOCAL) throw new Error(`the wheel's entry ${name} is damaged`)
    const start = entry.offset + 30 + archive.readUInt16LE(entry.offset + 26) + archive.readUInt16LE(entry.offset + 28)
    const packed = archive.subarray(start, start + entry.packed)
    if (entry.encrypted || (entry.method !== 0 && entry.method !== 8)) {
      throw new Error(`the wheel's entry ${name} is packed in a way that is not supported`)
    }
    const content = entry.method === 0 ? Buffer.from(packed) : inflateRawSync(packed, { maxOutputLength: entry.size })
    if (content.length !== entry.size) throw new Error(`the wheel's entry ${name} has the wrong length`)
    return content
  })
}
