// node --expose-gc rounds.mjs COUNT: one worker after the other loads the model, embeds and is terminated: idle, disposed, in the middle of
// a call, or while it loads. Prints what came of it as JSON.

import { setTimeout as pause } from 'node:timers/promises'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { Embedder } from 'vecrank'
import { settledMemory, threadsLeft } from './threads.mjs'

const MANNERS = ['calling', 'loading', 'disposed', 'idle']

if (isMainThread) {
  const count = Number(process.argv[2])
  const result = { vectors: 0, different: 0, manners: {}, memory: {} }
  let first
  for (let round = 1; round <= count; round++) {
    const manner = MANNERS[round % MANNERS.length]
    const worker = new Worker(new URL(import.meta.url), { workerData: manner })
    const said = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    // Another moment each time: right away, while texts are tokenised, in the network, at the end of a load.
    if (manner === 'calling' || manner === 'loading') await pause((round * 7) % 40)
    await worker.terminate()
    result.manners[manner] = (result.manners[manner] ?? 0) + 1
    if (said.vector !== undefined) {
      result.vectors++
      first ??= said.vector
      if (Buffer.compare(Buffer.from(said.vector.buffer), Buffer.from(first.buffer)) !== 0) result.different++
    }
    if (round === 20) result.memory.early = await settledMemory()
    // The least of several: what the allocator happens to keep varies by tens of MB, and what is lost is in all of them.
    if (round > count - 20 && round % 4 === 0) result.memory.late = Math.min(result.memory.late ?? Infinity, await settledMemory())
  }
  console.log(JSON.stringify({ ...result, threads: await threadsLeft(), vector: Array.from(first) }))
} else {
  const embedder = new Embedder()
  if (workerData === 'loading') {
    embedder.load()
    parentPort.postMessage({})
  } else {
    const vector = await embedder.embed('How do plants make sugar?')
    if (workerData === 'calling') embedder.embedMany(Array.from({ length: 500 }, (_, index) => `${'word '.repeat(index % 100)}${index}`))
    if (workerData === 'disposed') await embedder.dispose()
    parentPort.postMessage({ vector })
  }
  // Alive until it is terminated.
  setInterval(() => {}, 1000)
}
