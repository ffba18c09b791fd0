'use strict'

/**
 * The runtimes that were added: `<data>/runtimes/<name>-<version>/`, each with a `runtime.json` that says what it is. The native side reads the
 * same files. Nothing is hashed here: a file that is missing or has another size is noticed.
 */

const fs = require('node:fs')
const path = require('node:path')
const { dataFolder } = require('../data.js')
const { VecrankError } = require('../errors.js')
const { PASSING } = require('./storage.js')

/** The format of `runtime.json` that is written, and the only one that is read. */
const FORMAT = 1

function runtimesFolder() {
  const data = dataFolder()
  if (data === undefined) throw new VecrankError('ERR_DISK', 'This user has no home folder. Set VECRANK_DATA to the absolute path of a folder.')
  return path.join(data, 'runtimes')
}

/** All of them, each name's versions from the newest on; `isNewest` is the one that counts. What is damaged is listed with its reasons. */
function listRuntimes() {
  const folder = runtimesFolder()
  const found = namesIn(folder).map((entry) => readRuntime(path.join(folder, entry)))
  found.sort((a, b) => (a.name !== b.name ? (a.name < b.name ? -1 : 1) : compareVersions(b.version, a.version)))
  for (const [index, one] of found.entries()) one.isNewest = found[index - 1]?.name !== one.name
  return found
}

function namesIn(folder) {
  try {
    const isRuntime = (name) => !name.startsWith(PASSING) && fs.statSync(path.join(folder, name), { throwIfNoEntry: false })?.isDirectory()
    return fs.readdirSync(folder).filter(isRuntime)
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw new VecrankError('ERR_DISK', `Could not read ${folder}`, { cause: error })
  }
}

function readRuntime(place) {
  const entry = path.basename(place)
  const about = path.join(place, 'runtime.json')
  let described
  try {
    described = JSON.parse(fs.readFileSync(about, 'utf8'))
  } catch (error) {
    return broken(place, error.code === undefined ? `${about} is no JSON` : error.code === 'ENOENT' ? `${about} is missing` : `${about} cannot be read`)
  }
  if (described?.format !== FORMAT) return broken(place, `${about} has a format that this version does not know`)
  const { kind, name, version, library, devices, source, files } = described
  const isWhole =
    [kind, name, version, library].every((value) => typeof value === 'string') &&
    Array.isArray(devices) &&
    typeof files === 'object' &&
    files !== null &&
    Object.hasOwn(files, library)
  if (!isWhole) return broken(place, `${about} lacks what it must say`)
  if (entry !== `${name}-${version}`) return broken(place, `${about} is about ${name}-${version}`)
  const sizes = Object.entries(files).map(([inside, facts]) => {
    const file = path.join(place, inside)
    return { file, size: facts?.size, there: sizeOf(file) }
  })
  const damaged = sizes
    .filter(({ size, there }) => there !== size)
    .map(({ file, size, there }) => `${file} ${there === undefined ? 'is missing' : `has ${there} of ${size} bytes`}`)
  const size = sizes.reduce((sum, { there }) => sum + (there ?? 0), 0)
  return { entry, name, version, kind, library, devices, size, path: place, source: source ?? null, damaged }
}

/** An entry of which only the folder's name is known. */
function broken(place, reason) {
  const entry = path.basename(place)
  const [, name, version] = /^(.*?)-(\d[\w.+-]*)$/.exec(entry) ?? [undefined, entry, '']
  return { entry, name, version, kind: null, library: null, devices: [], size: 0, path: place, source: null, damaged: [reason] }
}

function sizeOf(file) {
  try {
    const stat = fs.statSync(file)
    return stat.isFile() ? stat.size : undefined
  } catch {
    return undefined
  }
}

/** Number by number; of equal ones the version with something behind them (`rc1`, `.dev2026`) comes first. */
function compareVersions(one, other) {
  const [a, b] = [one, other].map((version) => /^([\d.]*?)\.?([^\d.].*)?$/.exec(version))
  const [left, right] = [a, b].map((match) => (match?.[1] ?? '').split('.').map(Number))
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  const [before, after] = [a?.[2], b?.[2]]
  if (before === undefined || after === undefined) return Number(before === undefined) - Number(after === undefined)
  return new Intl.Collator('en', { numeric: true }).compare(before, after)
}

module.exports = { FORMAT, compareVersions, listRuntimes, runtimesFolder }
