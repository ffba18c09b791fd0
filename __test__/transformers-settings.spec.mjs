// What the options of `pipeline` and `from_pretrained` mean among vecrank's, and where a model's name leads.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { ModelFileNotFoundError, env, pipeline } from 'vecrank/transformers'
import { failure, tiny } from './fixtures.mjs'

const require = createRequire(import.meta.url)
const { hubSettingsOf, loadOptionsOf, settingsOf } = require('../lib/transformers/settings.js')
const { locate } = require('../lib/transformers/repository.js')

const before = { ...env }
afterEach(() => {
  for (const name of ['allowRemoteModels', 'remoteHost', 'allowLocalModels', 'localModelPath', 'cacheDir']) env[name] = before[name]
})
const load = (options, config) => loadOptionsOf(settingsOf(options), config)

test('fp32 on the CPU where nobody says anything else', () => {
  assert.deepEqual(load(), { device: 'cpu', dtype: 'fp32' })
  assert.deepEqual(load({ dtype: null, device: null, revision: 'main', session_options: {}, use_external_data_format: null }), {
    device: 'cpu',
    dtype: 'fp32',
  })
})

test('the number format: the call, then the file of the model, then fp32', () => {
  const config = { 'transformers.js_config': { dtype: 'q8', device_config: { webgpu: { dtype: 'q4f16' } } } }
  assert.equal(load({}, config).dtype, 'q8')
  assert.equal(load({ dtype: 'fp16' }, config).dtype, 'fp16')
  assert.equal(load({ dtype: 'auto' }, config).dtype, 'q8')
  assert.equal(load({ dtype: 'auto' }).dtype, 'fp32')
  assert.equal(load({ device: 'webgpu' }, config).dtype, 'q4f16')
  assert.equal(load({ dtype: { model: 'q4', other: 'q8' } }).dtype, 'q4')
  assert.equal(load({ dtype: { other: 'q8' } }).dtype, 'fp32')
  assert.equal(load({}, { 'transformers.js_config': { dtype: { model: 'fp16' } } }).dtype, 'fp16')
  assert.equal(load({ quantized: true }).dtype, 'q8')
  assert.equal(load({ quantized: false }, config).dtype, 'fp32')
  assert.throws(() => load({ dtype: 'q1' }), failure('ERR_INVALID_ARG', /options\.dtype/))
  assert.throws(() => load({ dtype: 8 }), failure('ERR_INVALID_ARG', /options\.dtype/))
})

test('the device: the call, then the file of the model, then the CPU', () => {
  assert.equal(load({ device: 'cuda' }).device, 'cuda')
  assert.equal(load({ device: 'gpu' }).device, 'gpu')
  assert.equal(load({ device: 'auto' }).device, 'auto')
  assert.equal(load({ device: 'wasm' }).device, 'cpu')
  assert.equal(load({ device: { model: 'webgpu' } }).device, 'webgpu')
  assert.equal(load({}, { 'transformers.js_config': { device: 'webgpu' } }).device, 'webgpu')
  assert.equal(load({ session_options: { executionProviders: ['cuda', 'cpu'] } }).device, 'cuda')
  assert.equal(load({ session_options: { executionProviders: [{ name: 'dml', deviceId: 0 }] } }).device, 'dml')
  assert.throws(() => load({ device: 'webnn-npu' }), failure('ERR_INVALID_ARG', /options\.device/))
})

test('the file: only where the call names it', () => {
  assert.equal(load({ dtype: 'q8' }).file, undefined)
  assert.equal(load({ model_file_name: 'model_O4' }).file, 'onnx/model_O4.onnx')
  assert.equal(load({ model_file_name: 'text_model', dtype: 'q8' }).file, 'onnx/text_model_quantized.onnx')
  assert.equal(load({ subfolder: '' }).file, 'model.onnx')
  assert.equal(load({ subfolder: 'exported/onnx/', dtype: 'fp16' }).file, 'exported/onnx/model_fp16.onnx')
})

test('options of ONNX Runtime: threads are used, what would change results is refused, the rest does no harm', () => {
  assert.equal(load({ session_options: { intraOpNumThreads: 2, graphOptimizationLevel: 'all', enableCpuMemArena: false } }).threads, 2)
  assert.equal(load({ session_options: { intraOpNumThreads: 0 } }).threads, undefined)
  assert.throws(() => load({ session_options: { externalData: [] } }), failure('ERR_INVALID_ARG', /externalData/))
  assert.throws(() => load({ session_options: { freeDimensionOverrides: {} } }), failure('ERR_INVALID_ARG', /freeDimensionOverrides/))
})

test('a misspelt option and a wrong type are refused', () => {
  assert.throws(() => settingsOf({ cacheDir: '/tmp' }), failure('ERR_INVALID_ARG', /cache_dir.*cacheDir/))
  assert.throws(() => settingsOf({ local_files_only: 'yes' }), failure('ERR_INVALID_ARG', /local_files_only/))
  assert.throws(() => settingsOf('q8'), failure('ERR_INVALID_ARG', /an object/))
})

test('the settings of the Hub: env, and the call before it', () => {
  const token = process.env.HF_TOKEN
  delete process.env.HF_TOKEN
  process.env.HF_ACCESS_TOKEN = 'hf_old'
  try {
    assert.deepEqual(hubSettingsOf(settingsOf()), { token: 'hf_old' })
  } finally {
    delete process.env.HF_ACCESS_TOKEN
    if (token !== undefined) process.env.HF_TOKEN = token
  }
  assert.deepEqual(hubSettingsOf(settingsOf()), {})
  Object.assign(env, { cacheDir: '/cache', remoteHost: 'https://mirror.example/', allowRemoteModels: false })
  assert.deepEqual(hubSettingsOf(settingsOf()), { cacheDir: '/cache', endpoint: 'https://mirror.example/', offline: true })
  env.allowRemoteModels = true
  assert.deepEqual(hubSettingsOf(settingsOf({ cache_dir: '/other', local_files_only: true })), {
    cacheDir: '/other',
    endpoint: 'https://mirror.example/',
    offline: true,
  })
})

test('a name leads to a folder of one’s own where there is one, else to the Hub', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vecrank-models-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(path.join(folder, 'owner', 'mine'), { recursive: true })
  mkdirSync(path.join(folder, 'owner', 'empty'))
  writeFileSync(path.join(folder, 'owner', 'mine', 'config.json'), '{}')
  env.localModelPath = folder
  const own = path.join(folder, 'owner', 'mine')
  assert.deepEqual(locate('owner/mine', {}), { name: 'owner/mine', source: 'folder', model: own, path: own })
  assert.deepEqual(locate('owner/empty', {}), { name: 'owner/empty', source: 'hub', model: 'owner/empty' })
  assert.equal(locate('owner/other', {}).source, 'hub')
  assert.equal(locate(own, {}).path, own)
  assert.equal(locate(pathToFileURL(own).href, {}).path, own)
  assert.equal(locate(path.relative(process.cwd(), own), {}).path, own)
  env.allowLocalModels = false
  assert.equal(locate('owner/mine', {}).source, 'hub')
  assert.throws(() => locate(own, {}), missing(/allowLocalModels/))
  assert.throws(() => locate('owner/mine', { local_files_only: true }), failure('ERR_INVALID_ARG', /allowRemoteModels/))
})

test('a path without a model is a file that is not found', () => {
  assert.throws(() => locate('./nowhere/at/all', {}), missing(/holds no model/))
  assert.throws(() => locate('a/b/c', {}), missing(/owner\/name/))
  assert.throws(() => locate('', {}), failure('ERR_INVALID_ARG'))
  assert.throws(() => locate(undefined, {}), failure('ERR_INVALID_ARG'))
})

test('an installed package that holds a model', () => {
  const { source, path: folder } = locate('vecrank-model-all-minilm-l6-v2', {})
  assert.equal(source, 'package')
  assert.equal(path.basename(folder), 'all-MiniLM-L6-v2')
})

test('a number format that the model has not is an error, not another one', async () => {
  await assert.rejects(pipeline('feature-extraction', tiny('zoo/bert-mean'), { dtype: 'q4' }), (error) => {
    assert.match(error.message, /q4/)
    return true
  })
})

function missing(pattern) {
  return (error) => {
    assert.ok(error instanceof ModelFileNotFoundError)
    assert.equal(error.name, 'ModelFileNotFoundError')
    assert.equal(error.code, 'ERR_FILE_NOT_FOUND')
    assert.match(error.message, pattern)
    return true
  }
}
