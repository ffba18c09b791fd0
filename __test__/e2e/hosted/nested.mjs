// A worker in a worker, all three threads embedding; the outer one is terminated while all are at work. Prints everybody's vector.

import { once } from 'node:events'
import { Worker, parentPort, threadId, workerData } from 'node:worker_threads'
import { Embedder, embed } from 'vecrank'
import { sessions } from './threads.mjs'

const depth = workerData ?? 0
const inner = depth < 2 ? new Worker(new URL(import.meta.url), { workerData: depth + 1 }) : undefined
const fromInner = inner && once(inner, 'message')
const embedder = new Embedder()
const vectors = [Array.from(await embedder.embed('How do plants make sugar?'))]
if (inner !== undefined) vectors.push(...(await fromInner)[0])
if (depth > 0) {
  embedder.embedMany(Array.from({ length: 200 }, (_, index) => `${'word '.repeat(50)}${index}`))
  parentPort.postMessage(vectors)
} else {
  const shared = sessions()
  await inner.terminate()
  vectors.push(Array.from(await embed('How do plants make sugar?')))
  console.log(JSON.stringify({ vectors, shared, threadId }))
}
