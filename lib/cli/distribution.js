'use strict'

/**
 * Which files of an archive are a runtime: ONNX Runtime's library and those of its devices beside it, or a plugin with its folder. Python, C
 * headers and what is for other platforms stays behind.
 */

const { VecrankError, describe } = require('../errors.js')
const { damaged } = require('./entries.js')

/** The library itself, by all of its names: with its version, without, and for Windows. */
const MAIN = /^(libonnxruntime\.so(\.\d+)*|libonnxruntime(\.\d+)*\.dylib|onnxruntime\.dll)$/
const LIBRARY = /\.(dll|dylib|so(\.\d+)*)$/i
const PYTHON = /\.(py|pyc|pyi|pyd|typed)$|(^|\/)__pycache__\/|\.(cpython|abi3)[\w.-]*\.so$|pybind11/
const LICENCE = /^(licen[cs]es?|copying|notices?|third.?party.*)(\.(txt|md|html|rtf))?$/i
/** What is in a folder of symbols only looks like a library. */
const SYMBOLS = /\.dsym\//i
/** The devices whose library may lie beside the main one. */
const DEVICES = { cuda: /^(lib)?onnxruntime_providers_cuda\./, tensorrt: /^(lib)?onnxruntime_providers_tensorrt\./, dml: /^directml\.dll$/i }
/** The plugins, which are loaded into any ONNX Runtime, by their device. */
const PLUGINS = {
  openvino: /^(lib)?onnxruntime_providers_openvino_plugin\.(so|dll|dylib)$/,
  webgpu: /^(lib)?onnxruntime_providers_webgpu\.(so|dll|dylib)$/,
}

const folderOf = (name) => name.slice(0, Math.max(0, name.lastIndexOf('/')))
const baseOf = (name) => name.slice(name.lastIndexOf('/') + 1)
const isBelow = (name, folder) => folder === '' || name.startsWith(`${folder}/`)

/** The platform that a path is for, where packages of several platforms say so: `linux-x64`. */
function statedPlatform(name) {
  const [, rid] = /(?:^|\/)runtimes\/([\w.-]+)\/native\//.exec(name) ?? []
  const [, os, cpu] = /(?:^|\/)napi-v\d+\/(\w+)\/(\w+)\//.exec(name) ?? []
  if (os !== undefined) return `${os}-${cpu}`
  return rid?.replace(/^win(?=-)/, 'win32').replace(/^osx(?=-)/, 'darwin')
}

/**
 * Chooses what is taken from an archive.
 *
 * @param {Map<string, { size: number, link?: string }>} entries
 * @returns {{ kind: string, folder: string, library: string, devices: string[], files: Map<string, string> }} `files` from names in the archive to
 *   names as stored; `library` is such a one
 */
function choose(entries) {
  const files = [...entries.keys()].filter((name) => entries.get(name).link === undefined && !SYMBOLS.test(name))
  const main = files.filter((name) => MAIN.test(baseOf(name)))
  const isPlugin = (name) => Object.values(PLUGINS).some((pattern) => pattern.test(baseOf(name)))
  const found = main.length > 0 ? main : files.filter(isPlugin)
  const kind = main.length > 0 ? 'onnxruntime' : 'plugin'
  if (found.length === 0) {
    const plugins = Object.keys(PLUGINS).join(' and ')
    const names = 'libonnxruntime.so, onnxruntime.dll, libonnxruntime.dylib'
    throw new VecrankError('ERR_RUNTIME', `it holds no library of ONNX Runtime (${names}) and no plugin; plugins are known for ${plugins}`)
  }
  const folder = folderFor(found)
  // The same library may lie there by several names: the longest tells its version.
  const named = found.filter((name) => folderOf(name) === folder).sort((a, b) => b.length - a.length || (a < b ? -1 : 1))
  if (kind === 'plugin' && named.length > 1) throw new VecrankError('ERR_RUNTIME', `it holds more than one plugin in one folder: ${named.map(baseOf).join(', ')}`)
  const [library] = named
  const taken = new Map(kind === 'plugin' ? below(entries, folder) : beside(entries, folder, library))
  const stored = [...taken.values()]
  const patterns = kind === 'plugin' ? PLUGINS : DEVICES
  const devices = Object.keys(patterns).filter((device) => stored.some((name) => patterns[device].test(name)))
  return { kind, folder, library: taken.get(library), devices, files: withLicences(taken, files, folder) }
}

/** The one folder that is for this platform. */
function folderFor(found) {
  const here = `${process.platform}-${process.arch}`
  const fitting = found.filter((name) => (statedPlatform(name) ?? here) === here)
  if (fitting.length === 0) {
    throw new VecrankError('ERR_RUNTIME', `it is for ${[...new Set(found.map(statedPlatform))].sort().join(', ')}, and this is ${here}`)
  }
  const folders = [...new Set(fitting.map(folderOf))]
  if (folders.length > 1) throw new VecrankError('ERR_RUNTIME', `it holds more than one runtime: ${folders.join(', ')}. Name one of these folders`)
  return folders[0]
}

/** ONNX Runtime's library and the others of its folder. */
function* beside(entries, folder, library) {
  for (const [name, { link }] of entries) {
    const base = baseOf(name)
    const isOtherName = MAIN.test(base) && name !== library
    if (folderOf(name) !== folder || !LIBRARY.test(base) || PYTHON.test(base) || isOtherName) continue
    refuseLink(name, link)
    yield [name, base]
  }
}

/** All of a plugin's folder, as its libraries find each other and their data by where they lie. */
function* below(entries, folder) {
  for (const [name, { link }] of entries) {
    const stored = folder === '' ? name : name.slice(folder.length + 1)
    // A folder that was added before has a description of its own.
    if (!isBelow(name, folder) || PYTHON.test(name) || /^[^/]+\.dist-info\//.test(stored) || stored === 'runtime.json') continue
    refuseLink(name, link)
    yield [name, stored]
  }
}

function refuseLink(name, link) {
  if (link !== undefined) throw damaged(`its entry ${describe(name)} is a link to ${describe(link)}; copy its files with \`cp -rL\` and add the copy`)
}

/** With the licences of the package: those beside its metadata, and above the library. */
function withLicences(taken, files, folder) {
  const all = new Map(taken)
  for (const name of files) {
    const isOfPackage = isBelow(folder, folderOf(name)) || folder === folderOf(name) || /^(onnxruntime|ort)[^/]*\.dist-info\//i.test(name)
    if (isOfPackage && !all.has(name) && LICENCE.test(baseOf(name))) all.set(name, `licenses/${name}`)
  }
  const lower = new Set()
  for (const stored of all.values()) {
    // On Windows and macOS they would be one file.
    if (lower.has(stored.toLowerCase())) throw damaged(`its entry ${describe(stored)} is there twice, in different letters`)
    lower.add(stored.toLowerCase())
  }
  return all
}

const isLibrary = (name) => LIBRARY.test(baseOf(name))

module.exports = { choose, isLibrary }
