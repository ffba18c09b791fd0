'use strict'

/**
 * From texts to native requests and back. Converting a string for the addon happens on the JavaScript thread, so it is done in small chunks
 * with a turn of the event loop between them, and of a long text only as much is handed over as its first tokens can need: the addon asks
 * for more where that was too short.
 */

const { setImmediate: turn } = require('node:timers/promises')
const { unwrap } = require('./errors.js')

const CHUNK_TEXTS = 512
const CHUNK_TEXTS_WITH_PROGRESS = 64
const CHUNK_UNITS = 256 * 1024
const LANES = 4
const WHOLE = 0xffffffff
const GROWTH = 4
const VECTORS = { Float32Array, Int8Array, Uint8Array }

/** The first units of a text, never ending inside a surrogate pair (which would put another character at the end). */
function prefixOf(text, units) {
  if (text.length <= units) return text
  const last = text.charCodeAt(units - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? units - 1 : units)
}

/** Prefixes of the texts, and for each whether it leaves something out. */
function prefixes(texts, units) {
  const parts = texts.map((text) => prefixOf(text, units))
  const cut = Uint8Array.from(parts, (part, index) => (part.length < texts[index].length ? 1 : 0))
  return { parts, cut }
}

/** The texts that a reply asks for again, longer, in its order. */
function those(texts, indices) {
  return Array.from(indices, (index) => texts[index])
}

/** How many units of a text to pass first: all of them where the end of the text counts. */
function unitsOf(model, request) {
  return model.prefix(request.maxLength, request.truncation)
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

/** One chunk of embeddings; asks again with longer prefixes until the addon has enough. */
async function embedChunk(model, texts, request, units, call) {
  const { parts, cut } = prefixes(texts, units)
  let reply = unwrap(await model.embed({ ...request, texts: parts, cut }, call.ticket))
  for (let longer = units * GROWTH; reply.short; longer *= GROWTH) {
    const more = prefixes(those(texts, reply.short.texts), longer)
    reply = unwrap(await reply.short.resumeEmbed(more.parts, more.cut))
  }
  reply.data = owned(reply.data)
  return reply
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
  const query = prefixes(queries, units)
  const document = prefixes(documents, units)
  const first = { ...request, queries: query.parts, queriesCut: query.cut, documents: document.parts, documentsCut: document.cut }
  let reply = unwrap(await model.score(first, call.ticket))
  for (let longer = units * GROWTH; reply.short; longer *= GROWTH) {
    const { queries: shortQueries, texts: shortDocuments } = reply.short
    const q = prefixes(those(queries, shortQueries), longer)
    const d = prefixes(those(documents, shortDocuments), longer)
    reply = unwrap(await reply.short.resumeScore(q.parts, q.cut, d.parts, d.cut))
  }
  return reply
}

/**
 * Embeds all texts and gives each chunk's reply to `collect(reply, from)`; chunks may arrive out of order.
 * `onProgress` is called after `collect`; what it throws ends the call.
 */
async function embedAll(model, texts, options, call, collect) {
  const { onProgress, request } = options
  const units = unitsOf(model, request)
  const chunks = chunksOf(texts, units, onProgress && CHUNK_TEXTS_WITH_PROGRESS)
  let done = 0
  await inLanes(chunks, call, async ({ from, to }) => {
    const reply = await embedChunk(model, texts.slice(from, to), { ...request, continued: from > 0 }, units, call)
    // Of a call that was aborted nobody wants the progress either.
    if (call.stopped) return
    collect(reply, from)
    done += to - from
    onProgress?.(done, texts.length)
  })
}

/** Scores of all documents in input order. */
async function scoreAll(model, queries, documents, request, call) {
  const scores = new Float32Array(documents.length)
  const units = unitsOf(model, request)
  await inLanes(chunksOf(documents, units), call, async ({ from, to }) => {
    // A single query stays one string for the whole chunk: the addon repeats it.
    const own = queries.length === 1 ? queries : queries.slice(from, to)
    const reply = await scoreChunk(model, own, documents.slice(from, to), { ...request, continued: from > 0 }, units, call)
    scores.set(reply.scores, from)
  })
  return scores
}

/** Token counts of all texts; every text is read to its end. */
async function countAll(model, texts, call) {
  const counts = new Uint32Array(texts.length)
  await inLanes(chunksOf(texts, WHOLE), call, async ({ from, to }) => {
    counts.set(unwrap(await model.count(texts.slice(from, to), call.ticket, from > 0)), from)
  })
  return counts
}

module.exports = { countAll, embedAll, embedChunk, scoreAll, unitsOf }
