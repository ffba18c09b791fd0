// What lies between a client and the Hub: a wire that shows whether the client has hung up, and an address behind which nobody answers.

import { spawn } from 'node:child_process'
import net from 'node:net'

/**
 * Hands on all connections to a port of 127.0.0.1. `{ url, open }`, where `open` are the connections of the client: a stalled server
 * reads nothing, so it cannot tell itself that its client has gone.
 */
export async function wire(t, port) {
  const open = new Set()
  const server = net.createServer((socket) => {
    const onward = net.connect(port, '127.0.0.1')
    open.add(socket)
    socket.on('error', () => {})
    onward.on('error', () => socket.destroy())
    socket.on('close', () => {
      open.delete(socket)
      onward.destroy()
    })
    socket.pipe(onward).pipe(socket)
  })
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${server.address().port}`, open }
}

/** Listens, and does nothing more: what connects waits in the system's queue, which holds two. */
const DEAF = `
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`

/**
 * The address of a port that does not answer to a request for a connection, as behind a firewall that throws it away: the queue of its
 * listener is full. Undefined where the system answers all the same.
 */
export async function blackHole(t) {
  const child = spawn(process.execPath, ['-e', DEAF], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const port = Number(await new Promise((resolve) => child.stdout.once('data', resolve)))
  const answers = () =>
    new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(true))
      t.after(() => socket.destroy())
      setTimeout(resolve, 300, false)
    })
  for (let number = 0; number < 8; number++) {
    if (!(await answers())) return `http://127.0.0.1:${port}`
  }
  return undefined
}
