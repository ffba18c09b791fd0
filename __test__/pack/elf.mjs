// What a shared library asks of the system that loads it, read from the file: 64-bit little-endian ELF, all that packages for Linux hold.

const PT = { load: 1, dynamic: 2, stack: 0x6474e551 }
const DT = { needed: 1, strtab: 5, soname: 14, rpath: 15, runpath: 29, verneed: 0x6ffffffe, verneednum: 0x6fffffff }
const MACHINES = { 62: 'x64', 183: 'arm64' }

/**
 * @param {Buffer} file
 * @returns {{ machine: string, needed: string[], soname?: string, rpath: string[], versions: string[], executableStack: boolean }}
 *   `versions` are those of other libraries' symbols, such as `GLIBC_2.28`
 */
export function readElf(file) {
  if (file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') throw new Error('This is no 64-bit little-endian ELF file.')
  const long = (at) => Number(file.readBigUInt64LE(at))
  const segments = Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = long(32) + index * file.readUInt16LE(54)
    return {
      type: file.readUInt32LE(at),
      flags: file.readUInt32LE(at + 4),
      offset: long(at + 8),
      address: long(at + 16),
      size: long(at + 32),
    }
  })
  const dynamic = segments.find(({ type }) => type === PT.dynamic)
  if (dynamic === undefined) throw new Error('This ELF file is not loaded dynamically.')

  /** Where in the file lies what is at that address in memory. */
  const placeOf = (address) => {
    const segment = segments.find((each) => each.type === PT.load && address >= each.address && address < each.address + each.size)
    return address - segment.address + segment.offset
  }
  const entries = []
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size && long(at) !== 0; at += 16) entries.push([long(at), long(at + 8)])
  const valuesOf = (tag) => entries.filter(([each]) => each === tag).map(([, value]) => value)
  const strings = placeOf(valuesOf(DT.strtab)[0])
  const text = (offset) => file.toString('latin1', strings + offset, file.indexOf(0, strings + offset))

  const stack = segments.find(({ type }) => type === PT.stack)
  return {
    machine: MACHINES[file.readUInt16LE(18)] ?? `machine ${file.readUInt16LE(18)}`,
    needed: valuesOf(DT.needed).map(text),
    soname: valuesOf(DT.soname).map(text)[0],
    rpath: [...valuesOf(DT.rpath), ...valuesOf(DT.runpath)].map(text),
    versions: versionsNeeded(file, valuesOf(DT.verneed).map(placeOf)[0], valuesOf(DT.verneednum)[0] ?? 0).map(text),
    // Without the segment the system makes the stack executable.
    executableStack: stack === undefined || (stack.flags & 1) === 1,
  }
}

/** The names (as offsets of strings) in the table of needed versions: libraries in a chain, each with a chain of versions. */
function versionsNeeded(file, start, count) {
  const names = []
  for (let library = start, left = count; left > 0; left--) {
    let at = library + file.readUInt32LE(library + 8)
    for (let versions = file.readUInt16LE(library + 2); versions > 0; versions--) {
      names.push(file.readUInt32LE(at + 8))
      at += file.readUInt32LE(at + 12)
    }
    library += file.readUInt32LE(library + 12)
  }
  return names
}

/** The highest version of a family (`GLIBC`) among names such as `GLIBC_2.28`, or undefined. Names without numbers count as higher. */
export function highest(versions, family) {
  const collator = new Intl.Collator('en', { numeric: true })
  const found = versions.filter((name) => name.startsWith(`${family}_`)).map((name) => name.slice(family.length + 1))
  return found.sort(collator.compare).at(-1)
}
