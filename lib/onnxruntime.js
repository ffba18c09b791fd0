'use strict'

/**
 * Where ONNX Runtime's library is. The platform packages carry it, but for musl (Alpine), where Microsoft builds none: there it comes from the
 * distribution. Only a path is chosen here; the native side opens the file with the first model, and checks its version.
 */

const fs = require('node:fs')
const path = require('node:path')
const { VecrankError } = require('./errors.js')

/** Folders of a distribution's own libraries. No search path of the environment: that would let a variable decide which native code runs. */
const FOLDERS = ['/usr/lib', '/usr/local/lib', '/lib']

/**
 * @param {string} platform as in `platform.js`
 * @param {string | undefined} shipped the library that came with the addon
 * @returns {{ library: string, isChosen: boolean }} an absolute path, and whether the user named it; throws `ERR_RUNTIME`
 */
function onnxruntime(platform, shipped, folders = FOLDERS) {
  const chosen = process.env.VECRANK_ONNXRUNTIME
  if (chosen) {
    if (path.isAbsolute(chosen)) return { library: chosen, isChosen: true }
    // A relative path would let the working folder decide which native code runs.
    throw new VecrankError('ERR_RUNTIME', `VECRANK_ONNXRUNTIME is ${JSON.stringify(chosen)}; it must be the absolute path of ONNX Runtime's library.`)
  }
  if (shipped !== undefined) return { library: shipped, isChosen: false }
  for (const folder of folders) {
    const library = newestIn(folder)
    if (library !== undefined) return { library, isChosen: false }
  }
  throw new VecrankError(
    'ERR_RUNTIME',
    `ONNX Runtime was not found. On ${platform} vecrank uses the distribution's: install it (Alpine: apk add onnxruntime), version 1.24 or newer (Alpine 3.24), or set ` +
      `VECRANK_ONNXRUNTIME to the absolute path of its library. Looked for libonnxruntime.so in ${folders.join(', ')}.`,
  )
}

/** `libonnxruntime.so`, `.so.1` or `.so.1.2.3` of a folder: the one with the highest version, since the short names only come with some packages. */
function newestIn(folder) {
  let names
  try {
    names = fs.readdirSync(folder).filter((name) => /^libonnxruntime\.so(\.\d+)*$/.test(name))
  } catch {
    return undefined
  }
  const collator = new Intl.Collator('en', { numeric: true })
  names.sort(collator.compare)
  return names.length === 0 ? undefined : path.join(folder, names.at(-1))
}

module.exports = { onnxruntime }
