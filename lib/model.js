'use strict'

/**
 * What the classes of models share: a handle on a model that is loaded once, on first need, and can be given back. The session behind it
 * belongs to the process: equal handles share it, and it goes with the last of them.
 */

const { addon } = require('./addon.js')
const { underSignal } = require('./call.js')
const { VecrankError, argumentError, expected, unwrap } = require('./errors.js')
const { hubModel } = require('./hub.js')
const { loadOptions } = require('./options.js')
const { whileReporting } = require('./progress.js')
const { isObject } = require('./shape.js')
const { identify, resolve } = require('./source.js')

// Node 20 has it; older ones and other runtimes may not, and the platform's own symbols are not ours to add.
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')
/** Marks instances, so that those of a second copy of this file (hot reload) are known too. */
const KIND = Symbol.for('vecrank.kind')
const REUSABLE = Symbol.for('vecrank.reusable')
const LISTEN = Symbol.for('vecrank.listen')
const STALE = Symbol.for('vecrank.stale')

/** The open native model of a handle, for the files of this package only. */
let opened
/** The native model of a handle that is loaded, for what answers at once. */
let loadedOf
/** Tells a function about the downloads of a handle. */
let listening
/** The checked options of a handle. */
let optionsOf
/** Throws `ERR_DISPOSED` if the handle has been given back. */
let assertUsable

class Model {
  #identity
  #options
  /** The load that is under way or has succeeded: `{ promise, wait, waiters, native }`. */
  #flight
  /** Who is told about downloads. */
  #listeners = new Set()
  #isDisposed = false
  #disposing

  /** No I/O here: a constructor cannot be awaited, so it must not fail for what only I/O can tell. */
  constructor(model, options) {
    this.#identity = identify(this[KIND], model)
    this.#options = loadOptions(this[KIND], options)
    if (this.#options.revision !== undefined && this.#identity.source !== 'hub' && !this.#identity.isDefault) {
      throw expected('nothing (only a model on the Hub has revisions)', 'options.revision', this.#options.revision)
    }
  }

  static async load(model, options) {
    return new this(model, options).load()
  }

  /** Loads now what the first call would load. The signal ends this caller's wait; the load goes on as long as somebody waits for it. */
  async load() {
    assertUsable(this)
    await underSignal(this.#options.signal, (call) => opened(this, call))
    return this
  }

  async info() {
    return infoOf(this, await opened(this))
  }

  /** Ends this handle. Calls in flight still settle: with their result or with `ERR_DISPOSED`. */
  async dispose() {
    this.#isDisposed = true
    const flight = this.#flight
    if (flight !== undefined && flight.native === undefined) flight.wait.giveUp()
    // All who ask wait for the one end. A load that has failed left nothing to give back, and its callers have its error.
    this.#disposing ??= Promise.resolve(flight?.promise).then(
      (model) => model?.dispose(),
      () => {},
    )
    await this.#disposing
  }

  async [asyncDispose]() {
    await this.dispose()
  }

  #begin() {
    const flight = { wait: new (addon().LoadWait)(), waiters: 0, native: undefined }
    flight.promise = this.#open(flight.wait)
    flight.promise.then(
      (native) => (flight.native = native),
      // Only a success is kept: the next call after a failure tries again.
      () => this.#flight === flight && (this.#flight = undefined),
    )
    return flight
  }

  async #open(wait) {
    const { source, model, path } = resolve(this[KIND], this.#identity)
    const { signal, queue, maxInputChars, onDownload, revision, cacheDir, endpoint, token, offline, refresh, lock, ...rest } = this.#options
    const request = { kind: this[KIND], source, model, ...rest }
    if (source === 'hub') request.hub = hubModel(model, { revision, cacheDir, endpoint, token, offline, refresh, lock })
    else request.path = path
    if (queue?.maxCalls !== undefined) request.queueCalls = queue.maxCalls
    if (queue?.maxTokens !== undefined) request.queueTokens = queue.maxTokens

    if (onDownload !== undefined) this.#listeners.add(onDownload)
    let failure
    const onFailure = (error, listener) => {
      if (listener !== onDownload) return listener.failed(error)
      failure = { error }
      wait.giveUp()
    }
    const outcome = await whileReporting(() => wait.downloads(), this.#listeners, onFailure, () => addon().load(request, wait))
    if (failure !== undefined) {
      await outcome.value?.dispose()
      throw failure.error
    }
    const native = unwrap(outcome)
    const info = JSON.parse(native.info())
    for (const { code, text } of native.warnings) {
      // Every handle on a shared model has those of the device: said once.
      if (code !== 'VECRANK_DEVICE' || isNew(`${info.path}: ${text}`)) process.emitWarning(text, { type: 'VecrankWarning', code })
    }
    warnOfAssumptions(info)
    return native
  }

  static {
    optionsOf = (handle) => handle.#options

    assertUsable = (handle) => {
      // A method taken off its instance, or called through a proxy, has no model to work with.
      if (!isObject(handle) || !(#options in handle)) throw expected('an instance of a class of models', 'this', handle)
      if (!handle.#isDisposed) return
      throw new VecrankError('ERR_DISPOSED', `This ${handle.constructor.name} has been disposed of. Make a new one; the model's session may still be there.`)
    }

    opened = async (handle, call) => {
      assertUsable(handle)
      // One promise for all first callers.
      const flight = (handle.#flight ??= handle.#begin())
      if (flight.native !== undefined) return flight.promise
      flight.waiters++
      // A load that nobody waits for any more is stopped, and not joined by the next caller.
      const forget = call?.onStop(() => {
        if (--flight.waiters > 0 || flight.native !== undefined) return
        flight.wait.giveUp()
        if (handle.#flight === flight) handle.#flight = undefined
      })
      try {
        const native = await flight.promise
        assertUsable(handle)
        return native
      } catch (error) {
        // A load that was given up because of `dispose` says so.
        assertUsable(handle)
        throw error
      } finally {
        forget?.()
      }
    }

    loadedOf = (handle, method) => {
      const native = handle.#flight?.native
      if (native !== undefined) return native
      throw argumentError(`Expected a model that is loaded for \`${method}\`, which answers at once: \`await model.load()\` before it.`)
    }

    listening = (handle, listener) => {
      handle.#listeners.add(listener)
      return () => handle.#listeners.delete(listener)
    }
  }

  /** Whether the registry should hand out this handle again. A property and not a private name, as the handle may be of another copy of this file. */
  get [REUSABLE]() {
    return !this.#isDisposed && this.#flight !== undefined
  }

  /** Whether the model's files were replaced after they were loaded. Asks the system once for each file of a folder: about 0.03 ms in all. */
  get [STALE]() {
    const native = this.#isDisposed ? undefined : this.#flight?.native
    return native !== undefined && !native.isCurrent()
  }

  /** Tells `listener` about downloads until the returned function is called. Also for a handle of another copy of this file. */
  [LISTEN](listener) {
    return listening(this, listener)
  }
}

const warned = new Set()

/** Whether this was not said before. */
function isNew(what) {
  const before = warned.size
  return warned.add(what).size > before
}

/** A repository that does not say how to pool is read as the reference reads it, which may be wrong for it: said once, not hidden. */
function warnOfAssumptions(info) {
  const silent = ['pooling', 'normalize'].filter((name) => info.assumed.includes(name))
  if (silent.length === 0 || !isNew(info.path)) return
  const values = silent.map((name) => `${name}: ${JSON.stringify(info[name])}`).join(', ')
  process.emitWarning(
    `The files of ${info.model} do not say how to pool; assumed is { ${values} }, as in sentence-transformers. Set ${silent.join(' and ')} to what its model card says.`,
    { type: 'VecrankWarning', code: 'VECRANK_ASSUMED' },
  )
}

/** What the open native model of a handle says of itself, unless the handle was disposed of meanwhile. */
function infoOf(handle, native) {
  const info = native.info()
  if (info === '') assertUsable(handle)
  return JSON.parse(info)
}

module.exports = { KIND, LISTEN, Model, REUSABLE, STALE, assertUsable, infoOf, loadedOf, opened, optionsOf }
