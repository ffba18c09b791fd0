'use strict'

/**
 * What Embedder and Reranker share: a handle on a model that is loaded once, on first need, and can be given back. The session behind it
 * belongs to the process: equal handles share it, and it goes with the last of them.
 */

const { addon } = require('./addon.js')
const { loadOptions } = require('./arguments.js')
const { underSignal } = require('./call.js')
const { VecrankError, expected, unwrap } = require('./errors.js')
const { isObject } = require('./shape.js')
const { identify, resolve } = require('./source.js')

// Node 20 has it; older ones and other runtimes may not, and the platform's own symbols are not ours to add.
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')
/** Marks instances, so that those of a second copy of this file (hot reload) are known too. */
const KIND = Symbol.for('vecrank.kind')
const REUSABLE = Symbol.for('vecrank.reusable')

/** The open native model of a handle, for the files of this package only. */
let opened
/** The checked options of a handle. */
let optionsOf
/** Throws `ERR_DISPOSED` if the handle has been given back. */
let assertUsable

class Model {
  #identity
  #options
  #loading
  #isLoaded = false
  #isDisposed = false
  #disposing

  /** No I/O here: a constructor cannot be awaited, so it must not fail for what only I/O can tell. */
  constructor(model, options) {
    this.#identity = identify(this[KIND], model)
    this.#options = loadOptions(this[KIND], options)
  }

  static async load(model, options) {
    return new this(model, options).load()
  }

  /** Loads now what the first call would load. The signal ends this caller's wait and not the load, which others may wait for. */
  async load() {
    assertUsable(this)
    await underSignal(this.#options.signal, () => opened(this))
    return this
  }

  async info() {
    return JSON.parse((await opened(this)).info())
  }

  /** Ends this handle. Calls in flight still settle: with their result or with `ERR_DISPOSED`. */
  async dispose() {
    this.#isDisposed = true
    // All who ask wait for the one end. A load that has failed left nothing to give back, and its callers have its error.
    this.#disposing ??= Promise.resolve(this.#loading).then(
      (model) => model?.dispose(),
      () => {},
    )
    await this.#disposing
  }

  async [asyncDispose]() {
    await this.dispose()
  }

  async #open() {
    const { source, model, path } = resolve(this[KIND], this.#identity)
    const { signal, queue, maxInputChars, ...rest } = this.#options
    const request = { kind: this[KIND], source, model, path, ...rest }
    if (queue?.maxCalls !== undefined) request.queueCalls = queue.maxCalls
    if (queue?.maxTokens !== undefined) request.queueTokens = queue.maxTokens
    const native = unwrap(await addon().load(request))
    warnOfAssumptions(JSON.parse(native.info()))
    return native
  }

  static {
    optionsOf = (handle) => handle.#options

    assertUsable = (handle) => {
      // A method taken off its instance, or called through a proxy, has no model to work with.
      if (!isObject(handle) || !(#options in handle)) throw expected('an instance of Embedder or Reranker', 'this', handle)
      if (!handle.#isDisposed) return
      throw new VecrankError('ERR_DISPOSED', `This ${handle.constructor.name} has been disposed of. Make a new one; the model's session may still be there.`)
    }

    opened = async (handle) => {
      assertUsable(handle)
      // One promise for all first callers. Only a success is kept: the next call after a failure tries again.
      if (handle.#loading === undefined) {
        const loading = handle.#open()
        handle.#loading = loading
        loading.then(
          () => (handle.#isLoaded = true),
          () => handle.#loading === loading && (handle.#loading = undefined),
        )
      }
      const native = await handle.#loading
      assertUsable(handle)
      return native
    }
  }

  /** Whether the registry should hand out this handle again. A property and not a private name, as the handle may be of another copy of this file. */
  get [REUSABLE]() {
    return !this.#isDisposed && (this.#isLoaded || this.#loading !== undefined)
  }
}

const warned = new Set()

/** A repository that does not say how to pool is read as the reference reads it, which may be wrong for it: said once, not hidden. */
function warnOfAssumptions(info) {
  const silent = ['pooling', 'normalize'].filter((name) => info.assumed.includes(name))
  if (silent.length === 0 || warned.has(info.path)) return
  warned.add(info.path)
  const values = silent.map((name) => `${name}: ${JSON.stringify(info[name])}`).join(', ')
  process.emitWarning(
    `The files of ${info.model} do not say how to pool; assumed is { ${values} }, as in sentence-transformers. Set ${silent.join(' and ')} to what its model card says.`,
    { type: 'VecrankWarning', code: 'VECRANK_ASSUMED' },
  )
}

module.exports = { KIND, Model, REUSABLE, assertUsable, opened, optionsOf }
