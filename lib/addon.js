'use strict'

/**
 * The native addon, loaded when it is first needed and not when the package is required: a program that only imports a type or prints its
 * help pays nothing, and an addon that cannot be loaded is an error of the call, with a code, not of an `import`.
 */

const path = require('node:path')
const { VecrankError } = require('./errors.js')

const LIBRARIES = {
  linux: 'libvecrank-onnxruntime.so.1',
  darwin: 'libvecrank-onnxruntime.dylib',
  win32: 'vecrank-onnxruntime.dll',
}

let loaded

/** @returns the native binding; throws `ERR_RUNTIME`. A failure is not kept: the next call tries again. */
function addon() {
  if (loaded === undefined) {
    const library = onnxruntime()
    const binding = open()
    binding.initialize(library)
    loaded = binding
  }
  return loaded
}

/** Where ONNX Runtime's library is. Only a path is made here; the native side opens the file with the first model. */
function onnxruntime() {
  const chosen = process.env.VECRANK_ONNXRUNTIME
  if (chosen) {
    if (path.isAbsolute(chosen)) return chosen
    // A relative path would let the working folder decide which native code runs.
    throw new VecrankError('ERR_RUNTIME', `VECRANK_ONNXRUNTIME is ${JSON.stringify(chosen)}; it must be the absolute path of ONNX Runtime's library.`)
  }
  const name = LIBRARIES[process.platform]
  if (name) return path.join(__dirname, '..', name)
  throw new VecrankError(
    'ERR_RUNTIME',
    `vecrank has no ONNX Runtime for ${process.platform}. Set VECRANK_ONNXRUNTIME to the absolute path of such a library, or use one of: ${Object.keys(LIBRARIES).join(', ')}.`,
  )
}

function open() {
  try {
    return require('../binding.js')
  } catch (cause) {
    const tried = reasons(cause).map((reason) => `\n  - ${reason}`).join('')
    throw new VecrankError(
      'ERR_RUNTIME',
      `The native addon of vecrank could not be loaded on ${process.platform}-${process.arch} with Node ${process.version}. Tried:${tried}\n` +
        'Install again without --omit=optional and without --no-optional, on the platform that runs it (not copied from another one); in a clone of the repository run `npm run build`.',
      { cause },
    )
  }
}

/** Every message in a loader's error: the generated loader keeps its attempts as a chain of causes, or as a list of errors. */
function reasons(error, found = []) {
  if (found.length >= 16 || error === null || typeof error !== 'object') return found
  const first = String(error.message).split('\n')[0]
  if (!found.includes(first)) found.push(first)
  for (const inner of Array.isArray(error.cause) ? error.cause : [error.cause]) reasons(inner, found)
  return found
}

module.exports = { addon }
