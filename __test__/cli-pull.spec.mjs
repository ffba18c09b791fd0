// `vecrank pull`: what it downloads, pins and prints. The format of the lock file is hub-lock.spec.mjs's.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Embedder } from 'vecrank'
import { assertNear, tiny } from './fixtures.mjs'
import { NEEDED, application, contents, pinned, sent, settings, variant, vecrank } from './hub/cli.mjs'
import { assertSound, filesIn, soak, temporary, world } from './hub/world.mjs'

const BYTES = NEEDED.reduce((sum, name) => sum + contents('bert-mean')[name].length, 0)
/** How often the Hub was asked what a branch stands for. */
const asked = (hub) => hub.count({ path: /\/revision\// })

test('what is pulled is all that a load needs, verified, and what is printed is true', async (t) => {
  const { hub, id, commit, cacheDir, folder, make } = await world(t)
  const { code, stdout, stderr } = await vecrank(t, ['pull', id, '--endpoint', hub.url, '--cache-dir', cacheDir])
  assert.deepEqual([code, stderr], [0, ''])
  assert.deepEqual(sent(hub), NEEDED)
  assertSound(cacheDir)
  // No terminal: a line for each file, once it is there. Then the summary.
  const lines = stdout.split('\n')
  assert.deepEqual(
    lines
      .slice(0, 8)
      .map((line) => /^zoo\/bert-mean: (\S+) \(\S+ k?B\)$/.exec(line)?.[1])
      .sort(),
    NEEDED,
  )
  const place = join(folder, 'snapshots', commit)
  assert.deepEqual(lines.slice(8), [
    `zoo/bert-mean 'main': 8 files, ${Math.round(BYTES / 1000)} kB`,
    `  commit ${commit}`,
    `  folder ${place}`,
    '',
  ])
  assert.doesNotMatch(stdout, /\r/)

  hub.clear()
  await make({ offline: true }).load()
  await make().load()
  assert.equal(hub.requests.length, 0, 'a load after a pull asks nothing')
})

test('--json is JSON alone, --quiet is silence', async (t) => {
  const { hub, id, commit, folder, cacheDir } = await world(t)
  const env = settings(hub, cacheDir)
  const { code, stdout, stderr } = await vecrank(t, ['pull', id, '--json'], { env })
  assert.deepEqual([code, stderr], [0, ''])
  const path = join(folder, 'snapshots', commit)
  const files = pinned(contents('bert-mean'), NEEDED)
  assert.deepEqual(JSON.parse(stdout), {
    lock: null,
    models: [{ kind: 'embedder', parts: [{ model: id, revision: 'main', commit, path, files }], warnings: [] }],
  })
  const quiet = await vecrank(t, ['pull', id, '--quiet'], { env })
  assert.deepEqual(quiet, { code: 0, signal: null, stdout: '', stderr: '' })
})

test('a branch is looked up anew, and what is cached is not downloaded again', async (t) => {
  const { hub, id, commit, cacheDir, make } = await world(t)
  const env = settings(hub, cacheDir)
  const pull = async () => JSON.parse((await vecrank(t, ['pull', id, '--json'], { env })).stdout).models[0].parts[0].commit
  assert.equal(await pull(), commit)
  hub.clear()
  assert.equal(await pull(), commit)
  assert.deepEqual([asked(hub), sent(hub)], [1, []])

  const moved = hub.add(id, { ...contents('bert-mean'), 'config.json': `${contents('bert-mean')['config.json']}\n` })
  hub.clear()
  assert.equal(await pull(), moved)
  assert.deepEqual([asked(hub), sent(hub)], [1, ['config.json']], 'only what has changed')
  const embedder = make({ offline: true })
  await embedder.load()
  assert.equal((await embedder.info()).commit, moved)
})

test('every option of what is pulled has its effect', async (t) => {
  const { hub, cacheDir } = await world(t)
  const files = contents('bert-mean')
  const onnx = files['onnx/model.onnx']
  const all = { ...files, 'onnx/model_quantized.onnx': onnx, 'onnx/other.onnx': onnx }
  const branch = hub.add('zoo/many', { ...all, 'more.txt': 'v1' }, { branch: 'v1' })
  hub.add('zoo/many', all)
  hub.add('zoo/ranker', contents('bert-ranker-1'))
  const cases = [
    [['zoo/many'], 'onnx/model.onnx', 'embedder'],
    [['zoo/many', '--dtype', 'q8'], 'onnx/model_quantized.onnx', 'embedder'],
    [['zoo/many', '--dtype=fp32'], 'onnx/model.onnx', 'embedder'],
    [['zoo/many', '--file', 'onnx/other.onnx'], 'onnx/other.onnx', 'embedder'],
    [['zoo/many', '--revision', 'v1'], 'onnx/model.onnx', 'embedder', ['v1', branch]],
    [['zoo/many', '--revision', branch], 'onnx/model.onnx', 'embedder', [branch, branch]],
    [['zoo/ranker'], 'onnx/model.onnx', 'reranker'],
    [['zoo/ranker', '--reranker'], 'onnx/model.onnx', 'reranker'],
    [['zoo/many', '--embedder'], 'onnx/model.onnx', 'embedder'],
  ]
  for (const [number, [words, weights, kind, at]] of cases.entries()) {
    const common = ['--json', '--endpoint', hub.url, '--cache-dir', join(cacheDir, String(number))]
    const { code, stdout, stderr } = await vecrank(t, ['pull', ...words, ...common])
    assert.equal(code, 0, stderr)
    const [{ kind: found, parts }] = JSON.parse(stdout).models
    assert.equal(found, kind, words.join(' '))
    assert.deepEqual(
      Object.keys(parts[0].files).filter((name) => name.endsWith('.onnx')),
      [weights],
      words.join(' '),
    )
    if (at) assert.deepEqual([parts[0].revision, parts[0].commit], at)
  }
  // A ranker has no pooling: asked for as an embedder it is refused, not pulled in part without a word.
  const wrong = await vecrank(t, ['pull', 'zoo/many', '--reranker', '--endpoint', hub.url, '--cache-dir', join(cacheDir, 'wrong')])
  assert.notEqual(wrong.code, 0)
})

test('several models are pulled in one call, each once', async (t) => {
  const { hub, id, cacheDir } = await world(t)
  hub.add('zoo/ranker', contents('bert-ranker-1'))
  const { code, stdout } = await vecrank(t, ['pull', id, 'zoo/ranker', id, '--json'], { env: settings(hub, cacheDir) })
  assert.equal(code, 0)
  assert.deepEqual(
    JSON.parse(stdout).models.map(({ parts }) => parts[0].model),
    [id, 'zoo/ranker'],
  )
})

test('--offline asks nobody: it tells whether everything is there', async (t) => {
  const { hub, id, cacheDir } = await world(t)
  const env = settings(hub, cacheDir)
  const missing = await vecrank(t, ['pull', id, '--offline'], { env })
  assert.deepEqual([missing.code, hub.connections], [1, 0])
  assert.match(missing.stderr, /config\.json.*\(ERR_OFFLINE\)/)
  assert.equal((await vecrank(t, ['pull', id, '--quiet'], { env })).code, 0)
  const { connections } = hub
  assert.equal((await vecrank(t, ['pull', id, '--offline'], { env })).code, 0)
  assert.equal(hub.connections, connections)
})

test('a Hub that cannot be asked for a newer commit is said aloud, and the cached one is kept', async (t) => {
  const { hub, id, commit, cacheDir } = await world(t)
  const env = settings(hub, cacheDir)
  assert.equal((await vecrank(t, ['pull', id, '--quiet'], { env })).code, 0)
  await hub.close()
  const { code, stdout, stderr } = await vecrank(t, ['pull', id, '--json'], { env })
  assert.equal(code, 0)
  assert.equal(JSON.parse(stdout).models[0].parts[0].commit, commit)
  assert.match(stderr, /^vecrank: warning: zoo\/bert-mean could not be refreshed[^\n]*\n$/)
})

// ---------- the lock file ----------------------------------------------------------------------------------------------

test('--lock writes beside the package.json of the application, or where it is told to', async (t) => {
  const { hub, id, cacheDir } = await world(t)
  const cases = [
    { name: 'the folder itself', cwd: '.', words: [id, '--lock'], file: 'vecrank.lock.json' },
    { name: 'a folder below', cwd: 'src/deep', words: [id, '--lock'], file: 'vecrank.lock.json' },
    { name: 'before the name of a model', cwd: '.', words: ['--lock', id], file: 'vecrank.lock.json' },
    { name: 'a word', cwd: '.', words: [id, '--lock', 'deploy/models.json'], file: 'deploy/models.json' },
    { name: 'behind =', cwd: '.', words: ['--lock=models.lock', id], file: 'models.lock' },
    { name: 'the variable', cwd: '.', words: [id, '--lock'], file: 'named.json', env: { VECRANK_LOCK: 'named.json' } },
    { name: 'required', cwd: 'src', words: [id, '--lock'], file: 'vecrank.lock.json', env: { VECRANK_LOCK: 'required' } },
    { name: 'the option before the variable', cwd: '.', words: [id, '--lock', 'a.json'], file: 'a.json', env: { VECRANK_LOCK: 'b.json' } },
  ]
  for (const { name, cwd, words, file, env } of cases) {
    const folder = application(t, { 'src/deep/index.js': '' })
    const place = join(folder, file)
    const result = await vecrank(t, ['pull', ...words], { cwd: join(folder, cwd), env: { ...settings(hub, cacheDir), ...env } })
    assert.equal(result.code, 0, `${name}: ${result.stderr}`)
    assert.deepEqual(filesIn(folder).sort(), ['package.json', 'src/deep/index.js', file].sort(), name)
    assert.ok(result.stdout.endsWith(`\nWrote ${place}\n`), `${name}: ${result.stdout}`)
  }
  // Without a package.json anywhere above, where the command was called.
  const bare = temporary(t)
  const result = await vecrank(t, ['pull', id, '--lock'], { cwd: bare, env: settings(hub, cacheDir) })
  assert.deepEqual([result.code, filesIn(bare)], [0, ['vecrank.lock.json']])
})

test('a lock file decides what is pulled; --lock takes the newest commit and writes it there', async (t) => {
  const { hub, id, commit, cacheDir } = await world(t)
  const env = settings(hub, cacheDir)
  const cwd = application(t)
  const lock = join(cwd, 'vecrank.lock.json')
  const pull = (...words) => vecrank(t, ['pull', ...words], { cwd, env })
  assert.equal((await pull(id, '--lock')).code, 0)
  const before = readFileSync(lock)
  const moved = hub.add(id, { ...contents('bert-mean'), 'more.txt': 'moved' })

  const held = await pull(id)
  assert.match(held.stdout, new RegExp(`commit ${commit}\n[^]*As pinned in ${lock}\n$`))
  assert.deepEqual(readFileSync(lock), before)
  const other = await pull('zoo/other')
  assert.equal(other.code, 1)
  assert.match(other.stderr, /does not pin zoo\/other.*npx vecrank pull zoo\/other --lock.*\(ERR_FILE_NOT_FOUND\)/)

  assert.equal((await pull(id, '--lock')).code, 0)
  assert.equal(JSON.parse(readFileSync(lock, 'utf8')).models[id].main.commit, moved)
})

test('pulls that end at the same time all pin their models', async (t) => {
  const { hub, cacheDir } = await world(t)
  const cwd = application(t)
  const env = settings(hub, cacheDir)
  const ids = Array.from({ length: soak ? 12 : 6 }, (_, number) => `zoo/same-${number}`)
  for (const id of ids) hub.add(id, { ...contents('bert-mean'), 'more.txt': id })
  // They begin when the machine lets them; the weights make them end together.
  hub.fault({ server: 'cdn' }, { rate: 300_000 })
  const codes = await Promise.all(ids.map(async (id) => (await vecrank(t, ['pull', id, '--lock', '--quiet'], { cwd, env })).code))
  assert.deepEqual(new Set(codes), new Set([0]))
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(join(cwd, 'vecrank.lock.json'), 'utf8')).models).sort(), ids.sort())
  assert.deepEqual(filesIn(cwd), ['package.json', 'vecrank.lock.json'])
})

test('without a name everything that is pinned is pulled, at its commits, and nothing else is asked', async (t) => {
  const { hub, id, commit, cacheDir } = await world(t)
  const cwd = application(t)
  const files = contents('bert-mean')
  const onnx = files['onnx/model.onnx']
  const weights = {
    'onnx/model_quantized.onnx': variant(onnx, 'q'),
    'onnx/other.onnx': variant(onnx, 'o'),
    'onnx/model_fp16.onnx': variant(onnx, 'h'),
  }
  hub.add('zoo/many', { ...files, ...weights })
  // Lends its small files: pinned, but no model of its own.
  const { 'modules.json': _, '1_Pooling/config.json': __, ...bare } = files
  hub.add('zoo/converted', { ...bare, 'README.md': '---\nbase_model: zoo/bert-mean\n---\n' }, { branch: 'v2' })
  const first = settings(hub, join(cacheDir, 'first'))
  for (const words of [
    ['zoo/many'],
    ['zoo/many', '--dtype', 'q8'],
    ['zoo/many', '--file', 'onnx/other.onnx'],
    ['zoo/converted', '--revision', 'v2'],
  ]) {
    const { code, stderr } = await vecrank(t, ['pull', ...words, '--lock', '--quiet'], { cwd, env: first })
    assert.equal(code, 0, stderr)
  }
  const lock = JSON.parse(readFileSync(join(cwd, 'vecrank.lock.json'), 'utf8'))
  assert.deepEqual(
    [lock.models['zoo/many'].main.dtypes, lock.models[id].main.dtypes, lock.models[id].main.commit],
    [['auto', 'q8'], [], commit],
  )

  for (const name of ['zoo/many', id]) hub.add(name, { 'config.json': '{}' })
  hub.add('zoo/converted', { 'config.json': '{}' }, { branch: 'v2' })
  hub.clear()
  const env = settings(hub, join(cacheDir, 'second'))
  const { code, stdout, stderr } = await vecrank(t, ['pull'], { cwd, env })
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /As pinned in .*vecrank\.lock\.json\n$/)
  assert.equal(asked(hub), 0)
  // Exactly the pinned files: no other dtype, and no weights of the repository that only lends.
  const got = hub.requests.filter(({ file, status }) => file && status < 300).map((entry) => `${entry.id} ${entry.file}`)
  const wanted = Object.entries(lock.models).flatMap(([name, revisions]) =>
    Object.values(revisions).flatMap((pins) => Object.keys(pins.files).map((file) => `${name} ${file}`)),
  )
  assert.deepEqual(got.sort(), wanted.sort())
  assertSound(join(cacheDir, 'second'))

  hub.clear()
  assert.equal((await vecrank(t, ['pull', '--quiet'], { cwd, env })).code, 0)
  assert.equal(hub.requests.length, 0, 'everything is there')
})

test('of a model with routes all of them are pulled, and a load offline goes each way', async (t) => {
  const { hub, cacheDir } = await world(t)
  const folder = tiny('beyond/router-dense')
  hub.add('zoo/router-dense', Object.fromEntries(filesIn(folder).map((file) => [file, readFileSync(join(folder, file))])))
  const { code, stderr } = await vecrank(t, ['pull', 'zoo/router-dense', '--endpoint', hub.url, '--cache-dir', cacheDir])
  assert.deepEqual([code, stderr], [0, ''])
  hub.clear()
  const model = await Embedder.load('zoo/router-dense', { endpoint: hub.url, cacheDir, offline: true })
  const local = await Embedder.load(folder)
  for (const way of ['embed', 'embedQuery', 'embedDocument']) assertNear(await model[way]('the river'), await local[way]('the river'), 1e-6, way)
  assert.equal(hub.requests.length, 0)
  await Promise.all([model.dispose(), local.dispose()])
})
