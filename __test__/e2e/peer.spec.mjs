// Beside @huggingface/transformers in one process: each has its own ONNX Runtime, of another version, and both give their right vectors.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { cosine, readJson, root } from '../fixtures.mjs'
import { QUERY, TEXTS } from '../pack/smoke.mjs'
import { answer, application } from './application.mjs'
import { program } from './programs.mjs'

const peer = program('peer')
const app = await application({ after }, { programs: ['beside.mjs', 'threads.mjs'] })
if (!peer.skip) {
  // As installed: its own dependencies lie beside it, in e2e/node_modules.
  mkdirSync(join(app.folder, 'node_modules', '@huggingface'))
  symlinkSync(dirname(peer.path), join(app.folder, 'node_modules', '@huggingface', 'transformers'))
}

const golden = JSON.parse(readFileSync(join(root, '__test__', 'pack', 'golden.json'), 'utf8'))
const quantised = { folder: join(root, 'models'), model: 'all-MiniLM-L6-v2', dtype: 'q8', texts: [QUERY, ...TEXTS] }

async function beside(settings, t) {
  const { vectors, delay, libraryFiles } = answer(await app.node(['beside.mjs'], { env: { PEER: JSON.stringify(settings) } }))
  for (const [name, milliseconds] of Object.entries(delay)) {
    t.diagnostic(`longest delay of the event loop with ${name} at work: ${milliseconds.toFixed(1)} ms`)
  }
  // Each mapped once, from its own package.
  if (process.platform === 'linux') {
    const names = libraryFiles.map((file) => basename(file)).filter((name) => name.startsWith('lib'))
    assert.deepEqual(names.sort(), ['libonnxruntime.so.1', 'libvecrank-onnxruntime.so.1'], libraryFiles.join('\n'))
  }
  assert.equal(vectors.peer.length, settings.texts.length)
  assert.equal(vectors.vecrank.length, settings.texts.length)
  return vectors
}

function assertClose(vectors, expected, least) {
  const likeness = vectors.map((vector, index) => cosine(vector, expected[index]))
  likeness.forEach((each, index) => assert.ok(each > least, `text ${index}: cosine ${each}`))
}

for (const first of ['peer', 'vecrank']) {
  for (const thread of [undefined, 'peer', 'vecrank']) {
    test(`q8, ${first} first, ${thread ?? 'neither'} in a worker thread: right vectors, also at once`, { skip: peer.skip }, async (t) => {
      const vectors = await beside({ ...quantised, first, thread, measure: thread === undefined }, t)
      assertClose(vectors.peer.slice(0, 1), [golden.vector], 0.98)
      // The same weights run alone.
      assertClose(vectors.vecrank, vectors.peer, 0.99999)
    })
  }
}

const full = join(root, '..', 'shared', 'models', 'all-MiniLM-L6-v2')
const noFull = existsSync(join(full, 'golden.json')) ? false : '../shared/models is not here: beside the peer only q8 weights are tested'
/** Texts of which the peer makes other tokens than Python: a capital I with a dot, in lower case. */
const OTHERWISE = new Set(['mixed_case'])

for (const first of ['peer', 'vecrank']) {
  test(`fp32, ${first} first: within rounding of sentence-transformers`, { skip: peer.skip || noFull }, async (t) => {
    const { texts, single } = readJson(join(full, 'golden.json'))
    // Longer texts are cut at another length by the peer.
    const chosen = texts.map(({ id, text }, index) => ({ id, text, vector: single[index] })).filter(({ text }) => text.length < 500)
    assert.ok(chosen.length >= 30)
    const settings = { folder: dirname(full), model: basename(full), dtype: 'fp32', first, texts: chosen.map(({ text }) => text) }
    const vectors = await beside(settings, t)
    assertClose(vectors.vecrank, chosen.map(({ vector }) => vector), 0.99999)
    const alike = (_, index) => !OTHERWISE.has(chosen[index].id)
    assertClose(vectors.peer.filter(alike), chosen.map(({ vector }) => vector).filter(alike), 0.99999)
  })
}
