'use strict'

/**
 * From texts to native requests and back. Converting a string for the addon happens on the JavaScript thread, so it is done in small chunks
 * with a turn of the event loop between them, and of a long text only as much is handed over as its first tokens can need: the addon asks
 * for what follows where that was too short.
 */

const { setImmediate: turn } = require('node:timers/promises')
const { unwrap } = require('./errors.js')

const CHUNK_TEXTS = 512
const CHUNK_TEXTS_WITH_PROGRESS = 64
const CHUNK_UNITS = 256 * 1024
const LANES = 4
const WHOLE = 0xffffffff
/** The parts of a long text grow, so that few are needed, up to a size that is converted in a few milliseconds. */
const GROWTH = 4
const PART_UNITS = 1024 * 1024
const VECTORS = { Float32Array, Int8Array, Uint8Array }
const NONE = new Uint8Array(0)

/** Texts that are handed over in parts, each as far as the addon asks. */
class Parts {
  #texts
  #passed

  constructor(texts) {
    this.#texts = texts
    this.#passed = new Array(texts.length).fill(0)
  }

  /** What follows of the texts at `indices` (all of them by default), up to `units` of each, and for each whether more follows. */
  next(units, indices = this.#texts.keys()) {
    const parts = []
    const cut = []
    for (const index of indices) {
      const text = this.#texts[index]
      const from = this.#passed[index]
      let to = Math.min(text.length, from + units)
      // Not inside a surrogate pair: each half would become another character.
      if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1))) to += 1
      this.#passed[index] = to
      parts.push(from === 0 && to === text.length ? text : text.slice(from, to))
      cut.push(to < text.length ? 1 : 0)
    }
    return { parts, cut: Uint8Array.from(cut) }
  }
}

function isHighSurrogate(unit) {
  return unit >= 0xd800 && unit <= 0xdbff
}

/** The sizes of the parts that follow the first, of `units`. */
function* growing(units) {
  for (;;) yield (units = Math.min(units * GROWTH, Math.max(units, PART_UNITS)))
}

/** How many units of a text to pass first. */
function unitsOf(model, request) {
  return model.prefix(request.maxLength)
}

/** Bounds `[from, to)` of chunks, limited in texts and in units; one text alone may be longer. */
function chunksOf(texts, units, most = CHUNK_TEXTS) {
  const chunks = []
  let from = 0
  let total = 0
  for (let index = 0; index < texts.length; index++) {
    const size = Math.min(texts[index].length, units)
    if (index > from && (index - from === most || total + size > CHUNK_UNITS)) {
      chunks.push({ from, to: index })
      from = index
      total = 0
    }
    total += size
  }
  chunks.push({ from, to: texts.length })
  return chunks
}

/** Runs `task` on every chunk, a few at a time so that the addon never waits for the next one, with a turn before each but the first. */
async function inLanes(chunks, call, task) {
  let next = 0
  const lane = async (_, delay) => {
    for (let turns = 0; turns < delay; turns++) await turn()
    try {
      while (next < chunks.length && !call.stopped) {
        await task(chunks[next++])
        if (next < chunks.length) await turn()
      }
    } catch (error) {
      // At once, so that the other lanes submit nothing more for a call that has failed.
      call.stop()
      throw error
    }
  }
  await Promise.all(Array.from({ length: Math.min(LANES, chunks.length) }, lane))
}

/** The reply to a request for parts of `units`: hands over more with `resume(short, size)` until the addon has enough. */
async function untilEnough(units, request, resume) {
  let reply = unwrap(await request)
  for (const sizes = growing(units); reply.short; ) reply = unwrap(await resume(reply.short, sizes.next().value))
  return reply
}

/** One chunk of embeddings. Its `data` is native memory: `owned` makes it the caller's. */
async function embedChunk(model, texts, request, units, call) {
  const parts = new Parts(texts)
  const first = parts.next(units)
  const asked = model.embed({ ...request, texts: first.parts, cut: first.cut }, call.ticket)
  return untilEnough(units, asked, (short, size) => {
    const more = parts.next(size, short.texts)
    return short.resume([], NONE, more.parts, more.cut)
  })
}

/** An empty array of `length` values, of the type of `data`, in JavaScript's own memory and of the caller's realm. */
function emptyLike(data, length) {
  return new VECTORS[data[Symbol.toStringTag]](length)
}

/**
 * A copy in JavaScript's own memory, of the caller's realm. Memory of native code cannot be transferred to another thread (Node 22 and newer), is not
 * allowed in every host (Electron), and in a `vm` context, as in Jest, it is of another realm, where `instanceof` says no. A reply has at most
 * `CHUNK_TEXTS` rows, so this takes well under a millisecond.
 */
function owned(data) {
  return new VECTORS[data[Symbol.toStringTag]](data)
}

/** One chunk of scores, likewise; `queries` holds one query for all documents or one for each. */
async function scoreChunk(model, queries, documents, request, units, call) {
  const query = new Parts(queries)
  const document = new Parts(documents)
  const [q, d] = [query.next(units), document.next(units)]
  const asked = model.score({ ...request, queries: q.parts, queriesCut: q.cut, documents: d.parts, documentsCut: d.cut }, call.ticket)
  return untilEnough(units, asked, (short, size) => {
    const [moreQ, moreD] = [query.next(size, short.queries), document.next(size, short.texts)]
    return short.resume(moreQ.parts, moreQ.cut, moreD.parts, moreD.cut)
  })
}

/** One chunk of what has a row of its own for each text, or for each pair: the answer of the model's method `ask`. */
async function raggedChunk(model, ask, texts, pairs, request, units, call) {
  const first = new Parts(texts)
  const second = new Parts(pairs ?? [])
  const [f, s] = [first.next(units), second.next(units)]
  const asked = model[ask]({ ...request, texts: f.parts, cut: f.cut, ...(pairs && { pairs: s.parts, pairsCut: s.cut }) }, call.ticket)
  return untilEnough(units, asked, (short, size) => {
    if (pairs === undefined) {
      const more = first.next(size, short.texts)
      return short.resume([], NONE, more.parts, more.cut)
    }
    const [moreF, moreS] = [first.next(size, short.queries), second.next(size, short.texts)]
    return short.resume(moreF.parts, moreF.cut, moreS.parts, moreS.cut)
  })
}

/**
 * Asks the model's method `ask` for all texts, or pairs, of the caller's `list` (`{name, first}`: what he knows it as, and where in it they begin;
 * without `first` it is one text alone). Gives each row to `collect(row, index)`: `{values, indices, truncated}`, where `indices`
 * is empty if the values' places say what they belong to. Rows may arrive out of order.
 */
async function raggedAll(model, ask, { list, texts, pairs }, request, call, collect) {
  const units = unitsOf(model, request)
  await inLanes(chunksOf(texts, units), call, async ({ from, to }) => {
    const rows = { list: list.name, first: list.first === undefined ? undefined : list.first + from }
    const reply = await raggedChunk(model, ask, texts.slice(from, to), pairs?.slice(from, to), { ...request, rows }, units, call)
    if (call.stopped) return
    let start = 0
    reply.lengths.forEach((length, row) => {
      const end = start + length
      // Copies in JavaScript's own memory, as for embeddings.
      const part = (array) => (array.length === 0 ? new array.constructor(0) : array.slice(start, end))
      collect({ values: part(reply.values), indices: part(reply.indices), truncated: reply.truncated[row] === 1 }, from + row)
      start = end
    })
  })
}

/**
 * Embeds all texts and gives each chunk's reply, with `data` in native memory, to `collect(reply, from)`; chunks may arrive out of order.
 * `onProgress` is called after `collect`; what it throws ends the call.
 */
async function embedAll(model, texts, options, call, collect) {
  const { onProgress, request, isList = true } = options
  const units = unitsOf(model, request)
  const chunks = chunksOf(texts, units, onProgress && CHUNK_TEXTS_WITH_PROGRESS)
  let done = 0
  await inLanes(chunks, call, async ({ from, to }) => {
    const reply = await embedChunk(model, texts.slice(from, to), { ...request, rows: { list: 'texts', first: isList ? from : undefined } }, units, call)
    // Of a call that was aborted nobody wants the progress either.
    if (call.stopped) return
    collect(reply, from)
    done += to - from
    onProgress?.(done, texts.length)
  })
}

/** Scores of all pairs in input order, and for each whether it was cut. `list` is what the caller knows the pairs as. */
async function scoreAll(model, list, queries, documents, request, call) {
  const scores = new Float32Array(documents.length)
  const truncated = new Uint8Array(documents.length)
  const units = unitsOf(model, request)
  await inLanes(chunksOf(documents, units), call, async ({ from, to }) => {
    // A single query stays one string for the whole chunk: the addon reads it once.
    const own = queries.length === 1 ? queries : queries.slice(from, to)
    const reply = await scoreChunk(model, own, documents.slice(from, to), { ...request, rows: { list, first: from } }, units, call)
    scores.set(reply.scores, from)
    truncated.set(reply.truncated, from)
  })
  return { scores, truncated }
}

/**
 * The spans of all texts of the caller's `list` (`{name, isList}`), each of which is read to its end. Gives those of each text to `collect(spans, index)`:
 * `{labels, scores, starts, ends}`. Texts may arrive out of order.
 */
async function spansAll(model, list, texts, request, call, collect) {
  await inLanes(chunksOf(texts, WHOLE), call, async ({ from, to }) => {
    const rows = { list: list.name, first: list.isList ? from : undefined }
    const reply = unwrap(await model.classifyTokens({ ...request, texts: texts.slice(from, to), rows }, call.ticket))
    let start = 0
    for (let text = from; text < to && !call.stopped; text++) {
      const end = start + reply.lengths[text - from]
      const part = (array) => array.subarray(start, end)
      await collect({ labels: part(reply.labels), scores: part(reply.scores), starts: part(reply.starts), ends: part(reply.ends) }, text)
      start = end
    }
  })
}

/** Token counts of all texts; every text is read to its end. */
async function countAll(model, texts, call) {
  const counts = new Uint32Array(texts.length)
  await inLanes(chunksOf(texts, WHOLE), call, async ({ from, to }) => {
    counts.set(unwrap(await model.count(texts.slice(from, to), call.ticket, { list: 'texts', first: from })), from)
  })
  return counts
}

module.exports = { countAll, embedAll, embedChunk, emptyLike, owned, raggedAll, scoreAll, spansAll, unitsOf }
