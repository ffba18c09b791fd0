'use strict'

/**
 * From the name of a model to the folder that holds it. Reading a name is free of I/O (constructors do it, and refuse a name that can mean
 * nothing); looking for a package happens when the model is loaded. The shape of the name alone says what it is: nothing depends on what
 * happens to lie in the working folder.
 */

const fs = require('node:fs')
const { createRequire } = require('node:module')
const path = require('node:path')
const { fileURLToPath } = require('node:url')
const { VecrankError, argumentError, expected } = require('./errors.js')
const { exists } = require('./exists.js')
const { onDisk } = require('./platform.js')
const { isObject } = require('./shape.js')

const DEFAULTS = {
  embedder: { variable: 'VECRANK_EMBEDDER', package: 'vecrank-model-all-minilm-l6-v2', hub: 'sentence-transformers/all-MiniLM-L6-v2' },
  reranker: { variable: 'VECRANK_RERANKER', package: 'vecrank-model-reranker-mini', hub: 'cross-encoder/ms-marco-MiniLM-L6-v2' },
}
/** The rule of huggingface_hub for a repository's id, but for lengths, which the addon checks. */
const HUB_ID = /^[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?\/[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?$/
const WHAT = 'a folder (such as "./model"), a file: URL, the name of an installed package or "owner/name"'

/**
 * What a name stands for.
 * @returns {{ source: 'folder' | 'package' | 'hub', model: string, path?: string, isDefault?: boolean, variable?: string }}
 */
function identify(kind, given) {
  // Of the other kinds there is no model that suits most.
  if (given === undefined && DEFAULTS[kind] === undefined) throw expected(WHAT, 'model', given)
  const chosen = given === undefined ? process.env[DEFAULTS[kind].variable] || undefined : given
  if (chosen === undefined) return { source: 'package', model: DEFAULTS[kind].package, isDefault: true }
  const where = given === undefined ? DEFAULTS[kind].variable : 'model'
  const model = nameOf(chosen, where)
  if (/^file:/i.test(model)) return { source: 'folder', model, path: folderOf(model, where) }
  // Also Windows' own spellings, on every platform, so that a program means the same everywhere.
  if (/^(\.{1,2}$|\.{1,2}[\\/]|[\\/]|[A-Za-z]:[\\/])/.test(model)) return { source: 'folder', model, path: path.resolve(model) }
  // npm's names have at most 214 characters.
  if (model.length <= 214 && /^(@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*$/.test(model)) {
    return { source: 'package', model, variable: given === undefined ? where : undefined }
  }
  if (HUB_ID.test(model) && !/--|\.\.|\.git$/.test(model)) return { source: 'hub', model }
  throw expected(WHAT, where, chosen)
}

function nameOf(chosen, where) {
  if (typeof chosen === 'string' && chosen !== '' && !chosen.includes('\0')) return chosen
  // A URL object is known by its shape: `instanceof` fails for one from another realm.
  if (isObject(chosen) && typeof chosen.href === 'string' && chosen.href.startsWith('file:')) return chosen.href
  throw expected(WHAT, where, chosen)
}

function folderOf(url, where) {
  try {
    // Without slashes it looks relative, and would be the root's.
    if (!/^file:\/\//i.test(url)) throw new TypeError('A file: URL begins with file://')
    return fileURLToPath(url)
  } catch (cause) {
    throw argumentError(`Expected a file: URL of a local folder for \`${where}\` but received ${JSON.stringify(url)} of type string.`, cause)
  }
}

/** Where an identified model is: a folder, or the Hub; throws `ERR_MODEL_NOT_FOUND`. Whether it is there is the native side's to say. */
function resolve(kind, identity) {
  if (identity.source === 'folder') return { ...identity, path: onDisk(identity.path) }
  if (identity.source === 'hub') return identity
  const looked = []
  for (const base of bases()) {
    const manifest = findPackage(identity.model, base, looked)
    if (manifest !== undefined) return { ...identity, path: onDisk(modelFolder(identity.model, manifest)) }
  }
  const own = ownPackage(identity.model)
  if (own !== undefined) return { ...identity, path: onDisk(own.path) }
  // Nobody has named a model: without the package that holds one, the default is the Hub's.
  if (identity.isDefault) return { source: 'hub', model: DEFAULTS[kind].hub }
  const folders = [...new Set(looked)].map((place) => `\n  - ${place}`).join('')
  throw new VecrankError('ERR_MODEL_NOT_FOUND', `${notInstalled(identity)}${folders && ` Looked in:${folders}`}`)
}

/**
 * What to do about a name that is no package here. Never to install it: whoever forgot the owner of a model's name would install what a
 * stranger has put under the rest of it.
 */
function notInstalled({ model, variable }) {
  const named = variable === undefined ? '' : ` (named by ${variable})`
  if (Object.values(DEFAULTS).some((one) => one.package === model)) {
    return `The package ${model}${named} is not installed. It is one of vecrank's own: run \`npm install ${model}\`.`
  }
  const why = model.startsWith('@') ? 'a name that begins with "@"' : 'a name without an owner'
  return `No package named ${model}${named} is installed, and ${why} is that of an installed package. ${ownersName(model)} A folder is written "./${model}".`
}

/** How the name of a model on the Hub is written; with an example where the rest of it is known. */
function ownersName(model) {
  const known = Object.values(DEFAULTS).find(({ hub }) => hub.split('/')[1].toLowerCase() === model.toLowerCase())
  return known === undefined ? 'Models on the Hub are named "owner/name".' : `Models on the Hub are named "owner/name": this one is "${known.hub}".`
}

/** Where to search from: the application first (its working folder, then its main file), so that its choice of version wins over ours. */
function bases() {
  const main = require.main?.filename ?? process.argv[1]
  return [path.join(process.cwd(), 'package.json'), main && path.resolve(main), __filename].filter(Boolean)
}

/**
 * The packages that hold the defaults, by literal names: file tracers follow nothing else, and a server that was built with them finds them here.
 * They are optional peers of this package, so that package managers which hide what is not declared (pnpm, Plug'n'Play) show them to it.
 */
function ownPackage(name) {
  try {
    switch (name) {
      case 'vecrank-model-all-minilm-l6-v2':
        return require('vecrank-model-all-minilm-l6-v2')
      case 'vecrank-model-reranker-mini':
        return require('vecrank-model-reranker-mini')
      default:
        return undefined
    }
  } catch {
    return undefined
  }
}

function findPackage(name, base, looked) {
  const from = createRequire(base)
  try {
    // Also right under Plug'n'Play, where there is no folder to walk.
    return from.resolve(`${name}/package.json`)
  } catch {
    // A package with `exports` may hide its package.json; its folder is still to be found.
    for (const folder of from.resolve.paths(name) ?? []) {
      const manifest = path.join(folder, name, 'package.json')
      looked.push(folder)
      if (exists(manifest)) return manifest
    }
    return undefined
  }
}

function modelFolder(name, manifest) {
  const folder = path.dirname(manifest)
  let declared
  try {
    declared = JSON.parse(fs.readFileSync(manifest, 'utf8')).vecrank?.path
  } catch (cause) {
    throw new VecrankError('ERR_MODEL_INVALID', `The package.json of ${name} cannot be read: ${manifest}. Install the package again.`, { cause })
  }
  if (declared === undefined) return folder
  if (typeof declared !== 'string') {
    throw new VecrankError('ERR_MODEL_INVALID', `The field "vecrank.path" of ${manifest} must be a string: the model's folder inside the package.`)
  }
  return path.resolve(folder, declared)
}

module.exports = { identify, ownersName, resolve }
