// A worker asks for many seconds' work and is terminated while it is done. Prints how long the addon goes on, and its CPU time.

import { once } from 'node:events'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { Embedder } from 'vecrank'
import { threads, threadsLeft } from './threads.mjs'

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url))
  await once(worker, 'message')
  const before = threads()
  await worker.terminate()
  const start = performance.now()
  const used = process.cpuUsage()
  const left = await threadsLeft()
  const { user, system } = process.cpuUsage(used)
  console.log(JSON.stringify({ before, left, milliseconds: performance.now() - start, cpu: (user + system) / 1000 }))
} else {
  const embedder = new Embedder()
  await embedder.load()
  embedder.embedMany(Array.from({ length: 3000 }, (_, index) => `${'word '.repeat(100)}${index}`))
  // Once the first of them are through, the rest is on its way.
  await embedder.embed('a text that waits its turn')
  parentPort.postMessage('working')
}
