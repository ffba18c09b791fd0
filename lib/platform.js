'use strict'

/**
 * Which platform this process runs on, in the words of the platform packages' names: `linux-x64-gnu` is the package `vecrank-linux-x64-gnu`.
 */

const fs = require('node:fs')
const path = require('node:path')
const { VecrankError } = require('./errors.js')
const { exists } = require('./exists.js')

/** Every platform that has a package. */
const PLATFORMS = ['linux-x64-gnu', 'linux-arm64-gnu', 'linux-x64-musl', 'linux-arm64-musl', 'darwin-arm64', 'win32-x64-msvc', 'win32-arm64-msvc']

/** This process's platform, whether there is a package for it or not. */
function platform() {
  const base = `${process.platform}-${process.arch}`
  if (process.platform === 'win32') return `${base}-msvc`
  return process.platform === 'linux' ? `${base}-${libc()}` : base
}

/** The C library of the running program. An addon must be made for the same one; what else is installed on the system does not matter. */
function libc() {
  // The program itself names its loader.
  const loader = elfInterpreter(process.execPath)
  if (loader !== undefined) return loader.includes('ld-musl') ? 'musl' : 'gnu'
  // It cannot be read, as under the permission model. Node's report is the second choice: it can take long, as it looks up the names of the peers of
  // open sockets, unless told not to (from Node 22.13 on).
  const { report } = process
  if (report === undefined) return 'gnu'
  const before = report.excludeNetwork
  try {
    report.excludeNetwork = true
    return report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'gnu'
  } catch {
    return 'gnu'
  } finally {
    report.excludeNetwork = before
  }
}

/** The loader that a 64-bit ELF program asks for (PT_INTERP), or undefined where there is none or it cannot be read. */
function elfInterpreter(program) {
  let file
  try {
    file = fs.openSync(program, 'r')
    const read = (offset, length) => {
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, fs.readSync(file, bytes, 0, length, offset))
    }
    const header = read(0, 64)
    if (header.toString('latin1', 0, 5) !== '\x7fELF\x02') return undefined
    const size = header.readUInt16LE(54)
    const table = read(Number(header.readBigUInt64LE(32)), size * header.readUInt16LE(56))
    for (let at = 0; at < table.length; at += size) {
      if (table.readUInt32LE(at) === 3) return read(Number(table.readBigUInt64LE(at + 8)), Math.min(Number(table.readBigUInt64LE(at + 32)), 256)).toString('latin1')
    }
    return undefined
  } catch {
    return undefined
  } finally {
    if (file !== undefined) fs.closeSync(file)
  }
}

/**
 * The path of a file as the operating system sees it. Inside an Electron archive (`app.asar`) there are no files for it: those that native
 * code opens have to be unpacked, beside the archive.
 */
function onDisk(file) {
  const unpacked = file.replace(/\.asar(?=[\\/])/, '.asar.unpacked')
  if (unpacked === file) return file
  if (exists(unpacked)) return path.normalize(unpacked)
  // Elsewhere a folder may have any name.
  if (process.versions.electron === undefined) return file
  throw new VecrankError(
    'ERR_RUNTIME',
    `${file} is inside an Electron archive, where native code cannot open it. Unpack it: asarUnpack: ['**/node_modules/vecrank-*/**'] (electron-builder) or ` +
      "packagerConfig: { asar: { unpack: '**/node_modules/vecrank-*/**' } } (Forge).",
  )
}

module.exports = { PLATFORMS, elfInterpreter, onDisk, platform }
