'use strict'

/**
 * The entries of an archive, checked as they are read: a name that leads out of the folder, a link that does, a name that comes twice, and more
 * than any distribution holds are refused before anything is written. This is the one place for it, whatever the archive's format.
 */

const { VecrankError, describe } = require('../errors.js')

/** The largest distribution known has 420 MB and 400 entries. What is declared is held to: reading an entry ends at its declared size. */
const MOST_BYTES = 4 * 2 ** 30
const MOST_ENTRIES = 20_000
const LONGEST_NAME = 1024
/** The texts that are read to tell what a distribution is: all of them, as they are held in memory. */
const MOST_TEXT = 64 * 2 ** 20

/** What came is not what it must be: a clause about the archive, whose name stands before it when it is printed. */
function damaged(what, cause) {
  return new VecrankError('ERR_CORRUPT', what, cause && { cause })
}

class Entries {
  /** By name: the size, and what a link leads to. */
  found = new Map()
  #bytes = 0

  /** Folders are not kept, as they follow from the names of files, but have to be in order as well. */
  addFolder(name) {
    expectInside(name)
  }

  /** Takes a file, or a link where `link` is set. */
  add(name, size, link) {
    expectInside(name)
    if (link !== undefined) expectBeside(name, link)
    if (this.found.has(name)) throw damaged(`its entry ${describe(name)} is there twice`)
    this.#bytes += size
    if (this.#bytes > MOST_BYTES) throw damaged('it would take more than 4 GiB')
    if (this.found.size >= MOST_ENTRIES) throw damaged(`it has more than ${MOST_ENTRIES} files`)
    this.found.set(name, { size, link })
  }
}

/** Throws for a name that is, on any system, more than a path below the folder. */
function expectInside(name) {
  const isPath = name.length <= LONGEST_NAME && !/[\0-\x1f\x7f\\:]/.test(name)
  // Windows drops dots and blanks at the end, so that `.. ` would be `..` there. This refuses '.' and '..' as well.
  if (!isPath || name.split('/').some((part) => part === '' || /[. ]$/.test(part))) throw damaged(`its entry ${describe(name)} is no path inside a folder`)
}

/** Throws for a link to anything but a file in the same folder. Releases for Unix have such ones: `libonnxruntime.so` for `libonnxruntime.so.1`. */
function expectBeside(name, link) {
  if (link.includes('/')) throw damaged(`its entry ${describe(name)} is a link to ${describe(link)}, which is in another folder`)
  expectInside(link)
}

/** Passes the bytes of an entry on and throws unless there are as many as declared. It stops at the first one too many. */
async function* counted(name, size, chunks) {
  let count = 0
  for await (const chunk of chunks) {
    count += chunk.length
    if (count > size) throw damaged(`its entry ${describe(name)} is larger than the ${size} bytes that it declares`)
    yield chunk
  }
  if (count < size) throw damaged(`its entry ${describe(name)} has ${count} of the ${size} bytes that it declares`)
}

/** Small entries as a whole, by name. */
class Texts {
  found = new Map()
  #bytes = 0

  async add(name, size, chunks) {
    this.#bytes += size
    if (this.#bytes > MOST_TEXT) throw damaged(`its entry ${describe(name)} is too large for a text`)
    const parts = []
    for await (const chunk of chunks) parts.push(chunk)
    this.found.set(name, Buffer.concat(parts).toString('utf8'))
  }
}

module.exports = { Entries, MOST_BYTES, Texts, counted, damaged }
