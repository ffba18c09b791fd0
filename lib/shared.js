'use strict'

/**
 * The instances behind the functions `embed` and `rerank`: one for equal models and options, made with the first call and kept until the
 * program asks for an end, or the model's files are replaced.
 */

const { createHash } = require('node:crypto')
const { underSignal } = require('./call.js')
const { expected } = require('./errors.js')
const { KIND, LISTEN, REUSABLE, STALE } = require('./model.js')
const { loadOptions } = require('./options.js')
const { isArray, isObject } = require('./shape.js')
const { identify } = require('./source.js')

/** How many calls use an instance, so that one whose files were replaced goes when its last call has ended and not before. */
const USE = Symbol.for('vecrank.use')

async function withShared(Class, options, use) {
  if (options !== undefined && (!isObject(options) || isArray(options))) throw expected('an object', 'options', options)
  const { model, load, ...rest } = options ?? {}
  const kind = Class.prototype[KIND]
  if (isObject(model) && model[KIND] !== undefined) {
    if (model[KIND] !== kind) throw expected(`a model's name or an instance of ${Class.name}`, 'options.model', model)
    if (load !== undefined) throw expected(`nothing (\`options.model\` is an instance of ${Class.name} already)`, 'options.load', load)
    return use(model, rest)
  }
  const { signal, onDownload, ...plan } = loadOptions(kind, load, 'options.load')
  const instances = registry()
  const key = JSON.stringify([kind, identify(kind, model), plan.token === undefined ? plan : { ...plan, token: digest(plan.token) }])
  let instance = instances.get(key)
  if (!instance?.[REUSABLE] || instance[STALE]) {
    // Its calls go on with the files that it was loaded from.
    if (instance !== undefined) retire(instance)
    instance = new Class(model, plan)
    instances.set(key, instance)
  }
  // The instance is for all callers; whom to tell about a download is this one's affair.
  let failure
  const listener = onDownload && Object.assign((event) => onDownload(event), { failed: (error) => (failure = { error }) })
  const unlisten = listener && instance[LISTEN](listener)
  const leave = enter(instance)
  try {
    // One signal ends the call's work as well; of two, the second can only end the wait.
    let result
    if (signal === undefined) result = await use(instance, rest)
    else if (rest.signal === undefined) result = await use(instance, { ...rest, signal })
    else result = await underSignal(signal, () => use(instance, rest))
    if (failure !== undefined) throw failure.error
    return result
  } finally {
    leave()
    unlisten?.()
    // What was never loaded (wrong arguments, no such model) is not kept, or names that come from outside would fill the memory.
    if (!instance[REUSABLE] && instances.get(key) === instance) instances.delete(key)
  }
}

/** Counts a call on an instance until the returned function is called. */
function enter(instance) {
  if (instance[USE] === undefined) Object.defineProperty(instance, USE, { value: { calls: 0, isRetired: false } })
  const use = instance[USE]
  use.calls++
  return () => {
    if (--use.calls === 0 && use.isRetired) void instance.dispose()
  }
}

/** Gives an instance back that no new call gets, once its calls have ended. */
function retire(instance) {
  const use = instance[USE]
  if (use === undefined || use.calls === 0) void instance.dispose()
  else use.isRetired = true
}

/** Gives back every shared instance of this thread. Calls in flight settle as they do when their handle is disposed of. */
async function dispose() {
  const instances = registry()
  const all = [...instances.values()]
  // First, so that a call that comes while they end makes one of its own.
  instances.clear()
  await Promise.all(all.map((instance) => instance.dispose()))
}

/** A secret as a part of a key: the keys of a map are seen by whoever prints it. */
function digest(secret) {
  return createHash('sha256').update(secret).digest('base64')
}

/** On the global object: copies of this file (hot reload, a bundle beside node_modules) then use one set of instances. */
function registry() {
  return (globalThis[Symbol.for('vecrank.instances')] ??= new Map())
}

module.exports = { dispose, withShared }
