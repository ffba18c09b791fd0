// Texts a second at 1, 32 and 1,024 texts a call, beside sentence-transformers on the same device in the same run.
//
// All take turns, round by round, so that a change of clock meets all alike; vectors are compared before anything is timed, and a first pass is
// not timed. sentence-transformers has its own default batch and a larger one, and the better of both counts for it.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Embedder } from 'vecrank'
import { Running } from '../peers/process.mjs'
import { lacks, likeness, optionsFor, placeOf, someTexts, spread } from './subject.mjs'

const DTYPES = ['fp32', 'fp16']
/** Texts a call, and calls a round. */
const SIZES = [
  { count: 1, calls: 30 },
  { count: 32, calls: 10 },
  { count: 1024, calls: 1 },
]
/** What does not agree so far is not timed. */
const LEAST_COSINE = 0.999

class Vecrank {
  constructor(model, device, dtype) {
    this.name = `vecrank, ${dtype}`
    this.embedder = new Embedder(model, optionsFor(device, dtype))
  }

  async about() {
    return placeOf(await this.embedder.info())
  }

  vectors(texts) {
    return this.embedder.embed(texts)
  }

  /** Milliseconds of each call. */
  async times(texts, { count, calls }) {
    const times = []
    for (let call = 0; call < calls; call++) {
      const part = partOf(texts, count, call)
      const start = performance.now()
      if (count === 1) await this.embedder.embed(part[0])
      else await this.embedder.embedMany(part)
      times.push(performance.now() - start)
    }
    return times
  }

  end() {
    return this.embedder.dispose()
  }
}

class SentenceTransformers {
  constructor(options, dtype, file) {
    this.name = `sentence-transformers, ${dtype}`
    const spec = { folder: options.torch, device: options.device, dtype, texts: file }
    this.running = new Running(options.python, [fileURLToPath(new URL('../gpu.py', import.meta.url)), JSON.stringify(spec)])
  }

  about() {
    return this.running.ready()
  }

  async vectors(texts) {
    return (await this.running.ask('vectors', { count: texts.length })).rows.map((row) => Float32Array.from(row))
  }

  async times(_, { count, calls }) {
    return (await this.running.ask('times', { count, calls })).times
  }

  end() {
    return this.running.end()
  }
}

/** gpu.py takes the same texts for a call. */
function partOf(texts, count, call) {
  return Array.from({ length: count }, (_, index) => texts[(call * count + index) % texts.length])
}

export async function throughput(options) {
  const sizes = options.quick ? SIZES.map(({ count }) => ({ count: Math.min(count, 64), calls: 2 })) : SIZES
  const rounds = options.quick ? 1 : 5
  const texts = someTexts(Math.max(...sizes.map(({ count }) => count)))
  const file = join(options.work, 'texts.json')
  writeFileSync(file, JSON.stringify(texts))

  const [there, absent] = [[], []]
  const add = async (name, make) => {
    let contender
    try {
      contender = make()
      there.push({ contender, name, about: await contender.about(), vectors: await contender.vectors(texts.slice(0, 32)) })
    } catch (error) {
      absent.push({ name, leftOut: error.message })
      await contender?.end()
    }
  }
  for (const dtype of DTYPES) {
    const reason = lacks(options.model, dtype)
    if (reason === undefined) await add(`vecrank, ${dtype}`, () => new Vecrank(options.model, options.device, dtype))
    else absent.push({ name: `vecrank, ${dtype}`, leftOut: reason })
  }
  for (const dtype of DTYPES) {
    const name = `sentence-transformers, ${dtype}`
    if (options.python === undefined) absent.push({ name, leftOut: 'no Python was found' })
    else if (options.torch === undefined) absent.push({ name, leftOut: 'there is no folder with model.safetensors' })
    else await add(name, () => new SentenceTransformers(options, dtype, file))
  }

  const reference = there[0]?.vectors
  const timed = there.filter((each) => {
    each.least = likeness(each.vectors, reference).least
    const agrees = each.least >= LEAST_COSINE
    if (!agrees) absent.push({ name: each.name, leftOut: `its vectors do not agree: cosine ${each.least}` })
    return agrees
  })
  const results = []
  for (const size of sizes) {
    for (const { contender } of timed) await contender.times(texts, { ...size, calls: 1 })
    const times = timed.map(() => [])
    for (let round = 0; round < rounds; round++) {
      for (const [index, { contender }] of timed.entries()) times[index].push(...(await contender.times(texts, size)))
    }
    timed.forEach(({ name }, index) => {
      const ms = spread(times[index])
      const perSecond = (milliseconds) => (size.count / milliseconds) * 1000
      results.push({ name, texts: size.count, ms, perSecond: { median: perSecond(ms.median), least: perSecond(ms.most), most: perSecond(ms.least) } })
    })
  }
  for (const { contender } of there) await contender.end()
  const contenders = timed.map(({ name, about, least }) => ({ name, about, least }))
  const failed = absent.filter(({ name, leftOut }) => name.startsWith('vecrank') && !leftOut.includes('is not there'))
  return { rounds, contenders, absent, results, holds: timed.length > 0 && failed.length === 0 }
}
