// One download for many: calls of one process, and processes of one machine. What the Hub was asked for is the oracle, and the threads that
// the system counts: every session has its own.

import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertLoaded, assertRight, loadApart, preload, skip, texts, withoutPower, works } from './hub/apart.mjs'
import { failure } from './fixtures.mjs'
import { assertSound, filesIn, inProcess, soak, world } from './hub/world.mjs'

const GRAPH = 'onnx/model.onnx'
const SIZE = 245_292
const PROCESSES = soak ? 16 : 6

/** Every file that was asked for was asked for once. */
function assertOneGetEach(hub) {
  const files = hub.requests.filter(({ server, method, file }) => server === 'hub' && method === 'GET' && file).map(({ file }) => file)
  assert.ok(files.includes(GRAPH) && files.includes('tokenizer.json') && files.length >= 8, `${files}`)
  assert.deepEqual(files.sort(), [...new Set(files)].sort())
  assert.equal(hub.count({ server: 'cdn', file: GRAPH }), 1)
}

/** Waits for something that another process does. */
async function until(what, limit = 10_000) {
  const end = performance.now() + limit
  for (let found; performance.now() < end; await sleep(5)) if ((found = what())) return found
  throw new Error(`not within ${limit} ms: ${what}`)
}

// ---------- one process --------------------------------------------------------------------------------------------------

const first = (options) => `
  import { createRequire } from 'node:module'
  import { readFileSync, readdirSync } from 'node:fs'
  import { Worker } from 'node:worker_threads'
  import { Embedder } from './index.js'
  const texts = ${JSON.stringify(texts)}
  const args = ['zoo/bert-mean', ${JSON.stringify(options)}]
  let unhandled = 0
  process.on('unhandledRejection', () => unhandled++)
  // The addon numbers the threads of a session: vecrank-0, vecrank-1...
  const tasks = process.platform === 'linux' ? '/proc/self/task/' : undefined
  const nameOf = (id) => {
    try {
      return readFileSync(tasks + id + '/comm', 'utf8')
    } catch {
      return '' // A thread of the download, which has ended since it was listed.
    }
  }
  const threads = () => tasks && readdirSync(tasks).filter((id) => /^vecrank-\\d/.test(nameOf(id))).length
  const say = (all) => {
    const isSame = all.every((vectors) => JSON.stringify(vectors) === JSON.stringify(all[0]))
    console.log(JSON.stringify({ count: all.length, vectors: all[0].map((vector) => [...vector]), isSame, threads: threads(), unhandled }))
  }
  const embedAll = async (handles) => say(await Promise.all(handles.map((handle) => handle.embed(texts))))
  const many = (make) => Array.from({ length: 200 }, make)`

const WAYS = {
  'one call': 'await embedAll([new Embedder(...args)])',
  // Many sessions: one download of each file all the same, and more threads.
  '200 calls with 10 different options': `
    await embedAll(many((_, index) => new Embedder(args[0], { ...args[1], queue: { maxCalls: 1000 + (index % 10) } })))`,
  '200 calls on 200 handles': 'await embedAll(many(() => new Embedder(...args)))',
  '200 calls on one handle': 'const handle = new Embedder(...args); await embedAll(many(() => handle))',
  '200 loads and calls on the handles of two copies of the package': `
    const require = createRequire(process.cwd() + '/index.js')
    const copy = () => {
      for (const name of Object.keys(require.cache)) if (!name.endsWith('.node')) delete require.cache[name]
      return require('./index.js').Embedder
    }
    const copies = [copy(), copy()]
    if (copies[0] === copies[1]) throw new Error('one copy')
    const handles = many((_, index) => new copies[index % 2](...args))
    handles.forEach((handle) => handle.load())
    await embedAll(handles)`,
  '200 calls in four worker threads': `
    const code = \`
      const { parentPort, workerData: { args, texts } } = require('node:worker_threads')
      const { Embedder } = require('./index.js')
      const handles = Array.from({ length: 50 }, () => new Embedder(...args))
      Promise.all(handles.map((handle) => handle.embed(texts))).then((all) => parentPort.postMessage(all))
      parentPort.on('message', () => process.exit())\`
    const workers = Array.from({ length: 4 }, () => new Worker(code, { eval: true, execArgv: [], workerData: { args, texts } }))
    const answerOf = (worker) => new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject))
    say((await Promise.all(workers.map(answerOf))).flat())
    workers.forEach((worker) => worker.postMessage('end'))`,
}

test('200 first calls at once make one download of each file and one session', async (t) => {
  const outcomes = {}
  const run = async (way) => {
    const { hub, options, cacheDir } = await world(t)
    const { code, stdout, stderr } = await inProcess(`${first(options())}\n${WAYS[way]}`).ended
    assert.equal(code, 0, `${way}: ${stderr}`)
    assertOneGetEach(hub)
    assertSound(cacheDir)
    return JSON.parse(stdout)
  }
  for (const way of Object.keys(WAYS)) outcomes[way] = await run(way)
  const one = outcomes['one call'].threads
  for (const [way, { count, vectors, isSame, threads, unhandled }] of Object.entries(outcomes)) {
    assertRight(vectors)
    assert.equal(count, way === 'one call' ? 1 : 200, way)
    assert.ok(isSame, `${way}: different vectors`)
    assert.equal(unhandled, 0, way)
    if (process.platform === 'linux') assert.equal(threads, way.includes('different') ? 10 * one : one, `${way}: threads`)
  }
})

test('200 first calls open the graph as often as one does', async (t) => {
  if (!works('strace', '-V')) return skip(t, 'there is no strace')
  const opened = async (way) => {
    const { options } = await world(t)
    const wrap = ['strace', '-f', '-qq', '-e', 'trace=openat,open']
    const { code, stderr } = await inProcess(`${first(options())}\n${WAYS[way]}`, { wrap }).ended
    assert.equal(code, 0)
    // A call that another thread's interrupts has two lines; the first one names the file.
    return stderr.split('\n').filter((line) => line.includes(`/${GRAPH}"`) && !line.includes('ENOENT')).length
  }
  const [once, often] = await Promise.all([opened('one call'), opened('200 calls on 200 handles')])
  assert.ok(once > 0, 'the trace shows nothing')
  assert.equal(often, once)
})

test('a first load that fails is not kept: all who waited are told, and the next call tries again', async (t) => {
  for (const handles of ['one handle', 'many handles']) {
    const { hub, make } = await world(t)
    hub.fault({ file: 'tokenizer.json' }, { status: 404 }, { times: 1 })
    const handle = make()
    const all = Array.from({ length: 200 }, () => (handles === 'one handle' ? handle : make()))
    const settled = await Promise.allSettled(all.map((each) => each.embed(texts)))
    for (const { status, reason } of settled) {
      assert.equal(status, 'rejected', handles)
      failure('ERR_FILE_NOT_FOUND', /tokenizer\.json/)(reason)
    }
    assert.equal(hub.count({ file: 'tokenizer.json' }), 1, `${handles}: a file that is not there is not asked for again`)
    for (const vectors of await Promise.all(all.map((each) => each.embed(texts)))) assertRight(vectors)
    assert.equal(hub.count({ server: 'hub', file: 'tokenizer.json' }), 2, handles)
    assert.equal(hub.count({ server: 'cdn', file: GRAPH }), 1, handles)
  }
})

// ---------- many processes -----------------------------------------------------------------------------------------------

/** Processes that load at the same time while the graph comes slowly, once all of them have begun. */
async function crowd(t, { hub, id, options }, count, { seconds, ...how } = {}) {
  hub.fault({ server: 'cdn', file: GRAPH }, { rate: SIZE / seconds })
  const loads = Array.from({ length: count }, () => loadApart(t, id, options(), how))
  await until(() => hub.count({ path: /\/revision\// }) >= count)
  assert.equal(hub.requests.filter(({ server, sent }) => server === 'cdn' && sent === SIZE).length, 0, 'one has ended before all began')
  return loads
}

test(`${PROCESSES} processes at once make one download of each file, and all succeed`, async (t) => {
  const place = await world(t)
  const loads = await crowd(t, place, PROCESSES, { seconds: soak ? 60 : 2 })
  for (const said of await Promise.all(loads.map(({ said }) => said))) assertLoaded(said)
  assertOneGetEach(place.hub)
  assertSound(place.cacheDir)
})

/** The process that has a partial file of the graph open. */
function holderOf(loads) {
  const isWriting = ({ child }) =>
    readdirSync(`/proc/${child.pid}/fd`).some((fd) => {
      try {
        return /[0-9a-f]{64}[^/]*\.incomplete$/.test(readlinkSync(`/proc/${child.pid}/fd/${fd}`))
      } catch {
        return false
      }
    })
  return loads.find(isWriting)
}

test('when the process that downloads is killed another one goes on within 2 s, and all others succeed', async (t) => {
  if (process.platform !== 'linux') return skip(t, 'who holds a file is read from /proc')
  const place = await world(t)
  const { hub } = place
  const loads = await crowd(t, place, PROCESSES, { seconds: 3 })
  const transfer = await until(() => hub.requests.find(({ server, sent }) => server === 'cdn' && sent > SIZE / 3))
  const holder = holderOf(loads)
  assert.ok(holder, 'nobody has a partial file open')
  holder.child.kill('SIGKILL')
  const killed = performance.now()
  await until(() => hub.count({ server: 'hub', file: GRAPH }) === 2)
  const takeover = performance.now() - killed
  assert.ok(takeover < 2000, `the next one began after ${takeover} ms`)

  const others = loads.filter((load) => load !== holder)
  assert.equal((await holder.said).signal, 'SIGKILL')
  for (const said of await Promise.all(others.map(({ said }) => said))) assertLoaded(said)
  assert.equal(hub.count({ server: 'cdn', file: GRAPH }), 2)
  const second = hub.requests.find((request) => request.server === 'cdn' && request !== transfer)
  assert.match(second.range ?? '', /^bytes=\d{5,}-$/, 'what was there is not asked for again')
  assert.ok(hub.bytes(GRAPH) <= 1.05 * SIZE + 65_536, `${hub.bytes(GRAPH)} bytes were sent`)
  assertSound(place.cacheDir)
})

// What an NFS mount, a container's overlay or an old kernel may do in place of locking. Containers have process numbers of their own, so
// that nobody can tell from a number who is alive.
const NOTHING = 'int flock(int fd, int operation) { return 0; }'
const answers = (error) => `#include <errno.h>\nint flock(int fd, int operation) { errno = ${error}; return -1; }`
const CONTAINER = ['unshare', '-m', '-p', '-f', '--kill-child', '--mount-proc']
const LOCKS = {
  'locks that do nothing': { source: NOTHING },
  'locks that do nothing, between containers': { source: NOTHING, wrap: CONTAINER },
  'locks that are not there': { source: answers('ENOLCK') },
  // Where a lock is taken for ever, patience ends after 20 s.
  'locks that are always taken': { source: answers('EWOULDBLOCK'), isSlow: true },
}

/** What may lie where lock files should be made. */
const OBSTACLES = {
  'a file in place of their folder': (locks) => writeFileSync(locks, ''),
  'folders in place of them': (locks, names) => names.forEach((name) => mkdirSync(join(locks, name), { recursive: true })),
  'links that lead nowhere': (locks, names) => {
    mkdirSync(locks, { recursive: true })
    for (const name of names) symlinkSync(join(locks, 'none', name), join(locks, name))
  },
  'files of another user': (locks, names) => {
    mkdirSync(locks, { recursive: true })
    for (const name of names) writeFileSync(join(locks, name), '', { mode: 0o444 })
  },
}

test('lock files that cannot be made or opened are no reason to fail', async (t) => {
  const wrap = withoutPower(t)
  if (wrap === undefined) return
  const { hub, id, folder, cacheDir, load, options } = await world(t)
  await (await load()).dispose()
  const locks = join(cacheDir, '.locks', basename(folder))
  const names = readdirSync(locks)
  assert.ok(names.length >= 8)
  for (const [name, make] of Object.entries(OBSTACLES)) {
    rmSync(cacheDir, { recursive: true })
    mkdirSync(join(cacheDir, '.locks'), { recursive: true })
    make(locks, names)
    hub.clear()
    assertLoaded(await loadApart(t, id, options(), { wrap }).said)
    assertOneGetEach(hub)
    assert.equal(filesIn(join(folder, 'blobs')).length, 8, name)
  }
})

for (const [kind, { source, wrap = [], isSlow }] of Object.entries(LOCKS)) {
  const reason = isSlow && !soak && 'it takes half a minute: npm run test:soak'
  test(`${kind} cost traffic and damage nothing`, { skip: reason }, async (t) => {
    if (wrap.length > 0 && !works(...wrap, 'true')) return skip(t, 'no space of process numbers can be made here (unshare -p)')
    const object = preload(t, source)
    if (object === undefined) return
    const place = await world(t)
    const start = performance.now()
    const loads = await crowd(t, place, 4, { seconds: 1, wrap, env: { LD_PRELOAD: object } })
    for (const said of await Promise.all(loads.map(({ said }) => said))) assertLoaded(said)
    const seconds = (performance.now() - start) / 1000
    // Either nobody was held back, or everybody was.
    if (!isSlow) assert.ok(place.hub.count({ server: 'cdn', file: GRAPH }) > 1, 'the locks still worked')
    else assert.ok(seconds > 15 && seconds < 40, `${seconds} s`)
    place.hub.clear()
    assertRight(await (await place.load()).embed(texts))
    assert.equal(place.hub.requests.length, 0)
    assertSound(place.cacheDir)
  })
}
