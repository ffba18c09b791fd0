// Takes single files out of a Python wheel that is in memory. What a ZIP archive is, lib/cli/zip.js knows; `vecrank runtime add` reads larger ones by
// it, piece by piece. The wheel's own digest has been checked, so its checksums are not.

import { inflateRawSync } from 'node:zlib'
import { inMemory, readDirectory, startOf } from '../lib/cli/zip.js'

/**
 * The contents of the named files, in the order asked for.
 *
 * @param {Buffer} archive a wheel whose digest has been checked
 * @param {readonly string[]} names
 * @returns {Buffer[]}
 */
export function readFromWheel(archive, names) {
  const source = inMemory(archive)
  const entries = new Map(readDirectory(source).map((entry) => [entry.name, entry]))
  return names.map((name) => {
    const entry = entries.get(name)
    if (entry === undefined) throw new Error(`the wheel has no file ${name}`)
    const start = startOf(source, entry)
    const packed = archive.subarray(start, start + entry.packed)
    const content = entry.method === 0 ? Buffer.from(packed) : inflateRawSync(packed, { maxOutputLength: entry.size })
    if (content.length !== entry.size) throw new Error(`the wheel's entry ${name} has the wrong length`)
    return content
  })
}
