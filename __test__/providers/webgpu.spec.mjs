// The WebGPU plugin on a machine without a GPU: it is registered, finds nothing, and says so. What runs on it is tested where there is a GPU.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failure, tiny } from '../fixtures.mjs'
import { libraryOf, unavailable, withPlugins } from './plugins.mjs'

const { Embedder, hardware, data } = unavailable ? {} : await withPlugins('webgpu')
const available = unavailable ? undefined : (await hardware()).providers.find(({ device }) => device === 'webgpu')
const skip = unavailable || (available.available && 'this machine has a GPU: the refusal of WebGPU is NOT tested')
const model = tiny('zoo/bert-mean')

test('a plugin without a device is an error that names the plugin', { skip }, async () => {
  await assert.rejects(Embedder.load(model, { device: 'webgpu' }), failure('ERR_DEVICE', /webgpu.*(found no device|does not take)/s))
})

test('so it is when its library is named', { skip }, async () => {
  const providers = [{ name: 'webgpu', path: libraryOf(data, 'webgpu') }]
  await assert.rejects(Embedder.load(model, { device: 'webgpu', providers }), failure('ERR_DEVICE'))
})

test('auto goes on to the CPU, and says that a plugin that was named is not in use', { skip }, async () => {
  const warned = new Promise((resolve) => process.once('warning', resolve))
  const embedder = new Embedder(model, { providers: [{ name: 'mine', path: libraryOf(data, 'webgpu') }] })
  const { device, passedOver } = await embedder.info()
  assert.equal(device, 'cpu')
  assert.equal(passedOver[0].device, 'mine')
  const { code, message } = await warned
  assert.equal(code, 'VECRANK_DEVICE')
  assert.match(message, /mine: /)
  await embedder.dispose()
})

test('hardware() has the reason', { skip }, () => {
  assert.equal(available.available, false)
  assert.match(available.reason, /webgpu/)
})
