// What lies in the cache may have been put there by somebody else. It leads to nothing outside of it, and no file is used that was not
// verified.

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CLIMBING } from './hub/hostile.mjs'
import { NO_HASHES, ONNX, loadsOr, scene, treeOf } from './hub/scene.mjs'
import { hashes } from './hub/world.mjs'

const noLinks = process.platform === 'win32' && 'NOT TESTED: links need rights on Windows'

test('a note of a branch that was planted leads nowhere', { skip: noLinks }, async (t) => {
  const planted = [...NO_HASHES, 'x'.repeat(1_000_000), `${'f'.repeat(40)}\n${'e'.repeat(40)}`]
  await Promise.all(
    planted.map(async (text) => {
      const what = `refs/main ${JSON.stringify(text.slice(0, 50))}`
      const { load, check, folder, commit } = await scene(t)
      mkdirSync(join(folder, 'refs'), { recursive: true })
      writeFileSync(join(folder, 'refs/main'), text)
      const error = await loadsOr(load, ['ERR_CORRUPT'], what)
      if (error === undefined) assert.equal(readFileSync(join(folder, 'refs/main'), 'utf8'), commit)
      check(what)
    }),
  )
  // A link instead of a note is replaced, and not written through.
  const { load, check, folder, outer } = await scene(t)
  mkdirSync(join(folder, 'refs'), { recursive: true })
  symlinkSync(join(outer, 'x'), join(folder, 'refs/main'))
  await loadsOr(load, ['ERR_CORRUPT'], 'a link')
  check('a link')
})

test('a list of files that was planted names no file outside, and none that is not verified', async (t) => {
  const good = treeOf(() => ({}))
  const listOf = (change) => {
    const files = Object.fromEntries(
      good.map(({ path, oid, size, lfs }) => [path, { size, blob_id: oid, lfs_sha256: lfs?.oid, lfs_size: lfs?.size }]),
    )
    change(files)
    return JSON.stringify({ format_version: 1, files })
  }
  const forged = hashes(Buffer.from('{}')).git
  const cases = [
    ['no JSON', '{'],
    ['of another version', JSON.stringify({ format_version: 2, files: {} })],
    ['paths that climb', listOf((files) => CLIMBING.forEach((name) => (files[name] = { size: 2, blob_id: forged })))],
    ['hashes that climb', listOf((files) => (files['config.json'].blob_id = '../../../../x'))],
    ['large hashes that climb', listOf((files) => (files[ONNX].lfs_sha256 = '../../../../x'))],
    ['the hash of another file', listOf((files) => (files['config.json'].blob_id = forged))],
    ['another size', listOf((files) => (files[ONNX].lfs_size = 7))],
    ['files that are not there', listOf((files) => (files['onnx/more.onnx'] = files[ONNX]))],
  ]
  for (const [name, text] of cases) {
    const { load, check, folder, commit } = await scene(t)
    mkdirSync(join(folder, 'trees'), { recursive: true })
    writeFileSync(join(folder, `trees/${commit}.json`), text)
    await loadsOr(load, ['ERR_CORRUPT', 'ERR_DOWNLOAD', 'ERR_FILE_NOT_FOUND'], name)
    check(name)
  }
})

test(
  'a link to a file outside of the cache is not followed into it, and nothing is written beside its target',
  { skip: noLinks },
  async (t) => {
    const secret = Buffer.from('{"model_type":"of somebody else"}')
    for (const target of ['config.json', hashes(secret).git, hashes(secret).sha256]) {
      const { load, folder, outer, commit, hub } = await scene(t)
      rmSync(join(outer, 'home/x'))
      mkdirSync(join(outer, 'home/x'))
      const outside = join(outer, 'home/x', target)
      writeFileSync(outside, secret)
      mkdirSync(join(folder, 'snapshots', commit), { recursive: true })
      symlinkSync(outside, join(folder, 'snapshots', commit, 'config.json'))
      const error = await loadsOr(load, ['ERR_CORRUPT', 'ERR_DISK'], target)
      assert.deepEqual(readdirSync(join(outer, 'home/x')), [target], 'something was written beside it')
      assert.deepEqual(readFileSync(outside), secret)
      if (error === undefined) assert.ok(hub.bytes('config.json') > 0, 'a stranger’s file was used')
    }
  },
)
