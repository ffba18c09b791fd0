/** What the server streams to the page: one JSON object a line. Progress comes with the first search only, while the models load. */
export type SearchEvent = Progress | Found | Failed

export type Progress = {
  type: 'progress'
  model: 'embedder' | 'reranker'
  status: 'loading' | 'downloading' | 'ready'
  /** Bytes, while the model is downloaded. */
  loaded?: number
  total?: number
}

export type Found = {
  type: 'result'
  results: Result[]
  /** Milliseconds. */
  timings: { load: number; embed: number; search: number; rerank: number }
}

export type Failed = { type: 'error'; message: string }

export type Result = {
  title: string
  text: string
  /** The reranker's, 0 to 1. */
  score: number
  /** Cosine of the query's and the passage's vector, and the place that it gave the passage. */
  similarity: number
  place: number
}
