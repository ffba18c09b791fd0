// Which folder the cache is, and disks that refuse something: links, room, writing, reading. Each load is in a process of its own, on a
// disk of its own where it needs one.

import assert from 'node:assert/strict'
import { chmodSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path, { join } from 'node:path'
import { describe, test } from 'node:test'
import { failure } from './fixtures.mjs'
import { assertFailed, assertLoaded, assertRight, loadApart, preload, skip, texts, withMounts, withoutPower, works } from './hub/apart.mjs'
import { bin, start, vecrank } from './hub/cli.mjs'
import { assertSound, filesIn, root, temporary, world, zoo } from './hub/world.mjs'

const GRAPH = 'onnx/model.onnx'
const SIZE = 245_292

// ---------- which folder -------------------------------------------------------------------------------------------------

const FOLDERS = {
  'the home folder': [{}, '.cache/huggingface/hub'],
  XDG_CACHE_HOME: [{ XDG_CACHE_HOME: 'xdg' }, 'xdg/huggingface/hub'],
  'HF_HOME, which is stronger': [{ XDG_CACHE_HOME: 'xdg', HF_HOME: 'hf' }, 'hf/hub'],
  'HF_HUB_CACHE, which is stronger': [{ HF_HOME: 'hf', HF_HUB_CACHE: 'cache' }, 'cache'],
  'MODEL_CACHE, which is stronger': [{ HF_HOME: 'hf', HF_HUB_CACHE: 'cache', MODEL_CACHE: 'models' }, 'models'],
  'cacheDir, which is the strongest': [{ HF_HUB_CACHE: 'cache', MODEL_CACHE: 'models' }, 'chosen', 'chosen'],
}

test('the folder that each variable and the option name, and no other', async (t) => {
  const { hub, id, options } = await world(t)
  const load = async ([name, [variables, expected, cacheDir]]) => {
    const home = temporary(t)
    const env = { HOME: home, USERPROFILE: home }
    for (const [variable, folder] of Object.entries(variables)) env[variable] = join(home, folder)
    assertLoaded(await loadApart(t, id, options({ cacheDir: cacheDir && join(home, cacheDir) }), { env }).said)
    assert.deepEqual(readdirSync(join(home, expected)).sort(), ['.locks', 'models--zoo--bert-mean'], name)
    for (const file of filesIn(home)) assert.ok(file.startsWith(`${expected}/`), `${name}: ${file}`)
  }
  for (const each of Object.entries(FOLDERS)) await load(each)
  // As a person writes it: from the home folder, and from the working folder.
  const home = temporary(t)
  const env = { HOME: home, USERPROFILE: home }
  const inside = async (more, cacheDir) => {
    assertLoaded(await loadApart(t, id, options({ cacheDir }), { env: { ...env, ...more } }).said)
    return readdirSync(home).sort()
  }
  assert.deepEqual(await inside({ HF_HOME: '~/one' }), ['one'])
  assert.deepEqual(await inside({ MODEL_CACHE: path.relative(root, join(home, 'two')) }), ['one', 'two'])
  assert.deepEqual(await inside({}, path.relative(root, join(home, 'zwei ü'))), ['one', 'two', 'zwei ü'])
  assert.equal(hub.count({ server: 'cdn' }), Object.keys(FOLDERS).length + 3)
})

test('a user without a home folder needs a folder that is named', async (t) => {
  // As containers run it: a number that no list of users knows.
  const wrap = ['setpriv', '--reuid=12345', '--regid=12345', '--clear-groups', 'env', '-u', 'HOME']
  if (!works(...wrap, process.execPath, join(root, 'index.js'))) return skip(t, 'the process cannot be run as another user')
  const { id, options } = await world(t)
  const folder = temporary(t)
  chmodSync(folder, 0o777)
  const load = (cacheDir, env) => loadApart(t, id, options({ cacheDir }), { wrap, env, cwd: folder }).said
  assertLoaded(await load(join(folder, 'one')))
  assertLoaded(await load(undefined, { HF_HOME: join(folder, 'two') }))
  assertLoaded(await load(undefined, { MODEL_CACHE: join(folder, 'three') }))
  const said = await load()
  assertFailed(said, 'ERR_DISK', /home.*(cacheDir|HF_HOME)/)
  assert.deepEqual(readdirSync(folder).sort(), ['one', 'three', 'two'])
})

// ---------- no links -----------------------------------------------------------------------------------------------------

const refuse = (...calls) => `#include <errno.h>\n${calls.map((call) => `int ${call} { errno = EPERM; return -1; }`).join('\n')}`
const SYMLINKS = ['symlink(const char *to, const char *at)', 'symlinkat(const char *to, int in, const char *at)']
const LINKS = ['link(const char *to, const char *at)', 'linkat(int from, const char *to, int in, const char *at, int flags)']
const LINKLESS = {
  'HF_HUB_DISABLE_SYMLINKS=1': { env: { HF_HUB_DISABLE_SYMLINKS: '1' } },
  'a disk without symbolic links': { source: refuse(...SYMLINKS) },
  'a disk without any links, as FAT is': { source: refuse(...SYMLINKS, ...LINKS) },
}

describe('without links nothing is downloaded twice', { concurrency: 2 }, () => {
  for (const [name, { env = {}, source }] of Object.entries(LINKLESS)) {
    test(name, async (t) => {
      if (source !== undefined) {
        env.LD_PRELOAD = preload(t, source)
        if (env.LD_PRELOAD === undefined) return
      }
      const { hub, id, commit, folder, cacheDir, options } = await world(t)
      const load = async (more) => {
        hub.clear()
        const said = await loadApart(t, id, options(more), { env }).said
        assertLoaded(said)
        const files = filesIn(join(folder, 'snapshots'))
        assert.ok(files.length >= 8 && files.every((file) => lstatSync(join(folder, 'snapshots', file)).isFile()), `${files}`)
        assertSound(cacheDir)
        return hub.requests.map(({ server, url }) => `${server} ${url}`)
      }
      assert.equal((await load()).length, 11)
      assert.deepEqual(await load(), [], 'again')
      assert.deepEqual(await load({ offline: true }), [], 'offline')

      const files = Object.fromEntries(filesIn(zoo('bert-mean')).map((file) => [file, readFileSync(join(zoo('bert-mean'), file))]))
      const moved = hub.add(id, { ...files, 'config.json': Buffer.concat([files['config.json'], Buffer.from('\n')]) })
      const api = `hub /api/models/${id}`
      assert.deepEqual(await load({ refresh: true }), [
        `${api}/revision/main`,
        `${api}/tree/${moved}?recursive=true`,
        `hub /${id}/resolve/${moved}/config.json`,
      ])
      assert.deepEqual(await load({ revision: commit }), [], 'the first commit is still there')
      // A snapshot that somebody has cleared: its files are made again from what is there.
      rmSync(join(folder, 'snapshots'), { recursive: true })
      assert.deepEqual(await load(), [])
      // And a damaged copy is mended from the good one, or downloaded: one file, once.
      const graph = join(folder, 'snapshots', moved, GRAPH)
      const bytes = readFileSync(graph)
      rmSync(graph)
      writeFileSync(graph, bytes.fill(0, 0, 64))
      assert.ok((await load()).length <= 2)
    })
  }
})

// ---------- no room ------------------------------------------------------------------------------------------------------

/** Part of a program: what is in the cache that should not be there after an error. */
const left = (cacheDir) => `
  const { readdirSync } = await import('node:fs')
  const isHere = (name) => { try { return readdirSync(name, { recursive: true, withFileTypes: true }) } catch { return [] } }
  said.files = isHere(${JSON.stringify(cacheDir)}).filter((entry) => !entry.isDirectory()).map((entry) => entry.path + '/' + entry.name)`

const PARTIAL = /\.incomplete$|\.tmp$|\/\.vecrank\/tmp\//

/** A load that must end with ERR_DISK, saying what is needed and what is free, and leave no partial file. */
function assertFull(said) {
  assertFailed(said, 'ERR_DISK', /\b\d+ (more )?bytes are needed and \d+ are free\b/)
  assert.deepEqual(said.files.filter((file) => PARTIAL.test(file)), [])
  assertNamesChoices(said.error.message, 'a full disk')
}

describe('a disk that is full is ERR_DISK with needed and free bytes, and keeps no partial file', { concurrency: 2 }, () => {
  test('when there is not enough room from the start: no byte is asked for', async (t) => {
    const { hub, id, cacheDir, options } = await world(t)
    const wrap = withMounts(t, `mkdir -p ${cacheDir}; mount -t tmpfs -o size=200k tmpfs ${cacheDir}`)
    if (wrap === undefined) return
    const said = await loadApart(t, id, options(), { wrap, after: left(cacheDir) }).said
    assertFull(said)
    assert.match(said.error.message, new RegExp(`\\b${SIZE} bytes are needed`))
    assert.equal(hub.count({ server: 'cdn' }), 0)
    assert.ok(said.files.some((file) => file.endsWith('/modules.json')), 'what did fit was not kept')
  })

  test('when it fills up in the middle, and it works as soon as there is room', async (t) => {
    const { hub, id, cacheDir, folder, options } = await world(t)
    const wrap = withMounts(t, `mkdir -p ${cacheDir}; mount -t tmpfs -o size=1m tmpfs ${cacheDir}`)
    if (wrap === undefined) return
    hub.fault({ server: 'cdn' }, { rate: 2 * SIZE }, { times: 1 })
    // Another program takes all room as soon as a tenth of the graph is there.
    const before = `
      const fs = await import('node:fs')
      const blobs = ${JSON.stringify(join(folder, 'blobs'))}
      const filler = ${JSON.stringify(join(cacheDir, 'filler'))}
      const isHalf = () => fs.existsSync(blobs) && fs.readdirSync(blobs).some((name) => {
        return /^[0-9a-f]{64}.*incomplete$/.test(name) && fs.statSync(blobs + '/' + name).size > ${SIZE / 10}
      })
      const timer = setInterval(() => {
        if (!isHalf()) return
        clearInterval(timer)
        try {
          fs.writeFileSync(filler, Buffer.alloc(1 << 20))
        } catch {
          // So much the better.
        }
      }, 5)`
    const after = `${left(cacheDir)}
      fs.rmSync(filler)
      const again = await new Embedder(${JSON.stringify(id)}, ${JSON.stringify(options())}).load()
      said.again = (await again.embed(${JSON.stringify(texts)})).map((vector) => [...vector])`
    const said = await loadApart(t, id, options(), { wrap, before, after }).said
    assertFull(said)
    assert.ok(hub.requests.some(({ server, sent }) => server === 'cdn' && sent > SIZE / 10), 'it was full too early')
    assertRight(said.again)
  })

  test('when no further file can be made', async (t) => {
    const { id, cacheDir, options } = await world(t)
    const wrap = withMounts(t, `mkdir -p ${cacheDir}; mount -t tmpfs -o nr_inodes=24 tmpfs ${cacheDir}`)
    if (wrap === undefined) return
    const said = await loadApart(t, id, options(), { wrap, after: left(cacheDir) }).said
    assertFailed(said, 'ERR_DISK', /./)
    assert.deepEqual(said.files.filter((file) => PARTIAL.test(file)), [])
  })

  test('when files may not be so large', async (t) => {
    const limit = ['prlimit', '--fsize=100000']
    if (!works(...limit, 'true')) return skip(t, 'there is no prlimit')
    const { id, cacheDir, folder, options, load } = await world(t)
    assertFull(await loadApart(t, id, options(), { wrap: limit, after: left(cacheDir) }).said)
    assert.deepEqual(filesIn(join(folder, 'refs')), [], 'a branch stands for a commit whose files are not here')
    assertRight(await (await load()).embed(texts))
    assertSound(cacheDir)
  })
})

// ---------- no writing, no reading ---------------------------------------------------------------------------------------

/** Takes the right to write away from all folders, and gives it back when the work is done. */
async function protect(folder, mode, work) {
  const folders = [folder, ...readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory())]
    .map((entry) => (entry === folder ? folder : join(entry.path, entry.name)))
  for (const each of folders) chmodSync(each, mode)
  try {
    return await work()
  } finally {
    for (const each of folders.reverse()) chmodSync(each, 0o755)
  }
}

const READ_ONLY = {
  'a disk that is mounted to be read': (t, cacheDir, work) => {
    const wrap = withMounts(t, `mount --bind ${cacheDir} ${cacheDir}; mount -o remount,bind,ro ${cacheDir}`)
    return wrap && work(wrap)
  },
  'folders that may not be written to': (t, cacheDir, work) => {
    const wrap = withoutPower(t)
    return wrap && protect(cacheDir, 0o555, () => work(wrap))
  },
}

describe('a cache that cannot be written to works where it has the files, and is ERR_DISK where not', { concurrency: 2 }, () => {
  for (const [name, within] of Object.entries(READ_ONLY)) {
    test(name, async (t) => {
      const place = await world(t)
      const { hub, id, commit, folder, cacheDir, options, load } = place
      mkdirSync(cacheDir)
      const apart = (more, how) => within(t, cacheDir, (wrap) => loadApart(t, id, options(more), { wrap, ...how }).said)
      const none = await apart()
      if (none === undefined) return
      assertFailed(none, 'ERR_DISK', /Could not write.*hub/)
      assertNamesChoices(none.error.message, name)
      assert.deepEqual(filesIn(cacheDir), [])

      await (await load()).dispose()
      const before = assertSound(cacheDir)
      hub.clear()
      assertLoaded(await apart())
      assertLoaded(await apart({}, { env: { HF_HUB_OFFLINE: '1' } }))
      assert.deepEqual(hub.requests, [])
      // As an image is built by Python: nothing of ours is in it, and it cannot be noted that a file is right.
      rmSync(join(folder, '.vecrank'), { recursive: true })
      rmSync(join(folder, '.no_exist'), { recursive: true })
      rmSync(join(cacheDir, '.locks'), { recursive: true })
      assertLoaded(await apart())
      assert.deepEqual(hub.requests, [])
      assertLoaded(await apart({ refresh: true }), 'zoo/bert-mean')
      assert.equal(hub.requests.length, 1, 'what the branch stands for')
      assert.deepEqual(filesIn(cacheDir), before.filter((file) => !/\.vecrank|\.no_exist|\.locks/.test(file)))

      rmSync(join(folder, 'snapshots', commit, 'tokenizer.json'))
      rmSync(join(folder, 'snapshots', commit, GRAPH))
      // The blobs are here: only the links are missing, and cannot be made.
      assertFailed(await apart(), 'ERR_DISK', /./)
      assert.equal(hub.count({ server: 'cdn' }), 0)
    })
  }
})

/** What a message about a cache that cannot be written must name: the option and the variables that choose another, and no other word like them. */
const CHOICES = ['cacheDir', 'MODEL_CACHE', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HOME', 'XDG_CACHE_HOME']
const assertNamesChoices = (message, what) => assert.deepEqual(message.match(/cacheDir|\b[A-Z]+_[A-Z_]+\b/g), CHOICES, `${what}: ${message}`)

test('a place where no cache can be is ERR_DISK that names it, what is in the way, and what chooses another', async (t) => {
  const { hub, make } = await world(t)
  const folder = temporary(t)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const nowhere = join(folder, 'nowhere')
  symlinkSync(join(folder, 'gone/away'), nowhere)
  /** By the folder of the cache: what is in the way, where it is a file. */
  const places = new Map([[file, file], [join(file, 'hub'), file], [join(file, 'a/b'), file]])
  if (process.platform === 'linux') ['/proc/none', '/sys/none/hub'].forEach((place) => places.set(place, undefined))
  if (process.platform === 'linux') places.set('/dev/null/hub', '/dev/null').set(nowhere, nowhere)
  for (const [cacheDir, inTheWay] of places) {
    await assert.rejects(make({ cacheDir }).load(), (error) => {
      failure('ERR_DISK', new RegExp(`Could not write to the cache of models: ${cacheDir}`))(error)
      assertNamesChoices(error.message, cacheDir)
      if (inTheWay !== undefined) assert.ok(error.message.includes(`${inTheWay} is in the way of a folder`), error.message)
      assert.ok(error.cause.message.length > 0)
      return true
    })
  }
  assert.equal(readFileSync(file).length, 0)
  assert.equal(hub.count({ server: 'cdn' }), 0)
})

test('each folder of a cache that a file stands for, or that may not be written to, is ERR_DISK that says how another is chosen', async (t) => {
  const { id, options, folder, cacheDir, commit } = await world(t)
  const say = async (what, setup, how) => {
    rmSync(cacheDir, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const wrap = setup()
    const said = await loadApart(t, id, options(), { wrap, ...how }).said
    assertFailed(said, 'ERR_DISK', new RegExp(`Could not write to the cache of models: ${folder}`))
    assertNamesChoices(said.error.message, what)
  }
  const places = ['blobs', 'snapshots', `snapshots/${commit}`, '.vecrank/tmp']
  for (const place of places) {
    await say(place, () => {
      mkdirSync(path.dirname(join(folder, place)), { recursive: true })
      writeFileSync(join(folder, place), '')
    })
  }
  const readOnly = (place) => () => {
    mkdirSync(join(folder, place), { recursive: true })
    return withMounts(t, `mount --bind ${join(folder, place)} ${join(folder, place)}; mount -o remount,bind,ro ${join(folder, place)}`)
  }
  if (withMounts(t, 'true') === undefined) return
  for (const place of ['', 'blobs', 'snapshots']) await say(`${place} on a disk that is mounted to be read`, readOnly(place))
})

test('refs that cannot be written are a warning that says how another cache is chosen, and locks no word at all', async (t) => {
  const { id, options, folder, cacheDir } = await world(t)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'refs'), '')
  writeFileSync(join(cacheDir, '.locks'), '')
  const said = await loadApart(t, id, options()).said
  assertLoaded(said)
  assert.equal(said.warnings.length, 1)
  assert.match(said.warnings[0].message, new RegExp(`its commit could not be noted.*${join(folder, 'refs')}`))
  assertNamesChoices(said.warnings[0].message, 'refs')
})

test('a lock file that cannot be written, and a model that cannot be removed, are not blamed on the choice of the cache', async (t) => {
  const { hub, id, cacheDir, folder, load } = await world(t)
  const file = join(temporary(t), 'file')
  writeFileSync(file, '')
  const lock = join(file, 'vecrank.lock.json')
  const env = { HF_ENDPOINT: hub.url, MODEL_CACHE: cacheDir }
  const pulled = await vecrank(t, ['pull', id, '--lock', lock], { env })
  assert.equal(pulled.code, 1)
  assert.ok(pulled.stderr.includes(`Could not write the lock file ${lock}`) && pulled.stderr.includes('--lock FILE.json'), pulled.stderr)
  assert.doesNotMatch(pulled.stderr, /cacheDir|MODEL_CACHE|HF_HOME/)
  assert.equal(hub.requests.length, 0, 'it was downloaded for nothing')

  await (await load()).dispose()
  const wrap = withMounts(t, `mount --bind ${folder} ${folder}; mount -o remount,bind,ro ${folder}`)
  if (wrap === undefined) return
  const [command, ...words] = [...wrap, process.execPath, bin, 'cache', 'rm', id]
  const removed = await start(t, command, words, { env }).ended
  assert.equal(removed.code, 1)
  assert.match(removed.stderr, new RegExp(`Could not remove all of ${folder}.*ERR_DISK`))
  assert.doesNotMatch(removed.stderr, /cacheDir|MODEL_CACHE|HF_HOME/)
})

test('what may not be read is ERR_DISK that names it, and not taken for missing', async (t) => {
  const wrap = withoutPower(t)
  if (wrap === undefined) return
  const { hub, id, commit, folder, cacheDir, options, load } = await world(t)
  await (await load()).dispose()
  hub.clear()
  const blobs = readdirSync(join(folder, 'blobs')).map((name) => join(folder, 'blobs', name))
  const graph = blobs.find((name) => /[0-9a-f]{64}$/.test(name))
  const places = [cacheDir, folder, join(folder, 'refs/main'), join(folder, 'snapshots', commit), graph]
  const unreadable = async (place) => {
    chmodSync(place, 0)
    const said = await loadApart(t, id, options(), { wrap }).said
    chmodSync(place, 0o755)
    assertFailed(said, 'ERR_DISK', new RegExp(cacheDir))
  }
  for (const place of places) await unreadable(place)
  assert.equal(hub.count({ method: 'GET', file: /./ }), 0)
  assertLoaded(await loadApart(t, id, options(), { wrap }).said)
})
