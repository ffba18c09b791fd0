'use strict'

/**
 * Which systems a library is made for, by its first bytes: ELF, PE and Mach-O name the processor, and each is of one system here. A library for
 * another one is refused when it is added, as its own error when it is opened would only say that the format is wrong.
 */

const { VecrankError, describe } = require('../errors.js')

/** As much of a file as the answer needs: the header of PE lies behind a program for DOS. */
const HEAD = 4096
const ELF = { 62: 'x64', 183: 'arm64', 243: 'riscv64' }
const PE = { 0x14c: 'ia32', 0x8664: 'x64', 0xaa64: 'arm64' }
const MACH = { 0x01000007: 'x64', 0x0100000c: 'arm64' }

/** The platforms, as Node names them, that a library with these first bytes is for; none where it is no library. */
function platformsOf(head) {
  try {
    return read(head)
  } catch (error) {
    // Cut off inside its header.
    if (error instanceof RangeError) return []
    throw error
  }
}

function read(head) {
  const magic = head.readUInt32BE(0)
  if (magic === 0x7f454c46) {
    const isShared = head.readUInt16LE(16) === 3
    const isOf64Bits = head[4] === 2
    if (isShared) return [`linux-${isOf64Bits ? (ELF[head.readUInt16LE(18)] ?? 'another processor') : '32 bits'}`]
    // A program, an object file, or one of a processor that writes numbers from the other end.
    return head[5] === 1 ? [] : ['linux-another processor']
  }
  if (magic >>> 16 === 0x4d5a) {
    const at = head.readUInt32LE(0x3c)
    return head.readUInt32BE(at) === 0x50450000 ? [`win32-${PE[head.readUInt16LE(at + 4)] ?? 'another processor'}`] : []
  }
  if (magic === 0xcffaedfe) return [`darwin-${MACH[head.readUInt32LE(4)] ?? 'another processor'}`]
  // One file for several processors.
  if (magic === 0xcafebabe) {
    const count = Math.min(head.readUInt32BE(4), 8)
    return Array.from({ length: count }, (_, index) => `darwin-${MACH[head.readUInt32BE(8 + 20 * index)] ?? 'another processor'}`)
  }
  return []
}

/** Throws unless the library with these first bytes is for this process's system and processor. */
function expectThisMachine(name, head) {
  const here = `${process.platform}-${process.arch}`
  const platforms = platformsOf(head)
  if (platforms.includes(here)) return
  const what = platforms.length === 0 ? 'is no library' : `is a library for ${platforms.join(' and ')}`
  throw new VecrankError('ERR_RUNTIME', `its file ${describe(name)} ${what}, and this is ${here}`)
}

module.exports = { HEAD, expectThisMachine }
