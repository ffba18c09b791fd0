// Four processes serve one port; one of them is killed while requests are answered. Prints how many answers were right, wrong and lost.

import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { embed } from 'vecrank'

const TEXT = 'How do plants make sugar?'

if (cluster.isPrimary) {
  const workers = Array.from({ length: 4 }, () => cluster.fork())
  const [{ port }] = (await Promise.all(workers.map((worker) => once(worker, 'listening'))))[0]
  const expected = Array.from(await embed(TEXT))

  /** @returns {Promise<{ vector: number[], pid: number } | { lost: string }>} */
  const ask = () =>
    new Promise((resolve) => {
      const lost = (error) => resolve({ lost: error.code })
      const sent = request({ port, host: '127.0.0.1', method: 'POST', agent: false }, async (response) => {
        const chunks = await response.toArray().catch(lost)
        if (chunks !== undefined) resolve(JSON.parse(Buffer.concat(chunks).toString()))
      })
      // A connection that the primary was just handing to the process that died is closed by nobody (Node's own affair): lost as well.
      sent.setTimeout(5000, () => sent.destroy(Object.assign(new Error('no answer'), { code: 'NONE' })))
      sent.on('error', lost).end(TEXT)
    })
  /** So many requests, eight at a time. */
  const many = async (count, onAnswer = () => {}) => {
    const result = { right: 0, wrong: 0, lost: 0, servers: 0 }
    const servers = new Set()
    let asked = 0
    const lane = async () => {
      while (asked++ < count) {
        const { vector, pid, lost } = await ask()
        if (lost !== undefined) result.lost++
        else if (vector.length === expected.length && vector.every((value, index) => value === expected[index])) result.right++
        else result.wrong++
        if (pid !== undefined) servers.add(pid)
        onAnswer(result)
      }
    }
    await Promise.all(Array.from({ length: 8 }, lane))
    return { ...result, servers: servers.size }
  }

  const before = await many(40)
  const gone = once(workers[0], 'exit')
  let killed = false
  const during = await many(80, ({ right }) => {
    if (right < 20 || killed) return
    killed = true
    workers[0].process.kill('SIGKILL')
  })
  const [, signal] = await gone
  const after = await many(40)
  console.log(JSON.stringify({ before, during, after, signal }))
  cluster.disconnect()
} else {
  createServer(async (incoming, response) => {
    const text = Buffer.concat(await incoming.toArray()).toString()
    response.end(JSON.stringify({ vector: Array.from(await embed(text)), pid: process.pid }))
  }).listen(0, '127.0.0.1')
}
