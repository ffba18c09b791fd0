'use strict'

/**
 * A distribution as a list of files whose bytes can be had one after the other: a ZIP archive, a tarball or a folder, told apart by what they are
 * and not by their names. Nothing is held in memory but the list and small texts; a file passes through in pieces.
 *
 * Every one has `form`, `entries` (by name: `{ size, link }`), `texts` (the contents of those that were asked for), `extract(names, take)`, which
 * awaits `take(name, size, chunks)` for each of the names, and `close()`.
 */

const fs = require('node:fs')
const path = require('node:path')
const { pipeline } = require('node:stream/promises')
const { promisify } = require('node:util')
const zlib = require('node:zlib')
const { VecrankError, describe } = require('../errors.js')
const zip = require('./zip.js')
const { Entries, Texts, counted, damaged } = require('./entries.js')
const { readTar } = require('./tar.js')

const readAt = promisify(fs.read)

const PIECE = 256 * 1024
const DEEPEST_FOLDER = 16

/**
 * Opens what lies at a path.
 *
 * @param {string} file
 * @param {(name: string) => boolean} isText which entries are small texts to be read at once
 */
async function openArchive(file, isText) {
  const archive = await formOf(file)
  try {
    await archive.list(isText)
    return archive
  } catch (error) {
    archive.close()
    throw reasonOf(error)
  }
}

async function formOf(file) {
  let descriptor
  try {
    if (fs.statSync(file).isDirectory()) return new Folder(file)
    descriptor = fs.openSync(file, 'r')
    const magic = Buffer.alloc(4)
    fs.readSync(descriptor, magic, 0, 4, 0)
    if (magic.toString('latin1', 0, 2) === 'PK') return new Zip(descriptor)
    if (magic.readUInt16BE(0) === 0x1f8b) return new Tarball(descriptor)
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') throw new VecrankError('ERR_FILE_NOT_FOUND', `There is no ${path.resolve(file)}`)
    if (descriptor !== undefined) close(descriptor)
    throw reasonOf(error)
  }
  close(descriptor)
  throw damaged('it is neither a wheel, a NuGet package, a .zip, a .tgz nor a folder')
}

/** An error of the system or of decompression as one of ours. */
function reasonOf(error) {
  if (error instanceof VecrankError) return error
  if (/^Z_|^ERR_.*(ZLIB|BUFFER)/.test(error.code ?? '')) return damaged('its packed data is damaged', error)
  return error.syscall === undefined ? error : new VecrankError('ERR_DISK', 'it could not be read', { cause: error })
}

/** Closes what was only read, so nothing is lost where that fails: what went wrong before is what has to be told. */
function close(descriptor) {
  try {
    fs.closeSync(descriptor)
  } catch {
    // The process closes it with its end.
  }
}

/**
 * The bytes of an open file from one place to another, or to its end. The file stays open. A ReadStream would not do: a pipeline that fails destroys
 * it, and that closes the file whatever `autoClose` says.
 */
async function* bytesOf(descriptor, start, end = Infinity) {
  for (let at = start; at <= end; ) {
    const length = Math.min(PIECE, end - at + 1)
    const { bytesRead, buffer } = await readAt(descriptor, Buffer.allocUnsafe(length), 0, length, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** The texts of an archive whose files can be had in any order. */
async function textsOf(archive, isText) {
  const texts = new Texts()
  const names = [...archive.entries].filter(([name, { link }]) => link === undefined && isText(name)).map(([name]) => name)
  await archive.extract(names, (name, size, chunks) => texts.add(name, size, chunks))
  return texts.found
}

class Zip {
  form = 'zip'
  #descriptor
  #source
  #directory

  constructor(descriptor) {
    this.#descriptor = descriptor
    const read = (at, length) => {
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, fs.readSync(descriptor, bytes, 0, length, at))
    }
    this.#source = { size: fs.fstatSync(descriptor).size, read }
  }

  async list(isText) {
    const entries = new Entries()
    this.#directory = new Map()
    for (const entry of zip.readDirectory(this.#source)) {
      const isFolder = entry.name.endsWith('/')
      // Also what is not unpacked has to be in order: an archive that was made to harm is not trusted with its other half.
      if (!entry.isPlain) throw damaged(`its entry ${describe(entry.name)} is a link or no file at all`)
      if (isFolder) entries.addFolder(entry.name.slice(0, -1))
      else entries.add(entry.name, entry.size)
      zip.startOf(this.#source, entry)
      if (!isFolder) this.#directory.set(entry.name, entry)
    }
    this.entries = entries.found
    this.texts = await textsOf(this, isText)
  }

  async extract(names, take) {
    for (const name of names) {
      const entry = this.#directory.get(name)
      const start = zip.startOf(this.#source, entry)
      const steps = [entry.packed === 0 ? [] : bytesOf(this.#descriptor, start, start + entry.packed - 1)]
      if (entry.method === 8) steps.push(zlib.createInflateRaw({ chunkSize: PIECE }))
      await passOn(steps, (chunks) => take(name, entry.size, summed(entry, counted(name, entry.size, chunks))))
    }
  }

  close() {
    close(this.#descriptor)
  }
}

/** Passes the bytes of a ZIP's entry on and throws where they do not have its checksum. */
async function* summed({ name, crc }, chunks) {
  let sum = 0
  for await (const chunk of chunks) {
    sum = zip.crc32(chunk, sum)
    yield chunk
  }
  if (sum !== crc) throw damaged(`its entry ${describe(name)} does not have its checksum (CRC-32)`)
}

/** Sends bytes through steps to the function that takes them. Where that throws its error is the one: a pipeline would only say that it was aborted. */
async function passOn(steps, take) {
  let failure
  const last = async (chunks) => {
    try {
      await take(chunks)
    } catch (error) {
      failure = error
      throw error
    }
  }
  try {
    await pipeline([...steps, last])
  } catch (error) {
    throw reasonOf(failure ?? error)
  }
}

class Tarball {
  form = 'tarball'
  #descriptor

  constructor(descriptor) {
    this.#descriptor = descriptor
  }

  async list(isText) {
    const entries = new Entries()
    const texts = new Texts()
    await this.#read(({ name, size, link, isFolder }) => {
      if (isFolder) return entries.addFolder(name)
      entries.add(name, size, link)
      return link === undefined && isText(name) ? (chunks) => texts.add(name, size, chunks) : undefined
    })
    this.entries = entries.found
    this.texts = texts.found
  }

  async extract(names, take) {
    const wanted = new Set(names)
    await this.#read(({ name, size, isFolder }) => (!isFolder && wanted.delete(name) ? (chunks) => take(name, size, counted(name, size, chunks)) : undefined))
    if (wanted.size > 0) throw damaged('it has changed while it was read')
  }

  /** A tarball has no directory, so it is read once for the list and once for the files. */
  async #read(visit) {
    await passOn([bytesOf(this.#descriptor, 0), zlib.createGunzip({ chunkSize: PIECE })], (chunks) => readTar(chunks, visit))
  }

  close() {
    close(this.#descriptor)
  }
}

class Folder {
  form = 'folder'
  #folder

  constructor(folder) {
    this.#folder = folder
  }

  async list(isText) {
    const entries = new Entries()
    this.#walk('', entries, 0)
    this.entries = entries.found
    this.texts = await textsOf(this, isText)
  }

  #walk(prefix, entries, depth) {
    if (depth > DEEPEST_FOLDER) throw damaged(`its folder ${prefix} is too deep`)
    for (const one of fs.readdirSync(path.join(this.#folder, prefix), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = prefix === '' ? one.name : `${prefix}/${one.name}`
      const place = path.join(this.#folder, name)
      if (one.isDirectory()) this.#walk(name, entries, depth + 1)
      else if (one.isSymbolicLink()) entries.add(name, 0, fs.readlinkSync(place))
      else if (one.isFile()) entries.add(name, fs.lstatSync(place).size)
    }
  }

  async extract(names, take) {
    for (const name of names) {
      const { size } = this.entries.get(name)
      const bytes = fs.createReadStream(path.join(this.#folder, name), { highWaterMark: PIECE })
      await passOn([bytes], (chunks) => take(name, size, counted(name, size, chunks)))
    }
  }

  close() {}
}

module.exports = { openArchive }
