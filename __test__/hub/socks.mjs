// A SOCKS5 proxy on loopback (RFC 1928 and, for a password, 1929): as little of it as a client needs to be told from one that goes past it.

import net from 'node:net'

const LOOPBACK = ['127.0.0.1', 'localhost']

/** Reads from a socket as many bytes as are asked for, in order. */
function reader(socket) {
  let kept = Buffer.alloc(0)
  let wanted
  const serve = () => {
    if (wanted === undefined || kept.length < wanted.count) return
    const { count, resolve } = wanted
    wanted = undefined
    resolve(kept.subarray(0, count))
    kept = kept.subarray(count)
  }
  const take = (data) => {
    kept = Buffer.concat([kept, data])
    serve()
  }
  socket.on('data', take)
  return {
    bytes: (count) =>
      new Promise((resolve) => {
        wanted = { count, resolve }
        serve()
      }),
    /** Gives back what was read too much, and reads no more. */
    rest() {
      socket.off('data', take)
      return kept
    },
  }
}

export class Socks {
  /** Where clients wanted to go, `host:port`, in order; a host that they looked up themselves is an address. */
  requests = []

  /** How often a wrong password was given. */
  refused = 0

  #server
  #sockets = new Set()
  #routes = new Map()

  /** Starts on 127.0.0.1. With `credentials` ('user:password') others are refused. */
  static async start({ credentials } = {}) {
    const socks = new Socks()
    socks.#server = net.createServer((socket) => {
      socks.#keep(socket)
      socks.#serve(socket, credentials).catch(() => socket.destroy())
    })
    await new Promise((resolve) => socks.#server.listen(0, '127.0.0.1', resolve))
    return socks
  }

  get port() {
    return this.#server.address().port
  }

  /** Sends all that is for `host` to a port of 127.0.0.1. */
  route(host, port) {
    this.#routes.set(host, port)
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #keep(socket) {
    this.#sockets.add(socket)
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
  }

  async #serve(socket, credentials) {
    const read = reader(socket)
    const [, methods] = await read.bytes(2)
    const offered = [...(await read.bytes(methods))]
    const method = credentials === undefined ? 0 : 2
    if (!offered.includes(method)) return void socket.end(Buffer.from([5, 0xff]))
    socket.write(Buffer.from([5, method]))
    if (method === 2) {
      const [, userLength] = await read.bytes(2)
      const user = await read.bytes(userLength)
      const [length] = await read.bytes(1)
      const isRight = `${user}:${await read.bytes(length)}` === credentials
      if (!isRight) {
        this.refused++
        return void socket.end(Buffer.from([1, 1]))
      }
      socket.write(Buffer.from([1, 0]))
    }
    const [, , , kind] = await read.bytes(4)
    const host = kind === 1 ? [...(await read.bytes(4))].join('.') : String(await read.bytes((await read.bytes(1))[0]))
    const port = (await read.bytes(2)).readUInt16BE()
    this.requests.push(`${host}:${port}`)
    const to = this.#routes.get(host) ?? (LOOPBACK.includes(host) ? port : undefined)
    if (to === undefined) return void socket.end(Buffer.from([5, 4, 0, 1, 0, 0, 0, 0, 0, 0]))
    const outgoing = net.connect(to, '127.0.0.1', () => {
      socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
      outgoing.write(read.rest())
      socket.pipe(outgoing).pipe(socket)
    })
    this.#keep(outgoing)
    outgoing.on('close', () => socket.destroy())
  }
}
