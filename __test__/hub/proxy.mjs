// A forward proxy on loopback: tunnels (CONNECT), as for https addresses, and requests with an absolute address, as for http ones.
//
// It knows names that no resolver knows, so that a test can tell whether a client asked the proxy or went past it. What is neither routed
// nor loopback is refused: no test leaves the machine by mistake.

import http from 'node:http'
import net from 'node:net'
import { listen } from './server.mjs'

const LOOPBACK = ['127.0.0.1', 'localhost', '::1']

// Between two neighbours, and not to be handed on.
const NEIGHBOURS = ['proxy-authorization', 'proxy-connection', 'connection', 'keep-alive']

function handedOn(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NEIGHBOURS.includes(name)))
}

export class Proxy {
  /** Every request in order: `{ method, target, headers, status }`; `target` is `host:port` for CONNECT and else the whole address. */
  requests = []

  #credentials
  #listener
  #routes = new Map()
  #outgoing = new Set()

  /** Starts on 127.0.0.1. With `credentials` ('user:password') all who do not give them are answered with 407. */
  static async start({ credentials } = {}) {
    const proxy = new Proxy()
    proxy.#credentials = credentials
    proxy.#listener = await listen((request, response) => proxy.#forward(request, response))
    proxy.#listener.http.on('connect', (request, socket, head) => proxy.#tunnel(request, socket, head))
    return proxy
  }

  /** `http://127.0.0.1:PORT`, without credentials. */
  get url() {
    return this.#listener.url
  }

  get port() {
    return this.#listener.port
  }

  /** The proxy's address with credentials, as it stands in HTTPS_PROXY; by default the right ones. */
  urlWith(credentials = this.#credentials) {
    return this.url.replace('//', `//${credentials.split(':').map(encodeURIComponent).join(':')}@`)
  }

  /** Sends all that is for `host`, whichever port it names, to a port of 127.0.0.1. */
  route(host, port) {
    this.#routes.set(host.toLowerCase(), port)
  }

  clear() {
    this.requests = []
  }

  async close() {
    for (const socket of this.#outgoing) socket.destroy()
    await this.#listener.close()
  }

  /** Where a host and port lead: `{ host, port }`, or null for what is outside. */
  #destination(hostname, port) {
    const host = hostname.replace(/^\[|\]$/g, '').toLowerCase()
    if (this.#routes.has(host)) return { host: '127.0.0.1', port: this.#routes.get(host) }
    return LOOPBACK.includes(host) ? { host, port: Number(port) } : null
  }

  #isAllowed({ headers }) {
    if (this.#credentials === undefined) return true
    return headers['proxy-authorization'] === `Basic ${Buffer.from(this.#credentials).toString('base64')}`
  }

  #note({ method, url, headers }) {
    const entry = { method, target: url, headers, status: null }
    this.requests.push(entry)
    return entry
  }

  #tunnel(request, socket, head) {
    const entry = this.#note(request)
    const answer = (status, reason, headers = '') => {
      entry.status = status
      socket.write(`HTTP/1.1 ${status} ${reason}\r\n${headers}\r\n`)
    }
    const refuse = (status, reason, headers = '') => {
      answer(status, reason, `${headers}Content-Length: 0\r\nConnection: close\r\n`)
      socket.end()
    }
    socket.on('error', () => {})
    if (!this.#isAllowed(request)) return refuse(407, 'Proxy Authentication Required', 'Proxy-Authenticate: Basic realm="proxy"\r\n')
    const colon = request.url.lastIndexOf(':')
    const destination = this.#destination(request.url.slice(0, colon), request.url.slice(colon + 1))
    if (!destination) return refuse(502, 'Bad Gateway')
    const outgoing = net.connect({ ...destination, noDelay: true })
    this.#outgoing.add(outgoing)
    outgoing.on('connect', () => {
      answer(200, 'Connection Established')
      outgoing.write(head)
      socket.pipe(outgoing)
      outgoing.pipe(socket)
    })
    outgoing.on('error', () => (entry.status === null ? refuse(502, 'Bad Gateway') : socket.destroy()))
    // An end that goes away without a word takes the other with it. Otherwise a cut connection would look like a slow one.
    outgoing.on('close', () => {
      this.#outgoing.delete(outgoing)
      if (entry.status === 200) socket.end()
    })
    socket.on('close', () => outgoing.destroy())
  }

  #forward(request, response) {
    const entry = this.#note(request)
    const refuse = (status, headers) => {
      entry.status = status
      response.writeHead(status, { 'content-length': 0, ...headers }).end()
    }
    if (!this.#isAllowed(request)) return refuse(407, { 'proxy-authenticate': 'Basic realm="proxy"' })
    if (!request.url.startsWith('http://')) return refuse(400)
    const { hostname, port, pathname, search, host } = new URL(request.url)
    const destination = this.#destination(hostname, port || 80)
    if (!destination) return refuse(502)
    const headers = { ...handedOn(request.headers), host }
    const outgoing = http.request({ ...destination, method: request.method, path: pathname + search, headers, agent: false })
    outgoing.on('socket', (socket) => {
      this.#outgoing.add(socket)
      socket.on('close', () => this.#outgoing.delete(socket))
    })
    outgoing.on('response', (answer) => {
      entry.status = answer.statusCode
      response.writeHead(answer.statusCode, handedOn(answer.headers))
      response.flushHeaders()
      // Not `pipeline`: a body that was cut must be cut here too, and not be ended.
      answer.on('error', () => response.destroy())
      answer.pipe(response)
    })
    outgoing.on('error', () => (entry.status === null ? refuse(502) : response.destroy()))
    response.on('close', () => outgoing.destroy())
    request.pipe(outgoing)
  }
}
