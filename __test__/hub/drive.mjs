// Ways to use the Hub's models in tests: the downloader alone, without a session, for hundreds of downloads and files that are no networks;
// and the oracle for those that are.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertRight, texts } from './apart.mjs'

const require = createRequire(import.meta.url)
const { addon } = require('../../lib/addon.js')
const { unwrap } = require('../../lib/errors.js')

/** The files of a repository that can be pulled and is as small as one can be; a graph is any bytes. */
export const smallest = (files) => ({
  'config.json': '{"model_type":"bert","max_position_embeddings":8,"hidden_size":4}',
  'tokenizer.json': '{}',
  'onnx/model.onnx': Buffer.from('a graph'),
  ...files,
})

/**
 * Downloads what a load of `id` would read into `cacheDir`. Rejects as a load does. `variables` are environment variables; `onJob` is given
 * the job, which can be watched and stopped.
 */
export async function pull({ hub, id, cacheDir, revision, offline, refresh, variables = {}, onJob = () => {} }) {
  const job = new (addon().StoreJob)()
  onJob(job)
  const settings = { variables, home: cacheDir, cacheDir, endpoint: hub.url, offline }
  return JSON.parse(unwrap(await job.pull({ model: { id, revision, refresh, settings }, kind: 'embedder' })))
}

/** Runs `work` on each item, at most `width` at a time. */
export async function inTurns(items, width, work) {
  const left = [...items.entries()]
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) await work(next[1], next[0])
  }
  await Promise.all(Array.from({ length: width }, worker))
}

/** Checks that an embedder of `zoo/bert-mean` gives the vectors that Python's has. */
export async function assertWorks(embedder) {
  assertRight(await embedder.embed(texts))
}

/** Waits until `holds()`, looking often, and fails after `limit` milliseconds. */
export async function until(holds, limit, what) {
  const end = performance.now() + limit
  while (!holds()) {
    assert.ok(performance.now() < end, `not within ${limit} ms: ${what}`)
    await sleep(2)
  }
}

/** Calls `work` with environment variables set. They are read when a load begins, so only its first step sees them. */
export function withVariables(variables, work) {
  const before = Object.keys(variables).map((name) => [name, process.env[name]])
  Object.assign(process.env, variables)
  try {
    return work()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
