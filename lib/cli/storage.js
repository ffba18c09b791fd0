'use strict'

/**
 * Writing a runtime into its place. It grows in a passing folder beside the others and is renamed when it is whole, so nobody sees half of one,
 * and one whose process was killed counts for nothing. The next `add` takes such leftovers away.
 */

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { VecrankError, describe } = require('../errors.js')
const { replaceSoname, sonameOf } = require('./soname.js')
const { damaged } = require('./entries.js')
const { HEAD, expectThisMachine } = require('./machine.js')

/** A folder whose name begins so is on its way in or out. `runtimes.js` does not see it, and neither does the native side. */
const PASSING = '.passing-'
/** Of a process on another machine nothing is known: its folder is left over once nothing in it has changed for so long. */
const FORGOTTEN_MS = 10 * 60_000
const SONAME = { from: 'libonnxruntime.so.1', to: 'libvecrank-ort.so.1' }
/** The main library is changed in memory; that of ONNX Runtime has 20 to 50 MB, as its devices have libraries of their own. */
const LARGEST_CHANGED = 512 * 2 ** 20

const ANOTHER = 'set VECRANK_DATA to another folder'
const ADVICE = {
  ENOSPC: 'There is no room: free some',
  EDQUOT: 'There is no room for this user: free some',
  EROFS: 'The disk can only be read: mount it for writing',
  EACCES: 'Give this user the right to write there',
  EPERM: 'Give this user the right to write there, and end programs that have it open',
  EBUSY: 'End programs that have it open',
  ENOTDIR: 'A file is in the way of a folder: remove it',
  EEXIST: 'A file is in the way of a folder: remove it',
}

/** Does something to a path, and names it where that fails: a write that finds the disk full does not say where. */
function at(place, action) {
  try {
    return action()
  } catch (error) {
    throw diskError(place, error)
  }
}

function diskError(place, error) {
  if (error instanceof VecrankError || error.code === undefined) return error
  const advice = ADVICE[error.code] ?? 'See to it that this user can make files there'
  return new VecrankError('ERR_DISK', `Could not write to ${place}. ${advice}, or ${ANOTHER}`, { cause: error })
}

const host = crypto.createHash('sha256').update(os.hostname()).digest('hex').slice(0, 8)
const passingName = () => `${PASSING}${host}-${process.pid}-${crypto.randomBytes(4).toString('hex')}`

class Storage {
  /** By stored name: the size and the digest. */
  files = {}
  #runtimes
  #folder

  /** @param {string} runtimes the folder of all runtimes; it is made where it is missing */
  constructor(runtimes) {
    this.#runtimes = runtimes
    this.#folder = path.join(runtimes, passingName())
    at(runtimes, () => fs.mkdirSync(runtimes, { recursive: true }))
    removeLeftovers(runtimes)
    at(this.#folder, () => fs.mkdirSync(this.#folder))
  }

  /** Refuses what does not fit, before its first byte. */
  expectRoom(needed) {
    let free
    try {
      const { bavail, bsize } = fs.statfsSync(this.#runtimes)
      free = bavail * bsize
    } catch {
      // Where the system does not say, writing will.
      return
    }
    if (free >= needed) return
    const numbers = `${needed} bytes are needed and ${free} are free`
    throw new VecrankError('ERR_DISK', `There is no room in ${this.#runtimes}: ${numbers}. Free some, or ${ANOTHER}`)
  }

  /** Writes a file as its bytes come. A library has to be one for this machine, which its first bytes tell before the rest is written. */
  async write(name, chunks, { isLibrary }) {
    const place = path.join(this.#folder, ...name.split('/'))
    const file = at(place, () => {
      fs.mkdirSync(path.dirname(place), { recursive: true })
      return fs.openSync(place, 'wx', 0o644)
    })
    try {
      const hash = crypto.createHash('sha256')
      let head = Buffer.alloc(0)
      let isChecked = !isLibrary
      let size = 0
      for await (const chunk of chunks) {
        if (!isChecked) {
          head = Buffer.concat([head, chunk.subarray(0, HEAD)])
          isChecked = head.length >= HEAD
          if (isChecked) expectThisMachine(name, head)
        }
        hash.update(chunk)
        at(place, () => writeWhole(file, chunk))
        size += chunk.length
      }
      if (!isChecked) expectThisMachine(name, head)
      // Some disks say only now that they are full, and a rename must not come before the bytes.
      at(place, () => fs.fsyncSync(file))
      this.files[name] = { size, sha256: hash.digest('hex') }
    } finally {
      fs.closeSync(file)
    }
  }

  /**
   * Gives ONNX Runtime's library for Linux a SONAME of our own, as `soname.js` explains: beside onnxruntime-node in one process, each keeps its
   * own. A library with yet another name, a distribution's, clashes with none and stays as it is.
   */
  rename(library) {
    const image = this.read(library)
    let changed
    try {
      if (sonameOf(image) !== SONAME.from) return
      changed = replaceSoname(image, SONAME.from, SONAME.to)
    } catch (error) {
      throw damaged(`its file ${describe(library)} is not built as ONNX Runtime is`, error)
    }
    const place = path.join(this.#folder, library)
    at(place, () => fs.writeFileSync(place, changed, { flush: true }))
    this.files[library] = { size: changed.length, sha256: crypto.createHash('sha256').update(changed).digest('hex') }
  }

  /** The main library as it was stored. */
  read(library) {
    if (this.files[library].size > LARGEST_CHANGED) throw damaged(`its file ${describe(library)} is too large for ONNX Runtime's library`)
    return fs.readFileSync(path.join(this.#folder, library))
  }

  /** Describes the runtime and gives it its place, which another one may have now. */
  async finish(name, description) {
    const own = path.join(this.#folder, 'runtime.json')
    at(own, () => fs.writeFileSync(own, `${JSON.stringify(description, null, 2)}\n`, { flush: true }))
    const target = path.join(this.#runtimes, name)
    await replace(this.#runtimes, this.#folder, target)
    return target
  }

  /** Removes what was written, where it is not in its place. */
  discard() {
    removeIfPossible(this.#folder)
  }
}

function writeWhole(file, chunk) {
  for (let written = 0; written < chunk.length; ) written += fs.writeSync(file, chunk, written)
}

/** Moves a folder to where another one may be. Between its going and the new one's coming there is none, but never a mixture. */
async function replace(runtimes, folder, target) {
  for (let attempt = 0; ; attempt++) {
    const old = path.join(runtimes, passingName())
    const hadOne = moveIfThere(target, old)
    try {
      fs.renameSync(folder, target)
      if (hadOne) removeIfPossible(old)
      return
    } catch (error) {
      if (hadOne) giveBack(old, target)
      // Another `add` was faster, or on Windows a virus scanner still looks at the new files.
      const isPassing = ['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES', 'EBUSY'].includes(error.code)
      if (!isPassing || attempt === 10) throw diskError(target, error)
      await sleep(100)
    }
  }
}

/** Puts the old one back, unless the place is taken by a newer one. */
function giveBack(old, target) {
  try {
    fs.renameSync(old, target)
  } catch {
    if (fs.existsSync(target)) removeIfPossible(old)
  }
}

/** For what nobody sees any more. The next `add` tries again. */
function removeIfPossible(folder) {
  try {
    fs.rmSync(folder, { recursive: true, force: true })
  } catch {
    // Somebody else's, or in use. It is in nobody's way.
  }
}

function moveIfThere(from, to) {
  try {
    fs.renameSync(from, to)
    return true
  } catch (error) {
    if (error.code === 'ENOENT') return false
    throw diskError(from, error)
  }
}

/** Takes a runtime away. It is out of sight before its first file goes. */
function remove(runtimes, name) {
  const passing = path.join(runtimes, passingName())
  if (moveIfThere(path.join(runtimes, name), passing)) at(passing, () => fs.rmSync(passing, { recursive: true, force: true }))
}

/** Removes what killed processes left. What a living one is writing stays. */
function removeLeftovers(runtimes) {
  for (const name of at(runtimes, () => fs.readdirSync(runtimes))) {
    if (name.startsWith(PASSING) && isLeftOver(path.join(runtimes, name), name)) removeIfPossible(path.join(runtimes, name))
  }
}

function isLeftOver(folder, name) {
  const [owner, pid] = name.slice(PASSING.length).split('-')
  if (owner === host && !isRunning(Number(pid))) return true
  try {
    const places = [folder, ...fs.readdirSync(folder).map((file) => path.join(folder, file))]
    return places.every((place) => Date.now() - fs.statSync(place).mtimeMs > FORGOTTEN_MS)
  } catch {
    return false
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // There is one, of another user.
    return error.code === 'EPERM'
  }
}

module.exports = { PASSING, Storage, remove }
