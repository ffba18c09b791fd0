'use strict'

/**
 * Gives an ELF shared library another SONAME of the same length.
 *
 * Why: glibc finds a library that is already loaded by its SONAME. Two copies of ONNX Runtime in one process (ours and the one of another
 * package) would become one, whichever came first. With a SONAME of our own each keeps its own. The build does this to the library that is
 * shipped, and `vecrank runtime add` to those that a user brings.
 *
 * The new name has the old one's length, so nothing moves: the bytes of the name in the dynamic string table change, and the version
 * definition that carries the same name gets its hash. Whatever is not exactly as expected is refused.
 */

const DT = { NULL: 0, NEEDED: 1, STRTAB: 5, STRSZ: 10, SONAME: 14, RPATH: 15, RUNPATH: 29, VERDEF: 0x6ffffffc, VERDEFNUM: 0x6ffffffd, VERNEED: 0x6ffffffe, VERNEEDNUM: 0x6fffffff }
const PT_LOAD = 1
const PT_DYNAMIC = 2
const SHT_DYNSYM = 11
const SYMBOL_SIZE = 24
const MOST_ENTRIES = 10_000

function refuse(reason) {
  throw new Error(`cannot change the SONAME: ${reason}`)
}

/** The hash that the System V ABI defines for symbol and version names. */
function elfHash(name) {
  let hash = 0
  for (const byte of Buffer.from(name, 'latin1')) {
    hash = ((hash << 4) + byte) >>> 0
    const high = (hash & 0xf0000000) >>> 0
    if (high !== 0) hash ^= high >>> 24
    hash = (hash & ~high) >>> 0
  }
  return hash
}

/** Reads a 64-bit little-endian number that has to fit a JavaScript integer. */
function u64(image, at) {
  const value = image.readBigUInt64LE(at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) refuse(`the number at byte ${at} is out of range`)
  return Number(value)
}

function readHeaders(image) {
  if (image.length < 64 || image.toString('latin1', 0, 4) !== '\x7fELF') refuse('this is not an ELF file')
  if (image[4] !== 2 || image[5] !== 1) refuse('only 64-bit little-endian ELF files are supported')
  if (image.readUInt16LE(16) !== 3) refuse('this is not a shared library')
  if (image.readUInt16LE(54) !== 56 || image.readUInt16LE(58) !== 64) refuse('the size of a header is not the usual one')
  const segments = Array.from({ length: image.readUInt16LE(56) }, (_, index) => {
    const at = u64(image, 32) + 56 * index
    return { type: image.readUInt32LE(at), offset: u64(image, at + 8), address: u64(image, at + 16), size: u64(image, at + 32) }
  })
  const sections = Array.from({ length: image.readUInt16LE(60) }, (_, index) => {
    const at = u64(image, 40) + 64 * index
    return { type: image.readUInt32LE(at + 4), offset: u64(image, at + 24), size: u64(image, at + 32), entry: u64(image, at + 56) }
  })
  return { segments, sections }
}

/** The dynamic section as tag → value, with every DT_NEEDED kept. */
function readDynamic(image, segments) {
  const found = segments.filter((segment) => segment.type === PT_DYNAMIC)
  if (found.length !== 1) refuse(`${found.length} dynamic segments, not one`)
  const tags = new Map()
  const needed = []
  for (let at = found[0].offset; at < found[0].offset + found[0].size; at += 16) {
    const tag = u64(image, at)
    if (tag === DT.NULL) break
    if (tag === DT.NEEDED) needed.push(u64(image, at + 8))
    else if (tag === DT.SONAME && tags.has(tag)) refuse('two SONAMEs')
    else tags.set(tag, u64(image, at + 8))
  }
  return { tags, needed }
}

function required(tags, name) {
  return tags.get(DT[name]) ?? refuse(`no DT_${name}`)
}

/** Walks the records of a version table; `visit(record, auxiliaries)` gets their offsets in the file. */
function walkVersions(image, start, count, layout, visit) {
  if (count > MOST_ENTRIES) refuse(`${count} version records`)
  for (let record = start, n = 0; n < count; n++) {
    const auxiliaries = []
    const howMany = image.readUInt16LE(record + layout.count)
    for (let auxiliary = record + image.readUInt32LE(record + layout.first), m = 0; m < howMany; m++) {
      auxiliaries.push(auxiliary)
      auxiliary += image.readUInt32LE(auxiliary + layout.nextAuxiliary)
    }
    visit(record, auxiliaries)
    record += image.readUInt32LE(record + layout.next)
  }
}

/** Where the bytes of an address lie in the file. */
function offsetIn(segments, address) {
  const home = segments.find(({ type, address: first, size }) => type === PT_LOAD && address >= first && address < first + size)
  return home === undefined ? refuse(`address ${address} is in no segment`) : home.offset + (address - home.address)
}

const textAt = (image, at) => image.toString('latin1', at, image.indexOf(0, at))

/** The SONAME that a shared library has, or undefined. Throws where it is no such library. */
function sonameOf(image) {
  const { segments } = readHeaders(image)
  const { tags } = readDynamic(image, segments)
  if (!tags.has(DT.SONAME)) return undefined
  return textAt(image, offsetIn(segments, required(tags, 'STRTAB')) + required(tags, 'SONAME'))
}

/**
 * A copy of `image` whose SONAME is `to`.
 *
 * @param {Buffer} image the library
 * @param {string} from the SONAME that it must have now
 * @param {string} to the new one, as long as the old one
 * @returns {Buffer}
 */
function replaceSoname(image, from, to) {
  if (!/^[\x21-\x7e]+$/.test(to) || to.length !== from.length) {
    refuse(`${JSON.stringify(to)} must be as long as ${JSON.stringify(from)}, in plain ASCII`)
  }
  const { segments, sections } = readHeaders(image)
  const fileOffset = (address) => offsetIn(segments, address)
  const { tags, needed } = readDynamic(image, segments)
  const name = required(tags, 'SONAME')
  const at = fileOffset(required(tags, 'STRTAB')) + name
  if (name < 1 || name + from.length >= required(tags, 'STRSZ')) refuse('the name lies outside the string table')
  const current = textAt(image, at)
  if (current !== from) refuse(`it is ${JSON.stringify(current)}, expected ${JSON.stringify(from)}`)
  if (image[at - 1] !== 0) refuse('a longer string ends with the same bytes')

  // Nobody else may use these bytes, whole or from the middle: linkers share the tails of strings.
  const shares = (offset) => offset >= name && offset < name + from.length
  if (needed.some(shares)) refuse('a needed library has the same name')
  if ([DT.RPATH, DT.RUNPATH].some((tag) => shares(tags.get(tag) ?? 0))) refuse('a search path shares the bytes of the name')
  const symbols = sections.filter((section) => section.type === SHT_DYNSYM)
  if (symbols.length !== 1 || symbols[0].entry !== SYMBOL_SIZE) refuse('no table of dynamic symbols to check')
  for (let symbol = symbols[0].offset; symbol < symbols[0].offset + symbols[0].size; symbol += SYMBOL_SIZE) {
    if (shares(image.readUInt32LE(symbol))) refuse('a symbol shares the bytes of the name')
  }
  if (tags.has(DT.VERNEED)) {
    const layout = { count: 2, first: 8, next: 12, nextAuxiliary: 12 }
    walkVersions(image, fileOffset(tags.get(DT.VERNEED)), required(tags, 'VERNEEDNUM'), layout, (record, auxiliaries) => {
      const names = [image.readUInt32LE(record + 4), ...auxiliaries.map((auxiliary) => image.readUInt32LE(auxiliary + 8))]
      if (names.some(shares)) refuse('a needed version has the same name')
    })
  }

  const edited = Buffer.from(image)
  edited.write(to, at, 'latin1')
  if (tags.has(DT.VERDEF)) {
    const layout = { count: 6, first: 12, next: 16, nextAuxiliary: 4 }
    walkVersions(image, fileOffset(tags.get(DT.VERDEF)), required(tags, 'VERDEFNUM'), layout, (record, auxiliaries) => {
      for (const [position, auxiliary] of auxiliaries.entries()) {
        const offset = image.readUInt32LE(auxiliary)
        if (!shares(offset)) continue
        const isBase = (image.readUInt16LE(record + 2) & 1) === 1
        if (offset !== name || position !== 0 || !isBase) refuse('a version other than the base has the same name')
        if (image.readUInt32LE(record + 8) !== elfHash(from)) refuse('the hash of the base version is not that of its name')
        edited.writeUInt32LE(elfHash(to), record + 8)
      }
    })
  }
  return edited
}

module.exports = { elfHash, replaceSoname, sonameOf }
