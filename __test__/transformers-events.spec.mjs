// What `progress_callback` hears of downloads and of files that are here, in the words of Transformers.js.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { statSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { env, pipeline } from 'vecrank/transformers'
import { tiny } from './fixtures.mjs'

const { Events } = createRequire(import.meta.url)('../lib/transformers/events.js')
const folder = tiny('zoo/bert-mean')
const size = (file) => statSync(path.join(folder, file)).size

test('a download: begun, on its way and done, each with all files together before it', () => {
  const heard = []
  const events = new Events((event) => heard.push(event), 'owner/name', true)
  events.onDownload({ status: 'download', file: 'a', loaded: 0, total: 100 })
  events.onDownload({ status: 'download', file: 'b', loaded: 0, total: 300 })
  events.onDownload({ status: 'progress', file: 'a', loaded: 50, total: 100 })
  events.onDownload({ status: 'progress', file: 'b', loaded: 300, total: 300 })
  events.onDownload({ status: 'done', file: 'b', loaded: 300, total: 300 })
  events.ready('feature-extraction', 'owner/name')
  const name = 'owner/name'
  assert.deepEqual(heard, [
    { status: 'initiate', name, file: 'a' },
    { status: 'download', name, file: 'a' },
    { status: 'initiate', name, file: 'b' },
    { status: 'download', name, file: 'b' },
    { status: 'progress_total', name, progress: 50, loaded: 50, total: 100, files: { a: { loaded: 50, total: 100 } } },
    { status: 'progress', name, file: 'a', progress: 50, loaded: 50, total: 100 },
    { status: 'progress_total', name, progress: 87.5, loaded: 350, total: 400, files: { a: { loaded: 50, total: 100 }, b: { loaded: 300, total: 300 } } },
    { status: 'progress', name, file: 'b', progress: 100, loaded: 300, total: 300 },
    { status: 'done', name, file: 'b' },
    { status: 'ready', task: 'feature-extraction', model: name },
  ])
})

test('files that are here are told of once, with their size, and those that are not are not', () => {
  const heard = []
  const events = new Events((event) => heard.push(event), 'owner/name', false)
  events.onDownload({ status: 'download', file: 'config.json', loaded: 0, total: 1 })
  events.onDownload({ status: 'progress', file: 'config.json', loaded: 1, total: 1 })
  events.onDownload({ status: 'done', file: 'config.json', loaded: 1, total: 1 })
  heard.length = 0
  events.loaded(folder, ['config.json', 'tokenizer.json', 'absent.json'])
  events.loaded(folder, ['tokenizer.json'])
  const bytes = size('tokenizer.json')
  assert.deepEqual(heard, [
    { status: 'initiate', name: 'owner/name', file: 'tokenizer.json' },
    { status: 'download', name: 'owner/name', file: 'tokenizer.json' },
    { status: 'progress', name: 'owner/name', file: 'tokenizer.json', progress: 100, loaded: bytes, total: bytes },
    { status: 'done', name: 'owner/name', file: 'tokenizer.json' },
  ])
})

test('without a callback nothing is listened for', () => {
  const events = new Events(undefined, 'owner/name', true)
  assert.equal(events.onDownload, undefined)
  events.loaded(folder, ['config.json'])
  events.ready('feature-extraction', 'owner/name')
})

test('a callback that throws ends the load with its error', async () => {
  env.localModelPath = path.dirname(path.dirname(folder))
  const error = new Error('mine')
  for (const when of ['initiate', 'done', 'ready']) {
    const progress_callback = ({ status }) => {
      if (status === when) throw error
    }
    await assert.rejects(pipeline('feature-extraction', 'zoo/bert-mean', { progress_callback }), error, when)
  }
  const extractor = await pipeline('feature-extraction', 'zoo/bert-mean')
  assert.deepEqual((await extractor('a', { pooling: 'mean' })).dims, [1, 32])
  await extractor.dispose()
})
