'use strict'

/**
 * `vecrank runtime`: builds of ONNX Runtime for other devices, and plugins for it, put where vecrank finds them. They are native code that will
 * run in the user's programs: what is added is an official package as it was published, checked entry by entry before it gets its place.
 */

const path = require('node:path')
const { VecrankError, describe } = require('../errors.js')
const { exists } = require('../exists.js')
const { openArchive } = require('./archive.js')
const { UsageError, bytes, several } = require('./arguments.js')
const { choose, isLibrary } = require('./distribution.js')
const { damaged } = require('./entries.js')
const { expectVersion, isText, originOf, recordOf, versionInResources } = require('./origin.js')
const { FORMAT, compareVersions, listRuntimes, runtimesFolder } = require('./runtimes.js')
const { Storage, remove: removeFolder } = require('./storage.js')

/** An address on the web, and the name of a project on an index, a version with it or not: what `pip` and `npm` would take. */
const ADDRESS = /^(?!file:)[a-z][a-z\d+.-]+:\/\//i
const PROJECT = /^[a-z\d][\w.-]*([=~<>!]=.*)?$/i
const ARCHIVE = /\.(whl|nupkg|zip|tgz|gz)$/i

const SIGNALS = { SIGINT: 130, SIGTERM: 143 }

const print = (text) => process.stdout.write(`${text}\n`)

async function add(words) {
  if (words.length === 0) throw new UsageError('runtime add needs a wheel, a package, an archive or a folder')
  for (const word of words) expectFile(word)
  for (const word of words) await addOne(word)
  return 0
}

/** Nothing is downloaded here: native code is what the user has fetched from where he trusts. */
function expectFile(word) {
  const isElsewhere = ADDRESS.test(word) || (PROJECT.test(word) && !ARCHIVE.test(word) && !exists(path.resolve(word)))
  if (isElsewhere) throw new UsageError('runtime add: it takes a file or a folder; download it first, such as: pip download --no-deps onnxruntime-gpu')
}

async function addOne(word) {
  const file = path.resolve(word)
  try {
    const added = await unpack(file)
    const { name, version, devices, files } = added.described
    const sizes = Object.values(files).map(({ size }) => size)
    const sum = sizes.reduce((total, size) => total + size, 0)
    print(`Added ${name} ${version} (${devices.join(', ') || 'no devices'}): ${several(sizes.length, 'file')}, ${bytes(sum)}`)
    print(`  folder ${added.folder}`)
    for (const note of notesOn(added.described)) print(`  note: ${note}`)
  } catch (error) {
    // Errors of the disk name their own place.
    if (!(error instanceof VecrankError) || error.code === 'ERR_FILE_NOT_FOUND') throw error
    const isAboutData = error.code === 'ERR_DISK' && error.message.includes('VECRANK_DATA')
    throw isAboutData ? error : new VecrankError(error.code, `Could not add ${file}: ${error.message}`, { cause: error.cause })
  }
}

/** From an archive to its place: what it is, all of its files, then its name. */
async function unpack(file) {
  const source = path.basename(file)
  const runtimes = runtimesFolder()
  const archive = await openArchive(file, isText)
  let storage
  const handlers = Object.entries(SIGNALS).map(([name, code]) => [name, () => stop(storage, code)])
  for (const [name, handler] of handlers) process.on(name, handler)
  try {
    const chosen = choose(archive.entries)
    const origin = originOf(archive, chosen, source)
    if (origin.version !== undefined) expectVersion(chosen.kind, origin.version)
    const record = recordOf(archive, source)
    storage = new Storage(runtimes)
    storage.expectRoom([...chosen.files.keys()].reduce((sum, name) => sum + archive.entries.get(name).size, 0))
    await archive.extract([...chosen.files.keys()], async (name, size, chunks) => {
      const stored = chosen.files.get(name)
      await storage.write(stored, chunks, { isLibrary: isLibrary(stored) })
      if (record !== undefined) expectRecorded(name, storage.files[stored], record.get(name))
    })
    return await finish(storage, chosen, origin, source)
  } finally {
    for (const [name, handler] of handlers) process.off(name, handler)
    storage?.discard()
    archive.close()
  }
}

function stop(storage, code) {
  storage?.discard()
  process.stderr.write('vecrank: stopped. Nothing was added.\n')
  process.exit(code)
}

function expectRecorded(name, found, recorded) {
  const shown = describe(name)
  if (recorded === undefined) throw damaged(`its file ${shown} is not in its RECORD`)
  const isSame = recorded.sha256 === found.sha256 && recorded.size === found.size
  if (!isSame) throw damaged(`its file ${shown} is not the one of its RECORD: sha256 ${found.sha256}, expected ${recorded.sha256}`)
}

async function finish(storage, { kind, library, devices }, { name, version: stated }, source) {
  const version = stated ?? (library.endsWith('.dll') ? versionInResources(storage.read(library)) : undefined)
  expectVersion(kind, version)
  if (kind === 'onnxruntime' && library.startsWith('libonnxruntime.so')) storage.rename(library)
  const files = Object.fromEntries(Object.entries(storage.files).sort(([a], [b]) => (a < b ? -1 : 1)))
  const described = { format: FORMAT, kind, name, version, library, devices, source, sha256: files[library].sha256, files }
  return { described, folder: await storage.finish(`${name}-${version}`, described) }
}

function notesOn({ kind, name, version, devices }) {
  const notes = []
  if (kind === 'onnxruntime' && devices.length === 0) {
    notes.push('this is a build for the CPU: there is no library of a device in it. vecrank does not take it by itself: set VECRANK_ORT_DIR to its folder')
  }
  const newer = listRuntimes().find((one) => one.name === name && one.isNewest && compareVersions(one.version, version) > 0)
  if (newer !== undefined) notes.push(`${name} ${newer.version} is there as well, and the newest counts`)
  return notes
}

async function list(words, options) {
  if (words.length > 0) throw new UsageError(`runtime ls takes no ${JSON.stringify(words[0])}`)
  const folder = runtimesFolder()
  const runtimes = listRuntimes()
  if (options.json) {
    print(JSON.stringify({ folder, runtimes: runtimes.map(({ entry: _, ...one }) => one) }, null, 2))
  } else {
    const rows = runtimes.map(({ name, version, devices, size }) => [name, version, devices.join(', ') || '-', bytes(size)])
    const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column].length)))
    for (const [index, { path: place, name, isNewest, damaged: reasons }] of runtimes.entries()) {
      const [first, second, third, size] = rows[index].map((text, column) => (column === 3 ? text.padStart(widths[3]) : text.padEnd(widths[column])))
      const newest = runtimes.find((one) => one.name === name)
      print(`${first}  ${second}  ${third}  ${size}  ${place}${isNewest ? '' : `  (not used: ${newest.version} is newer)`}`)
      for (const reason of reasons) print(`  damaged: ${reason}`)
    }
    print(`${several(runtimes.length, 'runtime')}, ${bytes(runtimes.reduce((sum, { size }) => sum + size, 0))} in ${folder}`)
  }
  return runtimes.some(({ damaged: reasons }) => reasons.length > 0) ? 1 : 0
}

async function remove(words) {
  if (words.length === 0) throw new UsageError('runtime rm needs the name of a runtime')
  const runtimes = listRuntimes()
  const meant = words.flatMap((word) => {
    const found = runtimes.filter(({ entry, name }) => entry === word || name === word)
    if (found.length > 0) return found
    const names = runtimes.map(({ entry }) => entry)
    throw new UsageError(`there is no runtime ${JSON.stringify(word)}; ${names.length > 0 ? `there is ${names.join(', ')}` : 'there is none at all'}`)
  })
  for (const { entry, size } of new Set(meant)) {
    removeFolder(runtimesFolder(), entry)
    print(`Removed ${entry}: ${bytes(size)} freed`)
  }
  return 0
}

module.exports = { add, list, remove }
