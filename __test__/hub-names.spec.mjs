// Names are hostile, wherever they come from: the user (often with what a stranger typed), the Hub's lists, a model's files. Whatever they
// say, nothing is made outside the cache, and no request climbs.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { contents } from './hub/cli.mjs'
import { fewAtOnce } from './hub/environment.mjs'
import { FakeHub } from './hub/hub.mjs'
import { BROKEN, CLIMBING, ODD, assertNoneClimbs, surrounding } from './hub/hostile.mjs'
import { filesIn } from './hub/world.mjs'

const require = createRequire(import.meta.url)
const { addon } = require('../lib/addon.js')
const { hubSettings } = require('../lib/hub.js')

const NEVER = [...CLIMBING, ...BROKEN]
const ALL = [...NEVER, ...ODD]
/** Those that a list in JSON can hold: half a character of UTF-16 is none. */
const LISTED = ALL.filter((name) => !/[\ud800-\udbff](?![\udc00-\udfff])/.test(name))
const MEAN = contents('bert-mean')
const shown = (name) => JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name)

assert.ok(ALL.length * 6 >= 200, 'the corpus of the issue: 200 cases')

async function hostileWorld(t) {
  const hub = await FakeHub.start()
  t.after(() => hub.close())
  const around = surrounding(t)
  const options = { endpoint: hub.url, cacheDir: around.cacheDir }
  /** The error of a load, or undefined. */
  const attempt = async (id, more, Class = Embedder) => {
    let handle
    try {
      handle = new Class(id, { ...options, ...more })
      await handle.load()
      return undefined
    } catch (error) {
      return error
    } finally {
      await handle?.dispose()
    }
  }
  return { ...around, hub, options, attempt }
}

/** An error that tells the truth about a name, without repeating what could end a line of a log or colour a terminal. */
function assertTyped(error, codes, what) {
  assert.ok(error instanceof Error, `${what} was taken`)
  assert.ok(codes.includes(error.code), `${what}: ${error.stack}`)
  assert.doesNotMatch(error.message, /[\0-\x09\x0b-\x1f\x7f-\x9f]/, `${what}: a control character in ${JSON.stringify(error.message)}`)
  assert.ok(error.message.length < 3000, `${what}: the message is endless`)
}

test('a model id is two plain names, whatever else it is made of', async (t) => {
  const { hub, attempt, assertUntouched, cacheDir } = await hostileWorld(t)
  // These are names that the Hub gives out as well, or that only Windows minds; a folder of the cache begins with `models--` anyway.
  const plain = (id) => /^[A-Za-z0-9_][\w.-]*\/[\w.-]*[A-Za-z0-9_]$/.test(id) && !/--|\.\.|\.git$|[.-]\//.test(id) && id.length < 200
  let count = 0
  for (const name of ALL) {
    for (const id of [`owner/${name}`, `${name}/model`, `owner--${name}/model`, name]) {
      const error = await attempt(id)
      // What looks like a folder or a package is one, and not the Hub's.
      assertTyped(error, ['ERR_INVALID_ARG', 'ERR_MODEL_NOT_FOUND', 'ERR_FILE_NOT_FOUND', 'ERR_DISK'], shown(id))
      if (!plain(id)) assert.equal(hub.requests.length, count, `the Hub was asked for ${shown(id)}`)
      count = hub.requests.length
    }
  }
  for (const odd of [
    undefined,
    null,
    7,
    {},
    [],
    Symbol('x'),
    'a/b/c',
    'a/b ',
    ' a/b',
    'a/b\n',
    'ä/b',
    'a/-b',
    '-a/b',
    `a/${'b'.repeat(97)}`,
  ]) {
    if (odd !== undefined) assertTyped(await attempt(odd), ['ERR_INVALID_ARG'], String(odd))
  }
  assertNoneClimbs(hub)
  assertUntouched()
  assert.deepEqual(filesIn(cacheDir), [])
})

test('the addon itself refuses such an id, before it touches the cache', async (t) => {
  const { cacheDir, assertUntouched } = await hostileWorld(t)
  const settings = hubSettings({ cacheDir })
  // What a path that was put together carelessly would remove.
  for (const folder of ['models--owner', 'models--', 'models--..', '.locks/models--owner'])
    mkdirSync(join(cacheDir, folder), { recursive: true })
  writeFileSync(join(cacheDir, 'models--owner/keep'), '')
  const before = filesIn(cacheDir)
  for (const name of ALL) {
    for (const id of [`owner/${name}`, `${name}/model`, name]) {
      for (const work of ['remove', 'verify']) {
        const { error } = await new (addon().StoreJob)()[work](settings, id)
        assert.ok(['ERR_INVALID_ARG', 'ERR_MODEL_NOT_FOUND'].includes(error?.code), `${work} ${shown(id)}: ${JSON.stringify(error)}`)
      }
    }
  }
  assert.deepEqual(filesIn(cacheDir), before)
  assertUntouched()
})

test('a revision that is no name of one is refused before anybody is asked', async (t) => {
  const { hub, attempt, assertUntouched, cacheDir } = await hostileWorld(t)
  hub.add('zoo/bert-mean', MEAN)
  for (const name of NEVER) {
    for (const revision of [name, `refs/${name}`, `v1/${name}/x`]) {
      // Some parts of a path are fine inside of one.
      if (revision !== name && (name === '' || !CLIMBING.includes(name))) continue
      assertTyped(await attempt('zoo/bert-mean', { revision }), ['ERR_INVALID_ARG'], `revision ${shown(revision)}`)
    }
  }
  assert.equal(hub.connections, 0)
  assert.deepEqual(filesIn(cacheDir), [])
  for (const name of ODD) {
    const error = await attempt('zoo/bert-mean', { revision: name })
    assertTyped(error, ['ERR_INVALID_ARG', 'ERR_MODEL_NOT_FOUND'], `revision ${shown(name)}`)
  }
  assertNoneClimbs(hub)
  assertUntouched()
  assert.equal(hub.count({ file: /./ }), 0)
})

test('a revision that the Hub knows under an odd name stays inside the cache', async (t) => {
  const { hub, attempt, assertUntouched, cacheDir } = await hostileWorld(t)
  const odd = LISTED.filter((name) => ODD.includes(name))
  await fewAtOnce(8, odd, async (name, number) => {
    // A repository each: two names of branches, of which one is a folder of the other, cannot be in one.
    hub.add(`zoo/odd-${number}`, MEAN, { branch: name })
    const error = await attempt(`zoo/odd-${number}`, { revision: name })
    if (error !== undefined) assertTyped(error, ['ERR_INVALID_ARG', 'ERR_MODEL_NOT_FOUND'], `revision ${shown(name)}`)
  })
  assertNoneClimbs(hub)
  assertUntouched()
  for (const file of filesIn(cacheDir)) assert.match(file, /^(\.locks\/)?models--zoo--odd-\d+\//)
})

test('the option file names a file of the repository, or nothing', async (t) => {
  const { hub, attempt, assertUntouched, cacheDir } = await hostileWorld(t)
  const files = { ...MEAN }
  // A Hub that lists such a file, and sends it.
  for (const name of LISTED) for (const path of [name, `${name}/model.onnx`, `onnx/${name}`]) files[path] = MEAN['onnx/model.onnx']
  hub.add('zoo/bert-mean', files)
  const codes = ['ERR_INVALID_ARG', 'ERR_FILE_NOT_FOUND', 'ERR_MODEL_INVALID', 'ERR_MODEL_UNSUPPORTED', 'ERR_DISK']
  const cases = ALL.flatMap((name) => [name, `${name}/model.onnx`, `onnx/${name}`].map((file) => [name, file]))
  await fewAtOnce(8, cases, async ([name, file]) => {
    const error = await attempt('zoo/bert-mean', { file })
    if (error !== undefined) assertTyped(error, codes, `file ${shown(file)}`)
    else assert.ok(ODD.includes(name) || name === '', `file ${shown(file)} was loaded`)
  })
  assertNoneClimbs(hub)
  assertUntouched()
  for (const file of filesIn(cacheDir)) assert.match(file, /^(models--zoo--bert-mean|\.locks\/models--zoo--bert-mean)\//)
})

test("paths in a Hub's list, and in a model's modules.json, stay inside the commit", async (t) => {
  const { hub, attempt, assertUntouched, cacheDir } = await hostileWorld(t)
  const modules = JSON.parse(MEAN['modules.json'])
  const pooling = modules.find(({ type }) => /Pooling/.test(type))
  await fewAtOnce(8, LISTED, async (name, number) => {
    const files = { ...MEAN, 'modules.json': JSON.stringify(modules.map((one) => (one === pooling ? { ...one, path: name } : one))) }
    // Listed and sent under the very name, and under what it could be taken for.
    for (const path of [`${name}/config.json`, name]) files[path] = MEAN['1_Pooling/config.json']
    const id = `zoo/names-${number}`
    hub.add(id, files)
    const error = await attempt(id)
    const codes = ['ERR_MODEL_INVALID', 'ERR_FILE_NOT_FOUND', 'ERR_MODEL_UNSUPPORTED', 'ERR_DISK']
    if (error !== undefined) assertTyped(error, codes, `modules.json ${shown(name)}`)
    else assert.ok(ODD.includes(name) || ['', '.'].includes(name), `${shown(name)} was followed`)
  })
  assertUntouched()
  assertNoneClimbs(hub)
  for (const file of filesIn(cacheDir)) assert.match(file, /^(\.locks\/)?models--zoo--names-\d+\//)
})

test('a base that a card names is an id like any other', async (t) => {
  const { hub, attempt, assertUntouched } = await hostileWorld(t)
  await fewAtOnce(8, ALL, async (name, number) => {
    const id = `zoo/card-${number}`
    // Written in each of the ways that YAML has; what cannot stand in a line ends it. There are no weights: the base comes before them.
    const base = [`zoo/${name}`, `${name}/model`, name][number % 3]
    const line = [`base_model: ${base}`, `base_model:\n- "${base}"`, `base_model: ['${base}']`][(number >> 1) % 3]
    hub.add(id, { 'config.json': MEAN['config.json'], 'README.md': `---\n${line}\n---\n` })
    assertTyped(await attempt(id), ['ERR_MODEL_UNSUPPORTED', 'ERR_FILE_NOT_FOUND'], `base_model ${shown(name)}`)
  })
  assertNoneClimbs(hub)
  assertUntouched()
  const asked = [...new Set(hub.requests.map((entry) => entry.id))].filter((id) => !/^zoo\/card-\d+$/.test(id))
  assert.ok(asked.length > 0, 'none was taken, so nothing was tested')
  for (const id of asked) assert.match(id, /^[A-Za-z0-9_][\w.-]*\/[A-Za-z0-9_][\w.-]*$/)
})

test('a reranker is no other way in', async (t) => {
  const { hub, attempt, assertUntouched } = await hostileWorld(t)
  for (const name of NEVER) {
    assertTyped(await attempt('zoo/ranker', { revision: name || '..' }, Reranker), ['ERR_INVALID_ARG'], shown(name))
  }
  assert.equal(hub.connections, 0)
  assertUntouched()
})
