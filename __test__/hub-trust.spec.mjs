// Whose certificates are believed: the system's, and those of the files that the usual variables name. The authority is made by the test:
// no system knows it.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { failure } from './fixtures.mjs'
import { makeAuthority } from './hub/authority.mjs'
import { vecrank } from './hub/cli.mjs'
import { errorOf, told, withEnvironment } from './hub/environment.mjs'
import { FakeHub } from './hub/hub.mjs'
import { temporary, world, zoo } from './hub/world.mjs'

const authority = makeAuthority()
const other = makeAuthority({ name: 'another authority' })
const HERE = { addresses: ['127.0.0.1'], names: ['localhost'] }
const HOUR = 3_600_000

/** A Hub with a certificate, and what loads from it with these variables. */
async function trusting(t, certificate) {
  const all = await world(t, { hub: { tls: certificate } })
  const folder = temporary(t)
  const write = (name, text) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  let count = 0
  const load = (variables, more) => withEnvironment(variables, () => all.load({ cacheDir: `${all.cacheDir}${++count}`, ...more }))
  const error = (...args) => errorOf(load(...args))
  return { ...all, folder, write, load, error }
}

test('each variable alone makes an authority trusted, for the Hub and its CDN', async (t) => {
  const { hub, load, write, folder } = await trusting(t, authority.issue(HERE))
  const file = write('authority.pem', authority.certificate)
  for (const name of ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE']) {
    hub.clear()
    await (await load({ [name]: file })).dispose()
    assert.deepEqual([hub.count({ server: 'cdn', status: 200 }), hub.count({ server: 'hub' }) > 5], [1, true], name)
  }
  mkdirSync(join(folder, 'certificates'))
  write('certificates/authority.pem', authority.certificate)
  // Such folders hold more than certificates.
  write('certificates/README', 'no certificate')
  await (await load({ SSL_CERT_DIR: join(folder, 'certificates') })).dispose()
  // As OpenSSL reads it: a list, and a folder that is not there is none.
  const list = [join(folder, 'none'), join(folder, 'certificates')].join(delimiter)
  await (await load({ SSL_CERT_DIR: list })).dispose()
})

test('the files of several variables count together, and a file may hold several certificates', async (t) => {
  const { load, write } = await trusting(t, authority.issue(HERE))
  const [own, foreign] = [write('own.pem', authority.certificate), write('other.pem', other.certificate)]
  await (await load({ NODE_EXTRA_CA_CERTS: foreign, SSL_CERT_FILE: foreign, REQUESTS_CA_BUNDLE: own })).dispose()
  const bundle = write(
    'bundle.pem',
    `# Authorities of the company\n\n${other.certificate}\n# The one of the proxy\r\n${authority.certificate.replaceAll('\n', '\r\n')}`,
  )
  await (await load({ NODE_EXTRA_CA_CERTS: bundle })).dispose()
})

test('the trust of one load is not that of another', async (t) => {
  const { load, error, write } = await trusting(t, authority.issue(HERE))
  await load({ NODE_EXTRA_CA_CERTS: write('authority.pem', authority.certificate) })
  failure('ERR_DOWNLOAD')(await error({}))
})

test('a certificate that is not to be believed is refused at once, in words that help, and nothing is sent', async (t) => {
  const cases = [
    ['of an unknown authority', authority.issue(HERE), '', /unknown ?issuer|not trusted/i],
    ['of another authority than the one that is trusted', authority.issue(HERE), other.certificate, /unknown ?issuer|not trusted/i],
    ['of another host', authority.issue({ names: ['other.test'] }), authority.certificate, /name/i],
    ['of another address', authority.issue({ addresses: ['127.0.0.2'] }), authority.certificate, /name/i],
    [
      'that has expired',
      authority.issue({ ...HERE, from: new Date(Date.now() - 3 * HOUR), until: new Date(Date.now() - HOUR) }),
      authority.certificate,
      /expired/i,
    ],
    [
      'of the future',
      authority.issue({ ...HERE, from: new Date(Date.now() + HOUR), until: new Date(Date.now() + 2 * HOUR) }),
      authority.certificate,
      /valid/i,
    ],
  ]
  await Promise.all(
    cases.map(async ([name, certificate, trusted, pattern]) => {
      const { hub, error, write } = await trusting(t, certificate)
      const variables = trusted ? { NODE_EXTRA_CA_CERTS: write('trusted.pem', trusted) } : {}
      const began = performance.now()
      const found = await error(variables, { token: 'hf_canary' })
      failure('ERR_DOWNLOAD', /certificate/)(found)
      assert.match(told(found), pattern, name)
      // Another try would end the same way, and a new connection each time looks like an attack.
      assert.equal(hub.connections, 1, name)
      assert.ok(performance.now() - began < 3000, name)
      assert.deepEqual(hub.requests, [], name)
      assert.doesNotMatch(told(found), /canary/)
    }),
  )
})

test('the hint for an unknown authority names the variable that mends it, also on the command line', async (t) => {
  const { hub, id, error, cacheDir, write } = await trusting(t, authority.issue(HERE))
  assert.match((await error({})).message, /NODE_EXTRA_CA_CERTS/)
  const args = ['pull', id, '--quiet', '--endpoint', hub.url, '--cache-dir', cacheDir]
  const refused = await vecrank(t, args)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /^vecrank: .*NODE_EXTRA_CA_CERTS.* \(ERR_DOWNLOAD\)\n$/)
  const env = { NODE_EXTRA_CA_CERTS: write('authority.pem', authority.certificate) }
  assert.equal((await vecrank(t, args, { env })).code, 0)
})

test('a CDN whose certificate is not trusted is refused too, and nothing of the file is kept', async (t) => {
  const { hub, id, error, write, cacheDir } = await trusting(t, authority.issue(HERE))
  const foreign = await FakeHub.start({ tls: other.issue(HERE) })
  t.after(() => foreign.close())
  hub.cdn = foreign.url
  const found = await error({ NODE_EXTRA_CA_CERTS: write('authority.pem', authority.certificate) }, { cacheDir })
  failure('ERR_DOWNLOAD', /certificate/)(found)
  assert.deepEqual([foreign.requests.length, foreign.connections, hub.count({ id, server: 'cdn' })], [0, 1, 0])
})

test('a plain server in the place of a secure one, and the reverse, are errors', async (t) => {
  const { hub, error, write } = await trusting(t, authority.issue(HERE))
  const plain = await FakeHub.start()
  t.after(() => plain.close())
  plain.add('zoo/bert-mean', zoo('bert-mean'))
  const variables = { NODE_EXTRA_CA_CERTS: write('authority.pem', authority.certificate) }
  const [secured, unsecured] = await Promise.all([
    error(variables, { endpoint: plain.url.replace('http:', 'https:') }),
    error(variables, { endpoint: hub.url.replace('https:', 'http:') }),
  ])
  for (const found of [secured, unsecured]) failure('ERR_DOWNLOAD')(found)
  assert.deepEqual([plain.requests, hub.requests], [[], []])
})

test('a file of authorities that is missing or holds none is an error that names it, before anybody is asked', async (t) => {
  const { hub, folder, error, write } = await trusting(t, authority.issue(HERE))
  const half = authority.certificate.slice(0, 300)
  mkdirSync(join(folder, 'a-folder.pem'))
  const files = {
    missing: join(folder, 'missing.pem'),
    empty: write('empty.pem', ''),
    text: write('text.pem', 'no certificate\n'),
    half: write('half.pem', half),
    garbage: write('garbage.pem', authority.certificate.replace(/\n[^-][^\n]*\n/, '\n!!!not base64!!!\n')),
    'not a certificate inside': write('inside.pem', '-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n'),
    'a key': write('key.pem', authority.key),
    'a folder': join(folder, 'a-folder.pem'),
  }
  for (const [name, file] of Object.entries(files)) {
    for (const variable of ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE']) {
      const found = await error({ [variable]: file })
      failure('ERR_DOWNLOAD', /certificate/)(found)
      assert.ok(found.message.includes(file), `${name} in ${variable}: ${told(found)}`)
    }
  }
  assert.equal(hub.connections, 0)
})

test('a Hub without TLS needs no certificates at all', async (t) => {
  const { load } = await trusting(t)
  await load({})
})
