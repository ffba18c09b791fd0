// The base of a conversion, where it cannot be had: what is loaded then, what is said, and which command really helps.
//
// What a base would have said is in the golden vectors of the fixtures: bert-cls pools by its first token and normalises, which a model
// without any word on pooling does not.

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { Embedder, Reranker } from 'vecrank'
import { failure, tiny } from './fixtures.mjs'
import { assertGives as assertGivesOf, texts } from './hub/apart.mjs'
import { contents, vecrank } from './hub/cli.mjs'
import { findPython, runPython } from './hub/python.mjs'
import { filesIn, hashes, temporary, world } from './hub/world.mjs'

const BASE = 'owner/original'
const ID = 'owner/conversion'
const LENT = ['modules.json', 'config_sentence_transformers.json', 'sentence_bert_config.json', '1_Pooling/config.json', '2_Normalize/config.json']
const CARD = `---\nlicense: mit\nbase_model:\n- ${BASE}\n---\n# A conversion\n`
/** What bert-cls says, as options. */
const SAID = { pooling: 'cls', normalize: true }

const conversion = (card = CARD) => {
  const files = contents('bert-cls')
  for (const file of [...LENT, 'golden.json']) delete files[file]
  return { ...files, 'README.md': card }
}
/** The base as its owner keeps it: no ONNX file. */
const original = () => {
  const files = contents('bert-cls')
  for (const file of Object.keys(files)) if (file.startsWith('onnx/') || file === 'golden.json') delete files[file]
  return { ...files, 'pytorch_model.bin': 'weights' }
}

/** Warnings with this code, said while a test runs. */
function listen(t, code = 'VECRANK_HUB') {
  const said = []
  const listener = (warning) => warning.code === code && said.push(warning.message)
  process.on('warning', listener)
  t.after(() => process.off('warning', listener))
  return async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return said.splice(0)
  }
}

/**
 * Puts a commit into a cache as Python's `snapshot_download` does: blobs, links and a ref, with `trees` the list of all files, and nothing of
 * ours. `only` are the files that were downloaded.
 */
function cachedByPython(cacheDir, id, commit, files, { only = () => true, trees = false, absent = [] } = {}) {
  const folder = join(cacheDir, `models--${id.replace('/', '--')}`)
  const write = (path, bytes) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), bytes)
  }
  const list = {}
  for (const [file, content] of Object.entries(files)) {
    const bytes = Buffer.from(content)
    const { git, sha256 } = hashes(bytes)
    const isLarge = /\.(onnx|bin)$/.test(file)
    list[file] = { size: bytes.length, blob_id: git, ...(isLarge && { lfs_sha256: sha256, lfs_size: bytes.length }) }
    if (!only(file)) continue
    write(`blobs/${isLarge ? sha256 : git}`, bytes)
    const link = join(folder, 'snapshots', commit, file)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(`${'../'.repeat(2 + file.split('/').length - 1)}blobs/${isLarge ? sha256 : git}`, link)
  }
  write('refs/main', commit)
  for (const file of absent) write(`.no_exist/${commit}/${file}`, '')
  if (trees) write(`trees/${commit}.json`, JSON.stringify({ format_version: 1, files: list }))
  return folder
}

/** A conversion that Python has cached, and its base on the Hub. */
async function scene(t, { trees = true, only, absent } = {}) {
  const place = await world(t)
  const base = place.hub.add(BASE, original())
  const commit = place.hub.add(ID, conversion())
  const folder = cachedByPython(place.cacheDir, ID, commit, conversion(), { trees, only, absent })
  const load = (more) => place.load(more, ID)
  return { ...place, base, commit, folder, load }
}

/** The vectors that sentence-transformers gives for the model with all its files. */
const assertGives = (embedder) => assertGivesOf(embedder, 'zoo/bert-cls')

/** The command that a sentence advises, run where there is a network. */
function obey(t, sentence, { hub, cacheDir }) {
  const [, words] = /`npx vecrank ([^`]*)`/.exec(sentence) ?? assert.fail(`no command: ${sentence}`)
  return vecrank(t, words.split(' '), { env: { HF_ENDPOINT: hub.url, MODEL_CACHE: cacheDir } })
}

const OFFLINE = { offline: true }

// ---------- offline ------------------------------------------------------------------------------------------------------

describe('a conversion that Python has cached without its base loads offline', () => {
  test('with pooling and normalize, as right as with its base, and what they leave open is said', async (t) => {
    const heard = listen(t)
    const place = await scene(t)
    await assertGives(await place.load({ ...OFFLINE, ...SAID }))
    const [warning, ...more] = await heard()
    assert.deepEqual(more, [])
    assert.match(warning, new RegExp(`${ID}.*without ${BASE}.*${place.cacheDir}.*of prompts and maxLength, and of layers behind pooling`))
    assert.doesNotMatch(warning, /pooling, normalize/)
    assert.deepEqual([place.hub.connections, filesIn(place.folder).filter((file) => file.includes('no-base'))], [0, []])
  })

  test('without options, as transformers would take it, and the warning names the command that brings the base', async (t) => {
    const [heard, assumed] = [listen(t), listen(t, 'VECRANK_ASSUMED')]
    const place = await scene(t)
    const embedder = await place.load(OFFLINE)
    assert.deepEqual((await embedder.info()).assumed, ['pooling', 'normalize'])
    // Mean pooling, not normalised: what its files alone say.
    const folder = temporary(t)
    for (const [file, bytes] of Object.entries(conversion())) {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      writeFileSync(join(folder, file), bytes)
    }
    assert.deepEqual(await embedder.embed(texts), await (await Embedder.load(folder)).embed(texts))
    await embedder.dispose()
    const [warning, ...more] = await heard()
    assert.deepEqual(more, [])
    assert.match(warning, /of pooling, normalize, prompts and maxLength, and of layers behind pooling, is not known/)
    assert.equal((await assumed()).length, 2, 'of the model, and of the folder beside it')
    // The base has no ONNX file: `pull` of it would fail.
    const { code, stderr } = await obey(t, warning, place)
    assert.deepEqual([code, stderr], [0, ''])
    await assertGives(await place.load(OFFLINE))
    assert.deepEqual(await heard(), [])
  })

  test('with all options that there are: only further layers are left open', async (t) => {
    const heard = listen(t)
    const place = await scene(t)
    await assertGives(await place.load({ ...OFFLINE, ...SAID, prompts: {}, maxLength: 64 }))
    const [warning, ...more] = await heard()
    assert.deepEqual(more, [])
    assert.match(warning, /The options decide all but whether further layers follow pooling/)
  })

  test('also where Python keeps no list of the files, and notes what it did not find', async (t) => {
    const heard = listen(t)
    const place = await scene(t, { trees: false, absent: ['modules.json', 'config_sentence_transformers.json'] })
    await assertGives(await place.load({ ...OFFLINE, ...SAID }))
    const [warning, ...more] = await heard()
    assert.deepEqual(more, [])
    assert.match(warning, new RegExp(`without ${BASE}`))
  })

  for (const trees of [true, false]) {
    test(`also without its card, ${trees ? 'which is known to be missing' : 'of which nothing is known'}: it may name a base`, async (t) => {
      const heard = listen(t)
      const place = await scene(t, { trees, only: (file) => file !== 'README.md', absent: ['modules.json'] })
      await assertGives(await place.load({ ...OFFLINE, ...SAID }))
      const [warning, ...more] = await heard()
      assert.deepEqual(more, [])
      assert.match(warning, new RegExp(`${ID} was loaded without its card \\(README.md\\), which may name a base`))
      assert.equal((await obey(t, warning, place)).code, 0)
      await assertGives(await place.load(OFFLINE))
    })
  }

  test('as a reranker without a word: of that a base lends nothing', async (t) => {
    const heard = listen(t)
    const { hub, cacheDir, options } = await world(t)
    const files = { ...contents('bert-ranker-1'), 'README.md': CARD }
    const commit = hub.add('owner/ranker', files)
    cachedByPython(cacheDir, 'owner/ranker', commit, files, { trees: true, only: (file) => file !== 'README.md' })
    const ours = await Reranker.load('owner/ranker', options(OFFLINE))
    const folder = await Reranker.load(tiny('zoo/bert-ranker-1'))
    const documents = ['a river', 'a bridge over it']
    assert.deepEqual(await ours.rerank('water', documents), await folder.rerank('water', documents))
    await Promise.all([ours.dispose(), folder.dispose()])
    assert.deepEqual([await heard(), hub.connections], [[], 0])
  })
})

describe('a base that is cached in part', () => {
  /** Puts some files of the base into the cache. */
  const withBase = async (t, only, options) => {
    const place = await scene(t)
    return { ...place, lender: cachedByPython(place.cacheDir, BASE, place.base, original(), { only, ...options }) }
  }

  test('is ERR_OFFLINE where its list says that it would pool otherwise: it names all that is missing, and the command that helps', async (t) => {
    for (const [only, missing] of [
      [(file) => file === 'config.json', LENT],
      [(file) => file === 'config.json' || file === 'modules.json', LENT.filter((file) => file !== 'modules.json')],
      [(file) => file !== '1_Pooling/config.json', ['1_Pooling/config.json']],
    ]) {
      const place = await withBase(t, only, { trees: true })
      const error = await place.load(OFFLINE).then(() => assert.fail('it was loaded'), (error) => error)
      failure('ERR_OFFLINE', new RegExp(`${BASE} .*the base of ${ID}, is not whole`))(error)
      const [, named] = /Missing: (.*?)\. Run/.exec(error.message)
      const there = Object.keys(original())
      assert.deepEqual(named.split(', ').sort(), missing.filter((file) => there.includes(file)).sort())
      assert.equal((await obey(t, error.message, place)).code, 0)
      await assertGives(await place.load(OFFLINE))
    }
  })

  test('is loaded without, aloud, where nobody knows whether it says how to pool; and that is not kept as an answer', async (t) => {
    const heard = listen(t)
    const place = await withBase(t, (file) => file === 'config.json')
    await assertGives(await place.load({ ...OFFLINE, ...SAID }))
    const [warning, ...more] = await heard()
    assert.deepEqual(more, [])
    assert.match(warning, new RegExp(`without ${BASE}`))
    // Online the base has its say.
    const online = await place.load()
    assert.deepEqual((await online.info()).base, { model: BASE, commit: place.base })
    await assertGives(online)
    assert.deepEqual(await heard(), [])
  })

  test('lends what it has, and what nobody knows of it is said', async (t) => {
    const heard = listen(t)
    const place = await withBase(t, (file) => ['modules.json', '1_Pooling/config.json'].includes(file))
    await assertGives(await place.load(OFFLINE))
    const [warning, ...more] = await heard()
    assert.deepEqual(more, [])
    assert.match(warning, new RegExp(`whether ${BASE} has config_sentence_transformers.json.*npx vecrank pull ${ID}`))
  })

  test('names the file of a module that is not there', async (t) => {
    const place = await withBase(t, (file) => file === 'modules.json')
    const error = await place.load(OFFLINE).then(() => assert.fail('it was loaded'), (error) => error)
    failure('ERR_OFFLINE', new RegExp(`Missing: .*1_Pooling/config.json of ${BASE}`))(error)
    assert.equal((await obey(t, error.message, place)).code, 0)
    await assertGives(await place.load(OFFLINE))
  })

  test('that is damaged names the command that mends it', async (t) => {
    const place = await withBase(t, undefined, { trees: true })
    const pooling = join(place.lender, 'snapshots', place.base, '1_Pooling/config.json')
    const bytes = readFileSync(pooling)
    rmSync(pooling)
    writeFileSync(pooling, String(bytes).replace('true', 'tRue'))
    const error = await place.load(OFFLINE).then(() => assert.fail('it was loaded'), (error) => error)
    failure('ERR_CORRUPT', new RegExp(`${BASE} is damaged`))(error)
    assert.equal((await obey(t, error.message, place)).code, 0)
    await assertGives(await place.load(OFFLINE))
  })
})

test('cache verify names a command for a damaged base that does not need it to have an ONNX file', async (t) => {
  const place = await scene(t)
  cachedByPython(place.cacheDir, BASE, place.base, original(), { trees: true })
  const { git } = hashes(original()['1_Pooling/config.json'])
  writeFileSync(join(place.cacheDir, `models--${BASE.replace('/', '--')}`, 'blobs', git), 'damaged')
  const env = { HF_ENDPOINT: place.hub.url, MODEL_CACHE: place.cacheDir }
  const found = JSON.parse((await vecrank(t, ['cache', 'verify', '--json'], { env })).stdout)
  assert.deepEqual(found.damaged.map(({ model, file }) => `${model} ${file}`), [`${BASE} 1_Pooling/config.json`])
  for (const command of found.heal) {
    const { code, stderr } = await vecrank(t, command.split(' ').slice(2), { env })
    assert.equal(code, 0, `${command}: ${stderr}`)
  }
  await assertGives(await place.load())
  assert.equal((await vecrank(t, ['cache', 'verify'], { env })).code, 0)
})

// ---------- online -------------------------------------------------------------------------------------------------------

describe('a base on the Hub that', () => {
  const closed = {
    'is gated': ({ hub }) => hub.add(BASE, original(), { gated: 'manual' }),
    'is private': ({ hub }) => hub.add(BASE, original(), { isPrivate: true }),
    'is gated from this token': ({ hub }) => {
      hub.token = 'hf_x'
      hub.add(BASE, original(), { gated: 'manual' })
      return { token: 'hf_x' }
    },
    'was deleted': ({ hub }) => void hub.fault({ id: BASE }, { status: 404, headers: { 'x-error-code': 'RepoNotFound' } }),
    'answers 403': ({ hub }) => void hub.fault({ id: BASE }, { status: 403 }),
  }
  for (const [what, close] of Object.entries(closed)) {
    test(`${what} is done without, and each load says so and why`, async (t) => {
      const heard = listen(t)
      const place = await scene(t)
      const options = close(place)
      const more = typeof options === 'object' ? options : {}
      await assertGives(await place.load({ ...SAID, ...more }))
      const [first, ...others] = await heard()
      assert.deepEqual(others, [])
      assert.match(first, new RegExp(`${ID} was loaded without ${BASE}.*cannot be read.*prompts and maxLength.*vecrank pull ${ID}`))
      assert.match(first, what === 'was deleted' || what === 'is private' ? /no model owner\/original on the Hub that can be read/ : /gated: accept its terms|refuses access/)
      // The answer is kept, and said again: neither is a later load silent, nor does it ask.
      place.hub.clear()
      for (const how of [{}, OFFLINE]) {
        await assertGives(await place.load({ ...how, ...SAID, ...more }))
        const [again, ...rest] = await heard()
        assert.deepEqual(rest, [])
        assert.match(again, new RegExp(`${ID} was loaded without ${BASE}`))
      }
      assert.equal(place.hub.requests.length, 0)
      // `pull` says it as well.
      const { code, stderr } = await obey(t, first, place)
      assert.equal(code, 0, stderr)
      assert.match(stderr, new RegExp(`warning: ${ID} was loaded without ${BASE}`))
    })
  }

  test('opens later is used from then on', async (t) => {
    const heard = listen(t)
    const place = await scene(t)
    place.hub.add(BASE, original(), { isPrivate: true })
    await (await place.load(SAID)).dispose()
    assert.equal((await heard()).length, 1)
    place.hub.add(BASE, original(), { isPrivate: false })
    await assertGives(await place.load({ refresh: true }))
    for (const how of [{}, OFFLINE]) {
      const embedder = await place.load(how)
      assert.equal((await embedder.info()).base?.model, BASE)
      await assertGives(embedder)
    }
    assert.deepEqual(await heard(), [])
  })

  test('is gone by now still lends what is in the cache, aloud', async (t) => {
    const heard = listen(t)
    const place = await scene(t)
    cachedByPython(place.cacheDir, BASE, place.base, original(), { only: (file) => ['modules.json', '1_Pooling/config.json'].includes(file) })
    place.hub.fault({ id: BASE }, { status: 404, headers: { 'x-error-code': 'RepoNotFound' } })
    await assertGives(await place.load())
    const [warning, ...more] = await heard()
    assert.deepEqual(more, [])
    assert.match(warning, new RegExp(`does not say any more which files ${BASE} has`))
  })

  test('cannot be reached is ERR_DOWNLOAD that says what it is wanted for; nothing is guessed, and nothing is kept', async (t) => {
    const heard = listen(t)
    const place = await scene(t)
    const mend = place.hub.fault({ id: BASE }, { status: 410 })
    const { message } = await place.load(SAID).then(() => assert.fail('it was loaded'), (error) => error)
    assert.match(message, new RegExp(`${ID} lacks the files that say how to pool, and those of ${BASE}, which its card names as its base, could not be had`))
    mend()
    await assertGives(await place.load())
    assert.deepEqual(await heard(), [])
  })

  test('has no ONNX file is pulled with its conversion, and then nothing more is needed', async (t) => {
    const heard = listen(t)
    const place = await world(t)
    place.hub.add(BASE, original())
    place.hub.add(ID, conversion())
    for (const words of [[], ['--embedder'], ['--lock', join(temporary(t), 'vecrank.lock.json')]]) {
      const pulled = await vecrank(t, ['pull', ID, ...words], { env: { HF_ENDPOINT: place.hub.url, MODEL_CACHE: place.cacheDir } })
      assert.deepEqual([pulled.code, pulled.stderr], [0, ''])
      assert.match(pulled.stdout, new RegExp(`^${BASE} 'main'`, 'm'))
    }
    place.hub.clear()
    await assertGives(await place.load(OFFLINE, ID))
    assert.deepEqual([await heard(), place.hub.requests.length], [[], 0])
  })
})

test('pull without a network does not pass over a base that is missing: a lock file would keep it out for good', async (t) => {
  const place = await scene(t)
  const lock = join(temporary(t), 'vecrank.lock.json')
  const pulled = await vecrank(t, ['pull', ID, '--offline', '--lock', lock], { env: { MODEL_CACHE: place.cacheDir } })
  assert.equal(pulled.code, 1)
  assert.match(pulled.stderr, new RegExp(`${BASE} .*the base of ${ID}, is not in the cache.*Missing: modules.json.*vecrank pull ${ID}.*ERR_OFFLINE`))
  assert.deepEqual(filesIn(dirname(lock)), [])
})

test('pull of a reranker asks no base, whatever its card names', async (t) => {
  const { hub, cacheDir } = await world(t)
  hub.add(BASE, original())
  hub.add('owner/ranker', { ...contents('bert-ranker-1'), 'README.md': CARD })
  const { code, stdout, stderr } = await vecrank(t, ['pull', 'owner/ranker', '--json'], { env: { HF_ENDPOINT: hub.url, MODEL_CACHE: cacheDir } })
  assert.deepEqual([code, stderr], [0, ''])
  assert.equal(JSON.parse(stdout).models[0].kind, 'reranker')
  assert.equal(hub.count({ id: BASE }), 0)
})

test('a lock file that pins the base decides, whatever was noted before it was made', async (t) => {
  const heard = listen(t)
  const place = await scene(t)
  place.hub.token = 'hf_x'
  place.hub.add(BASE, original(), { isPrivate: true })
  await (await place.load(SAID)).dispose()
  assert.equal((await heard()).length, 1)
  const lock = join(temporary(t), 'vecrank.lock.json')
  const env = { HF_ENDPOINT: place.hub.url, MODEL_CACHE: place.cacheDir, HF_TOKEN: 'hf_x' }
  assert.equal((await vecrank(t, ['pull', ID, '--lock', lock], { env })).code, 0)
  const note = join(place.folder, '.vecrank/no-base', place.commit)
  mkdirSync(dirname(note), { recursive: true })
  writeFileSync(note, BASE)
  const embedder = await place.load({ ...OFFLINE, lock })
  assert.equal((await embedder.info()).base?.model, BASE)
  await assertGives(embedder)
  assert.deepEqual(await heard(), [])
  rmSync(join(place.cacheDir, `models--${BASE.replace('/', '--')}`), { recursive: true })
  await assert.rejects(place.load({ ...OFFLINE, lock }), failure('ERR_OFFLINE', new RegExp(`${BASE} .*1_Pooling/config.json.*vecrank pull ${ID}`)))
})

// ---------- the real Python ----------------------------------------------------------------------------------------------

test('what huggingface_hub itself leaves of a conversion loads offline', async (t) => {
  const { python, reason } = findPython()
  if (python === undefined) return t.skip(`NOT TESTED: ${reason}`)
  const heard = listen(t)
  const place = await world(t)
  place.hub.add(BASE, original())
  place.hub.add(ID, conversion())
  const code = `from huggingface_hub import snapshot_download\nsay(snapshot_download(${JSON.stringify(ID)}))`
  await runPython(t, python, code, place).said
  await assertGives(await place.load({ ...OFFLINE, ...SAID }, ID))
  assert.equal((await heard()).length, 1)
  assert.equal(place.hub.count({ id: BASE }), 0)
})
