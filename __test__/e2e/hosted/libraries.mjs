// A program that uses one library which imports @huggingface/transformers by name, whatever package that is here. Settings come as JSON in LIBRARY:
// { library, model, folder, texts, many, options }; vectors go out as JSON, and with `many` the longest gap of the event loop while so many texts are
// embedded.

import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

const { library, model, folder, texts, many, options } = JSON.parse(process.env.LIBRARY)

/** Each gives `{ embed, close }`: texts to vectors, by the library's own way for documents. */
const LIBRARIES = {
  async '@langchain/community'() {
    const { HuggingFaceTransformersEmbeddings } = await import('@langchain/community/embeddings/huggingface_transformers')
    const embeddings = new HuggingFaceTransformersEmbeddings({ model })
    return { embed: async (list) => (list.length === 1 ? [await embeddings.embedQuery(list[0])] : embeddings.embedDocuments(list)) }
  },
  async '@chroma-core/default-embed'() {
    const { DefaultEmbeddingFunction } = await import('@chroma-core/default-embed')
    const embedding = new DefaultEmbeddingFunction({ modelName: model })
    return { embed: (list) => embedding.generate(list) }
  },
  async '@lancedb/lancedb'() {
    const { getRegistry } = await import('@lancedb/lancedb/embedding')
    await import('@lancedb/lancedb/embedding/transformers')
    const embedding = await getRegistry().get('huggingface').create({ model })
    return { embed: async (list) => (list.length === 1 ? [await embedding.computeQueryEmbeddings(list[0])] : embedding.computeSourceEmbeddings(list)) }
  },
  async '@browser-ai/transformers-js'() {
    const { embedMany } = await import('ai')
    const { transformersJS } = await import('@browser-ai/transformers-js')
    const embedding = transformersJS.embedding(model, { dtype: 'fp32' })
    return { embed: async (list) => (await embedMany({ model: embedding, values: list })).embeddings }
  },
  async '@xsai-transformers/embed'() {
    const { default: Worker } = await import('web-worker')
    const { createEmbedProvider } = await import('@xsai-transformers/embed')
    const { embed } = await import('@xsai/embed')
    const worker = new Worker(new URL('./libraries-worker.mjs', import.meta.url), { type: 'module' })
    const provider = createEmbedProvider({ worker, baseURL: 'http://in-the-worker/' })
    await provider.loadEmbed(model, options)
    const vector = async (input) => (await embed({ ...provider.embed(model), model, input })).embedding
    return {
      async embed(list) {
        const vectors = []
        for (const text of list) vectors.push(await vector(text))
        return vectors
      },
      close: () => provider.terminateEmbed(),
    }
  },
}

if (folder !== undefined) {
  const { env } = await import('@huggingface/transformers')
  env.localModelPath = folder
  env.allowRemoteModels = false
}
const { embed, close } = await LIBRARIES[library]()
const together = await embed(texts)
const alone = []
for (const text of texts) alone.push((await embed([text]))[0])

/** The longest time for which nothing else had its turn, in ms: timers of 1 ms, and how much later than that they came. */
async function longestGap(work) {
  let isDone = false
  const ended = work().finally(() => (isDone = true))
  let longest = 0
  while (!isDone) {
    const start = performance.now()
    await sleep(1)
    longest = Math.max(longest, performance.now() - start - 1)
  }
  await ended
  return longest
}
const start = performance.now()
const gap = many === undefined ? undefined : await longestGap(() => embed(many))
const milliseconds = performance.now() - start

const main = createRequire(import.meta.url).resolve('@huggingface/transformers')
await close?.()
const report = { together, alone, gap, milliseconds, main: realpathSync(main) }
console.log(JSON.stringify(report, (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value)))
