'use strict'

/**
 * The folder of what a user adds to vecrank on this machine, such as other builds of ONNX Runtime. It is no cache: nothing fetches its content
 * again. The native side finds it by the same rule.
 */

const os = require('node:os')
const path = require('node:path')
const { describe } = require('./errors.js')
const { VecrankError } = require('./failure.js')

/** An absolute path; the folder need not be there. Throws `ERR_RUNTIME` where `VECRANK_DATA` is not absolute. */
function dataFolder() {
  const chosen = process.env.VECRANK_DATA
  if (chosen) {
    if (path.isAbsolute(chosen)) return chosen
    // Native code is loaded from there: the working folder must not decide which.
    throw new VecrankError('ERR_RUNTIME', `VECRANK_DATA is ${describe(chosen)}; it must be the absolute path of a folder.`)
  }
  if (process.platform === 'darwin') return path.join(os.homedir(), 'Library', 'Application Support', 'vecrank')
  const [variable, ...usual] = process.platform === 'win32' ? ['LOCALAPPDATA', 'AppData', 'Local'] : ['XDG_DATA_HOME', '.local', 'share']
  const given = process.env[variable]
  // A relative one has to be ignored: so say the rules of XDG.
  return path.join(given && path.isAbsolute(given) ? given : path.join(os.homedir(), ...usual), 'vecrank')
}

module.exports = { dataFolder }
