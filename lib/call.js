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

  /** Listens to `signal` until the returned function is called. Throws the signal's reason if it has been aborted already. */
  follow(signal) {
    if (signal === undefined) return () => {}
    if (signal.aborted) throw reasonOf(signal)
    const onAbort = () => this.abort(reasonOf(signal))
    signal.addEventListener('abort', onAbort, { once: true })
    return () => signal.removeEventListener('abort', onAbort)
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
