'use strict'

/**
 * One call of a user: its signal, and the native ticket that its requests carry. Why not the addon's own abort signals: those of the binding
 * library take the place of the user's `onabort`, know only signals of their own realm, and keep a listener after the call has ended.
 */

const { addon } = require('./addon.js')

class Call {
  #ticket
  #abandon
  #stopped = false
  #aborted
  #onStop = []

  /** True once nobody wants the result: no more work may be submitted. */
  get stopped() {
    return this.#stopped
  }

  /** Made with the first native request, so that a call that never reaches the addon does not load it. */
  get ticket() {
    return (this.#ticket ??= new (addon().Ticket)())
  }

  stop() {
    this.#stopped = true
    this.#ticket?.cancel()
    for (const listener of this.#onStop.splice(0)) listener()
  }

  /** Calls `listener` once when the call is stopped. The returned function takes it back. */
  onStop(listener) {
    this.#onStop.push(listener)
    return () => {
      const at = this.#onStop.indexOf(listener)
      if (at !== -1) this.#onStop.splice(at, 1)
    }
  }

  /** Stops, and ends with `reason` the wait that is going on, whatever it waits for. */
  abort(reason) {
    this.stop()
    this.#aborted = { reason }
    this.#abandon?.(reason)
  }

  /**
   * Waits for a promise or until the call is aborted. One wait at a time. Not `Promise.race`: a race keeps a reaction on the promise that
   * lives longer, which in a long stream is a leak.
   */
  wait(promise) {
    this.throwIfAborted()
    return new Promise((resolve, reject) => {
      this.#abandon = reject
      promise.then(resolve, reject)
    }).finally(() => {
      this.#abandon = undefined
    })
  }

  throwIfAborted() {
    if (this.#aborted) throw this.#aborted.reason
  }

  /** Follows `signal` until the returned function is called. Throws the signal's reason if it has been aborted already. */
  follow(signal) {
    if (signal === undefined) return () => {}
    if (signal.aborted) throw reasonOf(signal)
    return listen(signal, this)
  }
}

/** The calls of each signal. One listener for all of them: with one each, Node warns of a leak from the eleventh call on. */
const following = new WeakMap()

function listen(signal, call) {
  let group = following.get(signal)
  if (group === undefined) {
    const calls = new Set()
    const onAbort = () => {
      following.delete(signal)
      for (const each of calls) each.abort(reasonOf(signal))
    }
    group = { calls, onAbort }
    signal.addEventListener('abort', onAbort, { once: true })
    // Only now: a signal that took no listener must not look as if it had one.
    following.set(signal, group)
  }
  const { calls, onAbort } = group
  calls.add(call)
  return () => {
    calls.delete(call)
    if (calls.size > 0 || following.get(signal) !== group) return
    following.delete(signal)
    signal.removeEventListener('abort', onAbort)
  }
}

/** A signal that is not the platform's may have no reason; a rejection with `undefined` would tell nobody anything. */
function reasonOf(signal) {
  return signal.reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : signal.reason
}

/** The result of `work(call)`, or the signal's reason as soon as it is aborted. Work that fails stops what it had submitted. */
async function underSignal(signal, work) {
  const call = new Call()
  const unfollow = call.follow(signal)
  try {
    const working = work(call)
    return await (signal === undefined ? working : call.wait(working))
  } catch (error) {
    call.stop()
    throw error
  } finally {
    unfollow()
  }
}

module.exports = { Call, underSignal }
