// The token: where it is read from, to whom it is sent, and which repositories it opens.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { failure } from './fixtures.mjs'
import { makeAuthority } from './hub/authority.mjs'
import { contents } from './hub/cli.mjs'
import { errorOf, everything, told, withEnvironment } from './hub/environment.mjs'
import { listen } from './hub/server.mjs'
import { temporary, world, zoo } from './hub/world.mjs'

const TOKEN = 'hf_canary0123456789'
const MEAN = contents('bert-mean')
const ONNX = 'onnx/model.onnx'

/** A server that notes all that it is asked, and sends one file whatever that is. */
async function stranger(t, bytes) {
  const requests = []
  const server = await listen((request, response) => {
    requests.push({ url: request.url, headers: request.headers })
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
  })
  t.after(() => server.close())
  return { url: server.url, port: server.port, requests }
}

const authorizations = (hub) => [
  ...new Set(hub.requests.filter(({ server }) => server === 'hub').map(({ headers }) => headers.authorization)),
]

// ---------- to whom ------------------------------------------------------------------------------------------------------

test('every request to the endpoint carries the token, and none to its CDN', async (t) => {
  const { hub, load } = await world(t, { hub: { resolveCache: true } })
  hub.token = TOKEN
  await load({ token: TOKEN })
  assert.deepEqual(authorizations(hub), [`Bearer ${TOKEN}`])
  const cdn = hub.requests.filter(({ server }) => server === 'cdn')
  assert.equal(cdn.length, 1)
  assert.ok(!inspect(cdn, { depth: 9 }).includes(TOKEN))
})

test('a redirect to any other origin takes the token off', async (t) => {
  for (const file of ['config.json', ONNX]) {
    const others = [
      ['another port', ({ port }) => `http://127.0.0.1:${port}/x`],
      ['another name of the host', ({ port }) => `http://localhost:${port}/x`],
      ['without a scheme', ({ port }) => `//127.0.0.1:${port}/x`],
      ['the endpoint as a user', ({ port }, hub) => `http://127.0.0.1:${hub.port}@127.0.0.1:${port}/x`],
      ['with a query that asks for it', ({ port }) => `http://127.0.0.1:${port}/x?token=`],
    ]
    for (const [name, locate] of others) {
      const { hub, load } = await world(t)
      const other = await stranger(t, MEAN[file])
      hub.token = TOKEN
      hub.fault({ server: 'hub', file }, { status: 302, redirect: locate(other, hub) })
      await load({ token: TOKEN })
      assert.equal(other.requests.length, 1, name)
      assert.ok(!inspect(other.requests, { depth: 9 }).includes(TOKEN), `${name}: ${inspect(other.requests)}`)
    }
  }
})

test('what another host redirects back to the endpoint does not come to the wrong place', async (t) => {
  const { hub, load, commit } = await world(t)
  hub.token = TOKEN
  const requests = []
  const between = await listen((request, response) => {
    requests.push(request.headers)
    response.writeHead(302, { location: `${hub.url}/zoo/bert-mean/resolve/${commit}/config.json` }).end()
  })
  t.after(() => between.close())
  hub.fault({ server: 'hub', file: 'config.json' }, { status: 302, redirect: `${between.url}/x` }, { times: 1 })
  await load({ token: TOKEN })
  assert.equal(requests.length, 1)
  assert.ok(!inspect(requests).includes(TOKEN))
})

test('a redirect of a renamed repository stays at the endpoint and keeps the token', async (t) => {
  const { hub, load } = await world(t)
  hub.token = TOKEN
  hub.add('zoo/old', MEAN, { isPrivate: true })
  hub.rename('zoo/old', 'zoo/new')
  await load({ token: TOKEN }, 'zoo/old')
  assert.deepEqual(authorizations(hub), [`Bearer ${TOKEN}`])
})

test('from https nothing goes on to http, token or not', async (t) => {
  const authority = makeAuthority()
  const file = join(temporary(t), 'authority.pem')
  writeFileSync(file, authority.certificate)
  for (const name of ['config.json', ONNX]) {
    for (const token of [undefined, TOKEN]) {
      const { hub, make } = await world(t, { hub: { tls: authority.issue({ addresses: ['127.0.0.1'] }) } })
      const other = await stranger(t, MEAN[name])
      hub.fault({ server: 'hub', file: name }, { status: 302, redirect: `${other.url}/x?X-Signature=canary` })
      const error = await errorOf(withEnvironment({ NODE_EXTRA_CA_CERTS: file }, () => make({ token }).load()))
      failure('ERR_DOWNLOAD', /redirect to http:.*not followed/)(error)
      assert.doesNotMatch(everything(error), /canary/)
      assert.deepEqual(other.requests, [])
    }
  }
})

test('a request says nothing of the machine: these headers and no others', async (t) => {
  const { hub, load } = await world(t)
  hub.fault({ server: 'cdn' }, { cut: 100_000 }, { times: 1 })
  // A Hub that would like to know the client again.
  hub.fault({ server: 'hub' }, { headers: { 'set-cookie': 'session=canary; Path=/' } })
  await load({ token: TOKEN })
  const names = [...new Set(hub.requests.flatMap(({ headers }) => Object.keys(headers)))].sort()
  assert.deepEqual(names, ['accept', 'accept-encoding', 'authorization', 'host', 'range', 'user-agent'])
  for (const { headers, method } of hub.requests) {
    assert.match(headers['user-agent'], /^vecrank\/\d+\.\d+\.\d+$/)
    assert.equal(headers['accept-encoding'], 'identity')
    assert.equal(method, 'GET')
  }
})

// ---------- from where ---------------------------------------------------------------------------------------------------

test('the token is read where huggingface_hub reads it, the strongest first', async (t) => {
  const home = temporary(t)
  const file = (name, text) => {
    mkdirSync(join(home, name, '..'), { recursive: true })
    writeFileSync(join(home, name), text)
    return join(home, name)
  }
  file('token', 'hf_home\n')
  const named = file('elsewhere/token', '  hf_named\n\n')
  const empty = file('empty', '\n')
  const cases = [
    ['nowhere', {}, {}, undefined],
    ['the file in HF_HOME', { HF_HOME: home }, {}, 'hf_home'],
    ['the file that is named', { HF_HOME: home, HF_TOKEN_PATH: named }, {}, 'hf_named'],
    ['a file that is not there', { HF_TOKEN_PATH: join(home, 'none') }, {}, undefined],
    ['an empty file', { HF_TOKEN_PATH: empty }, {}, undefined],
    ['the old variable', { HF_HOME: home, HUGGING_FACE_HUB_TOKEN: 'hf_old' }, {}, 'hf_old'],
    ['the variable', { HF_HOME: home, HUGGING_FACE_HUB_TOKEN: 'hf_old', HF_TOKEN: 'hf_variable' }, {}, 'hf_variable'],
    ['a variable with an end of line', { HF_TOKEN: 'hf_variable\n' }, {}, 'hf_variable'],
    ['an empty variable', { HF_HOME: home, HF_TOKEN: '' }, {}, 'hf_home'],
    ['the option', { HF_HOME: home, HF_TOKEN: 'hf_variable' }, { token: 'hf_option' }, 'hf_option'],
    ...['1', 'true', 'YES', 'on'].map((value) => [
      `switched off with ${value}`,
      { HF_HOME: home, HF_TOKEN: 'hf_variable', HF_HUB_DISABLE_IMPLICIT_TOKEN: value },
      {},
      undefined,
    ]),
    [
      'switched off, and given all the same',
      { HF_TOKEN: 'hf_variable', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' },
      { token: 'hf_option' },
      'hf_option',
    ],
    ['not switched off', { HF_TOKEN: 'hf_variable', HF_HUB_DISABLE_IMPLICIT_TOKEN: '0' }, {}, 'hf_variable'],
  ]
  await Promise.all(
    cases.map(async ([name, variables, options, token]) => {
      const { hub, make } = await world(t)
      // Where no home is named the developer's own must not be looked at.
      const loading = withEnvironment({ HF_HOME: join(home, 'nobody'), ...variables }, () => make(options).load())
      await loading
      assert.deepEqual(authorizations(hub), [token && `Bearer ${token}`], name)
    }),
  )
})

test('a token that cannot stand in a header is refused and not shown', async (t) => {
  const { hub, make } = await world(t)
  for (const bad of ['hf_canary with a space', 'hf_canary\nX-Evil: 1', 'hf_canary\0', 'hf_canäry', 'hf_canary\u{1F511}']) {
    const file = join(temporary(t), 'token')
    writeFileSync(file, bad)
    for (const [variables, options] of [
      [{}, { token: bad }],
      [{ HF_TOKEN: bad }, {}],
      [{ HF_TOKEN_PATH: file }, {}],
    ]) {
      // An environment variable ends at its first NUL.
      if (variables.HF_TOKEN?.includes('\0')) continue
      const error = await errorOf(withEnvironment(variables, () => make(options).load()))
      failure('ERR_INVALID_ARG', /token/)(error)
      assert.doesNotMatch(everything(error), /hf_can|X-Evil/)
    }
  }
  for (const token of ['', 7, {}, ['hf_canary'], null]) {
    assert.throws(
      () => make({ token }),
      (error) => failure('ERR_INVALID_ARG', /token/)(error) && !everything(error).includes('canary'),
    )
  }
  assert.equal(hub.connections, 0)
})

test('a token file that cannot be read is an error, and not a load without a token', async (t) => {
  const { hub, make } = await world(t)
  // A folder: what is forbidden by its mode is readable for the user that containers run as.
  const file = join(temporary(t), 'token')
  mkdirSync(file)
  const error = await errorOf(withEnvironment({ HF_TOKEN_PATH: file }, () => make().load()))
  failure('ERR_DISK', /token/)(error)
  assert.equal(hub.connections, 0)
})

// ---------- what it opens ------------------------------------------------------------------------------------------------

test('private and gated repositories: what is refused says why, and which step is next', async (t) => {
  const { hub, make } = await world(t)
  hub.token = TOKEN
  hub.add('zoo/private', zoo('bert-mean'), { isPrivate: true })
  hub.add('zoo/gated', zoo('bert-mean'), { gated: 'manual' })
  hub.add('zoo/accepted', zoo('bert-mean'), { gated: 'auto', accepted: true })
  const cases = [
    // Strangers are not told whether there is such a repository.
    ['zoo/private', undefined, 'ERR_MODEL_NOT_FOUND', /HF_TOKEN|`token`/],
    ['zoo/none', undefined, 'ERR_MODEL_NOT_FOUND', /HF_TOKEN|`token`/],
    ['zoo/none', TOKEN, 'ERR_MODEL_NOT_FOUND', /token that was sent gives no access/],
    ['zoo/private', 'hf_canary_wrong', 'ERR_UNAUTHORIZED', /token/],
    ['zoo/bert-mean', 'hf_canary_wrong', 'ERR_UNAUTHORIZED', /token/],
    ['zoo/gated', undefined, 'ERR_UNAUTHORIZED', /gated.*accept its terms/],
    ['zoo/gated', TOKEN, 'ERR_UNAUTHORIZED', /gated.*accept its terms/],
    ['zoo/accepted', undefined, 'ERR_UNAUTHORIZED', /gated.*accept its terms/],
    ['zoo/private', TOKEN],
    ['zoo/accepted', TOKEN],
    ['zoo/bert-mean', undefined],
    ['zoo/bert-mean', TOKEN],
  ]
  for (const [id, token, code, pattern] of cases) {
    hub.clear()
    const cacheDir = join(temporary(t), 'hub')
    const loading = make({ token, cacheDir }, id).load()
    const what = `${id} ${token ? 'with' : 'without'} a token`
    if (code === undefined) {
      assert.ok(await loading, what)
      continue
    }
    const error = await errorOf(loading)
    failure(code, pattern)(error)
    assert.match(told(error), new RegExp(id), what)
    assert.doesNotMatch(everything(error), /canary/, what)
    // Refused is refused: not a second time for any request.
    const urls = hub.requests.filter(({ status }) => status >= 400).map(({ url }) => url)
    assert.deepEqual(urls, [...new Set(urls)], what)
    assert.equal(hub.count({ server: 'cdn' }), 0, what)
  }
})

test('what one token has opened does not open for another that has none', async (t) => {
  // The cache belongs to the user, as in Python; but what has to be asked is asked with the caller's own token.
  const { hub, make } = await world(t)
  hub.token = TOKEN
  hub.add('zoo/private', zoo('bert-mean'), { isPrivate: true })
  const open = await make({ token: TOKEN }, 'zoo/private').load()
  const cacheDir = join(temporary(t), 'hub')
  failure('ERR_MODEL_NOT_FOUND')(await errorOf(make({ cacheDir }, 'zoo/private').load()))
  failure('ERR_UNAUTHORIZED')(await errorOf(make({ cacheDir, token: 'hf_wrong' }, 'zoo/private').load()))
  assert.equal((await open.info()).model, 'zoo/private')
})
