'use strict'

/**
 * Where an ONNX Runtime and its providers may be, as far as JavaScript knows it: installed packages, the user's folders, the environment. The
 * addon decides what of it is looked at, and when; nothing is opened here.
 */

const path = require('node:path')
const { cacheFolder, dataFolder, homeFolder } = require('./data.js')
const { onDisk } = require('./platform.js')

/**
 * @param {string[]} variables the names that the addon asks for
 * @param {{ library: string, isChosen: boolean }} onnxruntime as in `onnxruntime.js`
 */
function surroundings(variables, onnxruntime) {
  const data = dataFolder()
  const set = variables.filter((name) => process.env[name]).map((name) => [name, process.env[name]])
  return {
    ...onnxruntime,
    packages: packages(),
    runtimes: data && path.join(data, 'runtimes'),
    cache: cacheFolder(),
    home: homeFolder(),
    variables: Object.fromEntries(set),
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
