import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Readable } from 'node:stream'
import { Embedder } from 'vecrank'
import { assertNear, failure, someTexts, tiny } from './fixtures.mjs'

const embedder = new Embedder(tiny('zoo/bert-mean'))
const texts = someTexts(1000, 12)
const expected = await embedder.embedMany(texts)

async function check(source, count = texts.length) {
  let next = 0
  for await (const { index, embedding } of embedder.embedStream(source)) {
    assert.equal(index, next)
    assertNear(embedding, expected.row(next), 1e-5, `text ${next}`)
    next++
  }
  assert.equal(next, count)
}

async function* asynchronous(pause = () => undefined) {
  for (const [index, text] of texts.entries()) {
    await pause(index)
    yield text
  }
}

test('arrays, sets, generators, async generators, streams', async () => {
  await check(texts)
  await check(new Set(['a']).size ? texts.values() : [])
  await check((function* () { yield* texts })())
  await check(asynchronous())
  await check(Readable.from(texts))
  await check([], 0)
})

test('a source that pauses gives what it has', async () => {
  let release
  const stream = embedder.embedStream(asynchronous((index) => (index === 3 ? new Promise((resolve) => (release = resolve)) : undefined)))
  for (let index = 0; index < 3; index++) assert.equal((await stream.next()).value.index, index)
  const fourth = stream.next()
  // The fourth text is asked for, and does not come until it is released.
  while (release === undefined) await new Promise((resolve) => setImmediate(resolve))
  release()
  assert.equal((await fourth).value.index, 3)
  await stream.return()
})

test('leaving the loop closes the source, which is not read to its end', async () => {
  let closed = 0
  let given = 0
  function* source() {
    try {
      for (;;) {
        given++
        yield 'text'
      }
    } finally {
      closed++
    }
  }
  for await (const { index } of embedder.embedStream(source())) if (index === 10) break
  assert.equal(closed, 1)
  assert.ok(given <= 512, `${given} texts were read for 11`)
})

test('leaving the loop does not wait for a text that never comes', async () => {
  async function* source() {
    yield 'text'
    await new Promise(() => {})
  }
  for await (const { index } of embedder.embedStream(source())) {
    assert.equal(index, 0)
    break
  }
})

test("the source's error comes after what it gave before", async () => {
  const broken = new Error('the file ended early')
  const sources = [
    (function* () { yield* texts.slice(0, 100); throw broken })(),
    (async function* () { yield* texts.slice(0, 100); throw broken })(),
  ]
  for (const source of sources) {
    let count = 0
    await assert.rejects(async () => {
      for await (const item of embedder.embedStream(source)) count += item.embedding.length / 32
    }, (error) => error === broken)
    assert.equal(count, 100)
  }
})

test('a value that is not a string ends the stream and closes the source', async () => {
  let closed = 0
  function* source() {
    try {
      yield 'text'
      yield 5
    } finally {
      closed++
    }
  }
  const stream = embedder.embedStream(source())
  assert.equal((await stream.next()).value.index, 0)
  await assert.rejects(stream.next(), failure('ERR_INVALID_ARG', /`source\[1\]` but received 5 of type number/))
  assert.equal(closed, 1)
  assert.deepEqual(await stream.next(), { value: undefined, done: true })
})

test('options hold for every text', async () => {
  for await (const { embedding } of embedder.embedStream(texts.slice(0, 200), { dimensions: 8, output: 'ubinary' })) {
    assert.ok(embedding instanceof Uint8Array)
    assert.equal(embedding.length, 1)
  }
})

test('an abort ends a wait for the source', async () => {
  const controller = new AbortController()
  async function* source() {
    yield 'text'
    await new Promise(() => {})
  }
  const stream = embedder.embedStream(source(), { signal: controller.signal })
  await stream.next()
  const waiting = stream.next()
  controller.abort(new Error('enough'))
  await assert.rejects(waiting, { message: 'enough' })
})

test('100,000 short texts need no more memory than a few', async () => {
  function* source() {
    for (let index = 0; index < 100_000; index++) yield `text number ${index}`
  }
  let count = 0
  let early = 0
  let largest = 0
  for await (const { index } of embedder.embedStream(source())) {
    assert.equal(index, count++)
    if (count % 5000 !== 0) continue
    const used = process.memoryUsage.rss()
    if (count <= 20_000) early = Math.max(early, used)
    else largest = Math.max(largest, used)
  }
  assert.equal(count, 100_000)
  // All embeddings together are 13 MB, all texts with their overhead several times that.
  assert.ok(largest - early < 64 * 2 ** 20, `${((largest - early) / 2 ** 20).toFixed(0)} MB more`)
})

test('100,000 short texts in one embedMany', async () => {
  const many = await embedder.embedMany(Array.from({ length: 100_000 }, (_, index) => `text number ${index % 1000}`))
  assert.equal(many.rows, 100_000)
  for (let row = 1000; row < 100_000; row += 997) assertNear(many.row(row), many.row(row % 1000), 1e-5, `row ${row}`)
})

test('a source may fail with any value, also with none', async () => {
  const none = {
    'an async generator': async function* () {
      yield 'a'
      throw undefined
    },
    'a generator': function* () {
      yield 'a'
      throw undefined
    },
  }
  for (const [name, source] of Object.entries(none)) {
    let given = 0
    const read = async () => {
      for await (const { index } of embedder.embedStream(source())) given = index + 1
    }
    await assert.rejects(read(), (error) => error === undefined, name)
    assert.equal(given, 1, name)
  }
  const odd = { [Symbol.asyncIterator]: () => ({ next: async () => undefined }) }
  await assert.rejects(embedder.embedStream(odd).next(), { code: 'ERR_INVALID_ARG' })
})

test('a function may be iterable', async () => {
  const source = Object.assign(() => {}, { [Symbol.iterator]: () => ['a', 'b'].values() })
  let given = 0
  for await (const { index } of embedder.embedStream(source)) given = index + 1
  assert.equal(given, 2)
})
