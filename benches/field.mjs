// What the benchmarks of a kind of model beside its peers have in common: their options, the model, contenders, a comparison, rounds, and a table.
//
// A contender is `{ open(), outputs(what), timed(what), close() }`; `what` names a set of texts, and `timed` gives `{ ms, cpu?, loop? }`. All outputs are
// compared with the first contender's before anything is timed; who differs is named and not timed. The others take turns, round by round.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine } from './peers/machine.mjs'
import { Running } from './peers/process.mjs'
import { median } from './peers/rows.mjs'
import { watched } from './watched.mjs'

export const beside = (name) => fileURLToPath(new URL(name, import.meta.url))

/** The options of a benchmark: those that all have, and its own. The folder of `work` is made. */
export function options(name, own) {
  const { values } = parseArgs({
    options: {
      python: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      like: { type: 'string', default: beside('../../shared/models/all-MiniLM-L6-v2') },
      data: { type: 'string', default: beside('../../shared/data/bench.json') },
      work: { type: 'string', default: beside(`../target/${name}`) },
      json: { type: 'string' },
      ...own,
    },
  })
  const work = path.resolve(values.work)
  mkdirSync(work, { recursive: true })
  return { ...values, work, rounds: Number(values.rounds) }
}

/** Makes a model by a script of models/, unless it was made before: its folder. */
export function made({ python, like, work }, maker, shape) {
  const folder = path.join(work, `${maker}-${shape}`)
  if (existsSync(folder)) return folder
  if (python === undefined) throw new Error('--python is missing: it makes the model')
  console.log(`making ${folder}`)
  const { status, stderr, error } = spawnSync(python, [beside(`models/${maker}.py`), shape, '--like', like, '--work', work], { encoding: 'utf8' })
  if (status !== 0) throw error ?? new Error(stderr)
  return folder
}

/** Writes sets of texts for processes: the file. */
export function writeSets(work, sets) {
  const file = path.join(work, 'texts.json')
  writeFileSync(file, JSON.stringify(sets))
  return file
}

/** The numbers of a file. */
export function numbersIn(file, Numbers = Float32Array) {
  const bytes = readFileSync(file)
  return new Numbers(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

/** Milliseconds of a call of our own process, of the CPU, and the delay of the event loop. */
export async function measured(call) {
  const before = process.cpuUsage()
  const { ms, p99, result } = await watched(call)
  const { user, system } = process.cpuUsage(before)
  return { ms, loop: p99, cpu: (user + system) / 1000, result }
}

/** A contender in a process of its own. `read(answer, file)` makes outputs of what it answers and of the file that it writes. */
export class Peer {
  #command
  #read
  #file
  #running

  constructor(command, read, work) {
    this.#command = command
    this.#read = read
    this.#file = path.join(work, 'outputs')
  }

  async open() {
    const [program, ...args] = this.#command
    this.#running = new Running(program, args)
    await this.#running.ready()
  }

  async outputs(what) {
    return this.#read(await this.#running.ask('outputs', { what, to: this.#file }), this.#file)
  }

  timed(what) {
    return this.#running.ask('timed', { what })
  }

  close() {
    return this.#running.end()
  }
}

/** Says which machine this is: what is known of it. */
export async function introduced() {
  const about = await machine()
  console.log(`machine     ${about.cpu}, ${about.cpus} CPUs`)
  if (about.busy > 0.1) console.log(`            NOT IDLE: others use ${(about.busy * 100).toFixed(0)} % of the CPUs; only ratios of this run mean anything`)
  return about
}

/** Those of a field that agree. `judge(outputs, reference, contender)` gives `{ agrees, said }`; outputs are those of every set, by its name. */
export async function compared(field, sets, judge) {
  const taking = []
  let reference
  for (const [name, contender] of field) {
    await contender.open()
    const found = {}
    for (const what of sets) found[what] = await contender.outputs(what)
    reference ??= found
    const { agrees, said } = judge(found, reference, contender)
    console.log(`compared    ${name}: ${said}${agrees ? '' : '; not timed'}`)
    if (agrees) taking.push({ name, contender, speeds: {}, cpu: {}, loop: 0 })
    else await contender.close()
  }
  return taking
}

/** Times all by turns, and closes them: items a second and CPU milliseconds of every set, and the worst delay of an event loop. `counts`: items of a set. */
export async function inTurns(taking, counts, rounds) {
  for (let round = 0; round < rounds; round++) {
    for (const [what, count] of Object.entries(counts)) {
      for (const [index] of taking.entries()) {
        const each = taking[(index + round) % taking.length]
        const { ms, cpu, loop } = await each.contender.timed(what)
        ;(each.speeds[what] ??= []).push((count / ms) * 1000)
        ;(each.cpu[what] ??= []).push(cpu)
        each.loop = Math.max(each.loop, loop ?? 0)
      }
    }
  }
  for (const { contender } of taking) await contender.close()
}

/** Median, least and most. */
export function range(numbers, shown = (number) => number.toFixed(1)) {
  return `${shown(median(numbers))} (${shown(Math.min(...numbers))}–${shown(Math.max(...numbers))})`
}

/** How many times as fast one is as the best of some. */
export function times(each, others, what) {
  return (median(each.speeds[what]) / Math.max(...others.map(({ speeds }) => median(speeds[what])))).toFixed(2)
}

export const delay = ({ loop }) => (loop > 0 ? loop.toFixed(1) : '–')

export function table(head, rows) {
  console.log(`\n${[head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`)
}

/** Writes what was measured, for who asked for it. */
export function writeFigures({ json }, about, parameters, taking) {
  if (json === undefined) return
  const figures = taking.map(({ contender, ...figure }) => figure)
  writeFileSync(json, `${JSON.stringify({ machine: about, ...parameters, figures }, null, 2)}\n`)
}
