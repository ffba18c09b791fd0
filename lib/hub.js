'use strict'

/**
 * Which settings lead to the Hub, and which lock file holds. The addon decides what they mean: here the environment of this thread (a worker
 * may have its own) and the user's options are gathered, and the lock file is looked for.
 */

const fs = require('node:fs')
const path = require('node:path')
const { addon } = require('./addon.js')
const { homeFolder } = require('./data.js')
const { VecrankError } = require('./errors.js')
const { exists } = require('./exists.js')

/** Variables whose value is a path: in it `$NAME` and `${NAME}` stand for other variables, as in Python. */
const PATHS = new Set(['MODEL_CACHE', 'HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME', 'HF_TOKEN_PATH'])
const LOCK_FILE = 'vecrank.lock.json'

/** What the addon takes as `HubSettings`. */
function hubSettings({ cacheDir, endpoint, token, offline }) {
  const variables = {}
  for (const name of addon().hubVariables()) {
    // Tools agree on no spelling of a proxy's variable.
    for (const spelling of name.endsWith('_PROXY') ? [name, name.toLowerCase()] : [name]) {
      const value = process.env[spelling]
      if (value) variables[spelling] = PATHS.has(name) ? value.replace(/\$(?:(\w+)|\{([^}]*)\})/g, (whole, a, b) => process.env[a ?? b] ?? whole) : value
    }
  }
  return { variables, home: homeFolder(), cacheDir: cacheDir && path.resolve(cacheDir), endpoint, token, offline }
}

/** What the addon takes as `HubModel`. */
function hubModel(id, options) {
  const { revision, refresh } = options
  return { id, revision, refresh, settings: hubSettings(options), lock: lockFile(options.lock) }
}

/** The lock file that holds, or undefined; throws `ERR_FILE_NOT_FOUND` where one must be there and is not. */
function lockFile(option) {
  if (option !== undefined) return path.resolve(option)
  const variable = process.env.VECRANK_LOCK
  if (variable && variable !== 'required') return path.resolve(variable)
  const folders = [...new Set(applicationFolders())]
  const found = folders.map((folder) => path.join(folder, LOCK_FILE)).find((file) => exists(file))
  if (found !== undefined || !variable) return found
  const places = folders.map((folder) => `\n  - ${folder}`).join('')
  throw new VecrankError(
    'ERR_FILE_NOT_FOUND',
    `VECRANK_LOCK is "required" and there is no ${LOCK_FILE}. Ship it with the application, or name it with VECRANK_LOCK or the option lock.${
      places && ` Looked in:${places}`
    }`,
  )
}

/** The folders of the application's package.json: the one above its main file, and the one above the working folder. */
function applicationFolders() {
  const main = require.main?.filename ?? process.argv[1]
  return [main && path.dirname(real(main)), process.cwd()].filter(Boolean).map(packageFolder).filter(Boolean)
}

/** Where a file really is: `require.main` says so, the argument of a program of ES modules may be a link. */
function real(file) {
  try {
    return fs.realpathSync(file)
  } catch {
    return path.resolve(file)
  }
}

/** The folder of the package.json above. What is started inside node_modules (a tool, a pool's worker) belongs to who installed it. */
function packageFolder(inside) {
  const installed = /[\\/]node_modules(?=[\\/]|$)/.exec(inside)
  const start = installed ? inside.slice(0, installed.index) || path.parse(inside).root : inside
  for (let folder = start; ; folder = path.dirname(folder)) {
    if (exists(path.join(folder, 'package.json'))) return folder
    if (folder === path.dirname(folder)) return undefined
  }
}

module.exports = { LOCK_FILE, applicationFolders, hubModel, hubSettings, lockFile, packageFolder }
