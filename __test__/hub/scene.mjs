// A Hub, an empty cache with strangers' files around it, and loads that either give a model or an error with a code.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Embedder } from '../../index.js'
import { contents } from './cli.mjs'
import { FakeHub } from './hub.mjs'
import { BROKEN, CLIMBING, assertNoneClimbs, surrounding } from './hostile.mjs'
import { filesIn, hashes } from './world.mjs'

export const ID = 'zoo/bert-mean'
const FOLDER = 'models--zoo--bert-mean'
export const MEAN = contents('bert-mean')
export const ONNX = 'onnx/model.onnx'
/** Names in the place of a hash: each would be a file's name in the cache, or the cache's way out. */
export const NO_HASHES = [
  ...CLIMBING.slice(0, 12),
  ...BROKEN.slice(0, 12),
  'a'.repeat(39),
  'a'.repeat(41),
  'A'.repeat(40),
  'g'.repeat(40),
  'a'.repeat(63),
  `${'a'.repeat(64)}\n`,
  `${'a'.repeat(40)}/..`,
  'abc-2',
  'W/',
  '"',
]

/** `load` gives the model's info; `check` looks at the disk and at the requests. */
export async function scene(t) {
  const hub = await FakeHub.start()
  t.after(() => hub.close())
  const around = surrounding(t)
  const commit = hub.add(ID, MEAN)
  const load = async (more) => {
    const handle = new Embedder(ID, { endpoint: hub.url, cacheDir: around.cacheDir, ...more })
    t.after(() => handle.dispose())
    await handle.load()
    const info = await handle.info()
    await handle.dispose()
    return info
  }
  const check = (what) => {
    around.assertUntouched(what)
    assertNoneClimbs(hub, what)
    for (const file of filesIn(around.cacheDir)) {
      assert.match(file, /^(\.locks\/)?models--zoo--bert-mean\//, what)
      const [, blob] = /^models--[^/]+\/blobs\/([^/]+)$/.exec(file) ?? []
      if (blob === undefined || blob.endsWith('.incomplete')) continue
      const { git, sha256 } = hashes(readFileSync(join(around.cacheDir, file)))
      assert.ok(blob === git || blob === sha256, `${what}: ${file} is not what its name says`)
    }
  }
  return { ...around, hub, commit, load, check, folder: join(around.cacheDir, FOLDER) }
}

/** Either it is loaded, as the files are right, or refused with one of these codes. */
export async function loadsOr(load, codes, what) {
  const error = await load().then(
    () => undefined,
    (error) => error,
  )
  if (error !== undefined) assert.ok(codes.includes(error.code), `${what}: ${error.stack}`)
  return error
}

/** An answer with this body. */
export const body = (value) => ({ status: 200, body: typeof value === 'string' ? value : JSON.stringify(value) })
/** The list of the model's files, with what `change(path, lfs)` says of each. */
export const treeOf = (change) =>
  Object.entries(MEAN).map(([path, bytes]) => {
    const { git: oid, sha256 } = hashes(bytes)
    const lfs = path === ONNX ? { oid: sha256, size: bytes.length, pointerSize: 130 } : undefined
    return { type: 'file', path, oid, size: bytes.length, lfs, ...change(path, lfs) }
  })
