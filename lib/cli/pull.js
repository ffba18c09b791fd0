'use strict'

/**
 * `vecrank pull`: a model's files ahead of their use. Without `--lock` a lock file that holds decides which commit is taken, as it does for
 * loads. With it, the newest commit is taken and written there.
 */

const path = require('node:path')
const { addon } = require('../addon.js')
const { VecrankError, unwrap } = require('../errors.js')
const { exists } = require('../exists.js')
const { LOCK_FILE, hubSettings, lockFile, packageFolder } = require('../hub.js')
const { whileReporting } = require('../progress.js')
const { identify, ownersName } = require('../source.js')
const { UsageError, bytes, refuseBoth, several } = require('./arguments.js')
const { Bar } = require('./bar.js')

const SIGNALS = { SIGINT: 130, SIGTERM: 143 }

async function pull(names, options) {
  refuseBoth(options, 'embedder', 'reranker')
  refuseBoth(options, 'file', 'dtype')
  const needModel = ['revision', 'dtype', 'file', 'embedder', 'reranker', 'lock'].find((name) => options[name] !== undefined)
  if (names.length === 0 && needModel !== undefined) throw new UsageError(`--${needModel} needs the name of a model`)
  for (const name of names) onHub(name)

  const writeLock = options.lock === undefined ? undefined : written(options.lock)
  const lock = options.lock === undefined ? holding() : undefined
  const output = new Output(options)
  const work = new Work(options, output)
  try {
    if (names.length > 0) {
      const kind = options.embedder ? 'embedder' : options.reranker ? 'reranker' : undefined
      const { revision, dtype, file } = options
      for (const id of new Set(names)) await work.pull({ id, revision, lock }, { kind, dtype, file, writeLock })
    } else {
      await pullLocked(work, lock)
    }
  } catch (error) {
    if (work.stoppedBy === undefined) throw error
    output.bar.end()
    process.stderr.write('vecrank: stopped. What has come is kept; the same command goes on from there.\n')
    return SIGNALS[work.stoppedBy]
  } finally {
    work.end()
  }
  output.summary(writeLock ?? lock, writeLock !== undefined)
  return 0
}

/** Throws for what is no model on the Hub, before the first one is downloaded. */
function onHub(name) {
  const { source } = identify('embedder', name)
  if (source === 'hub') return
  const hint = source === 'package' ? `. ${ownersName(name)}` : ' ("owner/name")'
  throw new UsageError(`${JSON.stringify(name)} is the name of a ${source}; only a model on the Hub is pulled${hint}`)
}

// ---------- the lock file ----------------------------------------------------------------------------------------------

/** The folder of the application: that of the working folder. The command line's own main file belongs to none. */
const applicationFolder = () => packageFolder(process.cwd()) ?? process.cwd()

/** The lock file that holds, or undefined. */
function holding() {
  const beside = path.join(applicationFolder(), LOCK_FILE)
  return !process.env.VECRANK_LOCK && exists(beside) ? beside : lockFile()
}

/** The lock file that `--lock` writes: the one that is named, by the option or the variable, or the application's. */
function written(option) {
  if (option !== true) return path.resolve(option)
  const variable = process.env.VECRANK_LOCK
  return variable && variable !== 'required' ? path.resolve(variable) : path.join(applicationFolder(), LOCK_FILE)
}

/** Everything that a lock file pins. A repository that only lends small files comes with the model that it lends them to. */
async function pullLocked(work, lock) {
  if (lock === undefined) {
    throw new VecrankError(
      'ERR_FILE_NOT_FOUND',
      `No model is named, and there is no ${LOCK_FILE} in ${applicationFolder()}. Write one with \`npx vecrank pull <owner/name> --lock\`.`,
    )
  }
  for (const { model: id, revision, dtypes, files } of JSON.parse(unwrap(await work.job().locked(lock)))) {
    const had = new Set()
    const take = async (what) => {
      const { parts } = await work.pull({ id, revision, lock }, what)
      for (const file of Object.keys(parts[0].files)) had.add(file)
    }
    for (const dtype of dtypes) await take({ dtype })
    // Pinned with `--file`: such a file belongs to no dtype.
    for (const file of files.filter((name) => name.endsWith('.onnx'))) {
      if (!had.has(file)) await take({ file })
    }
  }
}

// ---------- downloads ----------------------------------------------------------------------------------------------------

/** Pulls one model after the other, until a signal of the system stops it. A second signal does not wait. */
class Work {
  stoppedBy
  #options
  #output
  #running
  #handlers = Object.keys(SIGNALS).map((name) => [name, () => this.#stop(name)])

  constructor(options, output) {
    this.#options = options
    this.#output = output
    for (const [name, handler] of this.#handlers) process.on(name, handler)
  }

  #stop(name) {
    if (this.stoppedBy !== undefined) process.exit(SIGNALS[name])
    this.stoppedBy = name
    this.#running?.stop()
  }

  end() {
    for (const [name, handler] of this.#handlers) process.off(name, handler)
  }

  job() {
    this.#running = new (addon().StoreJob)()
    // Between two models there is nothing to stop; the next one ends at once.
    if (this.stoppedBy !== undefined) this.#running.stop()
    return this.#running
  }

  async pull(model, request) {
    const settings = hubSettings({ cacheDir: this.#options['cache-dir'], endpoint: this.#options.endpoint, offline: this.#options.offline })
    const job = this.job()
    const listeners = new Set([(event) => this.#output.bar.update(event)])
    // The download does not depend on a bar that cannot be drawn.
    const onFailure = () => {}
    const outcome = await whileReporting(
      () => job.downloads(),
      listeners,
      onFailure,
      () => job.pull({ ...request, model: { ...model, refresh: true, settings } }),
    )
    this.#output.bar.end()
    const pulled = JSON.parse(unwrap(outcome))
    this.#output.add(pulled)
    return pulled
  }
}

/** What is printed: the bar meanwhile, and at the end what there is now. */
class Output {
  bar
  #options
  #pulled = []

  constructor(options) {
    this.#options = options
    // JSON has standard output for itself; a terminal may still be behind the other one.
    const stream = options.json ? process.stderr : process.stdout
    const isShown = !options.quiet && (!options.json || stream.isTTY)
    this.bar = isShown ? new Bar(stream) : { update() {}, end() {} }
  }

  add(pulled) {
    this.#pulled.push(pulled)
    for (const warning of pulled.warnings) process.stderr.write(`vecrank: warning: ${warning}\n`)
  }

  /** @param lock the lock file that was written, or that decided */
  summary(lock, isWritten) {
    if (this.#options.json) {
      process.stdout.write(`${JSON.stringify({ lock: lock ?? null, models: this.#pulled }, null, 2)}\n`)
      return
    }
    if (this.#options.quiet) return
    for (const { model, revision, commit, path: folder, files } of this.#pulled.flatMap(({ parts }) => parts)) {
      const sizes = Object.values(files).map(({ size }) => size)
      const sum = sizes.reduce((total, size) => total + size, 0)
      const at = revision === commit ? '' : ` '${revision}'`
      process.stdout.write(`${model}${at}: ${several(sizes.length, 'file')}, ${bytes(sum)}\n  commit ${commit}\n  folder ${folder}\n`)
    }
    if (lock !== undefined) process.stdout.write(isWritten ? `Wrote ${lock}\n` : `As pinned in ${lock}\n`)
  }
}

module.exports = { pull }
