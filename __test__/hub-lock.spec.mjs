// The lock file for models: what is in it, and that nothing is loaded but what it pins. Damage is hub-lock-damage.spec.mjs's.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { failure } from './fixtures.mjs'
import { NEEDED, application, pinned, variant, vecrank } from './hub/cli.mjs'
import { errorOf } from './hub/environment.mjs'
import { LOCK, MEAN, assertVectorsOf, lockOf, lockedWorld, move } from './hub/lock.mjs'
import { assertSound, temporary, world, zoo } from './hub/world.mjs'

// ---------- the format -------------------------------------------------------------------------------------------------

test('a lock file holds the commit, and size and SHA-256 of every file that a load reads', async (t) => {
  const { hub, id, commit, cacheDir } = await world(t)
  const cwd = application(t)
  const { code, stderr } = await vecrank(t, ['pull', id, '--lock', '--quiet'], {
    cwd,
    env: { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir },
  })
  assert.equal(code, 0, stderr)
  // The text as well: it is committed, so the order and the indentation must not depend on anything.
  assert.equal(readFileSync(join(cwd, LOCK), 'utf8'), lockOf({ [id]: { main: { commit, dtypes: ['auto'], files: pinned(MEAN, NEEDED) } } }))
})

test('two dtypes, two revisions and two models share a lock file, and each is loaded from it', async (t) => {
  const { hub, commit, cacheDir, make, id } = await world(t)
  const files = { ...MEAN, 'onnx/model_quantized.onnx': variant(MEAN['onnx/model.onnx'], 'q') }
  const both = hub.add('zoo/both', files)
  const tagged = hub.add('zoo/both', { ...files, 'more.txt': 'v2' }, { branch: 'v2' })
  const cwd = application(t)
  const lock = join(cwd, LOCK)
  const pull = async (...words) => {
    const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir }
    const { code, stderr } = await vecrank(t, ['pull', ...words, '--lock', '--quiet'], { cwd, env })
    assert.equal(code, 0, stderr)
  }
  await pull('zoo/both')
  await pull('zoo/both', '--dtype', 'q8')
  await pull('zoo/both', '--revision', 'v2', '--dtype', 'q8')
  await pull(id)
  const small = NEEDED.filter((name) => !name.endsWith('.onnx'))
  const q8 = [...small, 'onnx/model_quantized.onnx'].sort()
  assert.equal(
    readFileSync(lock, 'utf8'),
    lockOf({
      'zoo/bert-mean': { main: { commit, dtypes: ['auto'], files: pinned(MEAN, NEEDED) } },
      'zoo/both': {
        main: { commit: both, dtypes: ['auto', 'q8'], files: pinned(files, [...q8, 'onnx/model.onnx'].sort()) },
        v2: { commit: tagged, dtypes: ['q8'], files: pinned(files, q8) },
      },
    }),
  )
  for (const [options, commit, file] of [
    [{}, both, 'onnx/model.onnx'],
    [{ dtype: 'q8' }, both, 'onnx/model_quantized.onnx'],
    [{ dtype: 'q8', revision: 'v2' }, tagged, 'onnx/model_quantized.onnx'],
    [{ dtype: 'q8', revision: tagged }, tagged, 'onnx/model_quantized.onnx'],
  ]) {
    const info = await (await make({ ...options, lock, offline: true }, 'zoo/both').load()).info()
    assert.deepEqual([info.locked, info.commit, info.file], [true, commit, file])
  }
  // A newer commit takes the place of the old one, with the files of this pull alone: those of another dtype were not looked at.
  const moved = hub.add('zoo/both', { ...files, 'more.txt': 'moved' })
  await pull('zoo/both', '--dtype', 'q8')
  const { main } = JSON.parse(readFileSync(lock, 'utf8')).models['zoo/both']
  assert.deepEqual(main, { commit: moved, dtypes: ['q8'], files: pinned(files, q8) })
})

// ---------- pinned -------------------------------------------------------------------------------------------------------

test('a load stays at its commit when the branch moves, in a new cache, with refresh, and offline', async (t) => {
  const { hub, id, commit, cacheDir, lock, make } = await lockedWorld(t)
  const moved = move(hub, id)
  for (const options of [{}, { refresh: true }, { offline: true }, { cacheDir: join(cacheDir, 'other') }]) {
    const embedder = await make({ lock, ...options }).load()
    const info = await embedder.info()
    assert.deepEqual([info.commit, info.locked], [commit, true], JSON.stringify(options))
    await assertVectorsOf('bert-mean', embedder)
    await embedder.dispose()
  }
  assert.equal(hub.count({ path: /\/revision\// }), 0, 'nobody asked what the branch stands for')
  assertSound(cacheDir)
  // And without the lock file the branch decides: the test would see it.
  const free = await make({ cacheDir: join(cacheDir, 'free') }).load()
  assert.deepEqual([(await free.info()).commit, (await free.info()).locked], [moved, false])
  await assertVectorsOf('bert-cls', free)
})

test('a pinned model that is cached is loaded without a request', async (t) => {
  const { hub, lock, make } = await lockedWorld(t)
  await make({ lock }).load()
  hub.clear()
  // Other options: the session is not shared.
  await make({ lock, threads: 2 }).load()
  assert.equal(hub.requests.length, 0)
})

test('offline, what a lock file pins and the cache lacks is listed', async (t) => {
  const { hub, lock, make } = await lockedWorld(t)
  const error = await errorOf(make({ lock, offline: true }).load())
  failure('ERR_OFFLINE', /npx vecrank pull/)(error)
  for (const name of NEEDED) assert.ok(error.message.includes(name), `${name} is not in: ${error.message}`)
  assert.equal(hub.connections, 0)
})

test('what is not pinned is refused in a sentence that says how to pin it, and nobody is asked', async (t) => {
  const { hub, id, commit, lock, pins, make } = await lockedWorld(t)
  hub.add('zoo/other', zoo('bert-mean'))
  hub.add(id, { ...MEAN, 'onnx/other.onnx': MEAN['onnx/model.onnx'] }, { branch: 'v2' })
  const onlyQ8 = join(temporary(t), 'q8.json')
  writeFileSync(onlyQ8, lockOf({ [id]: { main: { ...pins, dtypes: ['q8'] } } }))
  const empty = join(temporary(t), 'empty.json')
  writeFileSync(empty, lockOf({}))
  for (const [name, options, pattern, model] of [
    ['a model', { lock }, /does not pin zoo\/other at 'main'.*npx vecrank pull zoo\/other --lock/, 'zoo/other'],
    ['a branch', { lock, revision: 'v2' }, /does not pin zoo\/bert-mean at 'v2'.*--revision v2/],
    ['a commit', { lock, revision: 'f'.repeat(40) }, /does not pin zoo\/bert-mean at 'f{40}'/],
    ['a dtype', { lock, dtype: 'q8' }, /for dtype 'auto', not for 'q8'.*npx vecrank pull zoo\/bert-mean --dtype q8 --lock/],
    ['the dtype of the file that is pinned', { lock, dtype: 'fp32' }, /for dtype 'auto', not for 'fp32'/],
    ['the default dtype', { lock: onlyQ8 }, /for dtype 'q8', not for 'auto'/],
    ['anything in an empty file', { lock: empty }, /empty\.json does not pin/],
  ]) {
    await assert.rejects(make(options, model ?? id).load(), failure('ERR_FILE_NOT_FOUND', pattern), name)
  }
  assert.equal(hub.requests.length, 0)
  const other = failure('ERR_FILE_NOT_FOUND', /onnx\/other\.onnx.*lock file.*npx vecrank pull zoo\/bert-mean --lock/)
  await assert.rejects(make({ lock, file: 'onnx/other.onnx' }).load(), other)
  assert.equal(hub.count({ file: 'onnx/other.onnx' }) + hub.count({ path: /\/revision\// }), 0)
  // The commit that is pinned may be named itself.
  assert.equal((await (await make({ lock, revision: commit }).load()).info()).locked, true)
})

test('a cached file that the lock file does not know is not used', async (t) => {
  const { hub, lock, make, folder, commit } = await lockedWorld(t, (pins) => delete pins.files['sentence_bert_config.json'])
  // Another program has it in the cache. What a load gives must not depend on who was there before.
  const free = await (await make().load()).info()
  assert.deepEqual([free.locked, free.maxLength], [false, 48])
  assert.ok(existsSync(join(folder, 'snapshots', commit, 'sentence_bert_config.json')))
  hub.clear()
  const held = await (await make({ lock }).load()).info()
  // 64 is what tokenizer_config.json says.
  assert.deepEqual([held.locked, held.maxLength, hub.requests.length], [true, 64, 0])
})

// ---------- the repository that lends ------------------------------------------------------------------------------------

/** A conversion without the small files of sentence-transformers; its card names the repository that has them. */
function convert(hub) {
  const { 'modules.json': _, '1_Pooling/config.json': __, 'sentence_bert_config.json': ___, ...bare } = MEAN
  return hub.add('zoo/converted', { ...bare, 'README.md': '---\nlicense: mit\nbase_model: zoo/bert-mean\n---\n# A conversion\n' })
}

test('the repository that lends small files is pinned too', async (t) => {
  const { hub, id, commit, cacheDir, make } = await world(t)
  const converted = convert(hub)
  const cwd = application(t)
  const lock = join(cwd, LOCK)
  const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir }
  assert.equal((await vecrank(t, ['pull', 'zoo/converted', '--lock', '--quiet'], { cwd, env })).code, 0)
  const { models } = JSON.parse(readFileSync(lock, 'utf8'))
  assert.deepEqual(Object.keys(models), [id, 'zoo/converted'])
  const lent = Object.keys(models[id].main.files)
  assert.deepEqual(models[id].main, { commit, dtypes: [], files: pinned(MEAN, lent) })
  assert.ok(
    lent.includes('modules.json') && lent.includes('1_Pooling/config.json') && !lent.some((name) => name.endsWith('.onnx')),
    `${lent}`,
  )
  assert.ok(models['zoo/converted'].main.files['README.md'], 'the card, which says who lends, is pinned as well')

  // Both move; both stay. The new base would pool in another way.
  move(hub, id)
  move(hub, 'zoo/converted')
  for (const options of [{ offline: true }, {}, { cacheDir: join(cacheDir, 'other') }]) {
    const embedder = await make({ lock, ...options }, 'zoo/converted').load()
    const info = await embedder.info()
    assert.deepEqual([info.locked, info.commit, info.base], [true, converted, { model: id, commit }])
    await assertVectorsOf('bert-mean', embedder)
    await embedder.dispose()
  }
  // It only lends: as a model of its own it is not pinned.
  await assert.rejects(make({ lock }).load(), failure('ERR_FILE_NOT_FOUND', /for dtype none, not for 'auto'/))

  models[id].main.files['modules.json'].sha256 = '0'.repeat(64)
  writeFileSync(lock, lockOf(models))
  await assert.rejects(make({ lock, offline: true }, 'zoo/converted').load(), failure('ERR_CORRUPT', /modules\.json of zoo\/bert-mean/))
})

test('a base that the lock file does not pin is not asked for', async (t) => {
  const { hub, id, make } = await world(t)
  const converted = convert(hub)
  const files = { ...MEAN, 'README.md': Buffer.from('---\nlicense: mit\nbase_model: zoo/bert-mean\n---\n# A conversion\n') }
  const names = [
    'README.md',
    'config.json',
    'config_sentence_transformers.json',
    'onnx/model.onnx',
    'tokenizer.json',
    'tokenizer_config.json',
  ]
  const lock = join(temporary(t), LOCK)
  writeFileSync(lock, lockOf({ 'zoo/converted': { main: { commit: converted, dtypes: ['auto'], files: pinned(files, names) } } }))
  const info = await (await make({ lock, pooling: 'mean', normalize: true }, 'zoo/converted').load()).info()
  assert.deepEqual([info.base, info.commit, hub.count({ id })], [null, converted, 0])
})
