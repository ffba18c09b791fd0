// Where the lock file for models is found: by a program, by a worker thread, and by a server that was started from somewhere else. Each is
// a process of its own, as the places follow from its main file, its working folder and its environment.

import assert from 'node:assert/strict'
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { NEEDED, application, contents, pinned, start } from './hub/cli.mjs'
import { root, temporary, world, zoo } from './hub/world.mjs'

const MEAN = contents('bert-mean')
const LOCK = 'vecrank.lock.json'
const VECRANK = pathToFileURL(join(root, 'index.js')).href

/** A program that loads a model and prints what it got. */
const PROGRAM = `
import { Embedder } from ${JSON.stringify(VECRANK)}
const [model, options = '{}'] = process.env.ASKED.split(' ')
await new Embedder(model, JSON.parse(options)).load().then(
  async (embedder) => console.log(JSON.stringify(await embedder.info())),
  ({ code, message }) => console.log(JSON.stringify({ code, message })),
)
`

/** The same in CommonJS, as bundlers write it. */
const REQUIRE = `const { Embedder } = require(${JSON.stringify(join(root, 'index.js'))})`
const BUNDLE = `const run = async () => {${PROGRAM.replace(/^import .*$/m, REQUIRE)}}; run()`

/** The same in a worker thread of a program. */
const worker = (script) => `
import { Worker } from 'node:worker_threads'
new Worker(new URL(${JSON.stringify(script)}, import.meta.url))
`

/** A model whose branch has moved on from what the lock files pin. */
async function movedWorld(t) {
  const all = await world(t)
  const moved = all.hub.add(all.id, zoo('bert-cls'))
  const lock = JSON.stringify({
    version: 1,
    models: { [all.id]: { main: { commit: all.commit, dtypes: ['auto'], files: pinned(MEAN, NEEDED) } } },
  })
  /** Runs a program and gives what it printed. */
  const ask = async (args, { cwd, env, model = all.id, options } = {}) => {
    const asked = options === undefined ? model : `${model} ${JSON.stringify(options)}`
    const place = { HF_ENDPOINT: all.hub.url, HF_HUB_CACHE: all.cacheDir, HF_HOME: dirname(all.cacheDir), ASKED: asked }
    const { code, stdout, stderr } = await start(t, process.execPath, args, { cwd, env: { ...place, ...env } }).ended
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }
  return { ...all, moved, lock, ask }
}

/** A lock file that pins another commit than the one that should hold: whoever reads it is found out. */
const wrong = (lock, commit) => lock.replaceAll(commit, '0'.repeat(40))

test('every place of a lock file is looked at, the strongest first', async (t) => {
  const { commit, moved, lock, ask } = await movedWorld(t)
  const away = temporary(t)
  const files = { 'dist/server.mjs': PROGRAM, 'dist/server.cjs': BUNDLE }
  const none = application(t, files)
  const here = application(t, { ...files, [LOCK]: lock })
  const misleading = application(t, { ...files, [LOCK]: wrong(lock, commit) })
  const named = join(temporary(t), 'models.json')
  writeFileSync(named, lock)
  const main = (folder) => [join(folder, 'dist/server.mjs')]
  const held = [commit, true]
  const cases = [
    ['nowhere', main(none), { cwd: away }, [moved, false]],
    ["the main file's application, called from elsewhere", main(here), { cwd: away }, held],
    ['a bundle in CommonJS, called from elsewhere', [join(here, 'dist/server.cjs')], { cwd: away }, held],
    ["the working folder's application, of a tool from elsewhere", main(none), { cwd: here }, held],
    ['a folder below the application', main(none), { cwd: join(here, 'dist') }, held],
    ["the main file's application before the working folder's", main(here), { cwd: misleading }, held],
    ['VECRANK_LOCK before both', main(misleading), { cwd: misleading, env: { VECRANK_LOCK: named } }, held],
    ['VECRANK_LOCK relative to the working folder', main(none), { cwd: dirname(named), env: { VECRANK_LOCK: 'models.json' } }, held],
    ['an empty VECRANK_LOCK is none', main(here), { cwd: away, env: { VECRANK_LOCK: '' } }, held],
    [
      'the option before all',
      main(misleading),
      { cwd: misleading, env: { VECRANK_LOCK: join(away, 'none.json') }, options: { lock: named } },
      held,
    ],
    ['required, and there', main(here), { cwd: away, env: { VECRANK_LOCK: 'required' } }, held],
    ['required, and named by the option', main(none), { cwd: away, env: { VECRANK_LOCK: 'required' }, options: { lock: named } }, held],
  ]
  await Promise.all(
    cases.map(async ([name, args, options, expected]) => {
      const info = await ask(args, options)
      assert.deepEqual([info.commit, info.locked], expected, `${name}: ${JSON.stringify(info)}`)
    }),
  )
})

test('a program without a main file has its working folder', async (t) => {
  const { commit, lock, ask } = await movedWorld(t)
  const here = application(t, { [LOCK]: lock })
  const info = await ask(['--input-type=module', '-e', PROGRAM], { cwd: here })
  assert.deepEqual([info.commit, info.locked], [commit, true])
})

test(
  'a server that was linked to is where its file is',
  { skip: process.platform === 'win32' && 'NOT TESTED: links need rights on Windows' },
  async (t) => {
    const { commit, lock, ask } = await movedWorld(t)
    const here = application(t, { 'dist/server.mjs': PROGRAM, 'dist/server.cjs': BUNDLE, [LOCK]: lock })
    const away = temporary(t)
    for (const name of ['server.mjs', 'server.cjs']) {
      const link = join(away, name)
      symlinkSync(join(here, 'dist', name), link)
      const info = await ask([link], { cwd: away })
      assert.deepEqual([info.commit, info.locked], [commit, true], name)
    }
  },
)

test('a worker thread finds the lock file that its program finds', async (t) => {
  const { commit, lock, ask } = await movedWorld(t)
  const here = application(t, {
    'dist/main.mjs': worker('./work.mjs'),
    'dist/work.mjs': PROGRAM,
    'dist/inside/work.mjs': PROGRAM,
    [LOCK]: lock,
  })
  const away = temporary(t)
  const info = await ask([join(here, 'dist/main.mjs')], { cwd: away })
  assert.deepEqual([info.commit, info.locked], [commit, true])
  // Code of a pool lies in a package with a package.json of its own, and the application is still the main program's.
  const pool = join(here, 'node_modules/pool')
  const packed = application(t, {
    'dist/main.mjs': worker('../node_modules/pool/work.mjs'),
    'node_modules/pool/package.json': '{}',
    'node_modules/pool/work.mjs': PROGRAM,
    [LOCK]: lock,
  })
  const pooled = await ask([join(packed, 'dist/main.mjs')], { cwd: packed })
  assert.deepEqual([pooled.commit, pooled.locked], [commit, true], pool)
  const far = await ask([join(packed, 'dist/main.mjs')], { cwd: away })
  assert.deepEqual([far.commit, far.locked], [commit, true], 'a pool, called from elsewhere')
})

test('where a lock file is required, a server that left it behind does not load', async (t) => {
  const { hub, id, lock, ask } = await movedWorld(t)
  const here = application(t, { 'dist/server.mjs': PROGRAM, [LOCK]: lock })
  rmSync(join(here, LOCK))
  const away = temporary(t)
  const env = { VECRANK_LOCK: 'required' }
  const { code, message } = await ask([join(here, 'dist/server.mjs')], { cwd: away, env })
  assert.equal(code, 'ERR_FILE_NOT_FOUND')
  assert.match(message, /VECRANK_LOCK is "required" and there is no vecrank\.lock\.json/)
  assert.ok(message.includes(here), 'it says where it looked')
  // A path that leads nowhere is refused as well: whoever names a file means it.
  const named = await ask([join(here, 'dist/server.mjs')], { cwd: away, env: { VECRANK_LOCK: join(away, 'none.json') } })
  assert.equal(named.code, 'ERR_FILE_NOT_FOUND')
  assert.match(named.message, /none\.json/)
  const other = application(t, { 'dist/server.mjs': PROGRAM, [LOCK]: '{ "version": 1, "models": {} }' })
  assert.match((await ask([join(other, 'dist/server.mjs')], { cwd: away, env })).message, new RegExp(`does not pin ${id}`))
  assert.equal(hub.connections, 0)
})

test('folders and packages are outside the lock file, even where it is required', async (t) => {
  const { hub, lock, ask } = await movedWorld(t)
  const packaged = { 'node_modules/my-model/package.json': '{"name":"my-model","version":"1.0.0"}' }
  for (const [name, bytes] of Object.entries(MEAN)) packaged[`node_modules/my-model/${name}`] = bytes
  const with_ = application(t, { ...packaged, 'server.mjs': PROGRAM, [LOCK]: lock })
  const without = application(t, { ...packaged, 'server.mjs': PROGRAM })
  for (const [folder, env] of [
    [with_, {}],
    [with_, { VECRANK_LOCK: 'required' }],
    [without, { VECRANK_LOCK: 'required' }],
  ]) {
    for (const [model, source] of [
      [zoo('bert-mean'), 'folder'],
      ['my-model', 'package'],
    ]) {
      const info = await ask([join(folder, 'server.mjs')], { cwd: folder, env, model })
      assert.deepEqual([info.source, info.locked, info.commit], [source, false, null], JSON.stringify(info))
    }
  }
  assert.equal(hub.connections, 0)
})

test('the default model is pinned like any other', async (t) => {
  const { hub, id, commit, lock, ask } = await movedWorld(t)
  hub.add('zoo/other', zoo('bert-cls'))
  const program = PROGRAM.replace('new Embedder(model, JSON.parse(options))', 'new Embedder()')
  const here = application(t, { 'server.mjs': program, [LOCK]: lock })
  const info = await ask([join(here, 'server.mjs')], { cwd: here, env: { VECRANK_EMBEDDER: id } })
  assert.deepEqual([info.model, info.commit, info.locked], [id, commit, true])
  const { code } = await ask([join(here, 'server.mjs')], { cwd: here, env: { VECRANK_EMBEDDER: 'zoo/other' } })
  assert.equal(code, 'ERR_FILE_NOT_FOUND')
})
