// A contender's process as peers.mjs sees it: asked with a line of JSON, answers with one.

import { spawn } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const file = (name) => fileURLToPath(new URL(name, import.meta.url))
/** What others print is no answer. */
const parse = (line) => {
  try {
    return line.startsWith('{') ? JSON.parse(line) : undefined
  } catch {
    return undefined
  }
}

/** One contender that runs. `ready` is what it says of itself once its model is loaded. */
export class Running {
  #child
  #lines
  #exited

  constructor(command, args) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#exited = new Promise((resolve) => this.#child.once('exit', resolve))
    // A process that cannot be started, or has ended, is told of by the missing answer.
    this.#child.on('error', () => {})
    this.#child.stdin.on('error', () => {})
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async #answer() {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done) throw new Error('the process ended without an answer')
      const answer = parse(value)
      if (answer === undefined) continue
      if (answer.error !== undefined) throw new Error(String(answer.error).split('\n')[0])
      return answer
    }
  }

  async ready() {
    return (await this.#answer()).ready
  }

  ask(what, command) {
    this.#child.stdin.write(`${JSON.stringify({ do: what, ...command })}\n`)
    return this.#answer()
  }

  /** Ends it, and waits: what still runs would take time from the next. */
  async end() {
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    if (this.#child.pid !== undefined) await this.#exited
    clearTimeout(timer)
  }
}

/** Starts a contender with its description; its model is loaded when `about` is there. Fails with the reason of the contender. */
export async function start(spec) {
  const args = spec.python === undefined ? [file('contend.mjs')] : [file('../peers.py')]
  const running = new Running(spec.python ?? process.execPath, [...args, JSON.stringify(spec)])
  try {
    running.about = await running.ready()
    return running
  } catch (error) {
    await running.end()
    throw error
  }
}

/** Milliseconds from the start of a process to its first vector. */
export async function first(spec) {
  const begun = performance.now()
  const running = new Running(process.execPath, [file('first.mjs'), JSON.stringify(spec)])
  try {
    const { dimensions } = await running.ask('first')
    return { ms: performance.now() - begun, dimensions }
  } finally {
    await running.end()
  }
}
