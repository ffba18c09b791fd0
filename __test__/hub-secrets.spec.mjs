// What is secret stays so: the token, the password of a proxy, and the signed addresses of a CDN are in no error, no warning, no output and
// no object that can be printed, whatever goes wrong.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Embedder, Reranker, embed } from 'vecrank'
import { contents, start, vecrank } from './hub/cli.mjs'
import { everything, fewAtOnce, withEnvironment } from './hub/environment.mjs'
import { FakeHub } from './hub/hub.mjs'
import { Proxy } from './hub/proxy.mjs'
import { assertSound, soak, temporary, world } from './hub/world.mjs'

const TOKEN = 'hf_canary0123456789'
const PASSWORD = 'pa55-canary'
/** The signatures of the fake CDN begin with `secret`. */
const SECRETS = new RegExp(`canary|X-Signature|X-Expires|secret\\d|${Buffer.from(`user:${PASSWORD}`).toString('base64').slice(0, -2)}`)
const MEAN = contents('bert-mean')
const ONNX = 'onnx/model.onnx'
const CDN = { server: 'cdn' }
const SMALL = { server: 'hub', file: 'config.json' }
const LARGE = { server: 'hub', file: ONNX }
const API = { path: /^\/api\// }

const warnings = []
process.on('warning', (warning) => warnings.push(everything(warning)))

/** A Hub that wants the token, behind a proxy that wants the password; loads see both. */
async function guarded(t) {
  const proxy = await Proxy.start({ credentials: `user:${PASSWORD}` })
  t.after(() => proxy.close())
  const all = await world(t)
  all.hub.token = TOKEN
  const variables = { HTTP_PROXY: proxy.urlWith(), HF_HUB_DOWNLOAD_TIMEOUT: '0.3', HF_HUB_ETAG_TIMEOUT: '0.3' }
  const load = (options, Class = Embedder, id = all.id) => {
    const handle = new Class(id, all.options({ token: TOKEN, ...options }))
    t.after(() => handle.dispose())
    return { handle, loading: withEnvironment(variables, () => handle.load()) }
  }
  return { ...all, proxy, variables, load }
}

/** CI takes those that are treated in different ways. */
const refusals = soak ? [400, 401, 403, 404, 408, 410, 416, 429, 500, 502, 503, 504] : [401, 403, 404, 410, 503]
/** Name, what breaks, and how: every request of a load fails in every way that is known to these specs. */
const FAILURES = [
  ...[
    ['api', API],
    ['small', SMALL],
    ['large', LARGE],
    ['cdn', CDN],
  ].flatMap(([where, match]) => [
    ...refusals.map((status) => [`${where} ${status}`, match, { status }]),
    [`${where} a page to log in`, match, { html: true }],
    [`${where} a loop`, match, { redirect: 'self' }],
    [`${where} no answer`, match, { stall: 'headers' }],
    [`${where} an address that is none`, match, { status: 302, redirect: 'http://[canary?X-Signature=secret1' }],
    [`${where} another scheme`, match, { status: 302, redirect: 'ftp://canary:canary@127.0.0.1/?X-Signature=secret1' }],
    // The proxy refuses what is not on loopback.
    [`${where} another host`, match, { status: 302, redirect: 'http://user:canary@cdn.test/x?X-Signature=secret1' }],
    [`${where} a closed port`, match, { status: 302, redirect: 'http://127.0.0.1:1/x?X-Signature=secret1' }],
    [
      `${where} the token in an error`,
      match,
      { status: 403, headers: { 'x-error-message': `Invalid token ${TOKEN}`, 'x-error-code': TOKEN } },
    ],
  ]),
  ...[
    ['small', { server: 'hub', file: 'tokenizer.json' }],
    ['cdn', CDN],
  ].flatMap(([where, match]) => [
    [`${where} too short`, match, { short: 10 }],
    [`${where} too long`, match, { long: 10 }],
    [`${where} cut`, match, { cut: 10 }],
    [`${where} reset`, match, { cut: 10, reset: true }],
    [`${where} chunks without end`, match, { chunkedWithoutEnd: 10 }],
    [`${where} a bit`, match, { flip: 99 }],
    [`${where} compressed`, match, { gzip: true }],
    [`${where} stalled`, match, { stall: 'body', at: 10 }],
  ]),
  ['a list of nothing', { path: /\/tree\// }, { status: 200, body: `"${TOKEN}"` }],
  ['a list that goes on elsewhere', { path: /\/tree\// }, { headers: { link: '<http://127.0.0.1:1/?X-Signature=secret1>; rel="next"' } }],
  ['a commit that is none', { path: /\/revision\// }, { status: 200, body: JSON.stringify({ sha: TOKEN }) }],
]

test(`none of ${FAILURES.length} failures shows a secret, nor does what is left in the cache`, async (t) => {
  const errors = []
  const leaks = []
  const attempt = async ([name, match, fault]) => {
    const { hub, load, cacheDir } = await guarded(t)
    hub.fault(match, fault)
    const { handle, loading } = load({ signal: AbortSignal.timeout(5000) })
    const error = await loading.then(
      () => assert.fail(`${name}: it was loaded`),
      (error) => error,
    )
    const files = assertSound(cacheDir, { partials: 8 }).join('\n')
    const shown = [everything(error), inspect(handle, { depth: 10, showHidden: true }), files].join('\n')
    if (SECRETS.test(shown)) leaks.push(`${name}: ${error.message}`)
    if (error.code !== undefined) errors.push(error.code)
    await handle.dispose()
  }
  // Not all at the same time: each has four servers.
  await fewAtOnce(33, FAILURES, attempt)
  assert.deepEqual(leaks, [])
  assert.ok(errors.length > FAILURES.length / 2, 'most of them fail by themselves, and not because the test ends them')
  assert.ok(new Set(errors).size >= 3, `${[...new Set(errors)]}`)
})

test('a model that works shows no secret either: not when it is printed, not in its warnings', async (t) => {
  const { hub, id, load, cacheDir, options, variables } = await guarded(t)
  const { 'modules.json': _, '1_Pooling/config.json': __, ...bare } = MEAN
  // Two warnings: of a base that cannot be read, and of pooling that nobody declares.
  hub.add('zoo/warns', { ...bare, 'README.md': '---\nbase_model: zoo/none\n---\n' })
  const { handle, loading } = load()
  await loading
  const warned = load({}, Embedder, 'zoo/warns')
  await warned.loading
  // And one of a Hub that cannot be asked for a newer commit.
  hub.fault(API, { redirect: 'http://127.0.0.1:1/?X-Signature=secret1' })
  const stale = load({ refresh: true, cacheDir })
  await stale.loading
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(warnings.length >= 3, `${warnings.length} warnings`)
  for (const warning of warnings) assert.doesNotMatch(warning, SECRETS)

  for (const value of [
    handle,
    warned.handle,
    await handle.info(),
    new Embedder(id, options({ token: TOKEN })),
    new Reranker(id, options({ token: TOKEN })),
  ]) {
    assert.doesNotMatch(inspect(value, { depth: 10, showHidden: true, getters: true }), SECRETS)
    assert.doesNotMatch(`${JSON.stringify(value)} ${String(value)}`, SECRETS)
  }
  await withEnvironment(variables, () => embed('a', { model: id, load: options({ token: TOKEN }) }))
  const shared = globalThis[Symbol.for('vecrank.instances')]
  assert.equal(shared.size, 1)
  // What a console shows of the global object.
  assert.doesNotMatch(inspect(shared, { depth: 10, showHidden: true }), SECRETS)
})

test('wrong options are refused without showing what may be secret', () => {
  const cases = [
    [{ token: ['hf_canary'] }, /token/],
    [{ token: { hf_canary: 1 } }, /token/],
    [{ token: 'hf_canary', tokens: 'hf_canary' }, /tokens/],
  ]
  for (const [options, pattern] of cases) {
    assert.throws(
      () => new Embedder('zoo/bert-mean', options),
      (error) => pattern.test(error.message) && !SECRETS.test(everything(error)),
    )
  }
})

test('an endpoint with a password is refused without showing it', async (t) => {
  const { make } = await world(t)
  for (const endpoint of ['http://user:canary@127.0.0.1:1', 'http://127.0.0.1:1/?token=canary', 'canary', 'http://canary canary']) {
    for (const [variables, options] of [
      [{}, { endpoint }],
      [{ HF_ENDPOINT: endpoint }, { endpoint: undefined }],
    ]) {
      await assert.rejects(
        withEnvironment(variables, () => make(options).load()),
        (error) => {
          assert.equal(error.code, 'ERR_INVALID_ARG')
          assert.doesNotMatch(everything(error), SECRETS)
          return true
        },
      )
    }
  }
})

test('the command line prints no secret, whatever fails', async (t) => {
  const faults = [
    [API, { status: 500 }],
    [API, { redirect: 'http://127.0.0.1:1/?X-Signature=secret1' }],
    [SMALL, { html: true }],
    [LARGE, { redirect: 'ftp://canary@x/?X-Signature=secret1' }],
    [CDN, { status: 403 }],
    [CDN, { flip: 99 }],
    [CDN, { redirect: 'self' }],
    [undefined, undefined],
  ]
  // Four processes each; CI takes every second one.
  await Promise.all(
    faults
      .filter((_, number) => soak || number % 2)
      .map(async ([match, fault]) => {
        const { hub, id, cacheDir, variables } = await guarded(t)
        if (fault) hub.fault(match, fault)
        const env = { ...variables, HF_TOKEN: TOKEN, HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir }
        for (const words of [
          ['pull', id, '--lock'],
          ['pull', id, '--json'],
          ['cache', 'ls', '--json'],
          ['cache', 'verify', '--json'],
        ]) {
          const { code, stdout, stderr } = await vecrank(t, words, { env })
          assert.equal(code, fault && words[0] === 'pull' ? 1 : 0, stderr)
          assert.doesNotMatch(stdout + stderr, SECRETS)
        }
      }),
  )
})

test('an error that ends a process prints no secret', async (t) => {
  const { hub, id, cacheDir, variables } = await guarded(t)
  hub.fault(CDN, { status: 403 })
  const folder = temporary(t)
  mkdirSync(join(folder, 'src'))
  const file = join(folder, 'src/server.mjs')
  const options = { endpoint: hub.url, cacheDir, token: TOKEN }
  const module = JSON.stringify(new URL('../index.js', import.meta.url).href)
  writeFileSync(file, `import { Embedder } from ${module}\nawait Embedder.load('${id}', ${JSON.stringify(options)})\n`)
  const { code, stderr } = await start(t, process.execPath, ['--trace-uncaught', file], { env: variables }).ended
  assert.equal(code, 1)
  assert.match(stderr, /ERR_DOWNLOAD/)
  // The program's own line is printed with the error; it holds the token here.
  assert.doesNotMatch(stderr.replaceAll(/^await Embedder.*$/gm, ''), SECRETS)
})

test('no other host is asked for anything', async (t) => {
  // The proxy sees every address of a request; a Hub that is alone in the world sees the rest.
  const proxy = await Proxy.start()
  const hub = await FakeHub.start()
  t.after(() => Promise.all([proxy.close(), hub.close()]))
  hub.add('zoo/bert-mean', MEAN)
  proxy.route('hub.test', hub.port)
  proxy.route('cdn.test', hub.cdnPort)
  hub.cdn = 'http://cdn.test'
  const cacheDir = join(temporary(t), 'hub')
  const variables = { ALL_PROXY: proxy.url }
  const options = { endpoint: 'http://hub.test', cacheDir }
  const embedder = new Embedder('zoo/bert-mean', options)
  t.after(() => embedder.dispose())
  await withEnvironment(variables, () => embedder.load())
  await embedder.embed(['a', 'b'])
  for (const id of ['zoo/none', 'zoo/bert-mean']) {
    const more = new Embedder(id, { ...options, refresh: true, revision: id === 'zoo/none' ? 'v1' : undefined })
    await withEnvironment(variables, () => more.load()).catch(() => {})
    await more.dispose()
  }
  assert.deepEqual([...new Set(proxy.requests.map(({ target }) => new URL(target).host))].sort(), ['cdn.test', 'hub.test'])
  assert.equal(proxy.requests.length, hub.requests.length)
})
