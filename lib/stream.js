'use strict'

/**
 * Embeddings of a source of texts whose end nobody knows. Texts are read ahead, so that the addon has work while the consumer is busy, but
 * only a little: a source of any length needs the same memory. What has been read is embedded without waiting for a full chunk when the
 * source pauses.
 */

const { setImmediate: turn } = require('node:timers/promises')
const { bounded } = require('./arguments.js')
const { Call } = require('./call.js')
const { expected } = require('./errors.js')
const { opened, optionsOf } = require('./model.js')
const { embedChunk, owned, unitsOf } = require('./request.js')
const { isObjectOrFunction } = require('./shape.js')

const CHUNK_TEXTS = 64
const CHUNK_UNITS = 256 * 1024
/** Chunks on their way at once: with 64 texts each, 256 texts are read ahead. */
const AHEAD = 4

/** Texts of an iterable, asked for one at a time. `pending` is the text that was asked for and has not come yet. */
class Source {
  #iterator
  #next
  #isAsync
  #count = 0
  #maxInputChars
  pending
  ended = false
  /** `{ error }` once it has failed: a source may throw anything, also `undefined`. */
  failure

  constructor(source, maxInputChars) {
    // Not a string, which is an iterable of its characters, nor numbers: nobody means these.
    const isCandidate = isObjectOrFunction(source) && !ArrayBuffer.isView(source)
    const asynchronous = isCandidate ? source[Symbol.asyncIterator] : undefined
    const method = isCandidate && asynchronous == null ? source[Symbol.iterator] : asynchronous
    const iterator = typeof method === 'function' ? Reflect.apply(method, source, []) : undefined
    const next = isObjectOrFunction(iterator) ? iterator.next : undefined
    if (typeof next !== 'function') throw expected('an iterable or async iterable of strings', 'source', source)
    this.#isAsync = asynchronous != null
    this.#iterator = iterator
    this.#next = next
    this.#maxInputChars = maxInputChars
  }

  /** Takes the next text into `batch`. A synchronous source answers at once; for another, `pending` is left to be waited for. */
  ask(batch) {
    try {
      const step = Reflect.apply(this.#next, this.#iterator, [])
      if (!this.#isAsync) return this.#take(step, batch)
      this.pending = Promise.resolve(step).then(
        (answer) => ({ answer }),
        (error) => ({ error }),
      )
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Takes what `pending` has brought. */
  receive(brought, batch) {
    this.pending = undefined
    if ('error' in brought) return this.#fail(brought.error)
    try {
      this.#take(brought.answer, batch)
    } catch (error) {
      this.#fail(error)
    }
  }

  #take(step, batch) {
    if (!isObjectOrFunction(step)) throw expected('the result of an iterator', `source[${this.#count}]`, step)
    if (step.done) {
      this.ended = true
      return
    }
    try {
      batch.push(bounded(step.value, `source[${this.#count}]`, this.#maxInputChars))
      this.#count++
    } catch (error) {
      // The source is well; it is us who end it, so it is told.
      this.failure = { error }
      this.close().catch(() => {})
    }
  }

  /** A source that throws has ended by itself. Its error comes after the embeddings of what it gave before. */
  #fail(error) {
    this.failure = { error }
    this.ended = true
  }

  /** Tells a source that it will not be asked again. One that still owes a text may never answer, so it is not waited for. */
  async close() {
    if (this.ended) return
    this.ended = true
    const closing = this.#iterator.return?.()
    if (this.pending === undefined) await closing
    else Promise.resolve(closing).catch(() => {})
  }
}

/** `{ index, embedding }` for each text, in order. */
async function* embedStream(handle, given, { request, signal }) {
  const source = new Source(given, optionsOf(handle).maxInputChars)
  const call = new Call()
  let unfollow
  try {
    unfollow = call.follow(signal)
    const flying = []
    let model
    let index = 0
    let read = 0

    const submit = async (batch, first) => {
      model ??= opened(handle, call)
      const native = await model
      const rows = { list: 'source', first }
      return embedChunk(native, batch, { ...request, rows }, unitsOf(native, request), call)
    }

    for (;;) {
      while (!source.ended && flying.length < AHEAD) {
        const batch = await gather(source, flying, call)
        if (batch.length === 0) break
        const reply = submit(batch, read)
        read += batch.length
        // Its error is reported when its turn comes; until then it is not "unhandled".
        reply.catch(() => {})
        flying.push({ reply, landed: reply.then(() => {}, () => {}) })
      }
      if (flying.length === 0) break
      const reply = await call.wait(flying.shift().reply)
      const width = reply.data.length / reply.rows
      for (let row = 0; row < reply.rows; row++) {
        yield { index: index++, embedding: owned(reply.data.subarray(row * width, (row + 1) * width)) }
        // The consumer may have taken its time.
        call.throwIfAborted()
      }
    }
    if (source.failure !== undefined) throw source.failure.error
  } catch (error) {
    // As in a loop of the language: what closing throws does not take the place of the first error.
    await source.close().catch(() => {})
    throw error
  } finally {
    // Also reached when the consumer leaves its loop early.
    unfollow?.()
    call.stop()
    await source.close()
  }
}

/** The next texts: up to a full chunk, or fewer when the source pauses. Empty if the oldest chunk is ready before the next text. */
async function gather(source, flying, call) {
  const batch = []
  let units = 0
  while (!source.ended && batch.length < CHUNK_TEXTS && units < CHUNK_UNITS) {
    const before = batch.length
    if (source.pending === undefined) source.ask(batch)
    if (source.pending !== undefined) {
      const { pending } = source
      const others = batch.length > 0 ? [turn()] : flying.length > 0 ? [flying[0].landed] : []
      const answer = await call.wait(Promise.race([pending, ...others]))
      if (answer === undefined) break
      source.receive(answer, batch)
    }
    if (batch.length > before) units += batch[batch.length - 1].length
  }
  return batch
}

module.exports = { embedStream }
