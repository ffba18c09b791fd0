'use strict'

/**
 * What a distribution is called and which version it is: as its package says, a wheel's METADATA, a NuGet package's .nuspec, npm's package.json,
 * else as the folder of a release is named. A bare folder of libraries has only their names.
 */

const { VecrankError, describe } = require('../errors.js')
const { damaged } = require('./entries.js')

/** The native side speaks the interface of this version (`lib/onnxruntime.js` says the same of a distribution's library). */
const OLDEST = [1, 24]
const NAME = /^(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*$/
const VERSION = /^(?=.{1,64}$)\d+(\.\d+)+[0-9a-z]*([.+-][0-9a-z]+)*$/i
const METADATA = /^[^/]+\.dist-info\/METADATA$/
const RECORD = /^[^/]+\.dist-info\/RECORD$/
const NUSPEC = /^[^/]+\.nuspec$/
const NPM = /^([^/]+\/)?package\.json$/
const RELEASE = /^onnxruntime(?:-(?:linux|win|osx)-[a-z0-9_]+?)?((?:-[a-z]\w*)*)-(\d+\.\d+\.\d+[\w.+-]*)$/

/** Which entries of an archive tell about it. */
const isText = (name) => [METADATA, RECORD, NUSPEC, NPM].some((pattern) => pattern.test(name))

/** `onnxruntime-gpu` for `onnxruntime_gpu` and `Microsoft.ML.OnnxRuntime.Gpu.Linux`. */
function plainName(name) {
  const plain = name
    .replace(/^@[^/]*\//, '')
    .replace(/^\w+\.ML\.(?=OnnxRuntime)/i, '')
    .toLowerCase()
    .replace(/[-_.]+/g, '-')
  return plain.replace(/-(linux|windows|osx)$/, '')
}

/** What packages say: `{ name, version }` each. A folder may hold several: of those that list their files, the ones that list this one. */
function* stated(texts, { folder, library }, source) {
  const place = folder === '' ? library : `${folder}/${library}`
  for (const [file, text] of texts) {
    if (METADATA.test(file)) {
      if (texts.get(file.replace(/METADATA$/, 'RECORD'))?.includes(place) === false) continue
      const [head] = text.split(/\r?\n\r?\n/)
      yield { file, name: /^Name:[ \t]*(\S+)/m.exec(head)?.[1], version: /^Version:[ \t]*(\S+)/m.exec(head)?.[1] }
    } else if (NUSPEC.test(file)) {
      yield { file, name: /<id>\s*([^<\s]+)\s*<\/id>/.exec(text)?.[1], version: /<version>\s*([^<\s]+)\s*<\/version>/.exec(text)?.[1] }
    } else if (NPM.test(file)) {
      yield { file, ...npmManifest(text) }
    }
  }
  for (const name of [folder.split('/')[0], source.replace(/\.(zip|tgz|tar\.gz)$/, '')]) {
    const [, variant, version] = RELEASE.exec(name) ?? []
    if (version !== undefined) yield { file: name, name: `onnxruntime${variant}`, version }
  }
}

function npmManifest(text) {
  try {
    const { name, version } = JSON.parse(text)
    return { name, version }
  } catch {
    return {}
  }
}

/**
 * The name and the version of what was chosen.
 *
 * @param archive as `openArchive` gives it
 * @param chosen as `choose` gives it
 * @param {string} source the archive's file name
 * @returns {{ name: string, version?: string }} the version is missing where only the library can tell it
 */
function originOf(archive, { kind, folder, library, devices, files }, source) {
  const inName = versionInNames(library, files.values())
  const fits = ({ version }) => inName === undefined || version === inName || (version.startsWith(inName) && !/^\d/.test(version.slice(inName.length)))
  const known = [...stated(archive.texts, { folder, library }, source)]
    .filter(({ name, version }) => typeof name === 'string' && typeof version === 'string')
    .map(({ file, name, version }) => ({ file, name: plainName(name), version }))
    // The packages beside it in a folder are of others.
    .filter(({ name, version }) => /^(onnxruntime|ort)(-|$)/.test(name) && NAME.test(name) && VERSION.test(version))
  const right = known.find(fits)
  if (right === undefined && known.length > 0 && archive.form !== 'folder') {
    throw damaged(`${describe(known[0].file)} says that it is version ${known[0].version}, and its library is named ${describe(library)}`)
  }
  if (right !== undefined) return { name: right.name, version: right.version }
  const usual = { cuda: 'onnxruntime-gpu', tensorrt: 'onnxruntime-gpu', dml: 'onnxruntime-directml' }
  return { name: kind === 'plugin' ? `onnxruntime-ep-${devices[0]}` : (usual[devices[0]] ?? 'onnxruntime'), version: inName }
}

/** `1.31.1` of `libonnxruntime.so.1.31.1`; a plugin has its library by such a name as well. */
function versionInNames(library, names) {
  const [stem] = library.split('.')
  for (const name of [library, ...names]) {
    if (name.split('.')[0] !== stem) continue
    const [, version] = /(\d+\.\d+\.\d+)/.exec(name) ?? []
    if (version !== undefined) return version
  }
  return undefined
}

/** The version in the resources of a library for Windows, as far as ONNX Runtime keeps its own there: `1.31`. */
function versionInResources(image) {
  const at = image.indexOf(Buffer.from('bd04effe00000100', 'hex'))
  return at < 0 || at + 12 > image.length ? undefined : `${image.readUInt16LE(at + 10)}.${image.readUInt16LE(at + 8)}`
}

/** Throws for a version that is not known or too old. A plugin's version is its own and says nothing about ONNX Runtime. */
function expectVersion(kind, version) {
  if (version === undefined) throw new VecrankError('ERR_RUNTIME', 'its version cannot be told; add the wheel, package or archive as it was downloaded')
  const [major, minor] = version.split('.').map(Number)
  if (kind === 'onnxruntime' && (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))) {
    throw new VecrankError('ERR_RUNTIME', `it is ONNX Runtime ${version}, and vecrank needs ${OLDEST.join('.')} or newer`)
  }
}

/**
 * The digests of a wheel's RECORD by file name, or undefined for what is no wheel.
 *
 * @returns {Map<string, { sha256: string, size: number }> | undefined}
 */
function recordOf(archive, source) {
  const records = [...archive.texts].filter(([name]) => RECORD.test(name))
  const isWheel = /\.whl$/i.test(source) || records.length > 0 || [...archive.texts.keys()].some((name) => METADATA.test(name))
  if (archive.form !== 'zip' || !isWheel) return undefined
  if (records.length !== 1) throw damaged('it is a wheel without a RECORD of its files')
  const digests = new Map()
  for (const line of records[0][1].split(/\r?\n/)) {
    const [, quoted, plain, digest, size] = /^(?:"(.+)"|([^",]+)),sha256=([\w-]{43})=?,(\d+)$/.exec(line) ?? []
    if (digest !== undefined) digests.set(quoted?.replaceAll('""', '"') ?? plain, { sha256: Buffer.from(digest, 'base64url').toString('hex'), size: Number(size) })
  }
  return digests
}

module.exports = { expectVersion, isText, originOf, recordOf, versionInResources }
