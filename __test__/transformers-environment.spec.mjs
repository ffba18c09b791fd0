// `env`: what has a meaning is kept, what has none does no harm, and what would silently not be honoured is refused when it is set.

import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { LogLevel, env } from 'vecrank/transformers'
import { failure } from './fixtures.mjs'

const before = { ...env }
afterEach(() => {
  for (const name of ['logLevel', 'allowRemoteModels', 'remoteHost', 'allowLocalModels', 'localModelPath', 'cacheDir']) env[name] = before[name]
})

test('the values at first are those of the peer on Node, but for the cache', () => {
  assert.deepEqual(
    { ...before, backends: undefined, localModelPath: undefined, fetch: undefined },
    {
      version: '4.3.1',
      backends: undefined,
      logLevel: LogLevel.WARNING,
      allowRemoteModels: true,
      remoteHost: 'https://huggingface.co/',
      remotePathTemplate: '{model}/resolve/{revision}/',
      allowLocalModels: true,
      localModelPath: undefined,
      useFS: true,
      useBrowserCache: false,
      useFSCache: true,
      cacheDir: null,
      useCustomCache: false,
      customCache: null,
      useWasmCache: false,
      cacheKey: 'transformers-cache',
      experimental_useCrossOriginStorage: false,
      fetch: undefined,
    },
  )
  assert.equal(typeof env.fetch, 'function')
})

test('what can be set is kept', () => {
  Object.assign(env, {
    allowRemoteModels: false,
    allowLocalModels: false,
    localModelPath: './mine',
    cacheDir: '/tmp/x',
    remoteHost: 'https://mirror.example/',
    logLevel: LogLevel.NONE,
  })
  assert.deepEqual(
    [env.allowRemoteModels, env.allowLocalModels, env.localModelPath, env.cacheDir, env.remoteHost, env.logLevel],
    [false, false, './mine', '/tmp/x', 'https://mirror.example/', 50],
  )
  env.cacheDir = null
  assert.equal(env.cacheDir, null)
})

test('what programs set for browsers does no harm', () => {
  env.backends.onnx.wasm.numThreads = 1
  env.backends.onnx.wasm.proxy = false
  env.backends.onnx.wasm.wasmPaths = '/wasm/'
  env.backends.onnx.webgpu.powerPreference = 'high-performance'
  env.backends.onnx.logLevel = 'fatal'
  env.useBrowserCache = false
  env.useWasmCache = false
  env.useCustomCache = false
  env.customCache = null
  env.useFS = true
  env.useFSCache = true
  env.remotePathTemplate = '{model}/resolve/{revision}/'
  env.fetch = fetch
})

test('what could not be honoured is refused, with what to do instead', () => {
  const refuse = (name, value, pattern) => {
    const before = { ...env }
    assert.throws(() => (env[name] = value), failure('ERR_INVALID_ARG', pattern), name)
    assert.deepEqual(env[name], before[name], name)
  }
  refuse('useBrowserCache', true, /cacheDir/)
  refuse('useFSCache', false, /tmpdir/)
  refuse('useFS', false, /files/)
  refuse('useCustomCache', true, /localModelPath/)
  refuse('customCache', { match() {}, put() {} }, /localModelPath/)
  refuse('remotePathTemplate', '{model}/{revision}/', /remoteHost/)
  refuse('fetch', async () => {}, /HTTPS_PROXY/)
  refuse('backends', {}, /inside/)
  refuse('version', '5.0.0', /Transformers\.js/)
  refuse('allowRemoteModels', 'no', /boolean/)
  refuse('localModelPath', 7, /string/)
  refuse('remoteHost', 'huggingface.co', /https/)
})

test('a name that nobody knows is refused, and none can be taken away', () => {
  assert.throws(() => (env.cacheDirectory = '/tmp'), failure('ERR_INVALID_ARG', /known field .*cacheDir.*cacheDirectory/))
  assert.throws(() => delete env.cacheDir, failure('ERR_INVALID_ARG', /env\.cacheDir/))
  assert.equal('cacheDirectory' in env, false)
})
