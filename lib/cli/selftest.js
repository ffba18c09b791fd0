'use strict'

/**
 * Whether the devices that work give the right vectors, and how fast: a few texts with the default embedder on the CPU, then on each of them.
 *
 * A device is compared with ONNX Runtime on the CPU from the same file, as an fp16 or 8-bit file has vectors of its own; ONNX Runtime on the CPU
 * with vecrank's encoder, where that runs the model. Texts go one by one: rows of an 8-bit graph depend on those beside them.
 */

const { Embedder, cosineSimilarity } = require('../../index.js')

const TEXTS = [
  'The cat sleeps on the warm roof.',
  'How do plants make sugar?',
  'Leaves turn light into sugar, water and oxygen.',
  'The train to Paris leaves at nine in the morning.',
  'Bread needs flour, water, salt and yeast.',
  'Revenue grew by 12 % while costs fell, the report says, and nobody had expected that a year ago.',
  'Ein kurzer Satz auf Deutsch.',
  'A',
]
/** What is timed: enough for a device to have rows that run together. */
const MANY = Array.from({ length: 32 }, (_, index) => TEXTS[index % TEXTS.length])
/** How long one device is timed. */
const TIMED_MS = 400
/** The least cosine that is right. */
const LEAST = 0.99
/** The encoder and ONNX Runtime round 8 bits in different ways: docs/models.md has what was measured. */
const LEAST_OF_BITS = 0.97
const BITS = new Set(['q8', 'int8', 'uint8', 'q4', 'q4f16', 'bnb4'])
/** What says that there is no file for ONNX Runtime here, and nothing of the device. */
const NO_FILE = new Set(['ERR_OFFLINE', 'ERR_FILE_NOT_FOUND', 'ERR_MODEL_UNSUPPORTED'])
/** What says that the model is not there or not in order, where no device was named. */
const OF_MODEL = new Set(['ERR_MODEL_NOT_FOUND', 'ERR_FILE_NOT_FOUND', 'ERR_MODEL_UNSUPPORTED', 'ERR_MODEL_INVALID'])

class SelfTest {
  #devices
  #tell
  #end
  /** Vectors of ONNX Runtime on the CPU by the file that they are from. */
  #references = new Map()

  /**
   * @param devices those that work, as `hardware()` names them
   * @param tell takes `'skipped'` and `'model'` (what is wrong with it) with a sentence, `'doing'` with a device, and `'run'` with what came out
   * @param {number} milliseconds what all of it may take
   */
  constructor(devices, tell, milliseconds) {
    this.#devices = devices
    this.#tell = tell
    this.#end = performance.now() + milliseconds
  }

  async run() {
    this.#tell('doing', 'cpu')
    let own
    try {
      own = await this.#measure({ device: 'cpu' })
    } catch (error) {
      if (OF_MODEL.has(error.code)) return this.#tell('model', error.message)
      if (error.code !== 'ERR_OFFLINE') return this.#failed('cpu', error)
      return this.#tell('skipped', `the default embedder is not on this machine, and nothing is downloaded here: ${error.message}`)
    }
    this.#report('cpu', own)
    const isGraph = own.info.engine === 'graph'
    if (isGraph) this.#references.set(own.info.file, own.vectors)
    for (const device of ['cpu', ...this.#devices.filter((name) => name !== 'cpu')]) {
      if (!this.#devices.includes(device) || (device === 'cpu' && isGraph)) continue
      this.#tell('doing', device)
      if (performance.now() > this.#end) this.#tell('run', { device, ...NOTHING, skipped: 'there was no time left for it' })
      else await this.#compare(device, own).catch((error) => this.#failed(device, error))
    }
  }

  async #compare(device, own) {
    const found = await this.#measure({ device, engine: 'graph' })
    const { file, dtype } = found.info
    if (device === 'cpu') {
      this.#references.set(file, found.vectors)
      // Both read what `dtype` says; where that is two files with other numbers, there is nothing to compare.
      if (dtype !== own.info.dtype) return this.#report(device, found)
      return this.#report(device, found, own.vectors, BITS.has(dtype) ? LEAST_OF_BITS : LEAST)
    }
    if (!this.#references.has(file)) this.#references.set(file, (await this.#measure({ device: 'cpu', engine: 'graph', file }, 0)).vectors)
    this.#report(device, found, this.#references.get(file), LEAST)
  }

  /** Vectors of the texts, and texts a second where there is time for that. */
  async #measure(options, timed = TIMED_MS) {
    const embedder = new Embedder(undefined, { offline: true, ...options })
    try {
      const vectors = []
      for (const text of TEXTS) vectors.push(await embedder.embed(text))
      // A new shape is compiled by many devices: that is not timed.
      if (timed > 0 && performance.now() < this.#end) await embedder.embedMany(MANY)
      let count = 0
      const start = performance.now()
      const end = Math.min(start + timed, this.#end)
      while (timed > 0 && (count === 0 || performance.now() < end)) count += (await embedder.embedMany(MANY)).rows
      return { vectors, info: await embedder.info(), textsPerSecond: count === 0 ? null : Math.round((count * 1000) / (performance.now() - start)) }
    } finally {
      await embedder.dispose()
    }
  }

  #report(device, { info, vectors, textsPerSecond }, reference, least = null) {
    const cosine = reference === undefined ? null : Math.min(...vectors.map((vector, index) => cosineSimilarity(vector, reference[index])))
    const { model, engine, provider, dtype, file, nodes } = info
    this.#tell('run', { device, ...NOTHING, model, engine, provider, dtype, file, nodes, cosine, least, textsPerSecond })
  }

  #failed(device, error) {
    const causes = error.cause instanceof Error ? `: ${error.cause.message}` : ''
    const said = `${error.message}${causes} (${error.code ?? 'ERR_INTERNAL'})`
    this.#tell('run', { device, ...NOTHING, [NO_FILE.has(error.code) ? 'skipped' : 'error']: said })
  }
}

const NOTHING = {
  model: null,
  engine: null,
  provider: null,
  dtype: null,
  file: null,
  nodes: null,
  cosine: null,
  least: null,
  textsPerSecond: null,
  skipped: null,
  error: null,
}

module.exports = { SelfTest }
