// The machine, the versions and the rates that a figure belongs to.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
/** What decides how fast a product is, by its name in /proc/cpuinfo. */
const FEATURES = /^(fma|f16c|avx2|avx_vnni|avx512f|avx512_?vnni|avx512_?bf16|avx512_?fp16|amx_tile|amx_int8|amx_bf16|asimd|asimddp|i8mm|bf16|sve|sve2|sme)$/

const read = (file) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function features() {
  const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(read('/proc/cpuinfo'))
  return line === null ? [] : line[1].split(' ').filter((name) => FEATURES.test(name))
}

const version = (folder, name) => {
  try {
    return JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')).version
  } catch {
    return undefined
  }
}

/** Milliseconds of all CPUs since the system began: at work, and in all. */
function used() {
  const all = os.cpus().map(({ times }) => times)
  const idle = all.reduce((sum, times) => sum + times.idle, 0)
  const total = all.reduce((sum, times) => sum + Object.values(times).reduce((a, b) => a + b), 0)
  return { busy: total - idle, total }
}

/** Watches what others do on the machine: gives a function that says which share of the CPUs they have used since, 0 to 1, less `own` milliseconds. */
export function others() {
  const [before, mine] = [used(), process.cpuUsage()]
  return (own) => {
    const [now, { user, system }] = [used(), process.cpuUsage(mine)]
    const total = now.total - before.total
    return total > 0 ? Math.max(0, now.busy - before.busy - own - (user + system) / 1000) / total : 0
  }
}

async function busy() {
  const share = others()
  await sleep(1000)
  return share(0)
}

/** Everything that is printed above the tables. `peers` is the folder where the Node peers are installed. */
export async function machine(peers) {
  const cpus = os.cpus()
  return {
    cpu: cpus[0]?.model.trim(),
    cpus: os.availableParallelism(),
    features: features(),
    memory: os.totalmem(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    busy: await busy(),
    versions: {
      node: process.versions.node,
      vecrank: require('../../package.json').version,
      ...(peers === undefined
        ? {}
        : {
            '@huggingface/transformers': version(peers, '@huggingface/transformers'),
            'onnxruntime-node': version(peers, 'onnxruntime-node'),
            fastembed: version(peers, 'fastembed'),
          }),
    },
  }
}

/**
 * What one core reaches in a product alone, operations a second (a multiplication and an addition are two): `{ fp32, bf16, int8 }`. A string says why
 * there is nothing.
 */
export function rates() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'vecrank-rates-'))
  try {
    const program = path.join(folder, 'rates')
    execFileSync('rustc', ['-O', '--edition', '2024', '-o', program, fileURLToPath(new URL('rates.rs', import.meta.url))], { stdio: 'pipe' })
    return JSON.parse(execFileSync(program, { encoding: 'utf8' })) ?? 'rates.rs knows x86-64 only'
  } catch (error) {
    return `rates.rs could not be compiled or run: ${error.message.split('\n')[0]}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Operations in the products with weights that texts of these numbers of tokens need in a BERT of this config.json; attention's own are left out. */
export function operations(config, tokens) {
  const { hidden_size: width, intermediate_size: inner, num_hidden_layers: layers } = config
  return tokens.reduce((sum, count) => sum + count, 0) * layers * (8 * width * width + 4 * width * inner)
}
