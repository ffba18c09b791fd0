// One cache for Python and Node: the real huggingface_hub reads what we write, we read what it writes, and neither downloads what the other
// has.

import assert from 'node:assert/strict'
import { lstatSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertGives, assertLoaded, loadApart, skip, together } from './hub/apart.mjs'
import { ALL, GRAPH, SIZE, asked, isTree, sent } from './hub/partner.mjs'
import { findPython, runPython } from './hub/python.mjs'
import { assertSound, filesIn, hashes, temporary, world, zoo } from './hub/world.mjs'

const { python, reason } = findPython()

/** A test with a fake Hub and Python. `run(code, env)` gives what the code says. */
function withPython(name, work, options) {
  test(name, async (t) => {
    if (python === undefined) return skip(t, reason)
    const place = await world(t, { hub: options })
    const head = `from huggingface_hub import *\nid = ${JSON.stringify(place.id)}\n`
    const start = (code, env) => runPython(t, python, head + code, { ...place, env })
    await work(t, { ...place, start, run: (code, env) => start(code, env).said })
  })
}

// The real Hub sends small files over a second address since 2025; mirrors do not.
for (const resolveCache of [false, true]) {
  describe(resolveCache ? 'with a Hub that redirects small files' : 'with a Hub that sends small files itself', { concurrency: 2 }, () => {
    withPython('what Python has downloaded as a whole is loaded with no request', async (t, place) => {
      const { hub, id, commit, cacheDir, load, options, run } = place
      await run('snapshot_download(id)')
      hub.clear()
      await assertGives(await load())
      await assertGives(await load({ revision: commit }))
      await assertGives(await load({ offline: true }))
      assertLoaded(await loadApart(t, id, options(), { env: { HF_HUB_OFFLINE: '1' } }).said)
      assert.deepEqual(asked(hub), [])
      assertSound(cacheDir)
    }, { resolveCache })

    withPython('what Python has downloaded file by file needs at most the list of files, once', async (t, place) => {
      const { hub, load, cacheDir, folder, run } = place
      // As transformers does it: one file after another, and some that are not there.
      await run(`
from huggingface_hub.errors import EntryNotFoundError
for name in ${JSON.stringify([...ALL, 'README.md', 'transformers.js_config.json', 'onnx/model.onnx_data', 'added_tokens.json'])}:
    try: hf_hub_download(id, name)
    except EntryNotFoundError: pass`)
      assert.ok(filesIn(join(folder, '.no_exist')).length >= 4, 'there are no markers of absent files')
      hub.clear()
      await assertGives(await load())
      assert.ok(asked(hub).every(isTree) && hub.requests.length <= 1, `${asked(hub)}`)
      hub.clear()
      await assertGives(await load())
      await assertGives(await load({ offline: true }))
      assert.deepEqual(asked(hub), [])
      assertSound(cacheDir)
    }, { resolveCache })

    withPython('what we have downloaded Python takes, file by file and as a whole', async (t, place) => {
      const { hub, commit, folder, cacheDir, load, run } = place
      await assertGives(await load())
      const used = filesIn(join(folder, 'snapshots', commit))
      assert.ok(used.length >= 8)
      hub.clear()
      const paths = await run(`
files = ${JSON.stringify(used)}
first = [hf_hub_download(id, name) for name in files]
assert first == [hf_hub_download(id, name, revision=${JSON.stringify(commit)}) for name in files]
assert first == [hf_hub_download(id, name, local_files_only=True) for name in files]
assert first == [try_to_load_from_cache(id, name) for name in files]
assert try_to_load_from_cache(id, 'onnx/model.onnx_data') is _CACHED_NO_EXIST
for more in [{}, {'revision': ${JSON.stringify(commit)}}, {'local_files_only': True}]:
    assert snapshot_download(id, allow_patterns=files, **more) == first[0][:-len(files[0]) - 1]
say(first)`)
      paths.forEach((path, index) => assert.ok(readFileSync(path).equals(readFileSync(join(zoo('bert-mean'), used[index])))))
      assert.deepEqual(sent(hub), [])
      // The rest, and nothing twice.
      await run('snapshot_download(id)')
      assert.deepEqual(sent(hub).sort(), ALL.filter((file) => !used.includes(file)).sort())
      hub.clear()
      await assertGives(await load())
      assert.deepEqual(asked(hub), [])
      assertSound(cacheDir)
    }, { resolveCache })

    withPython('without links neither downloads what the other has', async (t, place) => {
      const { hub, id, folder, cacheDir, options, run } = place
      const env = { HF_HUB_DISABLE_SYMLINKS: '1' }
      const isPlain = () => filesIn(join(folder, 'snapshots')).every((file) => lstatSync(join(folder, 'snapshots', file)).isFile())
      await run('snapshot_download(id)', env)
      assert.ok(isPlain())
      hub.clear()
      assertLoaded(await loadApart(t, id, options(), { env }).said)
      assertLoaded(await loadApart(t, id, options({ offline: true }), { env }).said)
      assert.deepEqual(asked(hub), [])
      rmSync(cacheDir, { recursive: true })

      assertLoaded(await loadApart(t, id, options(), { env }).said)
      assert.ok(isPlain())
      hub.clear()
      const used = JSON.stringify(filesIn(join(folder, 'snapshots')).map((file) => file.slice(41)))
      await run(`snapshot_download(id, allow_patterns=${used})\nfor name in ${used}: hf_hub_download(id, name)`, env)
      assert.deepEqual(sent(hub), [])
      assertLoaded(await loadApart(t, id, options(), { env }).said)
      assertSound(cacheDir)
    }, { resolveCache })
  })
}

/** Both load at once, the graph comes slowly, and one of the two has begun with it. */
const RACES = { 'Python is first': ['python', 'ours'], 'we are first': ['ours', 'python'] }

describe('both at once make one download of each file', { concurrency: 2 }, () => {
  for (const [name, order] of Object.entries(RACES)) {
    withPython(name, async (t, place) => {
      const { hub, id, cacheDir, load, options, start } = place
      hub.fault({ server: 'cdn' }, { rate: SIZE / 1.5 })
      const begin = {
        python: () => start('snapshot_download(id)').said,
        ours: () => loadApart(t, id, options()).said.then((said) => assertLoaded(said)),
      }
      const first = begin[order[0]]()
      while (hub.count({ server: 'cdn' }) === 0) await sleep(5)
      await together([first, begin[order[1]]()])
      assert.deepEqual(sent(hub).sort(), [...ALL].sort())
      assertSound(cacheDir)
      hub.clear()
      await assertGives(await load())
      assert.deepEqual(asked(hub), [])
    })
  }
})

withPython('Python finds nothing wrong with a cache that we wrote, and may delete from it', async (t, place) => {
  const { hub, id, commit, folder, cacheDir, load, run } = place
  const files = Object.fromEntries(ALL.map((file) => [file, readFileSync(join(zoo('bert-mean'), file))]))
  await assertGives(await load())
  const moved = hub.add(id, { ...files, 'config.json': Buffer.concat([files['config.json'], Buffer.from('\n')]) })
  hub.add(id, files, { branch: 'refs/pr/1' })
  await assertGives(await load({ refresh: true }))
  await assertGives(await load({ revision: 'refs/pr/1' }))
  const scan = `
cache = scan_cache_dir()
assert not cache.warnings, cache.warnings
[repo] = cache.repos
say({'id': repo.repo_id, 'size': repo.size_on_disk, 'files': repo.nb_files,
     'revisions': {one.commit_hash: sorted(one.refs) for one in repo.revisions}})`
  const blobs = filesIn(join(folder, 'blobs')).map((name) => readFileSync(join(folder, 'blobs', name)).length)
  const size = blobs.reduce((sum, each) => sum + each, 0)
  assert.deepEqual(await run(scan), { id, size, files: blobs.length, revisions: { [commit]: ['refs/pr/1'], [moved]: ['main'] } })

  // Its own comparison of hashes with the Hub's list.
  const verified = await run(`
found = HfApi().verify_repo_checksums(id)
say([found.checked_count, [str(one) for one in found.mismatches], sorted(found.extra_paths)])`)
  assert.deepEqual(verified, [filesIn(join(folder, 'snapshots', moved)).length, [], []])

  await run(`scan_cache_dir().delete_revisions(${JSON.stringify(moved)}).execute()`)
  hub.clear()
  await assertGives(await load({ revision: commit }))
  await assertGives(await load({ revision: 'refs/pr/1' }))
  assert.deepEqual(asked(hub), [])
  await assertGives(await load())
  assert.deepEqual(sent(hub), ['config.json'], 'only what was deleted')
  await run(`scan_cache_dir().delete_revisions(*${JSON.stringify([commit, moved])}).execute()`)
  await assertGives(await load())
  assertSound(cacheDir)
})

withPython('what Python left half is downloaded by us, and the reverse', async (t, place) => {
  const { hub, id, cacheDir, load, options, start, run } = place
  const half = async (begin) => {
    const slow = hub.fault({ server: 'cdn' }, { rate: SIZE / 2 })
    const { child, said } = begin()
    while (!hub.requests.some(({ server, sent }) => server === 'cdn' && sent > SIZE / 4)) await sleep(5)
    child.kill('SIGKILL')
    await said.catch(() => {})
    slow()
    hub.clear()
  }
  await half(() => start('snapshot_download(id)'))
  await assertGives(await load())
  assertSound(cacheDir, { partials: 1 })
  rmSync(cacheDir, { recursive: true })
  await half(() => loadApart(t, id, options()))
  const path = await run(`say(hf_hub_download(id, ${JSON.stringify(GRAPH)}))`)
  assert.equal(hashes(readFileSync(path)).sha256, hashes(readFileSync(join(zoo('bert-mean'), GRAPH))).sha256)
  await assertGives(await load())
})

/** Variables as people write them. */
const VARIABLES = [
  {},
  { HF_HOME: '~/hf' },
  { HF_HOME: '$HOME/a' },
  { HF_HOME: '${HOME}/b/hf' },
  { XDG_CACHE_HOME: '~/xdg' },
  { XDG_CACHE_HOME: '$HOME/c' },
  { HUGGINGFACE_HUB_CACHE: '~/old' },
  { HUGGINGFACE_HUB_CACHE: '~/old', HF_HUB_CACHE: '$HOME/$NEW_NAME/hub', NEW_NAME: 'new' },
  { HF_HUB_CACHE: '~/$NOT_SET/hub' },
]

withPython('the folder of the cache is where Python has it', async (t, place) => {
  const { hub, id, options, start } = place
  const home = temporary(t)
  const env = { HOME: home, HF_HUB_CACHE: undefined }
  const expected = start(`
import importlib, os
from huggingface_hub import constants
found = []
for variables in json.loads(${JSON.stringify(JSON.stringify(VARIABLES))}):
    os.environ.update(variables)
    importlib.reload(constants)
    found.append(os.path.abspath(constants.HF_HUB_CACHE))
    for name in variables: del os.environ[name]
say(found)`, env)
  const after = `
  said.folders = []
  for (const variables of ${JSON.stringify(VARIABLES)}) {
    Object.assign(process.env, variables)
    const embedder = new Embedder(${JSON.stringify(id)}, ${JSON.stringify(options({ cacheDir: undefined }))})
    said.folders.push((await embedder.info()).path.split('/models--')[0])
    await embedder.dispose()
    for (const name of Object.keys(variables)) delete process.env[name]
  }`
  // What nobody expands would be a folder in the working folder.
  const ours = loadApart(t, id, options({ cacheDir: undefined }), { env, cwd: home, after })
  const [python, said] = await together([expected.said, ours.said])
  assertLoaded(said)
  assert.ok(python.every((folder) => folder.startsWith(`${home}/`)), `${python}`)
  VARIABLES.forEach((variables, index) => assert.equal(said.folders[index], python[index], JSON.stringify(variables)))
  assert.equal(hub.count({ server: 'cdn' }), VARIABLES.length)
})
