// A lock file for models that a test has written, with hashes of its own.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assertSameVector, golden } from '../fixtures.mjs'
import { NEEDED, contents, pinned } from './cli.mjs'
import { temporary, world, zoo } from './world.mjs'

export const MEAN = contents('bert-mean')
export const LOCK = 'vecrank.lock.json'

/** A lock file of these models, in the text that it should have. Made here from the files, and by no function of the package. */
export const lockOf = (models) => `${JSON.stringify({ version: 1, models }, null, 2)}\n`

/** A world with a lock file for its model, written by this test. `edit(pins)` may change it first. */
export async function lockedWorld(t, edit = () => {}) {
  const all = await world(t)
  const pins = { commit: all.commit, dtypes: ['auto'], files: pinned(MEAN, NEEDED) }
  edit(pins)
  const lock = join(temporary(t), LOCK)
  writeFileSync(lock, lockOf({ [all.id]: { main: pins } }))
  return { ...all, lock, pins }
}

/** Another model under the same name: other vectors, so that nobody can take one for the other. */
export const move = (hub, id, options) => hub.add(id, zoo('bert-cls'), options)

export async function assertVectorsOf(name, embedder) {
  const { texts, runs } = golden(`zoo/${name}`)
  const { single } = runs.find((run) => run.id === 'encode')
  const text = texts.findIndex(({ text }) => text.length > 20)
  assertSameVector(await embedder.embed(texts[text].text), single[text], name)
}
