'use strict'

/** The folder of what belongs to the user and is no cache: the runtimes that `vecrank runtime add` unpacked. */

const os = require('node:os')
const path = require('node:path')
const { VecrankError } = require('./errors.js')

/** @returns {string | undefined} absolute; undefined for a user without a home; throws `ERR_RUNTIME` where `VECRANK_DATA` is no absolute path */
function dataFolder(environment = process.env, platform = process.platform) {
  const chosen = environment.VECRANK_DATA
  if (chosen) {
    if (path.isAbsolute(chosen)) return chosen
    // A relative path would let the working folder decide which native code runs.
    throw new VecrankError('ERR_RUNTIME', `VECRANK_DATA is ${JSON.stringify(chosen)}; it must be the absolute path of a folder.`)
  }
  return below(platform, environment, { xdg: 'XDG_DATA_HOME', linux: ['.local', 'share'], mac: 'Application Support', windows: [] })
}

/** The folder of files that can be made again. */
function cacheFolder(environment = process.env, platform = process.platform) {
  return below(platform, environment, { xdg: 'XDG_CACHE_HOME', linux: ['.cache'], mac: 'Caches', windows: ['cache'] })
}

function below(platform, environment, { xdg, linux, mac, windows }) {
  const home = homeFolder()
  if (platform === 'win32') {
    const local = environment.LOCALAPPDATA || (home && path.join(home, 'AppData', 'Local'))
    return local && path.join(local, 'vecrank', ...windows)
  }
  if (platform === 'darwin') return home && path.join(home, 'Library', mac, 'vecrank')
  const chosen = environment[xdg]
  // The specification of these variables says that relative ones are ignored.
  if (chosen && path.isAbsolute(chosen)) return path.join(chosen, 'vecrank')
  return home && path.join(home, ...linux, 'vecrank')
}

/** Absent for a user without one, as in many containers. */
function homeFolder() {
  try {
    return os.homedir() || undefined
  } catch {
    return undefined
  }
}

module.exports = { cacheFolder, dataFolder, homeFolder }
