'use strict'

/**
 * `vecrank cache`: what the cache holds, whether it is what it should be, and taking models out of it.
 */

const fs = require('node:fs')
const path = require('node:path')
const { addon } = require('../addon.js')
const { unwrap } = require('../errors.js')
const { hubSettings } = require('../hub.js')
const { UsageError, bytes, quoted, several } = require('./arguments.js')

const print = (text) => process.stdout.write(`${text}\n`)
const printJson = (value) => print(JSON.stringify(value, null, 2))

const settingsOf = (options) => hubSettings({ cacheDir: options['cache-dir'] })
const answer = async (promise) => JSON.parse(unwrap(await promise))

async function list(names, options) {
  if (names.length > 0) throw new UsageError(`cache ls takes no ${JSON.stringify(names[0])}`)
  const { folder, models } = await answer(new (addon().StoreJob)().list(settingsOf(options)))
  if (options.json) {
    printJson({ folder, models })
    return 0
  }
  const width = Math.max(0, ...models.map(({ model }) => model.length))
  for (const { model, size, revisions, commits } of models) {
    const named = revisions.map(({ revision, commit }) => `${revision} ${commit.slice(0, 7)}`)
    const others = commits.filter((commit) => !revisions.some((one) => one.commit === commit)).map((commit) => commit.slice(0, 7))
    print(`${model.padEnd(width)}  ${bytes(size).padStart(7)}  ${[...named, ...others].join(', ')}`)
  }
  const sum = models.reduce((total, { size }) => total + size, 0)
  print(`${several(models.length, 'model')}, ${bytes(sum)} in ${folder}`)
  return 0
}

async function verify(names, options) {
  if (names.length > 1) throw new UsageError('cache verify takes one model, or none for all')
  const settings = settingsOf(options)
  const found = await answer(new (addon().StoreJob)().verify(settings, names[0]))
  const damaged = found.damaged.map((one) => ({ ...one, ...placeOf(one) }))
  const heal = [...new Set(damaged.map((one) => healing(one, options)))]
  if (options.json) {
    printJson({ sound: found.sound, damaged, heal })
  } else {
    for (const { model, file, path: place, reason } of damaged)
      print(`damaged: ${model}${file === undefined ? '' : `: ${file}`}: ${place} ${reason}`)
    print(`${several(found.sound, 'file')} sound, ${damaged.length} damaged`)
    if (heal.length > 0) print(`Heal with:\n${heal.map((command) => `  ${command}`).join('\n')}`)
  }
  return damaged.length > 0 ? 1 : 0
}

/** Where the commits of a damaged file's model are. */
function snapshotsOf(damaged) {
  // models--owner--name/blobs/<hash>, or models--owner--name/snapshots/<commit>/<path>
  const [root, inside] = damaged.split(/[\\/]snapshots[\\/]/)
  return path.join(inside === undefined ? path.dirname(path.dirname(damaged)) : root, 'snapshots')
}

/** Which file of which commit a damaged one is: itself, or what a snapshot's link leads to. Nothing where no commit uses it. */
function placeOf({ path: damaged }) {
  const snapshots = snapshotsOf(damaged)
  for (const commit of entries(snapshots)) {
    for (const file of filesBelow(path.join(snapshots, commit))) {
      if (isSame(path.join(snapshots, commit, file), damaged)) return { commit, file: file.split(path.sep).join('/') }
    }
  }
  return {}
}

/** Whether two names are of one file, by symbolic links or as hard links. */
function isSame(one, other) {
  try {
    const [a, b] = [fs.statSync(one, { bigint: true }), fs.statSync(other, { bigint: true })]
    return a.ino === b.ino && a.dev === b.dev
  } catch {
    return false
  }
}

function entries(folder) {
  try {
    return fs.readdirSync(folder).sort()
  } catch {
    return []
  }
}

function filesBelow(folder, prefix = '') {
  return entries(path.join(folder, prefix)).flatMap((name) => {
    const inside = path.join(prefix, name)
    return fs.lstatSync(path.join(folder, inside)).isDirectory() ? filesBelow(folder, inside) : [inside]
  })
}

/** The command that heals a file. The commit is named: a branch may stand for another one by now. */
function healing({ model, commit, file, path: damaged }, options) {
  const where = options['cache-dir'] === undefined ? '' : ` --cache-dir ${quoted(options['cache-dir'])}`
  // A repository that only lends small files to a conversion need not have an ONNX file, and then cannot be pulled. The conversion brings it.
  const isWhole = commit !== undefined && filesBelow(path.join(snapshotsOf(damaged), commit)).some((name) => name.endsWith('.onnx'))
  if (!isWhole) return `npx vecrank cache rm ${model}${where}`
  // The weights of one dtype are not downloaded with those of another.
  const weights = file.endsWith('.onnx') ? ` --file ${quoted(file)}` : ''
  return `npx vecrank pull ${model} --revision ${commit}${weights}${where}`
}

async function remove(names, options) {
  if (names.length === 0) throw new UsageError('cache rm needs the name of a model')
  const settings = settingsOf(options)
  for (const name of new Set(names)) {
    const { size } = await answer(new (addon().StoreJob)().remove(settings, name))
    print(`Removed ${name}: ${bytes(size)} freed`)
  }
  return 0
}

module.exports = { list, remove, verify }
