// The answer from the main thread and from worker threads, one after the other, which end by themselves or are terminated. Prints all.

import { once } from 'node:events'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { embed, rerank } from 'vecrank'

const answer = async () => ({
  vector: Array.from(await embed('How do plants make sugar?')),
  ranking: await rerank('sugar', ['Leaves', 'Trains']),
})

if (isMainThread) {
  const answers = [await answer()]
  for (let round = 0; round < 6; round++) {
    const worker = new Worker(new URL(import.meta.url))
    answers.push((await once(worker, 'message'))[0])
    if (round % 2 === 0) await worker.terminate()
  }
  console.log(JSON.stringify(answers))
} else {
  parentPort.postMessage(await answer())
}
