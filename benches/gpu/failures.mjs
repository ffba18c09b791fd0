// What a GPU that cannot be used looks like: each case in a process of its own, which must end well, in time, with an error that names the cause,
// and must still embed on the CPU.

import { spawnSync } from 'node:child_process'
import { copyFileSync, linkSync, mkdirSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Embedder } from 'vecrank'
import { optionsFor, placeOf } from './subject.mjs'

const LONGEST = 30_000
const CUDA = 'libonnxruntime_providers_cuda.so'
const SHARED = 'libonnxruntime_providers_shared.so'

/** A copy of the libraries to damage. Links take no room; a file that is changed is copied first. */
function copyOf(libraries, work, name, damage) {
  const folder = join(work, 'damaged', name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const file of readdirSync(libraries)) link(join(libraries, file), join(folder, file))
  damage(folder)
  return folder
}

function link(from, to) {
  try {
    linkSync(from, to)
  } catch {
    copyFileSync(from, to)
  }
}

const without = (file) => (folder) => rmSync(join(folder, file), { force: true })

const cutShort = (file) => (folder) => {
  const path = join(folder, file)
  copyFileSync(path, `${path}.copy`)
  rmSync(path)
  copyFileSync(`${path}.copy`, path)
  rmSync(`${path}.copy`)
  truncateSync(path, 4096)
}

/** What is wrong, and what must come of it: a code and words, or `runs` on the CPU with the reason why. */
const cuda = { options: { device: 'cuda' }, code: /^ERR_(DEVICE|RUNTIME|CORRUPT)$/ }
const cases = [
  { ...cuda, name: `no ${CUDA}`, damage: without(CUDA), words: /providers_cuda/ },
  { ...cuda, name: `no ${SHARED}`, damage: without(SHARED), words: /providers_shared/ },
  { ...cuda, name: `${CUDA} cut short`, damage: cutShort(CUDA), words: /providers_cuda/ },
  // The system may have them as well.
  { ...cuda, name: "NVIDIA's libraries not on the search path", env: { LD_LIBRARY_PATH: '' }, words: /lib(cublas|cudart|curand|cudnn)/, mayRun: true },
  { name: 'deviceId 99', options: { device: 'cuda', deviceId: 99 }, code: /^ERR_(DEVICE|INVALID_ARG)$/, words: /99/ },
  { name: `auto, no ${CUDA}`, damage: without(CUDA), options: { device: 'auto' }, runs: true },
]

export function failures({ device, model, work, libraries }) {
  const isRehearsal = device === 'cpu'
  const results = cases.map(({ name, damage, env = {}, options, ...expected }, index) => {
    const folder = damage === undefined || libraries === undefined ? libraries : copyOf(libraries, work, String(index), damage)
    const run = spawnSync(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify({ model, options })], {
      encoding: 'utf8',
      timeout: LONGEST,
      env: { ...process.env, ...(folder && { VECRANK_ORT_DIR: folder }), ...env },
    })
    if (run.status !== 0) return { name, holds: false, ended: run.signal ?? run.status, said: (run.stderr ?? '').trim().slice(-600) }
    const outcome = JSON.parse(run.stdout.trim().split('\n').at(-1))
    // Without a GPU in play the words are about that, so only the end and the CPU afterwards count.
    return { name, holds: outcome.afterwards && (isRehearsal || isExpected(outcome, expected)), ...outcome }
  })
  rmSync(join(work, 'damaged'), { recursive: true, force: true })
  return { rehearsal: isRehearsal, results, holds: results.every(({ holds }) => holds) }
}

/** Whether what came is what had to come. */
export function isExpected({ error, place }, { code, words, runs, mayRun }) {
  if (error === undefined) return mayRun === true || (runs === true && place.device === 'cpu' && place.passedOver?.length > 0)
  return runs !== true && code.test(error.code) && words.test(error.message)
}

async function attempt({ model, options }) {
  const outcome = {}
  const start = performance.now()
  try {
    const embedder = await Embedder.load(model, options)
    await embedder.embed('text')
    outcome.place = placeOf(await embedder.info())
    await embedder.dispose()
  } catch (error) {
    outcome.error = { code: error.code, message: error.message }
  }
  outcome.ms = Math.round(performance.now() - start)
  const cpu = new Embedder(model, optionsFor('cpu', 'fp32'))
  const vector = await cpu.embed('text').catch((error) => ({ error: `${error.code}: ${error.message}` }))
  outcome.afterwards = vector.length > 0
  if (vector.error !== undefined) outcome.cpu = vector.error
  return outcome
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await attempt(JSON.parse(process.argv[2]))))
