'use strict'

/**
 * Where an ONNX Runtime and its providers may be, as far as JavaScript knows it: installed packages, the user's folders, the environment. The
 * addon decides what of it is looked at, and when; nothing is opened here.
 */

const path = require('node:path')
const { cacheFolder, dataFolder, homeFolder } = require('./data.js')
const { VecrankError } = require('./errors.js')
const { onDisk } = require('./platform.js')

/**
 * @param {string[]} variables the names that the addon asks for
 * @param {{ library: string, isChosen: boolean }} onnxruntime as in `onnxruntime.js`
 */
function surroundings(variables, onnxruntime) {
  const data = permitted(dataFolder)
  const set = variables.map((name) => [name, permitted(() => process.env[name])]).filter(([, value]) => value)
  return {
    ...onnxruntime,
    packages: packages(),
    runtimes: data && path.join(data, 'runtimes'),
    cache: permitted(cacheFolder),
    home: homeFolder(),
    variables: Object.fromEntries(set),
  }
}

/** What Deno does not let a program read is not there for it: who grants little must not lose the CPU. A wrong value is an error all the same. */
function permitted(read) {
  try {
    return read()
  } catch (error) {
    if (error instanceof VecrankError) throw error
    return undefined
  }
}

/** The folders of packages with an ONNX Runtime for GPUs, which a program installs beside vecrank if it wants them. */
function packages() {
  try {
    switch (`${process.platform}-${process.arch}`) {
      case 'linux-x64':
        return [onDisk(path.dirname(require.resolve('vecrank-cuda-linux-x64/package.json')))]
      case 'win32-x64':
        return [onDisk(path.dirname(require.resolve('vecrank-cuda-win32-x64/package.json')))]
      default:
        return []
    }
  } catch {
    return []
  }
}

module.exports = { surroundings }
