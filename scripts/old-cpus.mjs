// The built addon on x86-64 processors that lack what newer ones have, as QEMU imitates them: `npm run test:cpus`. QEMU is unpacked into the cache folder and
// not installed.
//
// The encoder gives the same bits everywhere. ONNX Runtime rounds otherwise on processors without FMA, and its 8-bit products would saturate on those with
// AVX2 or AVX-512 and without VNNI, if src/network/graph/mod.rs did not ask for others: both are compared with this machine's own vectors, and with those of
// sentence-transformers in fp32. It says nothing about speed.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasApt } from './debian.mjs'
import { SetupError, root, runScript } from './pypi.mjs'
import { emulator } from './qemu.mjs'

/** QEMU's names, and the encoder's instructions on each. The first has SSE3 and nothing later. */
const processors = [
  { name: 'kvm64', instructions: 'portable' },
  { name: 'Nehalem', instructions: 'portable' },
  { name: 'SandyBridge', instructions: 'portable' },
  { name: 'Haswell', instructions: 'avx2' },
]
const engines = ['encoder', 'graph']
/** A bundled model of 8 bits and a tiny one of fp32, each with its golden file. */
const models = [
  { name: 'all-MiniLM-L6-v2', folder: ['models', 'all-MiniLM-L6-v2'], golden: ['tests', 'fixtures', 'models', 'all-MiniLM-L6-v2.golden.json'] },
  { name: 'bert-mean', folder: ['tests', 'fixtures', 'zoo', 'bert-mean'], golden: ['tests', 'fixtures', 'zoo', 'bert-mean', 'golden.json'] },
]
/** Texts of each golden file, of at most so many characters: these processors are slow. */
const few = { texts: 16, characters: 120 }
/** The least cosine of ONNX Runtime's vectors to this machine's. Rounding moves some activations to another step of 8 bits (0.9998); saturated sums give 0.98. */
const near = 0.999
/** Longer than the slowest takes on a slow machine. */
const limit = 600_000

/** Why this machine cannot run them, or undefined. */
function obstacle() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return `this is ${process.platform}-${process.arch}, and QEMU is taken from Debian for Linux x64`
  if (!hasApt()) return 'there is no apt-get, which brings QEMU'
  return undefined
}

/** Texts and the vectors of sentence-transformers. */
function reference({ golden }) {
  const { texts, single, runs } = JSON.parse(readFileSync(join(root, ...golden), 'utf8'))
  const vectors = single ?? runs.find(({ id }) => id === 'encode').single
  const cases = texts.map(({ text }, index) => ({ text, vector: vectors[index] }))
  return cases.filter(({ text, vector }) => text.length <= few.characters && Array.isArray(vector)).slice(0, few.texts)
}

/** What this processor computes; run in a process of its own. */
async function vectors() {
  const { Embedder } = createRequire(import.meta.url)('../index.js')
  const found = {}
  for (const { name, ...model } of models) {
    const texts = reference(model).map(({ text }) => text)
    for (const engine of engines) {
      const embedder = new Embedder(join(root, ...model.folder), { engine, threads: 1 })
      const { instructions } = await embedder.info()
      found[`${name} ${engine}`] = { instructions, vectors: (await embedder.embed(texts)).map((vector) => Array.from(vector)) }
      await embedder.dispose()
    }
  }
  console.log(JSON.stringify(found))
}

/** The vectors of a process that was started so. */
function computed(name, [command, ...first], env) {
  const args = [...first, fileURLToPath(import.meta.url), 'vectors']
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', env: { ...env, VECRANK_CPU: '' }, maxBuffer: 1 << 28, timeout: limit })
  if (error !== undefined) throw error
  if (status === 0) return JSON.parse(stdout)
  // QEMU says of each processor what it leaves out.
  throw new SetupError(`On ${name} it ended with ${signal ?? status}.\n${stderr.replace(/^qemu-\S+ warning: .*\n/gm, '')}`)
}

function cosine(a, b) {
  const product = (x, y) => x.reduce((sum, value, index) => sum + value * y[index], 0)
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b))
}

/** The least cosine of two lists of vectors. */
function least(some, others) {
  return Math.min(...some.map((vector, index) => cosine(vector, others[index])))
}

function compareAll() {
  const found = obstacle()
  if (found !== undefined) {
    const skipped = `Older x86-64 processors were NOT tested: ${found}`
    if (process.env.CI === 'true' && process.platform === 'linux') throw new SetupError(`${skipped}\nWith CI=true that is a failure.`)
    console.log(skipped)
    return
  }
  const { command, first, env } = emulator({ architecture: 'x86_64', script: 'scripts/old-cpus.mjs' })
  const here = computed('this machine', [process.execPath], process.env)
  const failed = []
  console.log('The least cosine, to this machine and to sentence-transformers in fp32:')
  for (const { name, instructions } of processors) {
    const there = computed(name, [command, ...first, '-cpu', name, process.execPath], env)
    for (const model of models) {
      const expected = reference(model).map(({ vector }) => vector)
      for (const engine of engines) {
        const key = `${model.name} ${engine}`
        const [own, native] = [there[key], here[key]]
        const isSame = JSON.stringify(own.vectors) === JSON.stringify(native.vectors)
        const likeness = least(own.vectors, native.vectors)
        const isRight = engine === 'encoder' ? isSame && own.instructions === instructions : likeness >= near
        const to = isSame ? 'same bits' : likeness.toFixed(7)
        console.log(`${name.padEnd(12)} ${key.padEnd(25)} ${(own.instructions ?? '').padEnd(9)} ${to.padEnd(10)} ${least(own.vectors, expected).toFixed(5)}${isRight ? '' : '  WRONG'}`)
        if (!isRight) failed.push(`${key} on ${name}`)
      }
    }
  }
  if (failed.length > 0) throw new SetupError(`Not what this machine computes: ${failed.join(', ')}.`)
}

runScript(() => (process.argv[2] === 'vectors' ? vectors() : compareAll()))
