import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Embedder, Reranker, embed, rerank } from 'vecrank'
import { assertNear, failure, root, someTexts, tiny } from './fixtures.mjs'

const run = promisify(execFile)
const model = tiny('zoo/bert-mean')
const disposed = failure('ERR_DISPOSED')

test('after dispose every method rejects', async () => {
  const embedder = await Embedder.load(model)
  await embedder.dispose()
  await embedder.dispose()
  for (const call of [
    () => embedder.load(),
    () => embedder.info(),
    () => embedder.embed('a'),
    () => embedder.embed([]),
    () => embedder.embedQuery('a'),
    () => embedder.embedDocument('a'),
    () => embedder.embedMany(['a']),
    () => embedder.embedStream(['a']).next(),
    () => embedder.tokenCounts(['a']),
    () => embed('a', { model: embedder }),
  ]) {
    await assert.rejects(call(), disposed)
  }
  const reranker = new Reranker(tiny('zoo/bert-ranker-1'))
  await reranker.dispose()
  await assert.rejects(reranker.rerank('a', ['b']), disposed)
  await assert.rejects(reranker.score([['a', 'b']]), disposed)
})

test('dispose ends one handle and not its equals', async () => {
  const [one, other] = [await Embedder.load(model), await Embedder.load(model)]
  const expected = await one.embed('text')
  await one.dispose()
  assertNear(await other.embed('text'), expected, 1e-5, 'the other handle')
  await other.dispose()
  assertNear(await new Embedder(model).embed('text'), expected, 1e-5, 'a new handle')
})

test('calls in flight settle when the model is disposed of', async () => {
  const embedder = new Embedder(model)
  const loading = new Embedder(tiny('zoo/bert-cls'))
  await embedder.load()
  const calls = [...Array.from({ length: 50 }, () => embedder.embed(someTexts(100))), loading.embed('a'), loading.load()]
  const settled = Promise.allSettled(calls)
  await Promise.all([embedder.dispose(), loading.dispose()])
  for (const { status, value, reason } of await settled) {
    if (status === 'rejected') disposed(reason)
    else assert.equal(value.length, 100)
  }
})

test('await using disposes', async () => {
  const embedder = new Embedder(model)
  await embedder[Symbol.asyncDispose]()
  await assert.rejects(embedder.embed('a'), disposed)
})

test('a disposed shared instance is replaced', async () => {
  const folder = tiny('zoo/modernbert-cls')
  const expected = await embed('text', { model: folder })
  const instances = globalThis[Symbol.for('vecrank.instances')]
  for (const instance of instances.values()) await instance.dispose()
  assertNear(await embed('text', { model: folder }), expected, 1e-5, 'a new instance')
  const documents = ['a', 'b']
  assert.equal((await rerank('q', documents, { model: tiny('zoo/bert-ranker-1'), load: { threads: 1 } })).length, 2)
})

test('equal options are one shared instance, others are another', async () => {
  const folder = tiny('zoo/qwen3-lasttoken')
  const size = () => globalThis[Symbol.for('vecrank.instances')].size
  await embed('a', { model: folder })
  const before = size()
  await embed('a', { model: folder, load: {} })
  await embed('a', { model: folder, load: { signal: new AbortController().signal, threads: undefined } })
  assert.equal(size(), before)
  await embed('a', { model: folder, load: { prompts: { b: '1', a: '2' } } })
  await embed('a', { model: folder, load: { prompts: { a: '2', b: '1' } } })
  assert.equal(size(), before + 1)
  await assert.rejects(embed('a', { model: './no/such/folder' }))
  assert.equal(size(), before + 1)
})

async function script(code) {
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: root, timeout: 60_000 })
  assert.equal(stderr, '')
  return stdout.trim()
}

test('the process ends by itself after use', async () => {
  const code = `
    import { Embedder, embed } from 'vecrank'
    const model = ${JSON.stringify(model)}
    const vector = await embed('text', { model })
    const embedder = new Embedder(model)
    await embedder.embed(['a', 'b'])
    console.log(vector.length)`
  assert.equal(await script(code), '32')
})

test('a process that only imports ends at once, and a pending call keeps one alive', async () => {
  assert.equal(await script(`import { embed } from 'vecrank'; console.log(typeof embed)`), 'function')
  assert.equal(await script(`import { embed } from 'vecrank'; embed('a', { model: ${JSON.stringify(model)} }).then((v) => console.log(v.length))`), '32')
})

test('process.exit in the middle of work ends cleanly', async () => {
  const code = `
    import { Embedder } from 'vecrank'
    const embedder = await Embedder.load(${JSON.stringify(model)})
    for (let n = 0; n < 50; n++) embedder.embed(Array(200).fill('some words to embed'))
    setImmediate(() => { console.log('leaving'); process.exit(0) })`
  assert.equal(await script(code), 'leaving')
})

const worker = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { Embedder } = require('vecrank')
  new Embedder(workerData.model).embed('text').then(
    (vector) => parentPort.postMessage(vector),
    (error) => parentPort.postMessage(String(error.stack)))`

test('worker threads give what the main thread gives, and end', async () => {
  const expected = await new Embedder(model).embed('text')
  const vectors = await Promise.all(
    Array.from({ length: 4 }, () => {
      const thread = new Worker(worker, { eval: true, workerData: { model } })
      return new Promise((resolve, reject) => {
        let vector
        thread.on('message', (message) => (vector = message))
        thread.on('error', reject)
        thread.on('exit', (code) => (code === 0 ? resolve(vector) : reject(new Error(`exit code ${code}`))))
      })
    }),
  )
  for (const vector of vectors) assertNear(vector, expected, 1e-5, 'from a worker')
})

test('a method without its instance, or through a proxy, is a wrong argument', async () => {
  const embedder = new Embedder(model)
  const { embed } = embedder
  await assert.rejects(embed('text'), { name: 'TypeError', code: 'ERR_INVALID_ARG' })
  await assert.rejects(new Proxy(embedder, {}).embed('text'), { name: 'TypeError', code: 'ERR_INVALID_ARG' })
  await assert.rejects(new Proxy(embedder, {}).info(), { name: 'TypeError', code: 'ERR_INVALID_ARG' })
})

test('all who dispose wait for the same end', async () => {
  const embedder = await new Embedder(model).load()
  await Promise.all([embedder.dispose(), embedder.dispose()])
  await embedder.dispose()
  await assert.rejects(embedder.embed('text'), { code: 'ERR_DISPOSED' })
})

test('a worker that is ended in the middle of work harms nobody', async () => {
  const busy = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Embedder } = require('vecrank')
    const embedder = new Embedder(workerData.model)
    embedder.load().then(() => {
      for (let n = 0; n < 50; n++) embedder.embed(Array(200).fill('some words to embed'))
      parentPort.postMessage('busy')
    })`
  for (let round = 0; round < 3; round++) {
    const thread = new Worker(busy, { eval: true, workerData: { model } })
    await new Promise((resolve, reject) => {
      thread.once('message', resolve)
      thread.once('error', reject)
    })
    await thread.terminate()
  }
  assert.equal((await new Embedder(model).embed('still here')).length, 32)
})
