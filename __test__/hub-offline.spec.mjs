// Offline is offline, and the cache is enough: who is asked, what for, and what becomes of the vectors when the Hub moves on or goes away.
// The system's own list of calls says whether there was a network; the fake Hub says what it was asked.

import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Embedder } from 'vecrank'
import { failure } from './fixtures.mjs'
import { assertGives, assertLoaded, loadApart, skip, works } from './hub/apart.mjs'
import { assertSound, filesIn, temporary, world, zoo } from './hub/world.mjs'

const GRAPH = 'onnx/model.onnx'
/** A name that has to be looked up. No such name can exist. */
const NOWHERE = 'http://models.invalid'

const files = (model) => Object.fromEntries(filesIn(zoo(model)).map((file) => [file, readFileSync(join(zoo(model), file))]))

/** A world whose model has been loaded once. */
async function cached(t, options) {
  const place = await world(t, options)
  await (await place.load()).dispose()
  place.hub.clear()
  return place
}

const asked = (hub) => hub.requests.map(({ server, path }) => `${server} ${path}`)

// ---------- no network ---------------------------------------------------------------------------------------------------

const OFFLINE = {
  'offline: true': { options: { offline: true } },
  'HF_HUB_OFFLINE=1': { env: { HF_HUB_OFFLINE: '1' } },
  'TRANSFORMERS_OFFLINE=1': { env: { TRANSFORMERS_OFFLINE: '1' } },
  'offline: true and refresh: true': { options: { offline: true, refresh: true } },
}

const STRACE = ['strace', '-f', '-qq', '-e', 'trace=network']

/** Calls that make a socket or use one, names looked up included. */
const network = ({ stderr }) => stderr.split('\n').filter((line) => /\b(socket|connect|bind|send\w*|recv\w*)\(/.test(line))

/** The end of a program that loads something that is not cached, too. */
const missing = (options) => `
  try {
    await new Embedder('zoo/missing', ${JSON.stringify(options)}).load()
    said.missed = 'loaded'
  } catch ({ code, message }) {
    said.missed = { code, message }
  }`

describe('no network is used', { concurrency: 2 }, () => {
  for (const [name, { options, env }] of Object.entries(OFFLINE)) {
    test(`with ${name}: what is cached is loaded, what is not is ERR_OFFLINE`, async (t) => {
      const { id, options: all, hub } = await cached(t)
      const given = all({ endpoint: NOWHERE, ...options })
      const wrap = works('strace', '-V') ? STRACE : []
      const said = await loadApart(t, id, given, { wrap, env, after: missing(given) }).said
      assertLoaded(said)
      assert.equal(said.missed.code, 'ERR_OFFLINE', said.missed.message)
      assert.match(said.missed.message, /zoo\/missing.*config\.json.*vecrank pull zoo\/missing/s)
      assert.deepEqual(hub.requests, [])
      if (wrap.length === 0) return skip(t, 'there is no strace: whether there was network traffic')
      assert.deepEqual(network(said), [])
    })
  }

  test('for a branch that is cached, without any option', async (t) => {
    const { id, options } = await cached(t)
    if (!works('strace', '-V')) return skip(t, 'there is no strace')
    const said = await loadApart(t, id, options(), { wrap: STRACE }).said
    assertLoaded(said)
    assert.deepEqual(network(said), [])
    // The trace does show what there is to be shown.
    const online = await loadApart(t, id, options({ refresh: true }), { wrap: STRACE }).said
    assertLoaded(online)
    assert.ok(network(online).some((line) => /connect\(\d+, \{sa_family=AF_INET/.test(line)), 'the trace shows nothing')
  })
})

test('offline is what Python takes as yes, and the option is stronger than the variables', async (t) => {
  const { hub, id, load, make } = await world(t)
  t.after(() => ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'].forEach((name) => delete process.env[name]))
  for (const yes of ['1', 'ON', 'yes', 'True', 'TRUE']) {
    process.env.HF_HUB_OFFLINE = yes
    await assert.rejects(make().load(), failure('ERR_OFFLINE', new RegExp(id)), yes)
  }
  assert.deepEqual([hub.requests.length, hub.connections], [0, 0])
  for (const no of ['0', '', 'off', 'no', 'false']) {
    process.env.HF_HUB_OFFLINE = no
    hub.clear()
    await assert.rejects(make({}, 'zoo/none').load(), failure('ERR_MODEL_NOT_FOUND'), no)
    assert.ok(hub.requests.length > 0, no)
  }
  // Of the two variables the first that is set decides.
  process.env.TRANSFORMERS_OFFLINE = '1'
  process.env.HF_HUB_OFFLINE = '0'
  await assert.rejects(make({}, 'zoo/none').load(), failure('ERR_MODEL_NOT_FOUND'))
  process.env.HF_HUB_OFFLINE = ''
  await assert.rejects(make().load(), failure('ERR_OFFLINE'))
  process.env.HF_HUB_OFFLINE = '1'
  await assertGives(await load({ offline: false }))
})

// ---------- what is missing ----------------------------------------------------------------------------------------------

/** Time of the fastest of some tries, all of which must fail so. */
async function fastest(make, code, pattern) {
  let least = Infinity
  for (let tries = 0; tries < 5; tries++) {
    const embedder = make()
    const start = performance.now()
    await assert.rejects(embedder.load(), failure(code, pattern))
    least = Math.min(least, performance.now() - start)
  }
  return least
}

test('what is missing is said within 50 ms', async (t) => {
  const { hub, id, folder, load, make } = await world(t)
  const commit = hub.add(id, { ...files('bert-mean'), 'onnx/model_quantized.onnx': 'not cached' })
  await (await load()).dispose()
  const offline = { offline: true }
  const cases = {
    'a model': [() => make(offline, 'zoo/other'), /zoo\/other at 'main'.*config\.json, tokenizer\.json/],
    'a revision': [() => make({ ...offline, revision: 'v2' }), /at 'v2'.*--revision v2/],
    'a commit': [() => make({ ...offline, revision: '0'.repeat(40) }), /at '0{40}'/],
    'a dtype': [() => make({ ...offline, dtype: 'q8' }), /Missing: .*\bonnx\/model_quantized\.onnx\b/],
    'a file': [() => make(offline), /tokenizer\.json/],
  }
  rmSync(join(folder, 'snapshots', commit, 'tokenizer.json'))
  for (const [name, [each, pattern]] of Object.entries(cases)) {
    const took = await fastest(each, 'ERR_OFFLINE', pattern)
    assert.ok(took < 50, `${name}: ${took} ms`)
  }
})

/** Files that a load cannot do without, whether or not it is known which files there are. */
const NEEDED = ['config.json', 'tokenizer.json', '1_Pooling/config.json', GRAPH]

test('every file that is missing is named, whichever way it went', async (t) => {
  const { hub, id, commit, cacheDir, options } = await cached(t)
  const at = join('models--zoo--bert-mean/snapshots', commit)
  const all = filesIn(join(cacheDir, at))
  assert.ok(all.length >= 8 && NEEDED.every((file) => all.includes(file)), `${all}`)
  for (const list of ['with the list', 'without the list']) {
    for (const gone of ['link', 'blob']) {
      // Without the list nobody can know that there was a file, unless its link is still there.
      for (const file of list === 'with the list' || gone === 'blob' ? all : NEEDED) {
        const copy = join(temporary(t), 'hub')
        cpSync(cacheDir, copy, { recursive: true, verbatimSymlinks: true })
        const pointer = join(copy, at, file)
        rmSync(gone === 'link' ? pointer : realpathSync(pointer))
        if (list === 'without the list') rmSync(join(copy, 'models--zoo--bert-mean/trees'), { recursive: true })
        const embedder = new Embedder(id, options({ offline: true, cacheDir: copy }))
        const what = `${file}, ${gone} gone, ${list}`
        await assert.rejects(embedder.load(), (error) => {
          assert.equal(error.code, 'ERR_OFFLINE', `${what}: ${error.message}`)
          assert.ok(error.message.includes(file) && error.message.includes(copy), `${what}: ${error.message}`)
          return true
        }, what)
      }
    }
  }
  assert.deepEqual(asked(hub), [])
})

// ---------- branches that move -------------------------------------------------------------------------------------------

test('a cached branch is used as cached when it has moved on the Hub; refresh brings the new commit', async (t) => {
  const { hub, id, commit, folder, cacheDir, load, options } = await cached(t)
  const moved = hub.add(id, zoo('bert-cls'))
  await assertGives(await load())
  assertLoaded(await loadApart(t, id, options()).said)
  assert.deepEqual(asked(hub), [], 'a restart asks nobody')
  const fresh = await load({ refresh: true })
  assert.equal((await fresh.info()).commit, moved)
  await assertGives(fresh, 'zoo/bert-cls')
  assert.equal(readFileSync(join(folder, 'refs/main'), 'utf8'), moved)
  hub.clear()
  await assertGives(await load(), 'zoo/bert-cls')
  await assertGives(await load({ revision: commit }))
  await assertGives(await load({ offline: true, refresh: true }), 'zoo/bert-cls')
  assert.deepEqual(asked(hub), [])
  assertSound(cacheDir)
})

/** What may go wrong in the middle of a refresh, when the new commit is known. */
const BROKEN = {
  'the list is refused': [{ path: /\/tree\// }, { status: 404 }, 'ERR_MODEL_NOT_FOUND'],
  'a small file is refused': [{ file: 'tokenizer.json' }, { status: 404 }, 'ERR_FILE_NOT_FOUND'],
  'a small file needs a token': [{ file: 'config.json' }, { status: 401 }, 'ERR_UNAUTHORIZED'],
  'the graph is damaged on its way': [{ server: 'cdn' }, { flip: 12345 }, 'ERR_CORRUPT'],
  'the graph is another file': [{ server: 'cdn' }, { html: true }, 'ERR_DOWNLOAD'],
  'the CDN fails': [{ server: 'cdn' }, { status: 500 }, 'ERR_DOWNLOAD'],
  'the connection breaks': [{ server: 'cdn' }, { cut: 1000, ignoreRange: true }, 'ERR_DOWNLOAD'],
}

describe('a refresh that fails in the middle leaves the old commit usable', { concurrency: true }, () => {
  for (const [name, [match, fault, code]] of Object.entries(BROKEN)) {
    test(name, async (t) => {
      const { hub, id, commit, folder, cacheDir, load, make } = await cached(t)
      const moved = hub.add(id, zoo('bert-cls'))
      const mend = hub.fault(match, fault)
      await assert.rejects(make({ refresh: true }).load(), failure(code))
      assert.equal(readFileSync(join(folder, 'refs/main'), 'utf8'), commit)
      hub.clear()
      await assertGives(await load())
      await assertGives(await load({ offline: true }))
      // What was asked for at the same time as the file that failed may be heard only now.
      assert.deepEqual(asked(hub).filter((line) => !line.includes(`/resolve/${moved}/`)), [])
      assertSound(cacheDir, { partials: 4 })
      mend()
      const fresh = await load({ refresh: true })
      assert.equal((await fresh.info()).commit, moved)
      await assertGives(fresh, 'zoo/bert-cls')
      assertSound(cacheDir)
    })
  }

  test('the new commit is no model', async (t) => {
    const { hub, id, commit, folder, load, make } = await cached(t)
    hub.add(id, { 'config.json': '{}' })
    await assert.rejects(make({ refresh: true }).load(), (error) => /^ERR_(FILE_NOT_FOUND|MODEL_\w+)$/.test(error.code))
    assert.equal(readFileSync(join(folder, 'refs/main'), 'utf8'), commit)
    await assertGives(await load())
  })
})

// ---------- commits, tags, branches --------------------------------------------------------------------------------------

test('a commit is asked for its list and its files, once, and never what it stands for', async (t) => {
  const { hub, id, commit, folder, load } = await world(t)
  hub.add(id, zoo('bert-cls'))
  const embedder = await load({ revision: commit })
  assert.equal((await embedder.info()).commit, commit)
  await assertGives(embedder)
  const others = hub.requests.filter(({ file }) => !file).map(({ path }) => path)
  assert.deepEqual(others, [`/api/models/${id}/tree/${commit}`])
  assert.deepEqual(filesIn(join(folder, 'refs')), [], 'a commit is no branch')
  hub.clear()
  for (const more of [{}, { refresh: true }, { offline: true }]) await assertGives(await load({ revision: commit, ...more }))
  assert.deepEqual(asked(hub), [])
})

test('tags, pull requests and branches with slashes, each noted under its own name', async (t) => {
  const { hub, id, commit, folder, cacheDir, load } = await world(t)
  const names = ['v1.0', 'refs/pr/1', 'feature/x', 'feature/y/z', 'feature-x', 'ünï', 'a+b', 'a%2Fb']
  for (const branch of names) {
    const other = hub.add(id, { ...files('bert-cls'), 'name.txt': branch }, { branch })
    hub.clear()
    const embedder = await load({ revision: branch })
    assert.equal((await embedder.info()).commit, other, branch)
    await assertGives(embedder, 'zoo/bert-cls')
    assert.equal(readFileSync(join(folder, 'refs', branch), 'utf8'), other)
    const sent = hub.requests[0].url.split('/').at(-1)
    assert.equal(decodeURIComponent(sent), branch, 'a slash is part of the name')
    hub.clear()
    await assertGives(await load({ revision: branch }), 'zoo/bert-cls')
    await assertGives(await load({ revision: branch, offline: true }), 'zoo/bert-cls')
    assert.deepEqual(asked(hub), [], branch)
  }
  const main = await load()
  assert.equal((await main.info()).commit, commit)
  await assertGives(main)
  assertSound(cacheDir)
})

// ---------- a dead Hub ---------------------------------------------------------------------------------------------------

test('a Hub that is dead or silent costs a cached model nothing: no connection, and less than 300 ms', async (t) => {
  const { hub, id, options } = await cached(t)
  await hub.close()
  let connections = 0
  const silent = net.createServer(() => connections++)
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.after(() => silent.close())
  for (const endpoint of [hub.url, `http://127.0.0.1:${silent.address().port}`, NOWHERE]) {
    let least = Infinity
    for (let tries = 0; tries < 3; tries++) {
      const start = performance.now()
      const embedder = await new Embedder(id, options({ endpoint })).load()
      least = Math.min(least, performance.now() - start)
      await assertGives(embedder)
    }
    assert.ok(least < 300, `${endpoint}: ${least} ms`)
  }
  assert.equal(connections, 0)
})

test('a cache that was moved, copied without its notes, or filled by hand still needs no network', async (t) => {
  const { hub, id, folder, cacheDir, options } = await cached(t)
  const moved = join(temporary(t), 'elsewhere')
  renameSync(cacheDir, moved)
  await assertGives(await new Embedder(id, options({ cacheDir: moved })).load())
  // As `cp -rL`, a container's build step or a storage of artifacts leaves it: no links, other times, nothing of ours.
  const copy = join(temporary(t), 'hub')
  const inside = folder.slice(cacheDir.length)
  for (const part of ['refs', 'snapshots', 'trees']) {
    mkdirSync(join(copy, inside, part), { recursive: true })
    for (const file of filesIn(join(moved, inside, part))) {
      mkdirSync(join(copy, inside, part, file, '..'), { recursive: true })
      writeFileSync(join(copy, inside, part, file), readFileSync(join(moved, inside, part, file)))
    }
  }
  await assertGives(await new Embedder(id, options({ cacheDir: copy })).load())
  rmSync(join(copy, inside, 'trees'), { recursive: true })
  assertLoaded(await loadApart(t, id, options({ cacheDir: copy, offline: true })).said)
  assert.deepEqual(asked(hub), [])
})
