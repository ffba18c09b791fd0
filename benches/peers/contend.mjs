// A contender: a process of its own that loads one model once, then answers commands on its standard input, a line of JSON each.
//
// Started by peers.mjs with its description as JSON. peers.py is the same for Python.

import { readFileSync, writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { adaptors } from './adaptors.mjs'
import { serve } from '../commands.mjs'
import { watched } from '../watched.mjs'

const spec = JSON.parse(process.argv[2])
const sets = JSON.parse(readFileSync(spec.texts, 'utf8'))

/** The first texts of a set; from its beginning again where it has fewer. */
const take = (set, count) => Array.from({ length: count }, (_, index) => sets[set][index % sets[set].length])

/** Milliseconds of CPU so far, of all threads. */
const cpu = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Peak of the memory, MB. Not `maxRSS` where the system tells better: that begins with what the parent had when it started this process. */
function peak() {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024
  } catch {
    return process.resourceUsage().maxRSS / 1024
  }
}

/** Calls one after the other; milliseconds of each. `pause` lets everything that a call left running come to rest. */
async function calls(model, texts, pause) {
  const times = []
  for (const text of texts) {
    if (pause > 0) await sleep(pause)
    const start = performance.now()
    await model.one(text)
    times.push(performance.now() - start)
  }
  return times
}

/** Each takes the model and the command, and answers an object. */
const work = {
  async vectors(model, { set, count, to }) {
    const data = set === 'passages' ? await model.scores(sets.query[0], take(set, count)) : await model.bulk(take(set, count))
    writeFileSync(to, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    return { rows: count, width: data.length / count }
  },

  async bulk(model, { set, count }) {
    const texts = take(set, count)
    const { ms, p99, most } = await watched(() => model.bulk(texts))
    return { count, ms, loop: p99, most }
  },

  async rerank(model, { count }) {
    const passages = take('passages', count)
    const { ms, p99, most } = await watched(() => model.scores(sets.query[0], passages))
    return { count, ms, loop: p99, most }
  },

  // The delay is measured apart: its timer wakes the thread every millisecond, which a lone call would not do.
  async lone(model, { set, count, pause, from }) {
    const texts = take(set, from + count).slice(from)
    await calls(model, texts.slice(0, 3), 0)
    const paused = await calls(model, texts, pause)
    const together = await calls(model, texts, 0)
    const { p99 } = await watched(() => calls(model, texts, 0))
    return { paused, together, loop: p99 }
  },

  async callers(model, { set, callers, each }) {
    const texts = take(set, callers * each)
    const times = []
    const caller = async (_, number) => times.push(...(await calls(model, texts.slice(number * each, (number + 1) * each), 0)))
    const { ms, p99, most } = await watched(() => Promise.all(Array.from({ length: callers }, caller)))
    return { count: texts.length, ms, times, loop: p99, most }
  },

  async idle(model, { seconds }) {
    await model.one(sets.lone12[0])
    await sleep(500)
    const before = cpu()
    await sleep(seconds * 1000)
    return { share: (cpu() - before) / (seconds * 1000) }
  },

  // Milliseconds of CPU, of all threads, for the same calls: spread out in time, and one after the other.
  async trickle(model, { count, perSecond }) {
    const texts = take('lone12', count)
    await calls(model, texts.slice(0, 5), 0)
    const start = performance.now()
    const before = cpu()
    for (const [index, text] of texts.entries()) {
      await sleep(Math.max(0, start + (index * 1000) / perSecond - performance.now()))
      await model.one(text)
    }
    const between = cpu()
    await calls(model, texts, 0)
    return { count, spread: between - before, together: cpu() - between }
  },
}

await serve(
  () => adaptors[spec.kind](spec),
  async (model, { do: what, ...command }) => {
    const before = cpu()
    const answer = await work[what](model, command)
    return { ...answer, peak: peak(), cpu: cpu() - before }
  },
)
