// Publishing, with the real npm and a registry on loopback: what is sent in which order, what a second run does, and what is refused.

import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)
const skip = process.platform === 'win32' && 'NOT TESTED on Windows: releases are made on Linux'

const platforms = [
  'vecrank-linux-x64-gnu',
  'vecrank-linux-arm64-gnu',
  'vecrank-linux-x64-musl',
  'vecrank-linux-arm64-musl',
  'vecrank-darwin-arm64',
  'vecrank-win32-x64-msvc',
  'vecrank-win32-arm64-msvc',
]
const [models, adapters] = ['models', 'packages'].map((parent) => {
  const manifests = readdirSync(join(root, parent)).map((name) => JSON.parse(readFileSync(join(root, parent, name, 'package.json'), 'utf8')))
  return manifests.filter((manifest) => !manifest.private).map(({ name }) => name)
})
const all = [...platforms, ...models, 'vecrank', ...adapters]
const repository = { type: 'git', url: 'git+https://forge.example/someone/vecrank.git' }
const version = '7.8.9'

/** Tarballs of a release of empty packages, without or with some more. `change(manifest)` may spoil one, `files` adds to it. */
function release(t, { change = () => {}, without = [], more = [], files = {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'vecrank-release-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of [...all.filter((one) => !without.includes(one)), ...more]) {
    const manifest = { name, version, license: 'MIT', repository }
    if (name === 'vecrank') manifest.optionalDependencies = Object.fromEntries(platforms.map((platform) => [platform, version]))
    if (adapters.includes(name)) manifest.dependencies = { vecrank: version }
    change(manifest)
    const packed = join(folder, 'package')
    mkdirSync(packed)
    const content = { 'package.json': JSON.stringify(manifest), ...files[name] }
    for (const [file, text] of Object.entries(content)) writeFileSync(join(packed, file), text)
    execFileSync('tar', ['-czf', join(folder, `${name}-${manifest.version}.tgz`), '-C', folder, 'package'])
    rmSync(packed, { recursive: true })
  }
  return folder
}

/** A registry on loopback that keeps what npm sends. `refuses` may answer for a name instead, `order` is what was sent. */
async function registry(t) {
  const versions = new Map()
  const order = []
  const state = { order, versions, tags: new Map(), refuses: () => false }
  const server = createServer((request, response) => {
    const answer = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const [name, wanted] = request.url.slice(1).split('/').map(decodeURIComponent)
    if (request.method === 'GET') {
      const dist = versions.get(`${name}@${wanted}`)
      return dist ? answer(200, { name, version: wanted, dist }) : answer(404, { error: 'not found' })
    }
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      if (state.refuses(name)) return answer(403, { error: 'refused by the test' })
      const sent = JSON.parse(Buffer.concat(chunks).toString())
      const [tarball] = Object.values(sent._attachments)
      const integrity = `sha512-${createHash('sha512').update(Buffer.from(tarball.data, 'base64')).digest('base64')}`
      for (const number of Object.keys(sent.versions)) versions.set(`${name}@${number}`, { integrity })
      state.tags.set(name, Object.keys(sent['dist-tags'])[0])
      order.push(name)
      return answer(201, { ok: true })
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  state.url = `http://127.0.0.1:${server.address().port}/`
  return state
}

/** Runs publish.mjs: `{ code, output }`. */
function run(t, command, folder, { url = 'http://127.0.0.1:9/', tag = `v${version}` } = {}) {
  const home = mkdtempSync(join(tmpdir(), 'vecrank-npm-'))
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const npmrc = join(home, '.npmrc')
  writeFileSync(npmrc, `registry=${url}\n${url.replace('http:', '')}:_authToken=of-the-test\nfetch-retries=0\nupdate-notifier=false\n`)
  const { PATH } = process.env
  const env = { PATH, HOME: home, npm_config_userconfig: npmrc, npm_config_cache: join(home, 'cache') }
  Object.assign(env, { GITHUB_REF_NAME: tag, GITHUB_SERVER_URL: 'https://forge.example', GITHUB_REPOSITORY: 'someone/vecrank' })
  const args = [join(here, 'publish.mjs'), command, folder, ...(command === 'publish' ? ['--access', 'public'] : [])]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, cwd: home, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, output: stdout + stderr })
    })
  })
}

test('each package goes after what it needs: platforms, models, the root package, adapters; and a second run sends nothing', { skip }, async (t) => {
  const store = await registry(t)
  const folder = release(t)
  const first = await run(t, 'publish', folder, store)
  assert.equal(first.code, 0, first.output)
  assert.deepEqual(store.order, all)
  assert.deepEqual([...new Set(store.tags.values())], ['latest'])

  const second = await run(t, 'publish', folder, store)
  assert.equal(second.code, 0, second.output)
  assert.equal(store.order.length, all.length)
})

test('a run that was cut short goes on where it ended', { skip }, async (t) => {
  const store = await registry(t)
  const folder = release(t)
  store.refuses = (name) => name === all[3]
  const first = await run(t, 'publish', folder, store)
  assert.equal(first.code, 1, first.output)
  assert.match(first.output, new RegExp(`could not publish ${all[3]} 7\\.8\\.9`))
  assert.deepEqual(store.order, all.slice(0, 3))

  store.refuses = () => false
  const second = await run(t, 'publish', folder, store)
  assert.equal(second.code, 0, second.output)
  assert.deepEqual(store.order, all)
})

test('a version that is there with other bytes stops a release before anything is sent', { skip }, async (t) => {
  const store = await registry(t)
  store.versions.set(`vecrank@${version}`, { integrity: 'sha512-AAAA' })
  const { code, output } = await run(t, 'publish', release(t), store)
  assert.equal(code, 1, output)
  assert.match(output, /vecrank 7\.8\.9 with other bytes\. Nothing was published/)
  assert.deepEqual(store.order, [])
})

test('a pre-release does not become what npm install takes', { skip }, async (t) => {
  const store = await registry(t)
  const change = (manifest) => {
    manifest.version = '8.0.0-rc.1'
    for (const needed of [manifest.optionalDependencies, manifest.dependencies]) for (const name in needed) needed[name] = '8.0.0-rc.1'
  }
  const { code, output } = await run(t, 'publish', release(t, { change }), { ...store, tag: 'v8.0.0-rc.1' })
  assert.equal(code, 0, output)
  assert.deepEqual([...new Set(store.tags.values())], ['next'])
})

const only = (name, spoil) => ({ change: (manifest) => manifest.name === name && spoil(manifest) })
const refused = [
  ['another tag than the version', {}, /vecrank: the tag is v1\.0\.0, its version is 7\.8\.9/, 'v1.0.0'],
  [
    'a version that differs from the others',
    only(platforms[1], (manifest) => (manifest.version = '7.8.8')),
    /vecrank-linux-arm64-gnu: the tag is v7\.8\.9, its version is 7\.8\.8/,
  ],
  ['a platform that is missing', { without: [platforms[4]] }, /no tarball of vecrank-darwin-arm64/],
  ['a package that does not belong to it', { more: ['left-pad'] }, /do not belong to a release: left-pad/],
  [
    'an install script',
    only(platforms[2], (manifest) => (manifest.scripts = { postinstall: 'true' })),
    /vecrank-linux-x64-musl: it has lifecycle scripts: postinstall/,
  ],
  ['a binding.gyp', { files: { [platforms[0]]: { 'binding.gyp': '{}' } } }, /vecrank-linux-x64-gnu: it has a binding\.gyp/],
  [
    'no repository',
    only('vecrank', (manifest) => delete manifest.repository),
    /vecrank: its repository is "", not https:\/\/forge\.example\/someone\/vecrank/,
  ],
  [
    'a root package that lacks a platform',
    only('vecrank', (manifest) => delete manifest.optionalDependencies[platforms[6]]),
    /lack vecrank-win32-arm64-msvc 7\.8\.9/,
  ],
  [
    'a root package that takes any version of a platform',
    only('vecrank', (manifest) => (manifest.optionalDependencies[platforms[0]] = '*')),
    /lack vecrank-linux-x64-gnu 7\.8\.9/,
  ],
  [
    'an adapter of another version of the root package',
    only(adapters[0], (manifest) => (manifest.dependencies.vecrank = '^7.8.9')),
    /vecrank-transformers: it does not depend on vecrank 7\.8\.9/,
  ],
]
for (const [what, spoiled, reason, tag] of refused) {
  test(`a release with ${what} is refused`, { skip }, async (t) => {
    const { code, output } = await run(t, 'check', release(t, spoiled), { tag })
    assert.equal(code, 1, output)
    assert.match(output, reason)
  })
}

test('a release without fault passes the check, with its digests', { skip }, async (t) => {
  const folder = release(t)
  const { code, output } = await run(t, 'check', folder)
  assert.equal(code, 0, output)
  const integrity = createHash('sha512').update(readFileSync(join(folder, `vecrank-${version}.tgz`))).digest('base64')
  assert.ok(output.includes(`vecrank ${version} sha512-${integrity}`), output)
})
