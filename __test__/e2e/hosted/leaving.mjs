// node leaving.mjs MANNER MILLISECONDS: ends while the addon is at work, some time after it began.

import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { Embedder } from 'vecrank'

const [manner, delay] = [process.argv[2], Number(process.argv[3])]
const embedder = new Embedder()
const work = () => embedder.embedMany(Array.from({ length: 1000 }, (_, index) => `${'word '.repeat(100)}${index}`))

const manners = {
  // The process, in the middle of a load or of a call.
  async loading() {
    embedder.load()
    await pause(delay)
    process.exit(7)
  },
  async calling() {
    await embedder.load()
    work()
    await pause(delay)
    process.exit(7)
  },
  async throwing() {
    await embedder.load()
    work()
    await pause(delay)
    throw new Error('on purpose')
  },
  // A worker, by itself.
  async worker() {
    if (!isMainThread) {
      await embedder.load()
      work()
      await pause(delay)
      process.exit(7)
    }
    const [code] = await once(new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) }), 'exit')
    process.exitCode = code
  },
  // The main thread, while a worker is at work.
  async main() {
    if (!isMainThread) {
      await embedder.load()
      parentPort.postMessage('loaded')
      await work()
    }
    const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
    await once(worker, 'message')
    await pause(delay)
    worker.unref()
    process.exitCode = 7
  },
}

await manners[manner]()
