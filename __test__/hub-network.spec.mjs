// Proxies: which variable holds for which address, that nothing goes past the proxy, and that its password is told to nobody else.
//
// The endpoint has a name that only the proxy knows. A request that does not go through it cannot arrive.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import { failure } from './fixtures.mjs'
import { makeAuthority } from './hub/authority.mjs'
import { vecrank } from './hub/cli.mjs'
import { errorOf, everything, withEnvironment } from './hub/environment.mjs'
import { Proxy } from './hub/proxy.mjs'
import { Socks } from './hub/socks.mjs'
import { root, temporary, world } from './hub/world.mjs'

const isWindows = process.platform === 'win32'
const CANARY = 'pa55-canary'

async function proxied(t, options) {
  const proxy = await Proxy.start(options)
  t.after(() => proxy.close())
  return proxy
}

/** A world behind names that only `proxy` knows; with `secure`, over HTTPS, and `authority` is the file that has to be trusted. */
async function behind(t, proxy, { secure = false } = {}) {
  const authority = makeAuthority()
  const tls = secure ? authority.issue({ names: ['hub.test', 'cdn.test'], addresses: ['127.0.0.1'] }) : undefined
  const all = await world(t, { hub: { tls } })
  const scheme = secure ? 'https' : 'http'
  proxy.route('hub.test', all.hub.port)
  proxy.route('cdn.test', all.hub.cdnPort)
  all.hub.cdn = `${scheme}://cdn.test`
  const file = join(temporary(t), 'authority.pem')
  writeFileSync(file, authority.certificate)
  const endpoint = `${scheme}://hub.test`
  /** Loads with these variables, into a cache of its own. */
  let count = 0
  const load = (variables, more) => {
    const trust = secure ? { NODE_EXTRA_CA_CERTS: file } : {}
    return withEnvironment({ ...trust, ...variables }, () => all.load({ endpoint, cacheDir: `${all.cacheDir}${++count}`, ...more }))
  }
  return { ...all, endpoint, load }
}

/** Each spelling that holds for a scheme. Windows knows one spelling only. */
const spellings = (...names) => names.flatMap((name) => (isWindows ? [name] : [name, name.toLowerCase()]))

for (const [scheme, names] of [
  ['http', spellings('HTTP_PROXY', 'ALL_PROXY')],
  ['https', spellings('HTTPS_PROXY', 'ALL_PROXY')],
]) {
  for (const name of names) {
    test(`${name} holds for every request to a Hub with ${scheme}, its CDN included`, async (t) => {
      const proxy = await proxied(t)
      const { hub, load, id } = await behind(t, proxy, { secure: scheme === 'https' })
      await load({ [name]: proxy.url })
      assert.equal(hub.count({ server: 'cdn', status: 200 }), 1)
      assert.ok(hub.count({ server: 'hub' }) > 5)
      if (scheme === 'http') {
        assert.equal(proxy.requests.length, hub.requests.length)
        assert.ok(proxy.requests.every(({ target, headers }) => target.startsWith('http://') && /^(hub|cdn)\.test$/.test(headers.host)))
      } else {
        // A tunnel each: what is in it is for the Hub alone, and the proxy sees names and nothing else.
        assert.deepEqual([...new Set(proxy.requests.map(({ method, target }) => `${method} ${target}`))].sort(), [
          'CONNECT cdn.test:443',
          'CONNECT hub.test:443',
        ])
        assert.equal(proxy.requests.length, hub.connections)
        assert.ok(!inspect(proxy.requests, { depth: 9 }).includes(id))
      }
    })
  }
}

test('asking for a newer commit goes through the proxy, and HEAD does', async (t) => {
  const proxy = await proxied(t)
  const { hub, load, id, cacheDir } = await behind(t, proxy)
  const common = join(cacheDir, 'common')
  await (await load({ HTTP_PROXY: proxy.url }, { cacheDir: common })).dispose()
  // A list that leaves a file's hash out makes a load ask for it with HEAD.
  proxy.clear()
  hub.clear()
  await load({ HTTP_PROXY: proxy.url }, { cacheDir: common, refresh: true })
  assert.deepEqual(
    proxy.requests.map(({ target }) => new URL(target).pathname),
    [`/api/models/${id}/revision/main`],
  )
  const moved = hub.add(id, { 'config.json': '{}' })
  const bare = JSON.stringify([{ type: 'file', path: 'config.json', size: 2, oid: 'unknown' }])
  hub.fault({ path: new RegExp(`/tree/${moved}`) }, { status: 200, body: bare })
  proxy.clear()
  hub.clear()
  await assert.rejects(load({ HTTP_PROXY: proxy.url }, { cacheDir: common, refresh: true }))
  assert.equal(hub.count({ method: 'HEAD' }), 1)
  assert.equal(proxy.requests.length, hub.requests.length)
})

test('a variable for one scheme says nothing about the other, and the scheme beats ALL_PROXY', async (t) => {
  const [right, wrong] = [await proxied(t), await proxied(t)]
  const { load } = await behind(t, right)
  await load({ HTTP_PROXY: right.url, HTTPS_PROXY: wrong.url, ALL_PROXY: wrong.url })
  assert.equal(wrong.requests.length, 0)
  const direct = await world(t)
  await withEnvironment({ HTTPS_PROXY: wrong.url }, () => direct.load())
  assert.equal(wrong.requests.length, 0)
})

test('an address without a scheme is that of an HTTP proxy, and an empty variable is none', async (t) => {
  const proxy = await proxied(t)
  const { load } = await behind(t, proxy)
  await load({ HTTP_PROXY: proxy.url.replace('http://', '') })
  await load({ HTTP_PROXY: '', ALL_PROXY: proxy.url })
  assert.ok(proxy.requests.length > 0)
})

test('NO_PROXY names hosts that are reached directly', async (t) => {
  const proxy = await proxied(t)
  const { make, hub } = await world(t)
  /** Whether the one request of a load that fails at once went through the proxy. */
  const isProxied = async (variables, endpoint = hub.url) => {
    proxy.clear()
    await errorOf(withEnvironment({ HTTP_PROXY: proxy.url, ...variables }, () => make({ endpoint }, 'zoo/none').load()))
    return proxy.requests.length > 0
  }
  assert.equal(await isProxied({}), true)
  for (const name of spellings('NO_PROXY')) {
    for (const value of ['127.0.0.1', 'a.test,127.0.0.1', ' a.test , 127.0.0.1 ', '127.0.0.0/8', '*']) {
      assert.equal(await isProxied({ [name]: value }), false, `${name}=${value}`)
    }
    for (const value of ['', 'a.test', '127.0.0.2', '27.0.0.1', '10.0.0.0/8', '.0.0.1']) {
      assert.equal(await isProxied({ [name]: value }), true, `${name}=${value}`)
    }
  }
  // By name: a domain stands for what is below it, and not for what ends alike.
  const endpoint = 'http://hub.test'
  proxy.route('hub.test', hub.port)
  for (const value of ['ub.test', 'test.org', 'hub', 'ub.test,cdn'])
    assert.equal(await isProxied({ NO_PROXY: value }, endpoint), true, value)
})

// What each entry means to Python's requests and to undici is the table of src/hub/direct.rs. Here: that the addresses of requests are judged by it.
test('NO_PROXY names a port: only that port of the host is reached directly', async (t) => {
  const proxy = await proxied(t)
  const { make, hub } = await world(t)
  const { port } = hub
  proxy.route('localhost', port)
  const isProxied = async (variables, host) => {
    proxy.clear()
    hub.clear()
    await errorOf(withEnvironment({ HTTP_PROXY: proxy.url, ...variables }, () => make({ endpoint: `http://${host}:${port}` }, 'zoo/none').load()))
    assert.equal(hub.requests.length, 1, `${host} was not asked`)
    return proxy.requests.length > 0
  }
  for (const name of spellings('NO_PROXY')) {
    for (const host of ['127.0.0.1', 'localhost']) {
      for (const value of [`${host}:${port}`, `a.test, ${host.toUpperCase()}:${port} `, `${host}:1,${host}:${port}`, `a.test:1 ${host}:${port}`]) {
        assert.equal(await isProxied({ [name]: value }, host), false, `${name}=${value}`)
      }
      for (const value of [`${host}:${port + 1}`, `${host}:80`, `${host}:`, `${host}:x`, `a.${host}:${port}`, `:${port}`, `*:${port}`, '*,a.test']) {
        assert.equal(await isProxied({ [name]: value }, host), true, `${name}=${value}`)
      }
    }
  }
  // An empty small one is none, as in requests.
  assert.equal(await isProxied({ NO_PROXY: `localhost:${port}`, no_proxy: '' }, 'localhost'), false)
})

test('NO_PROXY names the port of the endpoint and not that of its CDN, which then goes through the proxy', async (t) => {
  const proxy = await proxied(t)
  const { hub, load, cacheDir } = await world(t)
  await withEnvironment({ HTTP_PROXY: proxy.url, NO_PROXY: `127.0.0.1:${hub.port}` }, () => load())
  assert.ok(hub.count({ server: 'hub' }) > 5)
  assert.deepEqual([...new Set(proxy.requests.map(({ target }) => new URL(target).port))], [String(hub.cdnPort)])
  assert.equal(proxy.requests.length, hub.count({ server: 'cdn' }))
  proxy.clear()
  await withEnvironment({ HTTP_PROXY: proxy.url, NO_PROXY: `127.0.0.1:${hub.cdnPort}` }, () => load({ cacheDir: `${cacheDir}2` }))
  assert.deepEqual([...new Set(proxy.requests.map(({ target }) => new URL(target).port))], [String(hub.port)])
})

test('NO_PROXY names addresses of IPv6, with brackets and without', async (t) => {
  const proxy = await proxied(t)
  const server = net.createServer((socket) => socket.destroy())
  const isThere = await new Promise((resolve) => server.once('error', () => resolve(false)).listen(0, '::1', () => resolve(true)))
  if (!isThere) return t.skip('NOT TESTED: this machine has no ::1')
  t.after(() => server.close())
  const { port } = server.address()
  const { make } = await world(t)
  const isProxied = async (value) => {
    proxy.clear()
    const embedder = make({ endpoint: `http://[::1]:${port}`, signal: AbortSignal.timeout(700) }, 'zoo/none')
    await errorOf(withEnvironment({ HTTP_PROXY: proxy.url, NO_PROXY: value }, () => embedder.load()))
    return proxy.requests.length > 0
  }
  for (const value of ['::1', '[::1]', `[::1]:${port}`, '0:0:0:0:0:0:0:1', '::/64', `a.test, [::1]:${port}`]) assert.equal(await isProxied(value), false, value)
  for (const value of ['::2', '[::2]', '[::1]:1', 'fd00::/8', '127.0.0.1']) assert.equal(await isProxied(value), true, value)
})

test('NO_PROXY holds for a SOCKS proxy as well', async (t) => {
  const socks = await Socks.start()
  t.after(() => socks.close())
  const { hub, load } = await world(t)
  await withEnvironment({ ALL_PROXY: `socks5h://127.0.0.1:${socks.port}`, NO_PROXY: `127.0.0.1:${hub.port},127.0.0.1:${hub.cdnPort}` }, () => load())
  assert.equal(socks.requests.length, 0)
})

test('NO_PROXY names domains, in capitals or not', async (t) => {
  await Promise.all(
    ['hub.test', '.test', 'test', 'HUB.TEST', 'a.test, hub.test'].map(async (value) => {
      const proxy = await proxied(t)
      const { load } = await behind(t, proxy)
      // No resolver knows the name, so going past the proxy leads nowhere.
      const loading = load({ HTTP_PROXY: proxy.url, NO_PROXY: value }, { signal: AbortSignal.timeout(700) })
      await errorOf(loading)
      assert.equal(proxy.requests.length, 0, value)
    }),
  )
})

// ---------- whose proxy ------------------------------------------------------------------------------------------------

test(
  'in a CGI program HTTP_PROXY, which a visitor can set, is ignored',
  { skip: isWindows && 'NOT TESTED: Windows has one spelling of a variable' },
  async (t) => {
    const [visitors, own] = [await proxied(t), await proxied(t)]
    const direct = await world(t)
    await withEnvironment({ REQUEST_METHOD: 'GET', HTTP_PROXY: visitors.url }, () => direct.load())
    assert.equal(visitors.requests.length, 0)
    // The lower-case one cannot be set by a header.
    const { load } = await behind(t, own)
    await load({ REQUEST_METHOD: 'GET', HTTP_PROXY: visitors.url, http_proxy: own.url })
    assert.deepEqual([visitors.requests.length, own.requests.length > 0], [0, true])
  },
)

test('the environment of a worker thread counts, and not the one of its process', async (t) => {
  const [right, wrong] = [await proxied(t), await proxied(t)]
  const { hub, endpoint, id, cacheDir } = await behind(t, right)
  const source = `
    const { Embedder } = require(${JSON.stringify(join(root, 'index.js'))})
    const { parentPort, workerData } = require('node:worker_threads')
    const tell = (word) => parentPort.postMessage(word)
    new Embedder(...workerData).load().then(() => tell('loaded'), ({ code }) => tell(code))`
  const said = await withEnvironment({ HTTP_PROXY: wrong.url }, () => {
    const env = { ...process.env, HTTP_PROXY: right.url }
    const worker = new Worker(source, { eval: true, env, workerData: [id, { endpoint, cacheDir }] })
    return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  })
  assert.equal(said, 'loaded')
  assert.equal(right.requests.length, hub.requests.length)
  assert.equal(wrong.requests.length, 0)
})

// ---------- credentials ------------------------------------------------------------------------------------------------

test('credentials of a proxy are sent to it and to nobody else', async (t) => {
  // Characters that have to be escaped in an address.
  const proxy = await proxied(t, { credentials: `us er:${CANARY}@/#%` })
  for (const secure of [false, true]) {
    proxy.clear()
    const { hub, load } = await behind(t, proxy, { secure })
    await load({ ALL_PROXY: proxy.urlWith() })
    assert.ok(proxy.requests.length > 0 && proxy.requests.every(({ status }) => status === 200 || status === 302))
    assert.ok(!inspect(hub.requests, { depth: 9 }).includes('proxy-authorization'))
  }
})

for (const secure of [false, true]) {
  test(`wrong credentials for ${secure ? 'a tunnel' : 'a request'} are an error that shows none, and are not tried again`, async (t) => {
    const proxy = await proxied(t, { credentials: 'user:right' })
    const { hub, load, endpoint, id, cacheDir } = await behind(t, proxy, { secure })
    const began = performance.now()
    const variables = { ALL_PROXY: proxy.urlWith(`user:${CANARY}`) }
    const error = await errorOf(load(variables))
    failure('ERR_DOWNLOAD', /407|proxy/i)(error)
    assert.doesNotMatch(everything(error), new RegExp(`${CANARY}|${basic(`user:${CANARY}`)}`))
    // Each try with a wrong password counts towards the day when the account is locked.
    assert.equal(proxy.requests.length, 1)
    assert.ok(performance.now() - began < 2000)
    assert.equal(hub.connections, 0)
    const printed = await vecrank(t, ['pull', id, '--endpoint', endpoint, '--cache-dir', cacheDir], { env: variables })
    assert.equal(printed.code, 1)
    assert.doesNotMatch(printed.stdout + printed.stderr, new RegExp(`${CANARY}|${basic(`user:${CANARY}`)}`))
  })
}

test('a proxy that is not there, or is none, is an error without its password', async (t) => {
  const closed = await Proxy.start()
  await closed.close()
  const { load } = await world(t)
  const cases = [
    [`http://user:${CANARY}@127.0.0.1:${closed.port}`, 'ERR_DOWNLOAD'],
    [`socks5h://user:${CANARY}@127.0.0.1:${closed.port}`, 'ERR_DOWNLOAD'],
    [`http://user:${CANARY}@127.0.0.1:99999`, 'ERR_INVALID_ARG'],
    [`http://user:${CANARY}@`, 'ERR_INVALID_ARG'],
    [`gopher://user:${CANARY}@127.0.0.1:1`, 'ERR_INVALID_ARG'],
  ]
  await Promise.all(
    cases.map(async ([value, code]) => {
      const cacheDir = join(temporary(t), 'hub')
      const error = await errorOf(withEnvironment({ ALL_PROXY: value }, () => load({ cacheDir })))
      failure(code, /proxy/i)(error)
      assert.doesNotMatch(everything(error), new RegExp(CANARY), value)
    }),
  )
})

// ---------- SOCKS ------------------------------------------------------------------------------------------------------

for (const secure of [false, true]) {
  test(`a SOCKS proxy holds for every request to a Hub with ${secure ? 'https' : 'http'}, and is given the name`, async (t) => {
    const socks = await Socks.start({ credentials: `user:${CANARY}` })
    t.after(() => socks.close())
    const { hub, load } = await behind(t, socks, { secure })
    await load({ ALL_PROXY: `socks5h://user:${CANARY}@127.0.0.1:${socks.port}` })
    const port = secure ? 443 : 80
    assert.deepEqual([...new Set(socks.requests)].sort(), [`cdn.test:${port}`, `hub.test:${port}`])
    assert.equal(socks.requests.length, hub.connections)
    assert.ok(!inspect(hub.requests, { depth: 9 }).includes(CANARY))
    const error = await errorOf(load({ ALL_PROXY: `socks5h://user:wrong-${CANARY}@127.0.0.1:${socks.port}` }))
    failure('ERR_DOWNLOAD')(error)
    assert.equal(socks.refused, 1, 'tried once')
    assert.doesNotMatch(everything(error), new RegExp(CANARY))
  })
}

const basic = (credentials) => Buffer.from(credentials).toString('base64').replace(/=+$/, '')
