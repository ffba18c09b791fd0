// The command line around the downloads: what it says of itself, how it refuses, and the commands that look after the cache.

import assert from 'node:assert/strict'
import { accessSync, appendFileSync, constants, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { NEEDED, application, bin, contents, start, vecrank } from './hub/cli.mjs'
import { filesIn, hashes, root, temporary, world } from './hub/world.mjs'

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const COMMANDS = [['pull'], ['cache', 'ls'], ['cache', 'verify'], ['cache', 'rm']]

/** An error as every command prints it: one line, and nothing on standard output. */
function assertOneLine({ stdout, stderr }, pattern) {
  assert.match(stderr, /^vecrank: [^\n]+ \(ERR_[A-Z_]+\)\n$/)
  assert.match(stderr, pattern)
  assert.doesNotMatch(stderr, /^\s+at /m, 'a stack')
  assert.equal(stdout, '')
}

test('the package installs the command', async (t) => {
  assert.deepEqual(manifest.bin, { vecrank: 'bin/vecrank.js' })
  assert.ok(manifest.files.includes('bin'), 'bin is packed')
  assert.match(readFileSync(bin, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  if (process.platform === 'win32') return
  accessSync(bin, constants.X_OK)
  // As package managers link it, and called by its name.
  const folder = join(temporary(t), 'node_modules/.bin')
  mkdirSync(folder, { recursive: true })
  symlinkSync(bin, join(folder, 'vecrank'))
  const { code, stdout } = await start(t, join(folder, 'vecrank'), ['--version']).ended
  assert.deepEqual([code, stdout], [0, `${manifest.version}\n`])
})

test('help names every command and every option, without the addon', async (t) => {
  // Help must be there where the addon cannot be loaded, which is when it is needed most.
  const env = { VECRANK_ONNXRUNTIME: 'not/absolute' }
  const { code, stdout, stderr } = await vecrank(t, ['--help'], { env })
  assert.deepEqual([code, stderr], [0, ''])
  for (const words of COMMANDS) {
    assert.match(stdout, new RegExp(`vecrank ${words.join(' ')}`))
    const one = await vecrank(t, [...words, '--help'], { env })
    assert.deepEqual([one.code, one.stderr], [0, ''], words.join(' '))
    assert.ok(one.stdout.startsWith(`vecrank ${words.join(' ')}`), one.stdout)
    assert.match(one.stdout, /--cache-dir DIR/)
  }
  const pull = (await vecrank(t, ['pull', '-h'], { env })).stdout
  const options = ['revision', 'dtype', 'file', 'embedder', 'reranker', 'lock', 'endpoint', 'offline', 'quiet', 'json']
  for (const name of options) assert.match(pull, new RegExp(`--${name}\\b`))
  assert.equal((await vecrank(t, ['cache', '--help'], { env })).code, 0)
})

test('what nobody could run is refused with 2 and the way to the help, and nothing is done', async (t) => {
  const { hub, cacheDir } = await world(t)
  const common = ['--endpoint', hub.url, '--cache-dir', cacheDir]
  const cases = [
    [[], /a command is missing/],
    [['frob'], /no command "frob"/],
    [['--frob'], /no option "--frob"/],
    [['cache'], /missing after cache/],
    [['cache', 'frob'], /no command "cache frob"/],
    [['pull', 'zoo/bert-mean', '--frob', ...common], /no option "--frob"/],
    [['pull', 'zoo/bert-mean', '-x', ...common], /no option "-x"/],
    // In `ps` every user of the machine would see it.
    [['pull', 'zoo/bert-mean', '--token', 'hf_canary', ...common], /no option "--token"/],
    [['pull', 'zoo/bert-mean', '--revision'], /--revision needs a value/],
    [['pull', 'zoo/bert-mean', '--revision', '--json', ...common], /--revision needs a value/],
    [['pull', 'zoo/bert-mean', '--cache-dir=', ...common], /--cache-dir needs a value/],
    [['pull', 'zoo/bert-mean', '--dtype', 'q8', '--dtype', 'fp32', ...common], /--dtype is given twice/],
    [['pull', 'zoo/bert-mean', '--offline=1', ...common], /--offline takes no value/],
    [['pull', 'zoo/bert-mean', '--embedder', '--reranker', ...common], /--embedder and --reranker/],
    [['pull', 'zoo/bert-mean', '--file', 'a.onnx', '--dtype', 'q8', ...common], /--file and --dtype/],
    [['pull', '--dtype', 'q8', ...common], /--dtype needs the name of a model/],
    [['pull', '--lock', ...common], /--lock needs the name of a model/],
    [['pull', 'zoo/bert-mean', './model', ...common], /"\.\/model" is the name of a folder/],
    [['pull', 'zoo/bert-mean', 'bert-mean', ...common], /"bert-mean" is the name of a package.*Models on the Hub are named "owner\/name"/],
    [['pull', 'all-MiniLM-L6-v2', ...common], /this one is "sentence-transformers\/all-MiniLM-L6-v2"/],
    [['cache', 'ls', 'zoo/bert-mean'], /takes no "zoo\/bert-mean"/],
    [['cache', 'rm'], /needs the name of a model/],
    [['cache', 'rm', '--json', 'zoo/bert-mean'], /no option "--json"/],
    [['cache', 'verify', 'a/b', 'c/d'], /one model/],
  ]
  await Promise.all(
    cases.map(async ([words, pattern]) => {
      const { code, stdout, stderr } = await vecrank(t, words)
      assert.deepEqual([code, stdout], [2, ''], `${words.join(' ')}: ${stderr}`)
      assert.match(stderr, pattern)
      assert.match(stderr, /Run `vecrank .*--help`/)
      assert.doesNotMatch(stderr, /canary|^\s+at /m)
    }),
  )
  assert.equal(hub.connections, 0)
  assert.equal(existsSync(cacheDir), false)
})

test('a name without its owner is said to lack one by every command, and none advises to install it', async (t) => {
  for (const words of [['pull', 'all-MiniLM-L6-v2'], ['cache', 'rm', 'all-MiniLM-L6-v2'], ['cache', 'verify', 'all-MiniLM-L6-v2']]) {
    const { code, stderr } = await vecrank(t, words)
    assert.ok(code > 0, stderr)
    assert.match(stderr, /"owner\/name"/)
    assert.doesNotMatch(stderr, /install/)
  }
})

test('a failure is one line with its code, and ends with 1', async (t) => {
  const { hub, id, cacheDir } = await world(t)
  hub.add('zoo/secret', contents('bert-mean'), { isPrivate: true })
  hub.token = 'hf_right'
  const common = ['--endpoint', hub.url, '--cache-dir', cacheDir, '--quiet']
  const nowhere = join(cacheDir, 'none')
  const cases = [
    [['pull', 'zoo/none', ...common], /zoo\/none.*\(ERR_MODEL_NOT_FOUND\)/],
    [['pull', id, '--revision', 'v9', ...common], /no revision 'v9'.*\(ERR_MODEL_NOT_FOUND\)/],
    [['pull', id, '--revision', '../v9', ...common], /\(ERR_INVALID_ARG\)/],
    [['pull', id, '--dtype', 'q9', ...common], /q9.*\(ERR_INVALID_ARG\)/],
    [['pull', id, '--dtype', 'q4', ...common], /\(ERR_FILE_NOT_FOUND\)/],
    [['pull', id, '--file', 'onnx/none.onnx', ...common], /onnx\/none\.onnx.*\(ERR_FILE_NOT_FOUND\)/],
    [['pull', 'zoo--x/y', ...common], /zoo--x\/y.*\(ERR_INVALID_ARG\)/],
    [['pull', id, '--offline', ...common], /\(ERR_OFFLINE\)/],
    [['pull', id, '--endpoint', 'ftp://nowhere', '--cache-dir', cacheDir], /\(ERR_INVALID_ARG\)/],
    [['pull', 'zoo/secret', ...common], /HF_TOKEN.*\(ERR_UNAUTHORIZED\)|HF_TOKEN.*\(ERR_MODEL_NOT_FOUND\)/],
    [['pull', id, ...common], /\(ERR_UNAUTHORIZED\)/, { HF_TOKEN: 'hf_canary' }],
    [['pull', ...common], /no vecrank\.lock\.json.*--lock.*\(ERR_FILE_NOT_FOUND\)/],
    [['cache', 'rm', id, '--cache-dir', nowhere], /zoo\/bert-mean is not in the cache.*\(ERR_MODEL_NOT_FOUND\)/],
    [['cache', 'rm', '../..', '--cache-dir', cacheDir], /\(ERR_INVALID_ARG\)/],
    [['cache', 'verify', id, '--cache-dir', nowhere], /is not in the cache.*\(ERR_MODEL_NOT_FOUND\)/],
    [['cache', 'verify', '../..', '--cache-dir', cacheDir], /\(ERR_INVALID_ARG\)/],
    // The lines below the first of a longer message are not lost: they are joined.
    [['pull', id, ...common], /VECRANK_LOCK is "required".*Looked in:.*\(ERR_FILE_NOT_FOUND\)/, { VECRANK_LOCK: 'required' }],
  ]
  await Promise.all(
    cases.map(async ([words, pattern, env]) => {
      const result = await vecrank(t, words, { cwd: application(t), env })
      assert.equal(result.code, 1, `${words.join(' ')}: ${result.stderr}`)
      assertOneLine(result, pattern)
      assert.doesNotMatch(result.stderr, /canary/)
    }),
  )
})

test('what the network said is part of the line', async (t) => {
  const { hub, id, cacheDir } = await world(t)
  await hub.close()
  const result = await vecrank(t, ['pull', id, '--endpoint', hub.url, '--cache-dir', cacheDir])
  assert.equal(result.code, 1)
  assertOneLine(result, /could not be reached.*Cause: .*refused.*\(ERR_DOWNLOAD\)/i)
})

test('an addon that cannot be loaded is such a failure', async (t) => {
  const result = await vecrank(t, ['cache', 'ls'], { env: { VECRANK_ONNXRUNTIME: 'not/absolute' } })
  assert.equal(result.code, 1)
  assertOneLine(result, /VECRANK_ONNXRUNTIME.*\(ERR_RUNTIME\)/)
})

// ---------- the cache --------------------------------------------------------------------------------------------------

test('cache ls lists models, their sizes and their commits, and writes nothing', async (t) => {
  const { id, commit, cacheDir, load } = await world(t)
  const listed = (...more) => vecrank(t, ['cache', 'ls', '--cache-dir', cacheDir, ...more])
  const empty = await listed()
  assert.deepEqual([empty.code, empty.stderr], [0, ''])
  assert.match(empty.stdout, /^0 models, 0 B in .*hub\n$/)
  assert.deepEqual(JSON.parse((await listed('--json')).stdout), { folder: cacheDir, models: [] })
  assert.equal(existsSync(cacheDir), false, 'listing makes no cache')

  await load()
  // What is not a model's folder is somebody else's.
  mkdirSync(join(cacheDir, 'datasets--a--b'))
  writeFileSync(join(cacheDir, 'version.txt'), '1')
  const before = filesIn(cacheDir)
  const { folder, models } = JSON.parse((await listed('--json')).stdout)
  assert.deepEqual([folder, models.length], [cacheDir, 1])
  assert.deepEqual([models[0].model, models[0].revisions, models[0].commits], [id, [{ revision: 'main', commit }], [commit]])
  const blobs = filesIn(models[0].path).filter((file) => file.startsWith('blobs/'))
  const bytes = blobs.reduce((sum, file) => sum + readFileSync(join(models[0].path, file)).length, 0)
  // The lists and stamps beside the blobs take some space as well.
  assert.ok(models[0].size >= bytes && models[0].size < bytes + 20_000, `${models[0].size} of ${bytes}`)
  const { stdout } = await listed()
  assert.match(stdout, new RegExp(`^zoo/bert-mean +27\\d kB +main ${commit.slice(0, 7)}\n1 model, 27\\d kB in `))
  assert.deepEqual(filesIn(cacheDir), before)
})

test('the cache of the environment is meant where none is named', async (t) => {
  const { hub, id, cacheDir } = await world(t)
  const env = { HF_HUB_CACHE: cacheDir, HF_ENDPOINT: hub.url }
  assert.equal((await vecrank(t, ['pull', id, '--quiet'], { env })).code, 0)
  assert.match((await vecrank(t, ['cache', 'ls'], { env })).stdout, /zoo\/bert-mean/)
  const home = temporary(t)
  assert.match((await vecrank(t, ['cache', 'ls'], { env: { HF_HOME: home } })).stdout, new RegExp(`0 models.*${join(home, 'hub')}`))
})

test('cache verify hashes every file, names what is damaged, and its command heals it', async (t) => {
  const { hub, id, cacheDir, folder, load } = await world(t)
  await load()
  hub.add('zoo/other', { 'config.json': '{}' })
  const verify = (...more) => vecrank(t, ['cache', 'verify', '--cache-dir', cacheDir, ...more])
  const sound = await verify()
  assert.deepEqual([sound.code, sound.stdout, sound.stderr], [0, `${NEEDED.length} files sound, 0 damaged\n`, ''])

  const files = contents('bert-mean')
  const blobs = [
    ['onnx/model.onnx', hashes(files['onnx/model.onnx']).sha256],
    ['config.json', hashes(files['config.json']).git],
  ]
  for (const [, name] of blobs) appendFileSync(join(folder, 'blobs', name), '\n')
  const hurt = await verify(id)
  assert.equal(hurt.code, 1)
  for (const [file, name] of blobs)
    assert.match(hurt.stdout, new RegExp(`damaged: zoo/bert-mean: ${file}: .*/blobs/${name} has the hash [0-9a-f]+`))
  assert.match(hurt.stdout, new RegExp(`${NEEDED.length - 2} files sound, 2 damaged`))
  const parsed = JSON.parse((await verify('--json')).stdout)
  assert.deepEqual(parsed.damaged.map(({ model, file }) => [model, file]).sort(), [
    [id, 'config.json'],
    [id, 'onnx/model.onnx'],
  ])

  // The commands as they are printed, but for `npx` and a Hub that the test cannot put into them.
  assert.equal(parsed.heal.length, 2)
  for (const command of parsed.heal) {
    assert.match(command, /^npx vecrank pull zoo\/bert-mean /)
    assert.ok(hurt.stdout.includes(`  ${command}\n`))
    assert.equal((await vecrank(t, command.split(' ').slice(2), { env: { HF_ENDPOINT: hub.url } })).code, 0)
  }
  assert.equal((await verify()).code, 0)
})

test('a damaged file that no commit uses is healed by taking the model out', async (t) => {
  const { cacheDir, folder, load } = await world(t)
  await load()
  writeFileSync(join(folder, 'blobs', '0'.repeat(64)), 'not what its name says')
  const { code, stdout } = await vecrank(t, ['cache', 'verify', '--cache-dir', cacheDir])
  assert.equal(code, 1)
  const [, command] = /Heal with:\n {2}npx vecrank (.*)\n/.exec(stdout)
  assert.match(command, /^cache rm zoo\/bert-mean /)
  assert.equal((await vecrank(t, command.split(' '))).code, 0)
  assert.equal((await vecrank(t, ['cache', 'verify', '--cache-dir', cacheDir])).code, 0)
})

test('where links cannot be made, damaged files are found as well', async (t) => {
  const { hub, id, commit, cacheDir, folder } = await world(t)
  const env = { HF_HUB_DISABLE_SYMLINKS: '1', HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir }
  assert.equal((await vecrank(t, ['pull', id, '--quiet'], { env })).code, 0)
  // A file of its own, as Python leaves it on Windows: no blob, the bytes in the snapshot.
  const place = join(folder, 'snapshots', commit, 'onnx/model.onnx')
  const bytes = readFileSync(place)
  rmSync(place)
  bytes[1000] ^= 1
  writeFileSync(place, bytes)
  rmSync(join(folder, 'blobs', hashes(contents('bert-mean')['onnx/model.onnx']).sha256))
  const { code, stdout } = await vecrank(t, ['cache', 'verify'], { env })
  assert.equal(code, 1, stdout)
  assert.match(stdout, /damaged: zoo\/bert-mean.*onnx\/model\.onnx/)
})

test('cache rm takes a model out, says what became free, and leaves the others', async (t) => {
  const { hub, id, cacheDir, folder, load } = await world(t)
  hub.add('zoo/other', contents('bert-mean'))
  await load()
  await load({}, 'zoo/other')
  const { models } = JSON.parse((await vecrank(t, ['cache', 'ls', '--json', '--cache-dir', cacheDir])).stdout)
  const { code, stdout, stderr } = await vecrank(t, ['cache', 'rm', id, '--cache-dir', cacheDir])
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /^Removed zoo\/bert-mean: 27\d kB freed\n$/)
  assert.equal(Math.round(models[0].size / 1000), Number(/(\d+) kB/.exec(stdout)[1]))
  assert.equal(existsSync(folder), false)
  assert.deepEqual(
    filesIn(cacheDir).filter((file) => file.includes('bert-mean')),
    [],
    'its locks are gone too',
  )
  assert.ok(existsSync(join(cacheDir, 'models--zoo--other/refs/main')))
})

test(
  'output into a pipe that is closed early is no failure',
  { skip: process.platform === 'win32' && 'a shell with head is needed' },
  async (t) => {
    const { cacheDir, load } = await world(t)
    await load()
    const line = `"${process.execPath}" "${bin}" cache ls --json --cache-dir "${cacheDir}" | true; exit "\${PIPESTATUS[0]}"`
    const { code, stderr } = await start(t, 'bash', ['-c', line]).ended
    assert.deepEqual([code, stderr], [0, ''])
  },
)

test(
  'output that cannot be written is a failure',
  { skip: !existsSync('/dev/full') && 'NOT TESTED: there is no /dev/full here' },
  async (t) => {
    const { cacheDir, load } = await world(t)
    await load()
    const line = `"${process.execPath}" "${bin}" cache ls --json --cache-dir "${cacheDir}" > /dev/full`
    const { code, stderr } = await start(t, 'sh', ['-c', line]).ended
    assert.equal(code, 1)
    assert.match(stderr, /^vecrank: the output could not be written: [^\n]*\n$/)
  },
)
