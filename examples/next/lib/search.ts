import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Embedder, Reranker, topK } from 'vecrank'
import library from '../data/passages.json'
import type { Found, Progress } from './events'

const CANDIDATES = 10
const RESULTS = 5

type Listener = (progress: Progress) => void

const listeners = new Set<Listener>()
const tell: Listener = (progress) => listeners.forEach((listener) => listener(progress))

// Handles cost nothing: a model is loaded when it is first needed, once a process, however often this file is loaded anew in development.
const embedder = new Embedder(undefined, {
  onDownload: ({ overall }) => tell({ type: 'progress', model: 'embedder', status: 'downloading', ...overall }),
})
const reranker = new Reranker(undefined, {
  onDownload: ({ overall }) => tell({ type: 'progress', model: 'reranker', status: 'downloading', ...overall }),
})

const { passages } = library
// Next.js follows a path that begins with process.cwd(): the file travels with the standalone build.
const vectors = new Float32Array(new Uint8Array(readFileSync(path.join(process.cwd(), 'data/vectors.f32'))).buffer)

let isLoaded = false

/** Loads both models. Who comes first is told how far it is; whoever comes later finds them loaded. */
async function load(listener: Listener) {
  if (isLoaded) return
  listeners.add(listener)
  try {
    await Promise.all(
      ([['embedder', embedder], ['reranker', reranker]] as const).map(async ([model, handle]) => {
        listener({ type: 'progress', model, status: 'loading' })
        await handle.load()
        listener({ type: 'progress', model, status: 'ready' })
      }),
    )
    isLoaded = true
  } finally {
    listeners.delete(listener)
  }
}

/** The passages that answer the query best: the nearest ones by their vectors, put in order by the reranker. */
export async function search(query: string, { signal, onProgress }: { signal: AbortSignal; onProgress: Listener }): Promise<Found> {
  const times = [performance.now()]
  await load(onProgress)
  times.push(performance.now())
  const vector = await embedder.embedQuery(query, { signal })
  times.push(performance.now())
  const nearest = topK(vector, vectors, CANDIDATES)
  times.push(performance.now())
  const documents = nearest.map(({ index }) => passages[index])
  const ranked = await reranker.rerank(query, documents, { topK: RESULTS, activation: 'sigmoid', signal })
  times.push(performance.now())
  const results = ranked.map(({ index, score }) => ({ ...documents[index], score, similarity: nearest[index].score, place: index + 1 }))
  const [loading, embed, searching, rerank] = times.slice(1).map((time, step) => time - times[step])
  return { type: 'result', results, timings: { load: loading, embed, search: searching, rerank } }
}
