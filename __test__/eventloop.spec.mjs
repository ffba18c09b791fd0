// The event loop stays free while the addon works. The limit here is loose, for shared machines; `npm run bench` has the figure.

import assert from 'node:assert/strict'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test } from 'node:test'
import { Embedder } from 'vecrank'
import { someTexts } from './fixtures.mjs'

const LIMIT_MS = 50

/** The delay that the loop had beyond the monitor's own resolution, 99th percentile, in ms. */
async function delayDuring(work) {
  const resolution = 5
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  await work()
  delay.disable()
  assert.ok(delay.count > 0 || delay.max === 0)
  return delay.count === 0 ? 0 : delay.percentile(99) / 1e6 - resolution
}

const texts = someTexts(1000, 60)
const long = Array.from({ length: 20 }, (_, index) => `${index} ${'words of a long text, with signs. '.repeat(60_000)}`)

test('while loading', async () => {
  const delay = await delayDuring(() => new Embedder('vecrank-model-all-minilm-l6-v2', { threads: 1 }).load())
  assert.ok(delay < LIMIT_MS, `${delay} ms`)
})

const embedder = new Embedder('vecrank-model-all-minilm-l6-v2')
const cases = {
  '1,000 texts in one call': () => embedder.embed(texts),
  '1,000 texts in embedMany': () => embedder.embedMany(texts),
  '1,000 calls': () => Promise.all(texts.slice(0, 300).concat(someTexts(700, 5)).map((text) => embedder.embed(text))),
  '20 long texts': () => embedder.embed(long),
}
for (const [name, work] of Object.entries(cases)) {
  test(name, async () => {
    await embedder.load()
    const delay = await delayDuring(work)
    assert.ok(delay < LIMIT_MS, `${delay} ms`)
  })
}
