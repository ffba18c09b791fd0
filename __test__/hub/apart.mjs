// Loads in processes of their own, and what can be put around such a process: a trace, another disk, fewer rights, a call of the system
// that does something else.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { assertSameVector, golden } from '../fixtures.mjs'
import { assertSound, inProcess, root, temporary } from './world.mjs'

const MODEL = 'zoo/bert-mean'
const INDEX = pathToFileURL(join(root, 'index.js')).href

/** Texts whose vectors are known, few of them: it is the way to the model that is looked at. */
export const texts = golden(MODEL).texts.slice(0, 4).map(({ text }) => text)

/** Compares vectors of `texts` with those that sentence-transformers gives for a model of the fixtures. */
export function assertRight(vectors, model = MODEL) {
  const reference = golden(model)
  assert.deepEqual(reference.texts.slice(0, texts.length).map(({ text }) => text), texts, `${model} has other texts`)
  const { single } = reference.runs.find(({ id }) => id === 'encode')
  assert.equal(vectors.length, texts.length)
  vectors.forEach((vector, index) => assertSameVector(vector, single[index], `${model}, text ${index}`))
}

const program = (id, options, before, after) => `
  import { Embedder } from ${JSON.stringify(INDEX)}
  ${before}
  const warnings = []
  process.on('warning', ({ code, message }) => warnings.push({ code, message }))
  const start = performance.now()
  const said = {}
  try {
    const embedder = await new Embedder(${JSON.stringify(id)}, ${JSON.stringify(options)}).load()
    said.ms = performance.now() - start
    said.info = await embedder.info()
    said.vectors = (await embedder.embed(${JSON.stringify(texts)})).map((vector) => [...vector])
  } catch ({ name, code, message }) {
    said.error = { name, code, message }
  }
  ${after}
  // Warnings come with the next turn.
  setImmediate(() => console.log(JSON.stringify({ ...said, warnings })))`

/**
 * Loads a model in a process of its own, which goes with the test, and embeds `texts`: `{ child, said }`. `said` is a promise of
 * `{ code, signal, stderr }` and, where the process came to its end, of `{ vectors, info, ms, warnings }` or `{ error }`. `before` and
 * `after` are a program's beginning and end; the end may add to `said`.
 */
export function loadApart(t, id, options, { before = '', after = '', ...how } = {}) {
  const { child, ended } = inProcess(program(id, options, before, after), how)
  t.after(() => end(child))
  const said = ended.then(({ code, signal, stdout, stderr }) => ({ code, signal, stderr, ...(stdout && JSON.parse(stdout)) }))
  return { child, said }
}

/** Ends a process, and before it those that it started: a tracer that is killed may leave behind what it was about to trace. */
function end({ pid, exitCode, signalCode }) {
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  const list = `/proc/${pid}/task/${pid}/children`
  const started = existsSync(list) ? readFileSync(list, 'utf8').split(' ').filter(Boolean).map(Number) : []
  for (const each of [...started, pid]) {
    try {
      process.kill(each, 'SIGKILL')
    } catch {
      // It was faster.
    }
  }
}

/** Waits for all, also where one fails: none may go on when the test is over. */
export async function together(jobs) {
  const settled = await Promise.allSettled(jobs)
  const failed = settled.find(({ status }) => status === 'rejected')
  if (failed) throw failed.reason
  return settled.map(({ value }) => value)
}

/** What `loadApart` says of a load that must have succeeded, with the right vectors. */
export function assertLoaded(said, model) {
  assert.deepEqual({ code: said.code, signal: said.signal, error: said.error }, { code: 0, signal: null, error: undefined }, said.stderr)
  assertRight(said.vectors, model)
}

/** What `loadApart` says of a load that must have failed with an error, and not with its process. */
export function assertFailed(said, code, pattern = /\S/) {
  assert.deepEqual([said.code, said.signal], [0, null], said.stderr)
  assert.equal(said.error?.code, code, said.error?.message ?? 'it was loaded')
  assert.match(said.error.message, pattern)
}

const FINISHED = [
  /^\.locks\//,
  /\/blobs\/[0-9a-f]+$/,
  /\/(snapshots|\.no_exist)\/[0-9a-f]{40}\//,
  /\/refs\/main$/,
  /\/trees\/[0-9a-f]{40}\.json$/,
  /\/\.vecrank\/.+\.json$/,
]

/** Whether a file is one that a cache may hold when nobody writes to it. */
export const isFinished = (file) => FINISHED.some((pattern) => pattern.test(file))

/** A loaded model gives the reference's vectors. It is given back: the next load must read the files, and not find it in memory. */
export async function assertGives(embedder, model) {
  assertRight(await embedder.embed(texts), model)
  await embedder.dispose()
}

/** The next load succeeds, and leaves nothing behind of those before. */
export async function assertMends({ load, cacheDir }) {
  await assertGives(await load())
  for (const file of assertSound(cacheDir)) assert.ok(isFinished(file), `left behind: ${file}`)
}

// ---------- around a process ---------------------------------------------------------------------------------------------

/** Whether a command runs here, to its end and with success. */
export function works(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: 'ignore' })
  return error === undefined && status === 0
}

/** Skips the test aloud: what is not tested must not look as if it were. */
export function skip(t, reason) {
  console.error(`NOT TESTED: ${t.name}: ${reason}`)
  t.skip(reason)
}

/**
 * A shared object of C source that `LD_PRELOAD` puts before the system's library, compiled for the test; undefined, and the test skipped,
 * where that is impossible.
 */
export function preload(t, source) {
  const folder = temporary(t)
  const [file, object] = [join(folder, 'preload.c'), join(folder, 'preload.so')]
  writeFileSync(file, source)
  if (process.platform === 'linux' && works('cc', '-shared', '-fPIC', '-o', object, file)) return object
  return skip(t, 'there is no C compiler (cc), or no LD_PRELOAD')
}

/**
 * A command that runs another one where disks can be mounted that nobody else sees and that go with the process. `setup` is run before it
 * by `sh`. Undefined, and the test skipped, where that is impossible.
 */
export function withMounts(t, setup) {
  // Root may, and others may where a user can be root in a space of its own.
  const ways = [['unshare', '-m'], ['unshare', '-rm']]
  const unshare = ways.find(([command, ...args]) => works(command, ...args, 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()))
  return unshare ? [...unshare, 'sh', '-e', '-c', `${setup}; exec "$@"`, 'sh'] : skip(t, 'no disk can be mounted here (unshare -m)')
}

/** A command that runs another one without root's right to read and write everything; none is needed where the test is not root's. */
export function withoutPower(t) {
  if (process.getuid() !== 0) return []
  const setpriv = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search', '--inh-caps', '-dac_override,-dac_read_search']
  return works(...setpriv, 'true') ? setpriv : skip(t, 'the test runs as root, and there is no setpriv')
}
