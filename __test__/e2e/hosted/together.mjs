// Four workers load one model at once and embed at once. Prints their vectors, and how many sessions there were.

import { once } from 'node:events'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { Embedder } from 'vecrank'
import { sessions, threadsLeft } from './threads.mjs'

if (isMainThread) {
  const workers = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url)))
  const vectors = (await Promise.all(workers.map((worker) => once(worker, 'message')))).map(([vector]) => Array.from(vector))
  const count = sessions()
  const [last, ...first] = workers
  await Promise.all(first.map((worker) => worker.terminate()))
  // The session stays as long as one holds it.
  const remaining = sessions()
  last.postMessage('again')
  vectors.push(Array.from((await once(last, 'message'))[0]))
  await last.terminate()
  console.log(JSON.stringify({ vectors, count, remaining, left: await threadsLeft() }))
} else {
  const embedder = new Embedder()
  parentPort.postMessage(await embedder.embed('How do plants make sugar?'))
  parentPort.on('message', async () => parentPort.postMessage(await embedder.embed('How do plants make sugar?')))
}
