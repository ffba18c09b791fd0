// Compiled, not run: what the types of late interaction promise.

import { LateEmbedder, maxSim, type LateEmbedOptions, type LateEmbedderOptions, type ModelInfo, type RankOptions, type TokenMatrix } from 'vecrank'

/** Compiles only if both types are the same. */
function same<A, B>(..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]): void {}

async function late(texts: readonly string[]) {
  const options: LateEmbedderOptions = { prompts: { query: '[Q] ' }, engine: 'encoder', threads: 2 }
  const model = new LateEmbedder('./model', options)
  // @ts-expect-error: of these models there is no default
  new LateEmbedder()
  // @ts-expect-error: tokens are not pooled
  new LateEmbedder('./model', { pooling: 'mean' })
  same<Awaited<ReturnType<typeof model.info>>, ModelInfo>()
  const ready = await LateEmbedder.load('./model')
  same<typeof ready, LateEmbedder>()

  const query = await model.embedQuery('a')
  same<typeof query, TokenMatrix>()
  const call: LateEmbedOptions = { maxLength: 10, truncation: 'error', signal: new AbortController().signal }
  const documents = await model.embedDocument(texts, call)
  same<typeof documents, TokenMatrix[]>()
  const scores = maxSim(query, documents)
  same<typeof scores, Float32Array>()

  const ranking: RankOptions = { topK: 3 }
  const ranked = await model.rank('a', ['b', { text: 'c' }], ranking)
  same<typeof ranked, { index: number; score: number }[]>()
  // @ts-expect-error: documents are the caller's
  await model.rank('a', ['b'], { returnDocuments: true })
}

export { late }
