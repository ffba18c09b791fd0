// The order of things: references, then the contenders of one model side by side, row by row, round by round.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { others } from './machine.mjs'
import { first, start } from './process.mjs'
import { COUNTS, NEAR, median, rows } from './rows.mjs'

const LONE = 60

/** Cosine of two rows. Scores of passages are one row, less their mean: a score is no direction. */
function cosine(a, b) {
  let [dot, aa, bb] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) [dot, aa, bb] = [dot + a[i] * b[i], aa + a[i] * a[i], bb + b[i] * b[i]]
  return dot / Math.sqrt(aa * bb)
}
const centred = (scores) => scores.map((score) => score - scores.reduce((sum, each) => sum + each, 0) / scores.length)

export class Measure {
  /** What was measured: `{ model, row, id, name, family, dtype, figure }`. */
  entries = []
  /** What was not, and why: `{ model, row, name, dtype, reason }`. */
  left = []
  /** How near the vectors of each were to the reference: `{ model, set, name, dtype, lowest, mean, agrees }`. */
  likeness = []
  /** Which share of the CPUs others used while rows were measured: `{ model, row, dtypes, share }`. */
  noise = []
  #options
  #references = new Map()

  /** `options`: `{ contenders, folders, texts, work, rounds, quick, full, wanted, say }`. */
  constructor(options) {
    this.#options = options
  }

  #counts(model) {
    const { quick, mixed } = this.#options
    const counts = quick ? COUNTS.quick : { ...COUNTS.minilm, ...COUNTS[model] }
    return mixed === undefined ? counts : { ...counts, mixed }
  }

  #spec(contender, model, dtype, task) {
    const { folders, texts } = this.#options
    const folder = contender.python !== undefined && contender.kind === 'sentence-transformers' ? folders[model].safetensors : folders[model].onnx
    return { ...contender, does: undefined, dtypes: undefined, dtype, task, folder, texts }
  }

  #skip(model, contender, dtype, reason, row) {
    this.left.push({ model, row, name: contender.name, dtype, reason })
    this.#options.say(`  ${contender.name}, ${dtype}: ${reason}`)
  }

  async #start(contender, model, dtype, task) {
    const spec = this.#spec(contender, model, dtype, task)
    const { safetensors, reason } = this.#options.folders[model]
    if (spec.folder === undefined) return this.#skip(model, contender, dtype, reason)
    try {
      return await start(spec)
    } catch (error) {
      // The same weights in the other form, for an encoder that does not read them out of this graph.
      const other = contender.id === 'encoder' && safetensors !== undefined && safetensors !== spec.folder
      const again = other ? await start({ ...spec, folder: safetensors }).catch(() => undefined) : undefined
      if (again === undefined) return this.#skip(model, contender, dtype, `does not load: ${error.message}`)
      this.#options.say(`  ${contender.name}, ${dtype}: reads model.safetensors, not the ONNX file (${error.message})`)
      return again
    }
  }

  #rowsOf(task, isMain) {
    return Object.entries(rows).filter(
      ([id, row]) => !row.own && (row.task ?? 'embed') === task && this.#options.wanted.includes(id) && (isMain || row.main !== true),
    )
  }

  #length(set, counts) {
    return counts[set] ?? LONE
  }

  /** Vectors of a set from a contender, as rows. */
  async #vectors(running, set, counts, most = Infinity) {
    const to = path.join(this.#options.work, 'vectors.f32')
    const { rows: count, width } = await running.ask('vectors', { set, count: Math.min(most, this.#length(set, counts)), to })
    const bytes = readFileSync(to)
    const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
    if (set === 'passages') return [centred(data)]
    return Array.from({ length: count }, (_, row) => data.subarray(row * width, (row + 1) * width))
  }

  /** Vectors of fp32 from a lone text a call, by a peer where there is one: no batch and no code of ours has a part in them. */
  async #reference(model, task, sets, counts) {
    const able = this.#options.contenders.filter(({ dtypes }) => dtypes.includes('fp32'))
    const judge = able.find(({ id }) => id === 'transformers-1') ?? able.find(({ id }) => id === 'graph') ?? able[0]
    const running = await this.#start(judge, model, 'fp32', task)
    if (running === undefined) throw new Error(`${judge.name}, which the others are compared with, does not load`)
    for (const set of sets) this.#references.set(set, await this.#vectors(running, set, counts))
    await running.end()
    this.#options.say(`  compared with the vectors of ${judge.name}, fp32`)
  }

  /** Whether a contender's vectors of a set are those of the reference. */
  async #agrees({ contender, running, dtype, most }, model, set, counts) {
    const vectors = await this.#vectors(running, set, counts, set === 'passages' ? Infinity : most)
    const likeness = vectors.map((row, index) => cosine(row, this.#references.get(set)[index]))
    const [lowest, mean] = [Math.min(...likeness), likeness.reduce((sum, each) => sum + each, 0) / likeness.length]
    const agrees = lowest >= NEAR[dtype]
    this.likeness.push({ model, set, name: contender.name, dtype, lowest, mean, agrees })
    const verdict = agrees ? '' : `: under ${NEAR[dtype]}, not timed`
    this.#options.say(`  ${contender.name}, ${dtype}, ${set}: cosine ${lowest.toFixed(6)} at least, ${mean.toFixed(6)} in the mean${verdict}`)
    return agrees
  }

  /** All rows of a model, for contenders of some dtypes side by side. */
  async sideBySide(model, task, isMain) {
    const counts = this.#counts(model)
    const chosen = this.#rowsOf(task, isMain)
    if (chosen.length === 0) return
    const sets = [...new Set(chosen.map(([, { set }]) => set).filter(Boolean))]
    this.#options.say(`  texts or calls a round: ${JSON.stringify(counts)}`)
    await this.#reference(model, task, sets, counts)
    for (const dtypes of [['fp32', 'bf16'], ['q8']]) await this.#group(model, task, chosen, dtypes, counts)
  }

  async #group(model, task, chosen, dtypes, counts) {
    const needed = new Set(chosen.map(([, { needs }]) => needs))
    let field = []
    for (const contender of this.#options.contenders.filter(({ does }) => does.some((what) => needed.has(what)))) {
      for (const dtype of dtypes.filter((each) => contender.dtypes.includes(each))) {
        const running = await this.#start(contender, model, dtype, task)
        if (running !== undefined) field.push({ contender, running, dtype, most: contender.most, compared: new Set() })
      }
    }
    try {
      for (const [id, row] of chosen) {
        const taking = []
        for (const each of field.filter(({ contender }) => contender.does.includes(row.needs))) {
          // Also a first pass over the texts, so that nothing is new when the clock runs.
          if (row.set !== undefined && each.reason === undefined && !each.compared.has(row.set)) {
            each.compared.add(row.set)
            try {
              if (!(await this.#agrees(each, model, row.set, counts))) each.reason = `its vectors of ${row.set} are not those of the reference`
            } catch (error) {
              each.reason = `failed: ${error.message}`
            }
          }
          if (each.reason === undefined) taking.push(each)
          else this.left.push({ model, row: id, name: each.contender.name, dtype: each.dtype, reason: each.reason })
        }
        await this.#row(model, id, row, taking, counts, dtypes)
      }
    } finally {
      for (const { running } of field) await running.end()
    }
  }

  async #row(model, id, row, taking, counts, dtypes) {
    const answers = new Map(taking.map((each) => [each, []]))
    const share = others()
    let own = 0
    for (let round = 0; round < (row.times ?? this.#options.rounds); round++) {
      // Another one begins each round: who comes after whom should not matter.
      const order = taking.map((_, index) => taking[(index + round) % taking.length])
      for (const each of order) {
        const command = row.ask(counts, round)
        if (each.most !== undefined && row.do === 'bulk') command.count = Math.min(each.most, command.count)
        try {
          const answer = await each.running.ask(row.do, command)
          own += answer.cpu
          answers.get(each)?.push(answer)
        } catch (error) {
          answers.delete(each)
          this.#skip(model, each.contender, each.dtype, `failed: ${error.message}`, id)
        }
      }
    }
    this.noise.push({ model, row: id, dtypes, share: share(own) })
    for (const [{ contender, dtype }, given] of answers) this.#add(model, id, contender, dtype, row.figure(given))
    this.#options.shown(model, id, dtypes)
    const { share: noise } = this.noise.at(-1)
    if (noise > 0.05) this.#options.say(`  others used ${(noise * 100).toFixed(0)} % of the CPUs meanwhile`)
  }

  #add(model, row, { id, name, family }, dtype, figure) {
    this.entries.push({ model, row, id, name, family, dtype, figure })
  }

  #able(row) {
    return this.#options.contenders.filter(({ does }) => does.includes(row))
  }

  /** Peak memory, each in a fresh process that has only loaded and done the mixed texts twice. */
  async memory(model) {
    const { quick } = this.#options
    const { mixed } = this.#counts(model)
    for (const contender of this.#able('memory')) {
      for (const dtype of contender.dtypes) {
        if (this.likeness.some((each) => each.model === model && each.name === contender.name && each.dtype === dtype && !each.agrees)) continue
        const running = await this.#start(contender, model, dtype, 'embed')
        if (running === undefined) continue
        const command = { set: 'mixed', count: Math.min(contender.most ?? mixed, mixed) }
        let peak
        for (let pass = 0; pass < (quick ? 1 : 2); pass++) ({ peak } = await running.ask('bulk', command))
        this.#add(model, 'memory', contender, dtype, { mb: peak })
        await running.end()
      }
    }
    this.#options.shown(model, 'memory')
  }

  /** Time a text in calls of a growing number of texts. */
  async linear(model) {
    const { quick } = this.#options
    const counts = this.#counts(model).linear
    const able = this.#able('linear')
    const contender = able.find(({ id }) => id === 'encoder') ?? able[0]
    for (const dtype of contender?.dtypes ?? []) {
      const running = await this.#start(contender, model, dtype, 'embed')
      if (running === undefined) continue
      await running.ask('bulk', { set: 'short', count: counts[0] })
      const steps = []
      for (const count of [...counts, ...(this.#options.full ? [100_000] : [])]) {
        const times = []
        const rounds = quick || count > counts[1] ? 1 : count === counts[0] ? 7 : 3
        for (let round = 0; round < rounds; round++) times.push((await running.ask('bulk', { set: 'short', count })).ms)
        steps.push({ count, perText: median(times) / count })
      }
      this.#add(model, 'linear', contender, dtype, { steps })
      await running.end()
    }
    this.#options.shown(model, 'linear')
  }

  /** Fresh processes up to their first vector, in turn. The first of each is not counted: it brings the files into memory. */
  async first(model) {
    const able = this.#able('first')
    const times = new Map(able.map((contender) => [contender, []]))
    for (let round = 0; round < (this.#options.quick ? 4 : 8); round++) {
      for (const contender of able.filter((each) => times.has(each))) {
        try {
          const { ms } = await first(this.#spec(contender, model, 'q8', 'embed'))
          if (round > 0) times.get(contender).push(ms)
        } catch (error) {
          times.delete(contender)
          this.#skip(model, contender, 'q8', `failed: ${error.message}`, 'first')
        }
      }
    }
    for (const [contender, all] of times) this.#add(model, 'first', contender, 'q8', { median: median(all), least: Math.min(...all), most: Math.max(...all) })
    this.#options.shown(model, 'first')
  }
}
