// How an answer of the fake Hub goes out: whole, in part, or damaged in the one way that a test asked for.
//
// Sending waits for the network, so a large file needs no second copy and a client that stops reading stops the server too. Nothing here
// knows repositories.

import { gzipSync } from 'node:zlib'

const PIECE = 64 * 1024
const PAGE = '<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in to the network</h1></body></html>\n'

// These change the body of an answer. Where there is none (HEAD, a redirect, an error) they wait for the next answer.
const OF_BODY = ['short', 'long', 'cut', 'closed', 'chunkedWithoutEnd', 'gzip', 'flip', 'trickle', 'ignoreRange', 'cutEvery', 'rate']

const OF_ANSWER = ['status', 'body', 'redirect', 'html', 'etag', 'headers', 'delay', 'stall', 'at', 'reset']

/** Throws for a name that is no fault: a test that breaks nothing by a slip would pass. */
export function checkFault(fault) {
  const unknown = Object.keys(fault).filter((name) => !OF_BODY.includes(name) && !OF_ANSWER.includes(name))
  if (unknown.length) throw new TypeError(`There is no fault ${unknown.join(', ')}`)
}

/** Whether a fault needs an answer with a body. */
export function needsBody(fault) {
  return OF_BODY.some((name) => name in fault) || fault.stall === 'first' || fault.stall === 'body'
}

export const text = (status, message, headers) => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
  body: Buffer.from(message),
})

export const json = (status, value, headers) => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  body: Buffer.from(JSON.stringify(value)),
})

/** Waits, or not any longer once the client is gone. */
function pause(response, milliseconds) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      response.off('close', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    response.once('close', done)
  })
}

/** Writes and waits until the system has taken the bytes. False if the client is gone. */
function write(response, piece) {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve(false)
    const gone = () => resolve(false)
    response.once('close', gone)
    response.write(piece, (error) => {
      response.off('close', gone)
      resolve(!error)
    })
  })
}

/** The first and last byte that a `Range` asks for, null where all is to be sent (several ranges too), or 'unsatisfiable'. */
function rangeOf(header, size) {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (!from && !to) return null
  const first = from ? Number(from) : Math.max(0, size - Number(to))
  const last = from && to ? Number(to) : Infinity
  if (last < first) return null
  return first < size ? [first, Math.min(last, size - 1)] : 'unsatisfiable'
}

function flipped(bytes, bit) {
  const copy = Buffer.from(bytes)
  copy[bit >> 3] ^= 1 << (bit & 7)
  return copy
}

/** Faults that put another answer in the place of the right one. */
function replaced(request, answer, fault) {
  if (fault.html) return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: Buffer.from(PAGE) }
  if (fault.redirect === 'self') return text(fault.status ?? 301, 'Moved', { location: request.url })
  if (fault.redirect) return text(fault.status ?? 302, 'Found', { location: fault.redirect })
  if (fault.status) return text(fault.status, fault.body ?? `Error ${fault.status}`)
  return answer
}

/** Faults of the bytes, then the range. Damage is done to the whole file, so that every range of it agrees. */
function cutOut(request, { status, headers, body, ranges }, fault) {
  if (fault.flip !== undefined) body = flipped(body, fault.flip)
  if (fault.short) body = body.subarray(0, Math.max(0, body.length - fault.short))
  if (fault.long) body = Buffer.concat([body, Buffer.alloc(fault.long, '*')])
  if (fault.gzip) {
    body = gzipSync(body)
    headers = { ...headers, 'content-encoding': 'gzip' }
  }
  // With `If-Range` a client asks for a part of the version that it knows, or else for all of the new one.
  const isSame = !request.headers['if-range'] || request.headers['if-range'] === headers.etag
  const isPart = ranges && status === 200 && request.method === 'GET' && isSame && !fault.ignoreRange && !fault.gzip
  const range = isPart ? rangeOf(request.headers.range, body.length) : null
  if (range === 'unsatisfiable') return text(416, 'Range Not Satisfiable', { 'content-range': `bytes */${body.length}` })
  if (!range) return { status, headers, body }
  headers = { ...headers, 'content-range': `bytes ${range[0]}-${range[1]}/${body.length}` }
  return { status: 206, headers, body: body.subarray(range[0], range[1] + 1) }
}

function headersOf({ headers, body }, fault) {
  const all = { ...headers, 'content-length': body.length }
  if (fault.closed !== undefined || fault.chunkedWithoutEnd !== undefined) delete all['content-length']
  if (fault.closed !== undefined) all.connection = 'close'
  if (fault.etag !== undefined) {
    all.etag = fault.etag
    if (all['x-linked-etag']) all['x-linked-etag'] = fault.etag
  }
  for (const [name, value] of Object.entries(fault.headers ?? {})) {
    if (value === null) delete all[name.toLowerCase()]
    else all[name.toLowerCase()] = value
  }
  return all
}

/** Sends the body up to where the fault ends it. */
async function pour(response, body, fault, entry) {
  const limit = fault.cut ?? fault.cutEvery ?? fault.closed ?? fault.chunkedWithoutEnd
  const stall = { first: 0, body: fault.at ?? body.length >> 1 }[fault.stall]
  const end = Math.min(body.length, limit ?? Infinity, stall ?? Infinity)
  const pace = fault.trickle ?? fault.rate
  const tick = fault.trickle ? 100 : 20
  const started = performance.now()
  response.flushHeaders()
  while (entry.sent < end && !response.destroyed) {
    let size = Math.min(PIECE, end - entry.sent)
    if (pace) {
      const nextByte = ((entry.sent + 1) / pace) * 1000
      await pause(response, Math.max(tick, nextByte - (performance.now() - started)))
      const due = Math.floor(((performance.now() - started) / 1000) * pace) - entry.sent
      size = Math.min(Math.max(1, due), end - entry.sent)
    }
    if (!(await write(response, body.subarray(entry.sent, entry.sent + size)))) return
    entry.sent += size
  }
  if (stall !== undefined) return
  const isCut = fault.chunkedWithoutEnd !== undefined || (fault.closed === undefined && end < body.length)
  if (!isCut) response.end()
  else if (fault.reset) response.socket?.resetAndDestroy()
  else response.destroy()
}

/**
 * Sends `answer`, `{ status, headers, body, ranges }`, with all that is in `fault`, and writes `status` and `sent` to `entry`. `ranges`
 * says that parts of the body may be asked for.
 */
export async function send(request, response, answer, fault, entry) {
  if (fault.delay) await pause(response, fault.delay)
  if (fault.stall === 'headers' || response.destroyed) return
  const final = cutOut(request, replaced(request, answer, fault), fault)
  const headers = headersOf(final, fault)
  entry.status = final.status
  // Without this, node would make up for a missing length with chunks.
  if (headers.connection === 'close') response.removeHeader('transfer-encoding')
  response.writeHead(final.status, headers)
  if (request.method === 'HEAD') response.end()
  else await pour(response, final.body, fault, entry)
}
