// A model of the Hub whose files for the CPU are in the cache and those for a device are not, without a network.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { failure, root } from '../fixtures.mjs'
import { contents } from '../hub/cli.mjs'
import { FakeHub } from '../hub/hub.mjs'
import { filesIn, temporary } from '../hub/world.mjs'
import { unavailable, withPlugins } from './plugins.mjs'

const { Embedder } = unavailable ? {} : await withPlugins('openvino')
const WEIGHTS = join(root, 'tests', 'fixtures', 'encoder', 'bert')
const GRAPH = 'onnx/model.onnx'

test('what is cached for the CPU runs there, and a device that is named says what it lacks', { skip: unavailable }, async (t) => {
  const hub = await FakeHub.start()
  t.after(() => hub.close())
  const files = Object.fromEntries(filesIn(WEIGHTS).map((file) => [file, readFileSync(join(WEIGHTS, file))]))
  hub.add('zoo/bert-mean', { ...files, [GRAPH]: contents('bert-mean')[GRAPH] })
  const cacheDir = temporary(t)
  const load = (options) => Embedder.load('zoo/bert-mean', { endpoint: hub.url, cacheDir, ...options })
  const about = async (options) => {
    const embedder = await load(options)
    const { device, file, passedOver } = await embedder.info()
    await embedder.dispose()
    return { device, file, passedOver: passedOver.map((passed) => passed.reason) }
  }
  assert.deepEqual(await about({ device: 'cpu' }), { device: 'cpu', file: 'model.safetensors', passedOver: [] })
  const fallen = await about({ offline: true, device: 'openvino', fallback: true })
  assert.deepEqual([fallen.device, fallen.file], ['cpu', 'model.safetensors'])
  assert.match(fallen.passedOver[0], /Missing: onnx\/model\.onnx/)
  await assert.rejects(load({ offline: true, device: 'openvino' }), failure('ERR_OFFLINE', /Missing: onnx\/model\.onnx/))
  assert.deepEqual([(await about({ device: 'openvino' })).device, (await about({ device: 'openvino', offline: true })).file], ['openvino', GRAPH])
})
