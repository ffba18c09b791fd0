'use strict'

/**
 * The user's folders on this machine. The one of data is no cache: what the user added, such as other builds of ONNX Runtime, is fetched again by
 * nothing.
 */

const os = require('node:os')
const path = require('node:path')
const { describe } = require('./errors.js')
const { VecrankError } = require('./failure.js')

/**
 * An absolute path, or undefined for a user without a home; the folder need not be there. Throws `ERR_RUNTIME` where `VECRANK_DATA` is not
 * absolute: native code is loaded from there, and the working folder must not decide which.
 */
function dataFolder() {
  const chosen = process.env.VECRANK_DATA
  if (!chosen) return folderOf('XDG_DATA_HOME', ['.local', 'share'], 'Application Support')
  if (path.isAbsolute(chosen)) return chosen
  throw new VecrankError('ERR_RUNTIME', `VECRANK_DATA is ${describe(chosen)}; it must be the absolute path of a folder.`)
}

/** The folder of files that can be made again: an absolute path, or undefined. */
function cacheFolder() {
  const folder = folderOf('XDG_CACHE_HOME', ['.cache'], 'Caches')
  return process.platform === 'win32' ? folder && path.join(folder, 'cache') : folder
}

function folderOf(variable, usual, library) {
  const home = homeFolder()
  if (process.platform === 'darwin') return home && path.join(home, 'Library', library, 'vecrank')
  const isWindows = process.platform === 'win32'
  const given = process.env[isWindows ? 'LOCALAPPDATA' : variable]
  // A relative one has to be ignored: so say the rules of XDG.
  if (given && path.isAbsolute(given)) return path.join(given, 'vecrank')
  return home && path.join(home, ...(isWindows ? ['AppData', 'Local'] : usual), 'vecrank')
}

/** Absent for a user without one, as in many containers, and where the variable that names it is relative. */
function homeFolder() {
  try {
    const home = os.homedir()
    return path.isAbsolute(home) ? home : undefined
  } catch {
    return undefined
  }
}

module.exports = { cacheFolder, dataFolder, homeFolder }
