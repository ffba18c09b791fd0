// What a Hub says about its files is not believed: hashes, sizes, commits, addresses to go on to. Whatever it claims, nothing is made
// outside the cache, and no file gets in that was not verified.

import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { failure } from './fixtures.mjs'
import { ID, MEAN, NO_HASHES, ONNX, body, loadsOr, scene, treeOf } from './hub/scene.mjs'
import { listen } from './hub/server.mjs'
import { filesIn } from './hub/world.mjs'

const MAIN = { path: /\/revision\// }
const TREE = { path: /\/tree\// }

test('a commit that is none is refused, by whatever name it goes', async (t) => {
  const { hub, load, check, cacheDir } = await scene(t)
  for (const sha of [...NO_HASHES, null, 7, [], {}, 'main', 'A'.repeat(40)]) {
    const stop = hub.fault(MAIN, body({ sha }))
    await assert.rejects(load(), failure('ERR_DOWNLOAD', /commit|answers/), JSON.stringify(sha))
    stop()
  }
  check('commits')
  assert.deepEqual(filesIn(cacheDir), [])
})

test('an answer that is no list of files is refused, and one without end is ended', async (t) => {
  const { hub, load, check } = await scene(t)
  for (const text of [
    '',
    '{}',
    'null',
    '"x"',
    '[1]',
    '[{}]',
    '[',
    '['.repeat(100_000),
    '[{"type":"file"}]',
    '<html></html>',
    `[${'{},'.repeat(50_000)}{}]`,
  ]) {
    const stop = hub.fault(TREE, body(text))
    assert.equal((await loadsOr(load, ['ERR_DOWNLOAD'], text.slice(0, 40)))?.code, 'ERR_DOWNLOAD', text.slice(0, 40))
    stop()
  }
  check('lists')
})

test('a hash in a list is 40 or 64 digits, or it is no hash', async (t) => {
  await Promise.all(
    [...NO_HASHES, null, 7, {}].map(async (oid, number) => {
      const { hub, load, check } = await scene(t)
      const what = `oid ${JSON.stringify(oid)}`
      const wrong = (path, lfs) => (path === 'config.json' ? { oid } : lfs && number % 2 ? { oid, lfs: { ...lfs, oid } } : {})
      hub.fault(TREE, body(treeOf(wrong)))
      // The headers tell the hash as well. In every third case they do not: then nobody knows it, and nothing is kept.
      const isTold = number % 3 > 0 && typeof oid === 'string'
      if (!isTold) hub.fault({ file: /./ }, { headers: { etag: null, 'x-linked-etag': null } })
      const error = await loadsOr(load, ['ERR_DOWNLOAD'], what)
      assert.equal(error === undefined, isTold, what)
      if (!isTold) assert.equal(hub.bytes(ONNX), 0, what)
      check(what)
    }),
  )
})

test('a header in the place of a hash or a commit is not a name of a file', async (t) => {
  const sendable = NO_HASHES.filter((value) => /^[\t -~]*$/.test(value))
  assert.ok(sendable.length > 15)
  await Promise.all(
    sendable.map(async (value) => {
      const { hub, load, check } = await scene(t)
      hub.fault({ server: 'hub', file: /./ }, { headers: { etag: value, 'x-linked-etag': value, 'x-repo-commit': value } })
      // The list knows better, so this may be a Hub that merely says less.
      await loadsOr(load, ['ERR_DOWNLOAD', 'ERR_CORRUPT'], JSON.stringify(value))
      check(`headers ${JSON.stringify(value)}`)
    }),
  )
})

test('a file of another commit, or with the hash of another file, is refused', async (t) => {
  const { hub, load, check } = await scene(t)
  let stop = hub.fault({ file: ONNX }, { headers: { 'x-repo-commit': 'f'.repeat(40) } })
  await assert.rejects(load(), failure('ERR_DOWNLOAD', /another commit/))
  stop()
  stop = hub.fault({ file: ONNX, server: 'hub' }, { etag: `"${'f'.repeat(64)}"` })
  await assert.rejects(load(), (error) => ['ERR_CORRUPT', 'ERR_DOWNLOAD'].includes(error.code))
  stop()
  check('another')
  assert.equal((await load()).source, 'hub')
})

test('a size that cannot be is an error, and no disk is filled for it', async (t) => {
  const sizes = [-1, 0, 0.5, 1e30, 2 ** 53, 2 ** 62, 9e18, null, '12', MEAN[ONNX].length - 1, MEAN[ONNX].length + 1, []]
  await Promise.all(
    sizes.map(async (size) => {
      const { hub, load, check, cacheDir } = await scene(t)
      hub.fault(TREE, body(treeOf((path, lfs) => (lfs ? { size, lfs: { ...lfs, size } } : {}))))
      const error = await loadsOr(load, ['ERR_DOWNLOAD', 'ERR_CORRUPT', 'ERR_DISK'], JSON.stringify(size))
      assert.ok(error, `a file of ${size} bytes was believed`)
      check(`size ${JSON.stringify(size)}`)
      const onDisk = (file) => (existsSync(join(cacheDir, file)) ? statSync(join(cacheDir, file)).blocks * 512 : 0)
      const used = filesIn(cacheDir).reduce((sum, file) => sum + onDisk(file), 0)
      assert.ok(used < 2_000_000, `${used} bytes on the disk`)
    }),
  )
})

// ---------- addresses to go on to --------------------------------------------------------------------------------------

test('a redirect leads to http or https, or nowhere', async (t) => {
  const { hub, load, check, outer } = await scene(t)
  const there = [
    'file:///etc/passwd',
    `file://${outer}/config.json`,
    'ftp://127.0.0.1/x',
    'gopher://127.0.0.1/x',
    'data:text/plain,x',
    'javascript:0',
    'unix:/run/x.sock',
    'http://',
    'https://',
    'http:///',
    '//',
    'http://[',
    'http://127.0.0.1:99999/',
    'http://127.0.0.1:x/',
    'C:\\x',
  ]
  // What looks like a path of the disk is one of the server.
  for (const location of ['/etc/passwd', '../../../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '..\\..\\x']) {
    const stop = hub.fault({ server: 'hub', file: 'config.json' }, { status: 302, redirect: location })
    await assert.rejects(load(), (error) => error.code !== undefined, location)
    stop()
  }
  for (const file of ['config.json', ONNX]) {
    for (const location of there) {
      const stop = hub.fault({ server: 'hub', file }, { status: 302, redirect: location })
      await assert.rejects(load(), failure('ERR_DOWNLOAD'), location)
      stop()
    }
    const stop = hub.fault({ server: 'hub', file }, { status: 302, body: 'no Location' })
    await assert.rejects(load(), failure('ERR_DOWNLOAD', /redirect/))
    stop()
  }
  check('redirects')
})

test('redirects that lead back, or on and on, come to an end', async (t) => {
  const { hub, load, check } = await scene(t)
  for (const match of [MAIN, TREE, { file: 'config.json' }, { server: 'cdn' }]) {
    const before = hub.requests.length
    const stop = hub.fault(match, { redirect: 'self' })
    await assert.rejects(load(), failure('ERR_DOWNLOAD', /redirect/), JSON.stringify(match))
    stop()
    assert.ok(hub.requests.length - before < 40, 'not tried again and again')
  }
  check('loops')
})

test('the pages of a list are those of the Hub itself, and they end', async (t) => {
  const { hub, load, check, commit } = await scene(t)
  const elsewhere = await listen((request, response) => response.end('[]'))
  t.after(() => elsewhere.close())
  const page = (link) => ({ ...body(treeOf(() => ({}))), headers: { link } })
  const links = [
    `<${elsewhere.url}/api/models/${ID}/tree/${commit}?cursor=x>; rel="next"`,
    `<//127.0.0.1:${elsewhere.port}/x>; rel="next"`,
    `<http://127.0.0.1:${hub.port}@127.0.0.1:${elsewhere.port}/x>; rel="next"`,
    '<file:///etc/passwd>; rel="next"',
    '<http://>; rel="next"',
    `<https://127.0.0.1:${hub.port}/x>; rel="next"`,
  ]
  for (const link of links) {
    const stop = hub.fault(TREE, page(link))
    await assert.rejects(load(), failure('ERR_DOWNLOAD', /another host|answer/), link)
    stop()
  }
  assert.equal(elsewhere.connections, 0)
  const before = hub.requests.length
  const stop = hub.fault(TREE, {
    ...body('[]'),
    headers: { link: `<${hub.url}/api/models/${ID}/tree/${commit}?recursive=true>; rel="next"` },
  })
  await assert.rejects(load(), failure('ERR_DOWNLOAD', /end/))
  stop()
  assert.ok(hub.requests.length - before <= 1100)
  check('pages')
  // A relative one is the Hub's own.
  hub.fault(TREE, { ...page(`</api/models/${ID}/tree/${commit}?recursive=true&cursor=x>; rel="next"`) }, { times: 1 })
  assert.equal((await load()).commit, commit)
})
