'use strict'

/**
 * The native addon, loaded when it is first needed and not when the package is required: a program that only imports a type or prints its
 * help pays nothing, and an addon that cannot be loaded is an error of the call, with a code, not of an `import`.
 *
 * It comes from the platform's package (`vecrank-linux-x64-gnu` and so on), or, in a clone of the repository, from the build beside this
 * folder. Why not napi's generated loader: it knows neither ONNX Runtime's library nor our platforms, and cannot say what to do.
 */

const fs = require('node:fs')
const path = require('node:path')
const { assertFolder } = require('./bundle.js')
const { Diagnosis } = require('./diagnosis.js')
const { VecrankError } = require('./errors.js')
const { exists } = require('./exists.js')
const { onnxruntime } = require('./onnxruntime.js')
const { onDisk, platform } = require('./platform.js')
const { surroundings } = require('./surroundings.js')
const { version } = require('../package.json')

/** ONNX Runtime's library as a build from source puts it beside the addon. */
const BUILT = { linux: 'libvecrank-onnxruntime.so.1', darwin: 'libvecrank-onnxruntime.dylib', win32: 'vecrank-onnxruntime.dll' }

let loaded

/** @returns the native binding; throws `ERR_RUNTIME`. A failure is not kept: the next call tries again. */
function addon() {
  if (loaded === undefined) {
    assertFolder()
    const name = platform()
    const { binding, shipped } = open(name)
    binding.initialize(surroundings(binding.deviceVariables(), onnxruntime(name, shipped)))
    loaded = binding
  }
  return loaded
}

function open(name) {
  const diagnosis = new Diagnosis(name)
  for (const source of [built, installed]) {
    const files = source(name, diagnosis)
    if (files === undefined) continue
    try {
      const file = onDisk(files.addon)
      assertWhole(file, files.size)
      const binding = require(file)
      if (typeof binding.version !== 'function' || binding.version() !== version) throw ofVersion(files.addon, binding)
      return { binding, shipped: files.onnxruntime && onDisk(files.onnxruntime) }
    } catch (error) {
      if (error instanceof VecrankError) throw error
      diagnosis.tried(files.addon, error)
    }
  }
  throw diagnosis.error()
}

/** A build from source, where there is one. */
function built(name) {
  const file = path.join(__dirname, '..', `vecrank.${name}.node`)
  return exists(file) ? { addon: file, onnxruntime: path.join(__dirname, '..', BUILT[process.platform]) } : undefined
}

/**
 * The files of the platform's package. Every name is written out, as bundlers and file tracers follow a literal `require` and nothing else, and
 * the `try` is here, as it tells them that a package which is not there is no fault.
 */
function installed(name, diagnosis) {
  try {
    switch (name) {
      case 'linux-x64-gnu':
        return require('vecrank-linux-x64-gnu')
      case 'linux-arm64-gnu':
        return require('vecrank-linux-arm64-gnu')
      case 'linux-x64-musl':
        return require('vecrank-linux-x64-musl')
      case 'linux-arm64-musl':
        return require('vecrank-linux-arm64-musl')
      case 'darwin-arm64':
        return require('vecrank-darwin-arm64')
      case 'win32-x64-msvc':
        return require('vecrank-win32-x64-msvc')
      case 'win32-arm64-msvc':
        return require('vecrank-win32-arm64-msvc')
      default:
        return undefined
    }
  } catch (error) {
    diagnosis.tried(`vecrank-${name}`, error)
    return undefined
  }
}

/** The system's loader does not look whether a file has all its bytes, and ends the process where it has not. */
function assertWhole(file, size) {
  let found
  try {
    found = fs.statSync(file).size
  } catch (cause) {
    if (cause.code !== 'ENOENT') throw cause
    throw Object.assign(new Error(`${file} is not there, though its package is`, { cause }), { code: 'FILE' })
  }
  if (size !== undefined && found !== size) throw Object.assign(new Error(`${file} has ${found} bytes of ${size}`), { code: 'DAMAGED' })
}

function ofVersion(file, binding) {
  const found = typeof binding.version === 'function' ? `of version ${binding.version()}` : 'not the addon of vecrank'
  return Object.assign(new Error(`${file} is ${found}, but this is vecrank ${version}`), { code: 'VERSION' })
}

module.exports = { addon }
