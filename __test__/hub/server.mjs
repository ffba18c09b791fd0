// A server on loopback whose every socket is known, so that closing it is immediate and a connection can be left unanswered.
//
// Connections arrive at a plain TCP server and are handed to HTTP from there. That is the only place where a test can hold one back before
// TLS or HTTP has read a byte of it.

import http from 'node:http'
import https from 'node:https'
import net from 'node:net'

/**
 * Listens on 127.0.0.1 at a free port.
 *
 * - `handle(request, response)` answers.
 * - `tls`: `{ key, certificate }` in PEM, or `cert` for `certificate`.
 * - `hold()` is asked for each connection; true leaves it open and unread.
 *
 * Gives `{ url, port, http, connections, close }`; `http` is node's server, `connections` counts those accepted so far.
 */
export async function listen(handle, { tls, hold = () => false } = {}) {
  const server = tls ? https.createServer({ key: tls.key, cert: tls.certificate ?? tls.cert }, handle) : http.createServer(handle)
  // Node closes an idle connection after five seconds. A test that pauses for longer would meet a race that it did not ask for.
  server.keepAliveTimeout = 60_000
  const sockets = new Set()
  const listener = {
    http: server,
    connections: 0,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => front.close(resolve))
    },
  }
  // Half open as node's own HTTP server is: a client may end its side when it has asked.
  const front = net.createServer({ noDelay: true, allowHalfOpen: !tls }, (socket) => {
    listener.connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // A client that goes away in the middle is what many tests are about.
    socket.on('error', () => {})
    if (!hold()) server.emit('connection', socket)
  })
  await new Promise((resolve, reject) => front.once('error', reject).listen(0, '127.0.0.1', resolve))
  listener.port = front.address().port
  listener.url = `${tls ? 'https' : 'http'}://127.0.0.1:${listener.port}`
  return listener
}
