// A worker gives everything that it computes to the main thread by transfer, not by copy. Prints what arrived, and what is left.

import { once } from 'node:events'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { Embedder, Reranker } from 'vecrank'

const TEXT = 'How do plants make sugar?'

if (isMainThread) {
  const [received] = await once(new Worker(new URL(import.meta.url)), 'message')
  console.log(JSON.stringify(received.map(({ name, array, left }) => ({ name, values: Array.from(array), left }))))
} else {
  const embedder = new Embedder()
  const many = await embedder.embedMany([TEXT])
  const arrays = {
    embed: await embedder.embed(TEXT),
    binary: await embedder.embed(TEXT, { output: 'binary' }),
    list: (await embedder.embed([TEXT]))[0],
    embedMany: many.data,
    row: (await embedder.embedMany([TEXT])).row(0),
    tokenCounts: await embedder.tokenCounts([TEXT]),
    score: await new Reranker().score([[TEXT, TEXT]]),
  }
  const messages = Object.entries(arrays).map(([name, array]) => {
    const moved = structuredClone(array, { transfer: [array.buffer] })
    return { name, array: moved, left: array.length }
  })
  parentPort.postMessage(messages, messages.map(({ array }) => array.buffer))
}
