// Whether `gpuMemoryLimit` is kept: what nvidia-smi says is used before, while texts run and after, with two limits and with none.
//
// Each in a process of its own, since what CUDA itself takes is given back only when a process ends. What that is, a tiny model tells before the
// real one is loaded: the limit is about the memory of ONNX Runtime, not about that.

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Embedder } from 'vecrank'
import { likeness, optionsFor, placeOf, someTexts } from './subject.mjs'

const MIB = 2 ** 20
const LIMITS = [512 * MIB, 2048 * MIB]
/** What kernels take that are loaded when they are first needed, beyond those of the tiny model. */
const SLACK = 256 * MIB
const TINY = fileURLToPath(new URL('../../tests/fixtures/zoo/bert-mean', import.meta.url))
const query = ['--id=0', '--query-gpu=memory.used', '--format=csv,noheader,nounits']

export function memory({ device, model }) {
  if (device === 'cpu') return { leftOut: 'a CPU has no limit of this kind' }
  if (spawnSync('nvidia-smi', ['-L']).status !== 0) return { leftOut: 'there is no nvidia-smi' }
  const runs = [undefined, ...LIMITS].map((limit) => {
    const run = spawnSync(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify({ device, model, limit })], { encoding: 'utf8', timeout: 100_000, maxBuffer: 1 << 28 })
    if (run.status !== 0) return { limit, holds: false, error: (run.stderr || String(run.signal)).trim().slice(-600) }
    const { vectors, ...told } = JSON.parse(run.stdout.trim().split('\n').at(-1))
    return { limit, ...told, vectors: vectors.map((row) => Float32Array.from(row)) }
  })
  const [free] = runs
  const results = runs.map(({ vectors, ...run }) => {
    if (run.error !== undefined || free.error !== undefined) return { ...run, holds: false }
    const { context, peak, place } = run
    // Without what others use, and what CUDA takes for itself.
    const own = peak - context
    const least = likeness(vectors, free.vectors).least
    const isKept = run.limit === undefined || (own <= run.limit + SLACK && (place.deviceMemory?.used ?? 0) <= run.limit)
    return { ...run, own, least, holds: isKept && least >= 0.9999 }
  })
  return { slack: SLACK, results, holds: results.every(({ holds }) => holds) }
}

/** Bytes used on the first GPU, now. */
function used() {
  return Number(execFileSync('nvidia-smi', query, { encoding: 'utf8' }).trim()) * MIB
}

/** Watches what is used, twenty times a second; the function that it gives ends that and tells the most. */
function watch() {
  const child = spawn('nvidia-smi', [...query, '-lms', '50'], { stdio: ['ignore', 'pipe', 'ignore'] })
  let most = 0
  createInterface({ input: child.stdout }).on('line', (line) => (most = Math.max(most, Number(line) * MIB)))
  return () => {
    child.kill()
    return most
  }
}

async function measure({ device, model, limit }) {
  const before = used()
  const tiny = new Embedder(TINY, optionsFor(device, 'fp32'))
  await tiny.embed('text')
  const context = used()

  const stop = watch()
  process.once('exit', stop)
  const embedder = new Embedder(model, optionsFor(device, 'fp32', { ...(limit && { gpuMemoryLimit: limit }) }))
  const texts = someTexts(1024)
  const rows = await embedder.embed(texts)
  // The longest input, many at a time: what needs the most memory.
  const long = texts.slice(0, 512).map((text) => `${text} `.repeat(40))
  await embedder.embedMany(long)
  await sleep(200)
  const peak = stop()
  const place = placeOf(await embedder.info())
  await embedder.dispose()
  await sleep(200)
  const after = used()
  return { before, context, peak, after, place, vectors: rows.slice(0, 64).map((row) => Array.from(row)) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(JSON.stringify(await measure(JSON.parse(process.argv[2]))))
  } catch (error) {
    console.error(`${error.code ?? error.name}: ${error.message}`)
    // At once: what watches still runs.
    process.exit(1)
  }
}
