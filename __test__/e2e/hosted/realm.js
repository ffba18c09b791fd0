// A suite of Jest or Vitest (whose file begins with making `vecrank`): what a test passes in, and what it may expect of what comes back.
// Test runners run a suite in a realm of its own, where Array, Error and Float32Array are not those that the native code knows.

/* global vecrank, test, expect, afterAll */
const { Embedder, Reranker, VecrankError, cosineSimilarity, embed, rerank, topK } = vecrank
const expected = JSON.parse(process.getBuiltinModule('node:fs').readFileSync('expected.json', 'utf8'))
const [query, ...documents] = expected.texts

test('vectors are the same to the bit as outside', async () => {
  const vector = await embed(query)
  expect(Array.from(vector)).toEqual(expected.vector)
  expect(vector).toEqual(new Float32Array(expected.vector))
  expect(vector).toStrictEqual(new Float32Array(expected.vector))
  expect(await embed(query)).toStrictEqual(vector)
})

test('what comes back is of this realm', async () => {
  const promise = embed(query)
  expect(promise).toBeInstanceOf(Promise)
  expect(await promise).toBeInstanceOf(Float32Array)
  const list = await embed([query, ...documents])
  expect(list).toBeInstanceOf(Array)
  for (const vector of list) expect(vector).toBeInstanceOf(Float32Array)
  expect(await embed(query, { output: 'binary' })).toBeInstanceOf(Int8Array)
  expect(await embed(query, { output: 'ubinary' })).toBeInstanceOf(Uint8Array)
  const embedder = new Embedder()
  const many = await embedder.embedMany(documents)
  expect(many.data).toBeInstanceOf(Float32Array)
  expect(many.row(1)).toBeInstanceOf(Float32Array)
  expect(await embedder.tokenCounts(documents)).toBeInstanceOf(Uint32Array)
  expect(await new Reranker().score([[query, documents[0]]])).toBeInstanceOf(Float32Array)
  for await (const { embedding } of embedder.embedStream(documents)) expect(embedding).toBeInstanceOf(Float32Array)
})

test('rankings are equal, to the score', async () => {
  expect(await rerank(query, documents)).toStrictEqual(expected.ranking)
  expect(await rerank(query, documents.map((text) => ({ text })), { topK: 1, returnDocuments: true })).toStrictEqual([
    { ...expected.ranking[0], document: { text: documents[expected.ranking[0].index] } },
  ])
})

test('arrays and typed arrays of this realm are taken', async () => {
  await embed(Object.freeze([query, new Array(documents[0])[0]]))
  const side = (value) => new Float32Array(384).fill(value)
  await embed(query, { output: 'int8', ranges: { min: side(-1), max: side(1) } })
  expect(cosineSimilarity(new Float32Array([1, 0]), new Float32Array([1, 0]))).toBe(1)
  const rows = await new Embedder().embedMany(documents)
  expect(topK(new Float32Array(rows.row(1)), rows, 1)).toEqual([{ index: 1, score: expect.any(Number) }])
  expect(topK(rows.row(0), [side(1), rows.row(0)], 1)[0].index).toBe(1)
})

test('abort signals of this realm end a call', async () => {
  const controller = new AbortController()
  const aborted = embed(documents, { signal: controller.signal })
  controller.abort(new Error('on purpose'))
  await expect(aborted).rejects.toThrow('on purpose')
  await expect(embed(query, { signal: AbortSignal.abort() })).rejects.toThrow()
  await expect(embed(query, { signal: AbortSignal.timeout(60_000) })).resolves.toHaveLength(384)
})

test('errors are of the classes that a test names', async () => {
  await expect(embed(query, { model: './nothing' })).rejects.toBeInstanceOf(VecrankError)
  await expect(embed(query, { model: './nothing' })).rejects.toThrow(VecrankError)
  await expect(embed(query, { model: './nothing' })).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND', name: 'VecrankError' })
  await expect(embed(query, { model: './nothing' })).rejects.toBeInstanceOf(Error)
  // Found by this package, and found by the native code.
  await expect(embed(5)).rejects.toBeInstanceOf(TypeError)
  await expect(embed(query, { maxLength: 100_000 })).rejects.toBeInstanceOf(TypeError)
  expect(() => topK(1, 2, 3)).toThrow(TypeError)
})

afterAll(() => {
  const { appendFileSync, readdirSync, readFileSync } = process.getBuiltinModule('node:fs')
  if (process.platform !== 'linux') return
  const names = readdirSync('/proc/self/task').map((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
    } catch {
      // It has just ended.
      return ''
    }
  })
  const sessions = names.filter((name) => name === 'vecrank-0').length
  appendFileSync(process.env.SEEN, `${JSON.stringify({ memory: process.memoryUsage().rss / 1e6, sessions })}\n`)
})
