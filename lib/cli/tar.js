'use strict'

/**
 * Reads a tar archive as it comes: ustar with the extensions of POSIX (pax) and GNU for long names, as `tar` and npm write it. Files, folders
 * and links are known; devices, sparse files and what else there is are refused.
 */

const { describe } = require('../errors.js')
const { MOST_BYTES, damaged } = require('./entries.js')

const BLOCK = 512
/** A name, and what pax says of one file. */
const LONGEST_EXTENSION = 64 * 1024
/** What is around the files: headers, and padding to whole blocks. */
const MOST_AROUND = 64 * 2 ** 20
const NO_HEADER = 'it is not a tar archive, or a header in it is damaged'

/** The bytes of a stream, as many at a time as are asked for. */
class Bytes {
  #chunks
  #rest = Buffer.alloc(0)
  #count = 0

  constructor(stream) {
    this.#chunks = stream[Symbol.asyncIterator]()
  }

  /** What has come, but not more than asked for; undefined at the end. */
  async some(most) {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next()
      if (done) return undefined
      // Sizes that entries declare are bounded; this bounds what lies between and behind them.
      this.#count += value.length
      if (this.#count > MOST_BYTES + MOST_AROUND) throw damaged('it would take more than 4 GiB')
      this.#rest = value
    }
    const part = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(part.length)
    return part
  }

  /** Exactly so many, in pieces. */
  async *pieces(count) {
    for (let left = count; left > 0; ) {
      const part = await this.some(left)
      if (part === undefined) throw damaged('it is cut off')
      left -= part.length
      yield part
    }
  }

  async whole(count) {
    const parts = []
    for await (const part of this.pieces(count)) parts.push(part)
    return Buffer.concat(parts, count)
  }

  async skip(count) {
    for await (const _ of this.pieces(count));
  }
}

const text = (block, at, length) => {
  const field = block.subarray(at, at + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? length : end)
}

/** A number in octal digits. Larger ones are written in another way, but nothing of that size is taken. */
function number(block, at, length) {
  const digits = text(block, at, length).trim()
  if (!/^[0-7]*$/.test(digits)) throw damaged(NO_HEADER)
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

/** What pax says of the next file: lines of `<length> <key>=<value>`. */
function attributes(content) {
  const found = {}
  for (let at = 0; at < content.length; ) {
    const [, digits] = /^(\d{1,6}) /.exec(content.toString('latin1', at, at + 8)) ?? []
    const end = at + Number(digits)
    const line = content.toString('utf8', at + String(digits).length + 1, end - 1)
    if (!(end > at && end <= content.length) || !line.includes('=')) throw damaged('an extended header in it is damaged')
    found[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1)
    at = end
  }
  return found
}

/** The next header as `{ type, name, size, link }`, or undefined at the archive's end. */
async function header(bytes) {
  const first = await bytes.some(BLOCK)
  if (first === undefined) return undefined
  const block = Buffer.concat([first, await bytes.whole(BLOCK - first.length)])
  if (block.every((byte) => byte === 0)) return undefined
  let sum = 8 * 0x20
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0 : block[at]
  if (sum !== number(block, 148, 8)) throw damaged(NO_HEADER)
  const prefix = text(block, 257, 6) === 'ustar' ? text(block, 345, 155) : ''
  const name = text(block, 0, 100)
  return { type: String.fromCharCode(block[156] || 0x30), name: prefix === '' ? name : `${prefix}/${name}`, size: number(block, 124, 12), link: text(block, 157, 100) }
}

/**
 * @param {AsyncIterable<Buffer>} stream the archive, unpacked
 * @param visit is called with each file, link and folder, `{ name, size, link, isFolder }`; of a file it gives the function that takes the file's bytes, or nothing to skip it
 */
async function readTar(stream, visit) {
  const bytes = new Bytes(stream)
  let extended = {}
  for (let entry = await header(bytes); entry !== undefined; entry = await header(bytes)) {
    const { type } = entry
    const padding = (size) => (BLOCK - (size % BLOCK)) % BLOCK
    if ('xgLK'.includes(type)) {
      if (entry.size > LONGEST_EXTENSION) throw damaged('a header in it is too long')
      const content = await bytes.whole(entry.size)
      await bytes.skip(padding(entry.size))
      // `g` is about the whole archive: a comment, such as the commit that it was made from.
      if (type === 'x') extended = { ...extended, ...attributes(content) }
      if (type === 'L') extended.path = text(content, 0, content.length)
      if (type === 'K') extended.linkpath = text(content, 0, content.length)
      continue
    }
    const name = (extended.path ?? entry.name).replace(/^(\.\/)+/, '').replace(/\/+$/, '')
    const size = '12'.includes(type) ? 0 : Number(extended.size ?? entry.size)
    if (!Number.isSafeInteger(size) || size < 0) throw damaged('a header in it has a size that is no number')
    let take
    if (type === '0' || type === '7') take = visit({ name, size })
    else if (type === '2') take = visit({ name, size, link: extended.linkpath ?? entry.link })
    else if (type === '1') take = visit({ name, size, link: besides(name, extended.linkpath ?? entry.link) })
    else if (type !== '5') throw damaged(`its entry ${describe(name)} is neither a file nor a folder`)
    // The archive's own root, as `tar -C folder .` writes it, is no entry.
    else if (name !== '' && name !== '.') visit({ name, size: 0, isFolder: true })
    extended = {}
    if (take === undefined) await bytes.skip(size)
    else await take(bytes.pieces(size))
    await bytes.skip(padding(size))
  }
  // To the end, as only there the checksum of gzip is compared.
  while ((await bytes.some(BLOCK)) !== undefined);
}

/** A hard link names its file from the root. One in the same folder is as a symbolic link that names it alone. */
function besides(name, link) {
  const folder = name.slice(0, name.lastIndexOf('/') + 1)
  const target = link.replace(/^(\.\/)+/, '')
  return target.startsWith(folder) ? target.slice(folder.length) : target
}

module.exports = { readTar }
