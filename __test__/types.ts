// Compiled, not run: what index.d.ts promises to programs in TypeScript. `@ts-expect-error` lines fail to compile if the error is gone.

import {
  Embedder,
  Reranker,
  SparseEmbedder,
  TokenClassifier,
  VecrankError,
  cosineSimilarity,
  dispose,
  dot,
  embed,
  hardware,
  pipeline,
  rerank,
  topK,
  type EmbedOptions,
  type EmbedderOptions,
  type Embeddings,
  type Device,
  type ErrorCode,
  type Hardware,
  type LabelSpan,
  type ModelInfo,
  type ModelOptions,
  type ProviderPlugin,
  type RankedDocument,
  type SparseVector,
  type TokenWeight,
  type Vector,
} from 'vecrank'

// @ts-expect-error: not exported, so no program can import it
import { Model } from 'vecrank'

/** Compiles only if both types are the same. */
function same<A, B>(..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]): void {}

async function embedder(either: string | string[], frozen: readonly string[], names: Set<string>, lines: AsyncIterable<string>) {
  const options: EmbedderOptions = {
    dtype: 'q8',
    file: 'onnx/model.onnx',
    device: 'cpu',
    threads: 2,
    maxLength: 128,
    truncation: 'left',
    queue: { maxCalls: 10, maxTokens: 1000 },
    maxInputChars: 1000,
    signal: new AbortController().signal,
    pooling: 'cls',
    normalize: false,
    prompts: { query: 'query: ' },
  }
  const model = new Embedder('./model', options)
  new Embedder()
  new Embedder(new URL('file:///model'))
  const ready = await Embedder.load('./model', { threads: 1 })
  same<typeof ready, Embedder>()
  const loaded = await model.load()
  same<typeof loaded, Embedder>()
  const info = await model.info()
  same<typeof info, ModelInfo>()
  same<typeof info.assumed, readonly string[]>()

  const one = await model.embed('a')
  same<typeof one, Float32Array>()
  const many = await model.embed(['a', 'b'])
  same<typeof many, Float32Array[]>()
  await model.embed(frozen)
  const mixed = await model.embed(either)
  same<typeof mixed, Float32Array | Float32Array[]>()
  const plain = await model.embed('a', { normalize: true })
  same<typeof plain, Float32Array>()
  const bytes = await model.embed('a', { output: 'int8', ranges: { min: new Float32Array(1), max: new Float32Array(1) } })
  same<typeof bytes, Int8Array>()
  const bits = await model.embedQuery(['a'], { output: 'ubinary' })
  same<typeof bits, Uint8Array[]>()
  const signed = await model.embedDocument('a', { output: 'binary', dimensions: 64 })
  same<typeof signed, Int8Array>()

  const block = await model.embedMany(frozen, { onProgress: (done, total) => done / total })
  same<typeof block, Embeddings<'float32'>>()
  same<typeof block.data, Float32Array>()
  const row = (await model.embedMany(['a'], { output: 'uint8' })).row(0)
  same<typeof row, Uint8Array>()
  // @ts-expect-error: one block is for lists
  await model.embedMany('a')
  // @ts-expect-error: results are not to be replaced
  block.data = new Float32Array(1)

  for await (const { index, embedding } of model.embedStream(names, { prompt: 'query' })) {
    same<typeof index, number>()
    same<typeof embedding, Float32Array>()
  }
  for await (const { embedding } of model.embedStream(lines, { output: 'binary' })) same<typeof embedding, Int8Array>()
  // @ts-expect-error: the end of a stream is not known, so there is no progress
  model.embedStream(names, { onProgress() {} })
  const counts = await model.tokenCounts(frozen, { signal: new AbortController().signal })
  same<typeof counts, Uint32Array>()
  await model.dispose()
  await model[Symbol.asyncDispose]()
  await using held = model
  void held

  // @ts-expect-error: not a text
  await model.embed(5)
  // @ts-expect-error: not a pooling
  await model.embed('a', { pooling: 'sum' })
  // @ts-expect-error: no such option
  await model.embed('a', { batchSize: 8 })
  // @ts-expect-error: not in this version
  await model.embed('a', { timeoutMs: 5 })
  new Embedder('a', { token: 'secret', onDownload: ({ overall }) => void (overall.loaded satisfies number) })
  // @ts-expect-error: not a device
  new Embedder('a', { device: 'rocm' })
  new Embedder('a', { token: undefined, revision: undefined })
  const spread: EmbedOptions = { normalize: true }
  await model.embed('a', { ...spread, output: 'float32' })
  same<Vector, Float32Array>()
  same<Vector<'int8' | 'uint8'>, Int8Array | Uint8Array>()
}

async function reranker(pairs: readonly (readonly [string, string])[]) {
  const options: ModelOptions = { maxLength: 512 }
  const model = new Reranker(undefined, options)
  // @ts-expect-error: a reranker does not pool
  new Reranker('a', { pooling: 'mean' })
  const ready = await Reranker.load()
  same<typeof ready, Reranker>()
  const ranking = await model.rerank('query', ['a', 'b'], { topK: 1, activation: 'sigmoid' })
  ranking satisfies RankedDocument[]
  same<(typeof ranking)[number]['score'], number>()
  const own = await model.rerank('query', [{ text: 'a', id: 7 }], { returnDocuments: true })
  same<(typeof own)[number]['document'], { text: string; id: number }>()
  await model.rerank('query', ['a', { text: 'b' }])
  const scores = await model.score(pairs)
  same<typeof scores, Float32Array>()
  await model.score([['a', 'b']])
  // @ts-expect-error: a document has a text
  await model.rerank('query', [{ title: 'a' }])
  // @ts-expect-error: a pair has two texts
  await model.score([['a']])
  await model.rerank('query', ['a'], { overflow: 'chunk' })
  // @ts-expect-error: not in this version
  await model.rerank('query', ['a'], { timeoutMs: 1 })
}

async function functions(model: Embedder, ranker: Reranker) {
  const one = await embed('a')
  same<typeof one, Float32Array>()
  const bits = await embed(['a'], { model, output: 'binary' })
  same<typeof bits, Int8Array[]>()
  await embed('a', { model: 'name', load: { threads: 1, pooling: 'cls' } })
  const documents: string[] = ['a']
  const best = await rerank('q', documents, { model: ranker, returnDocuments: true })
  same<(typeof best)[number]['document'], string>()
  await rerank('q', ['a'], { model: new URL('file:///model'), load: { maxLength: 100 } })
  // @ts-expect-error: the other kind
  await embed('a', { model: ranker })
  same<ReturnType<typeof dispose>, Promise<void>>()
  // @ts-expect-error: it ends all that the functions share, not one
  await dispose(model)

  same<ReturnType<typeof cosineSimilarity>, number>()
  dot(one, one)
  const nearest = topK(one, [one], 5)
  same<typeof nearest, { index: number; score: number }[]>()
  topK(one, one, 1)
  topK(one, await model.embedMany(['a']), 1)
  // @ts-expect-error: bits are not compared by cosine
  topK(one, bits, 1)
  await pipeline('ner').catch(() => undefined)
}

async function devices(chosen: Device, plugins: readonly ProviderPlugin[]) {
  const own: ProviderPlugin = { name: 'acme', path: new URL('file:///acme.so'), options: { cache: '1' } }
  const options: ModelOptions = { device: chosen, fallback: true, deviceId: 1, gpuMemoryLimit: 2 ** 30, providers: [own, { name: 'openvino', path: '/ov.so' }] }
  new Reranker('a', options)
  const model = new Embedder('a', { device: 'gpu', providers: plugins })
  // @ts-expect-error: a plugin has a library
  new Embedder('a', { providers: [{ name: 'acme' }] })
  // @ts-expect-error: options of a provider are strings
  new Embedder('a', { providers: [{ name: 'acme', path: '/a', options: { cache: 1 } }] })
  // @ts-expect-error: a number
  new Embedder('a', { gpuMemoryLimit: '1GB' })
  const { requested, device, passedOver, nodes, deviceMemory } = await model.info()
  same<typeof requested, Device>()
  device satisfies string
  if (device === 'cuda' || device === 'acme') passedOver.map(({ device: other, reason }) => `${other}: ${reason}`)
  // @ts-expect-error: not to be changed
  passedOver.push({ device: 'cuda', reason: 'x' })
  same<(typeof nodes)[string], number>()
  if (deviceMemory !== null) same<typeof deviceMemory.used, number>()

  const found = await hardware()
  same<typeof found, Hardware>()
  same<(typeof found.gpus)[number]['free'], number>()
  const named = found.providers.filter(({ available }) => available).map(({ device: working }) => working)
  // What works can be asked for.
  if (named[0] !== undefined) new Embedder('a', { device: named[0] })
  same<(typeof found.providers)[number]['library'], string | null>()
  same<(typeof found.providers)[number]['version'], string | null>()
  same<typeof found.memory.limit, number | null>()
  same<typeof found.onnxruntime.error, string | null>()
  // @ts-expect-error: it asks for nothing
  await hardware({})
}

async function spans(frozen: readonly string[]) {
  // @ts-expect-error: of this kind there is no default model
  new TokenClassifier()
  // @ts-expect-error: nothing is cut
  new TokenClassifier('./model', { truncation: 'left' })
  const model = await TokenClassifier.load('./model', { maxLength: 128 })
  same<typeof model, TokenClassifier>()
  const one = await model.classify('text', { aggregation: 'average', ignore: ['O', 'MISC'], signal: AbortSignal.timeout(1) })
  same<typeof one, LabelSpan[]>()
  const many = await model.classify(frozen, { aggregation: 'none', ignore: [] })
  same<typeof many, LabelSpan[][]>()
  // @ts-expect-error: not an aggregation
  await model.classify('text', { aggregation: 'mean' })
  // @ts-expect-error: pairs are for Classifier
  await model.classify({ text: 'a', pair: 'b' })
}

async function sparse(either: string | string[], frozen: readonly string[]) {
  // @ts-expect-error: of this kind there is no default model
  new SparseEmbedder()
  // @ts-expect-error: the model's files say how it pools
  new SparseEmbedder('./model', { pooling: 'max' })
  const model = await SparseEmbedder.load('./model', { dtype: 'q8', prompts: { query: 'q: ' } })
  same<typeof model, SparseEmbedder>()
  const one = await model.embedQuery('text', { maxActive: 100, promptText: 'q: ', signal: AbortSignal.timeout(1) })
  same<typeof one, SparseVector>()
  const many = await model.embedDocument(frozen)
  same<typeof many, SparseVector[]>()
  const mixed = await model.embed(either)
  same<typeof mixed, SparseVector | SparseVector[]>()
  const decoded = model.decode(one)
  same<typeof decoded, TokenWeight[]>()
  same<number, ReturnType<typeof dot>>()
  dot(one, many[0]!)
  const { sparse: ways } = await model.info()
  if (ways?.embedQuery != null) same<typeof ways.embedQuery.pooling, 'max' | 'sum' | null>()
  // @ts-expect-error: the reference's name
  await model.embed('text', { max_active_dims: 1 })
}

function errors(error: unknown) {
  if (!(error instanceof VecrankError)) return
  error satisfies Error
  same<typeof error.code, ErrorCode>()
  // @ts-expect-error: not a code
  if (error.code === 'ERR_NOTHING') return
}

export { devices, embedder, errors, functions, reranker, spans, sparse }
