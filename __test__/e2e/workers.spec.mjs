// Worker threads and processes: vecrank is loaded, used and cut off in all of them, and nothing crashes, hangs, grows or goes on working
// for nobody.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ESM, assertAnswer } from '../pack/smoke.mjs'
import { answer, application, soak } from './application.mjs'

const names = ['threads', 'rounds', 'abandoned', 'nested', 'together', 'leaving', 'transfer', 'family', 'cluster']
const app = await application({ after }, { programs: names.map((name) => `${name}.mjs`), files: { 'esm.mjs': ESM } })
const smoke = await app.node(['esm.mjs'])
assertAnswer(smoke)
/** The vector of the text that all programs embed, judged by sentence-transformers' and then the same to the bit wherever it is made. */
const { vector: expected } = answer(smoke)
const linux = process.platform === 'linux' ? false : 'threads and memory are read from /proc: NOT tested on this system'

const ROUNDS = soak ? 1000 : 200
/** MB by which memory may be larger after all rounds than after twenty. */
const GROWTH = 30

test(`${ROUNDS} workers load, embed and are terminated, at rest, in a call and while loading`, { skip: linux }, async (t) => {
  const { vectors, different, manners, memory, threads, vector } = answer(
    await app.node(['--expose-gc', 'rounds.mjs', String(ROUNDS)], { timeout: 900_000 }),
  )
  t.diagnostic(`resident: ${memory.early.toFixed(0)} MB after 20 workers, ${memory.late.toFixed(0)} MB after ${ROUNDS}`)
  assert.deepEqual(manners, { loading: ROUNDS / 4, disposed: ROUNDS / 4, idle: ROUNDS / 4, calling: ROUNDS / 4 })
  assert.deepEqual({ vectors, different, threads }, { vectors: (ROUNDS * 3) / 4, different: 0, threads: [] })
  assert.deepEqual(vector, expected)
  assert.ok(memory.late < memory.early + GROWTH, `grew from ${memory.early} to ${memory.late} MB`)
})

test('what a terminated worker had asked for is not computed', { skip: linux }, async (t) => {
  const { before, left, milliseconds, cpu } = answer(await app.node(['abandoned.mjs']))
  t.diagnostic(`the last thread of the addon ended ${milliseconds.toFixed(0)} ms later, with ${cpu.toFixed(0)} ms of CPU time`)
  assert.ok(before.includes('vecrank-0'))
  assert.deepEqual(left, [])
  // All of it would take more than ten seconds of each core.
  assert.ok(cpu < 3000, `${cpu} ms of CPU time went into work that nobody waits for`)
})

test('a worker in a worker, both cut off in a call, leaves the main thread at work', { skip: linux }, async () => {
  const { vectors, shared, threadId } = answer(await app.node(['nested.mjs']))
  assert.deepEqual(vectors, [expected, expected, expected, expected])
  assert.deepEqual({ shared, threadId }, { shared: 1, threadId: 0 })
})

test('four workers that load at once share one session, to the last of them', { skip: linux }, async () => {
  const { vectors, ...rest } = answer(await app.node(['together.mjs']))
  assert.deepEqual(vectors, Array.from({ length: 5 }, () => expected))
  assert.deepEqual(rest, { count: 1, remaining: 1, left: [] })
})

test('what a worker computed can be transferred, without a copy, whatever method it came from', async () => {
  const received = answer(await app.node(['transfer.mjs']))
  assert.deepEqual(received.map(({ name }) => name), ['embed', 'binary', 'list', 'embedMany', 'row', 'tokenCounts', 'score'])
  for (const { name, values, left } of received) {
    assert.equal(left, 0, `${name} is still in the thread that gave it away`)
    if (['embed', 'list', 'embedMany', 'row'].includes(name)) assert.deepEqual(values, expected, name)
    else assert.ok(values.length > 0, name)
  }
})

/** Each ends in the middle of work that takes seconds: with its own code, at once, and with nothing on stderr but its own. */
const ENDS = { loading: /^$/, calling: /^$/, worker: /^$/, main: /^$/, throwing: /Error: on purpose/ }

for (const [manner, stderr] of Object.entries(ENDS)) {
  test(`a process that ends while the addon is at work: ${manner}`, async () => {
    const delays = soak ? Array.from({ length: 60 }, (_, index) => index * 2) : [0, 7, 30]
    for (const delay of delays) {
      const ended = await app.failure(process.execPath, ['leaving.mjs', manner, String(delay)], { timeout: 30_000 })
      const { code, signal } = ended
      assert.deepEqual({ code, signal }, { code: manner === 'throwing' ? 1 : 7, signal: null }, `${delay} ms: ${ended.stderr}`)
      assert.match(ended.stderr, stderr)
      assert.doesNotMatch(ended.stderr, /panicked|terminate called|FATAL/)
    }
  })
}

test('child_process.fork: four children answer; one is killed in a call, the others go on', async () => {
  const { vectors, ends } = answer(await app.node(['family.mjs']))
  assert.deepEqual(vectors, Array.from({ length: 8 }, () => expected))
  assert.deepEqual(ends, [[null, 'SIGKILL'], [0, null], [0, null], [0, null]])
})

test('cluster: four processes serve one port; kill -9 of one loses its own requests and no others', async (t) => {
  const { before, during, after: afterwards, signal } = answer(await app.node(['cluster.mjs']))
  t.diagnostic(`${during.lost} of 80 requests were lost with the process that was killed`)
  assert.equal(signal, 'SIGKILL')
  assert.deepEqual(before, { right: 40, wrong: 0, lost: 0, servers: 4 })
  assert.equal(during.wrong, 0)
  assert.ok(during.lost <= 8, `${during.lost} requests were lost, more than were on their way`)
  assert.deepEqual(afterwards, { right: 40, wrong: 0, lost: 0, servers: 3 })
})
