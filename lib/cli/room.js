'use strict'

/** A folder that may not be there yet: whether files can be put there, how much room there is, and the folder of the Hub's cache without the addon. */

const fs = require('node:fs')
const path = require('node:path')
const { homeFolder } = require('../data.js')

/**
 * Tries it: a folder in it, or in what is there of the path to it, is made and taken away again. What rights say is not enough, as root has all
 * of them and a file system may be read-only.
 *
 * @returns {{ exists: boolean, writable: boolean, reason: string | null, free: number | null }} bytes that are free for this user
 */
function room(folder) {
  let place = folder
  let stat
  while ((stat = statOf(place)) === undefined && path.dirname(place) !== place) place = path.dirname(place)
  const found = { exists: place === folder && stat !== undefined, free: freeAt(place) }
  const refused = (reason) => ({ ...found, writable: false, reason })
  if (stat === undefined) return refused(`${place} is not there`)
  if (!stat.isDirectory()) return refused(`${place} is a file, not a folder`)
  try {
    fs.rmdirSync(fs.mkdtempSync(path.join(place, '.vecrank-doctor-')))
    return { ...found, writable: true, reason: null }
  } catch (error) {
    // The system's own sentence ends with the path of what was tried.
    return refused(`${place}: ${error.message.replace(/, mkdtemp .*$/s, '')}`)
  }
}

function statOf(place) {
  try {
    return fs.statSync(place)
  } catch (error) {
    // A file in the middle of the path: whoever goes up finds it.
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    return { isDirectory: () => true }
  }
}

function freeAt(place) {
  try {
    const { bavail, bsize } = fs.statfsSync(place)
    return bavail * bsize
  } catch {
    return null
  }
}

/** The Hub's cache by the rules of `src/hub/settings.rs`, for where the addon cannot say it; undefined for a user without a home. */
function hubFolder(environment = process.env) {
  const folder = (name) => {
    const value = environment[name]?.replace(/\$(?:(\w+)|\{([^}]*)\})/g, (whole, a, b) => environment[a ?? b] ?? whole)
    return value && (/^~(?=$|[\\/])/.test(value) ? homeFolder() && path.join(homeFolder(), value.slice(1)) : value)
  }
  const below = (base, ...names) => base && path.join(base, ...names)
  const own = folder('MODEL_CACHE') || folder('HF_HUB_CACHE') || folder('HUGGINGFACE_HUB_CACHE')
  const home = () => folder('HF_HOME') || below(folder('XDG_CACHE_HOME') || below(homeFolder(), '.cache'), 'huggingface')
  const found = own || below(home(), 'hub')
  return found && path.resolve(found)
}

module.exports = { hubFolder, room }
