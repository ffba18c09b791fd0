import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import vm from 'node:vm'
import { Embedder, Reranker, embed } from 'vecrank'
import { assertNear, someTexts, tiny } from './fixtures.mjs'

const embedder = await Embedder.load(tiny('zoo/bert-mean'))
const reranker = new Reranker(tiny('zoo/bert-ranker-1'))
const reason = new Error('the caller has left')
const listeners = (signal) => getEventListeners(signal, 'abort').length

const calls = {
  embed: (signal) => embedder.embed(someTexts(2000), { signal }),
  embedMany: (signal) => embedder.embedMany(someTexts(2000), { signal }),
  tokenCounts: (signal) => embedder.tokenCounts(someTexts(2000), { signal }),
  rerank: (signal) => reranker.rerank('query', someTexts(2000), { signal }),
  score: (signal) => reranker.score(someTexts(2000).map((text) => ['query', text]), { signal }),
  embedStream: (signal) => drain(embedder.embedStream(someTexts(2000), { signal })),
  function: (signal) => embed(someTexts(2000), { signal, model: tiny('zoo/bert-mean') }),
}

async function drain(stream) {
  const found = []
  for await (const item of stream) found.push(item)
  return found
}

for (const [name, call] of Object.entries(calls)) {
  test(`${name}: aborted before, nothing is started`, async () => {
    await assert.rejects(call(AbortSignal.abort(reason)), (error) => error === reason)
  })

  test(`${name}: aborted while it waits, the reason comes at once`, async () => {
    const controller = new AbortController()
    const pending = call(controller.signal)
    setImmediate(() => controller.abort(reason))
    await assert.rejects(pending, (error) => error === reason)
    assert.equal(listeners(controller.signal), 0)
  })

  test(`${name}: no listener is left after a success`, async () => {
    const controller = new AbortController()
    await call(controller.signal)
    assert.equal(listeners(controller.signal), 0)
  })
}

test('an aborted signal reaches no model', async () => {
  const missing = new Embedder('./no/such/folder')
  await assert.rejects(missing.embed('a', { signal: AbortSignal.abort(reason) }), (error) => error === reason)
  await assert.rejects(new Embedder('./no/such/folder', { signal: AbortSignal.abort(reason) }).load(), (error) => error === reason)
})

test('wrong arguments are told before an abort', async () => {
  await assert.rejects(embedder.embed(5, { signal: AbortSignal.abort(reason) }), { code: 'ERR_INVALID_ARG' })
})

test('no listener is left after a failure', async () => {
  const { signal } = new AbortController()
  await assert.rejects(embedder.embed('a', { signal, prompt: 'no such prompt' }), { code: 'ERR_INVALID_ARG' })
  assert.equal(listeners(signal), 0)
})

test('one aborted call leaves the others as they are', async () => {
  const texts = someTexts(300)
  const expected = await embedder.embedMany(texts)
  const controller = new AbortController()
  const aborted = Array.from({ length: 20 }, () => embedder.embed(someTexts(300, 30, 5), { signal: controller.signal }))
  const kept = Array.from({ length: 5 }, () => embedder.embed(texts))
  setImmediate(() => controller.abort())
  for (const { status } of await Promise.allSettled(aborted)) assert.equal(status, 'rejected')
  for (const rows of await Promise.all(kept)) rows.forEach((row, index) => assertNear(row, expected.row(index), 1e-5, `text ${index}`))
})

test("the user's onabort stays and is called", async () => {
  const controller = new AbortController()
  let called = 0
  controller.signal.onabort = () => called++
  const pending = embedder.embed(someTexts(500), { signal: controller.signal })
  controller.abort(reason)
  await assert.rejects(pending, (error) => error === reason)
  assert.equal(called, 1)
})

test('signals of another realm, of AbortSignal.any and of a library', async () => {
  const context = vm.createContext({ AbortController })
  const foreign = vm.runInContext('new AbortController()', context)
  foreign.abort(reason)
  const any = AbortSignal.any([AbortSignal.abort(reason)])
  const plain = { aborted: true, reason, addEventListener() {}, removeEventListener() {} }
  for (const signal of [foreign.signal, any, plain]) await assert.rejects(embedder.embed('a', { signal }), (error) => error === reason)
  const without = { aborted: true, addEventListener() {}, removeEventListener() {} }
  await assert.rejects(embedder.embed('a', { signal: without }), { name: 'AbortError' })
  await assert.rejects(embedder.embed(someTexts(3000), { signal: AbortSignal.timeout(1) }), { name: 'TimeoutError' })
})

test('the signal of a load ends one wait and not the load', async () => {
  const controller = new AbortController()
  const model = tiny('zoo/bert-cls')
  const leaving = embed('a', { model, load: { signal: controller.signal } })
  const staying = embed('a', { model })
  controller.abort(reason)
  await assert.rejects(leaving, (error) => error === reason)
  assert.equal((await staying).length, 48)
})

test('many calls on one signal leave nothing behind', async () => {
  const { signal } = new AbortController()
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 100 }, () => embedder.embed('a', { signal })))
  }
  assert.equal(listeners(signal), 0)
})

test('many calls follow one signal with one listener', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const warnings = []
  const onWarning = (warning) => warnings.push(warning.name)
  process.on('warning', onWarning)
  const calls = Array.from({ length: 50 }, () => embedder.embed('text', { signal }))
  assert.equal(listeners(signal), 1)
  await Promise.all(calls)
  assert.equal(listeners(signal), 0)

  const aborted = Array.from({ length: 50 }, () => embedder.embed(someTexts(50), { signal }))
  controller.abort(reason)
  for (const each of await Promise.allSettled(aborted)) assert.equal(each.reason, reason)
  assert.equal(listeners(signal), 0)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', onWarning)
  assert.deepEqual(warnings, [])
})
