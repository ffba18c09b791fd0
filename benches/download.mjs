// How fast a large file comes from a Hub on loopback, beside a plain download of the same bytes that checks nothing.
//
//   node benches/download.mjs [megabytes] [rounds] [megabytes a second]
//
// The Hub runs in a process of its own, as fast as it can or at a given rate. Both sides write to the same disk and take turns. What was downloaded is compared with what was sent.

import { fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream, mkdtempSync, openSync, closeSync, fsyncSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { Embedder } from '../index.js'
import { FakeHub } from '../__test__/hub/hub.mjs'

const FILE = 'onnx/model.onnx_data'
const model = fileURLToPath(new URL('../tests/fixtures/zoo/bert-mean', import.meta.url))

/** The other process: a Hub with a model whose graph has a large file beside it. */
async function serve(megabytes, rate) {
  const hub = await FakeHub.start()
  if (rate > 0) hub.fault({ file: FILE }, { rate: rate * 1e6 })
  const files = Object.fromEntries(
    ['modules.json', 'config.json', 'tokenizer.json', 'tokenizer_config.json', '1_Pooling/config.json', 'onnx/model.onnx'].map((name) => [
      name,
      readFileSync(join(model, name)),
    ]),
  )
  files[FILE] = randomBytes(megabytes * 1e6)
  const commit = hub.add('bench/large', files)
  process.send({ url: hub.url, commit, sha256: createHash('sha256').update(files[FILE]).digest('hex') })
}

async function sha256(path) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

async function timed(work) {
  const before = process.cpuUsage()
  const start = performance.now()
  const path = await work()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(before)
  return { path, ms, cpu: (user + system) / 1000 }
}

/** Loads the model with an empty cache; its small files are a thousandth of the bytes. */
async function byVecrank({ url, commit }, folder) {
  const embedder = await Embedder.load('bench/large', { endpoint: url, cacheDir: folder, revision: commit })
  await embedder.dispose()
  return join(folder, 'models--bench--large', 'snapshots', commit, FILE)
}

/** The same bytes by Node's fetch, to a file that is synced as ours is. */
async function byFetch({ url, commit }, folder) {
  const path = join(folder, 'file')
  const { body } = await fetch(`${url}/bench/large/resolve/${commit}/${FILE}`)
  await pipeline(Readable.fromWeb(body), createWriteStream(path))
  const file = openSync(path, 'r+')
  fsyncSync(file)
  closeSync(file)
  return path
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

async function main(megabytes, rounds, rate) {
  const child = fork(fileURLToPath(import.meta.url), ['serve', String(megabytes), String(rate)])
  process.on('exit', () => child.kill())
  const hub = await new Promise((resolve) => child.once('message', resolve))
  const sides = { vecrank: byVecrank, 'fetch, nothing checked': byFetch }
  const results = Object.fromEntries(Object.keys(sides).map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, side] of Object.entries(sides)) {
      const folder = mkdtempSync(join(tmpdir(), 'vecrank-bench-'))
      const { path, ms, cpu } = await timed(() => side(hub, folder))
      if ((await sha256(path)) !== hub.sha256) throw new Error(`${name} gave other bytes`)
      rmSync(folder, { recursive: true })
      // The first round warms up.
      if (round > 0) results[name].push({ ms, cpu })
    }
  }
  for (const [name, list] of Object.entries(results)) {
    const times = list.map(({ ms }) => ms)
    const cpu = median(list.map((result) => result.cpu))
    const rate = (ms) => Math.round((megabytes / ms) * 1000)
    console.log(`${name}: ${rate(median(times))} MB/s (${rate(Math.max(...times))}–${rate(Math.min(...times))}), ${Math.round(cpu)} ms of CPU`)
  }
}

if (process.argv[2] === 'serve') {
  await serve(Number(process.argv[3]), Number(process.argv[4]))
} else {
  // Whatever comes of it, the Hub's process would keep this one alive.
  main(Number(process.argv[2] ?? 400), Number(process.argv[3] ?? 5), Number(process.argv[4] ?? 0)).then(
    () => process.exit(),
    (error) => {
      console.error(error)
      process.exit(1)
    },
  )
}
