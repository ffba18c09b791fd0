// vecrank and Transformers.js in one process. Settings come as JSON in PEER: { first, folder, model, dtype, texts, thread, measure }; the
// answers go out as JSON. `thread` says which of the two is in a worker thread: 'peer', 'vecrank' or neither; `measure` asks for delays of
// the event loop as well.

import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { mapped } from './threads.mjs'

const { first, folder, model, dtype, texts, thread, measure } = JSON.parse(process.env.PEER)

/** Each gives a function from a text to its vector. */
const libraries = {
  async peer() {
    const { env, pipeline } = await import('@huggingface/transformers')
    env.localModelPath = folder
    env.allowRemoteModels = false
    const extract = await pipeline('feature-extraction', model, { dtype })
    return async (text) => Array.from((await extract(text, { pooling: 'mean', normalize: true })).data)
  },
  async vecrank() {
    const { Embedder } = await import('vecrank')
    const embedder = new Embedder(`${folder}/${model}`, { engine: 'graph', dtype })
    return async (text) => Array.from(await embedder.embed(text))
  },
}

/** The library in a thread of its own, which answers in turn. */
async function inThread(name) {
  const worker = new Worker(new URL(import.meta.url), { workerData: name })
  await once(worker, 'message')
  let last = Promise.resolve()
  const ask = async (text) => {
    worker.postMessage(text)
    return (await once(worker, 'message'))[0]
  }
  return { close: () => worker.terminate(), vector: (text) => (last = last.then(() => ask(text))) }
}

if (isMainThread) {
  const use = {}
  const close = []
  for (const name of [first, first === 'peer' ? 'vecrank' : 'peer']) {
    if (thread === name) {
      const worker = await inThread(name)
      close.push(worker.close)
      use[name] = worker.vector
    } else use[name] = await libraries[name]()
    // Used before the other one is loaded.
    await use[name](texts[0])
  }
  const vectors = { peer: [], vecrank: [] }
  for (const text of texts) {
    // At the same time.
    const both = await Promise.all([use.peer(text), use.vecrank(text)])
    vectors.peer.push(both[0])
    vectors.vecrank.push(both[1])
  }
  const long = texts.join(' ').repeat(20).slice(0, 1000)
  const delay = {}
  for (const name of measure ? ['peer', 'vecrank'] : []) {
    const histogram = monitorEventLoopDelay({ resolution: 1 })
    histogram.enable()
    for (let round = 0; round < 10; round++) await use[name](`${round} ${long}`)
    histogram.disable()
    delay[name] = histogram.max / 1e6
  }
  const libraryFiles = mapped(/onnxruntime[^/]*\.(so|dylib)/)
  for (const each of close) await each()
  console.log(JSON.stringify({ vectors, delay, libraryFiles }))
} else {
  const vector = await libraries[workerData]()
  parentPort.on('message', async (text) => parentPort.postMessage(await vector(text)))
  parentPort.postMessage('ready')
}
