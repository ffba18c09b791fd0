// gpu.json and gpu.md of what the steps have left.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import { join } from 'node:path'

const { version } = createRequire(import.meta.url)('../../package.json')
const STEPS = ['parity', 'throughput', 'memory', 'failures']
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
const cell = (text) => String(text).replaceAll('|', '\\|').replace(/\s+/g, ' ').slice(0, 300)
const near = (number) => (number >= 100 ? number.toFixed(0) : number.toPrecision(3))
const mib = (bytes) => (bytes === undefined ? '–' : (bytes / 2 ** 20).toFixed(0))
const holds = (value) => (value ? 'yes' : '**no**')

function machine() {
  const gpus = spawnSync('nvidia-smi', ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'], { encoding: 'utf8' })
  return {
    gpus: gpus.status === 0 ? gpus.stdout.trim().split('\n') : [],
    cpu: os.cpus()[0]?.model.trim(),
    cpus: os.availableParallelism(),
    memory: os.totalmem(),
    system: `${os.type()} ${os.release()}`,
    node: process.version,
    vecrank: version,
  }
}

function read(work, name) {
  const file = join(work, `${name}.json`)
  if (!existsSync(file)) return { holds: false, error: 'this step did not end' }
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { holds: false, error: readFileSync(file, 'utf8').trim().slice(0, 600) || 'nothing was said' }
  }
}

/** On how many nodes of the graph each provider works. */
const nodesOf = (place) => (place?.nodes ? Object.entries(place.nodes).map(([name, count]) => `${name} ${count}`).join(', ') : '–')

const sections = {
  parity: ({ texts, results }) => [
    `${texts} real texts against fp32 on the CPU; "alone": 20 of them, each against its row.`,
    table(
      ['dtype', 'cosine, mean', 'least', 'largest difference', 'alone, least', 'device', 'nodes', 'holds'],
      results.map(({ dtype, toCpu, toRow, place, leftOut, error, holds: kept }) => {
        if (leftOut !== undefined) return [dtype, cell(`left out: ${leftOut}`), '', '', '', '', '', '–']
        if (error !== undefined) return [dtype, cell(`${error.code}: ${error.message}`), '', '', '', '', '', holds(kept)]
        const figures = [toCpu.mean.toFixed(6), toCpu.least.toFixed(6), toCpu.largest.toPrecision(2), toRow.least.toFixed(6)]
        return [dtype, ...figures, `${place.device} (${place.provider})`, nodesOf(place), holds(kept)]
      }),
    ),
  ],
  throughput: ({ rounds, results, absent, contenders }) => [
    `Texts a second, ${rounds} ${rounds === 1 ? 'round' : 'rounds'} in turn: median (least–most); of a lone text also ms.`,
    table(
      ['', ...new Set(results.map(({ texts }) => `${texts} a call`))],
      contenders.map(({ name }) => [
        name,
        ...results
          .filter((each) => each.name === name)
          .map(({ texts, ms, perSecond }) => `${near(perSecond.median)} (${near(perSecond.least)}–${near(perSecond.most)})${texts === 1 ? `, ${ms.median.toFixed(2)} ms` : ''}`),
      ]),
    ),
    ...absent.map(({ name, leftOut }) => `Left out: ${name}: ${cell(leftOut)}.`),
  ],
  memory: ({ results, slack }) => [
    `MiB that nvidia-smi tells. "own": the peak without what CUDA takes for a tiny model; it may be ${mib(slack)} above the limit.`,
    table(
      ['limit', 'before', 'tiny model', 'peak', 'own', 'after', '`deviceMemory`', 'cosine to no limit', 'holds'],
      results.map(({ limit, before, context, peak, own, after, place, least, error, holds: kept }) => {
        const told = place?.deviceMemory ? `${mib(place.deviceMemory.used)} of ${mib(place.deviceMemory.limit)}` : '–'
        const figures = [before, context, peak, own, after].map(mib)
        return [limit === undefined ? 'none' : mib(limit), ...figures, told, error ? cell(error) : (least?.toFixed(6) ?? '–'), holds(kept)]
      }),
    ),
  ],
  failures: ({ rehearsal, results }) => [
    // Without a GPU none of them can show what it is for.
    `Each in its own process, which then embeds on the CPU.${rehearsal ? ' Without a GPU only that is looked at, and not what came.' : ''}`,
    table(
      ['case', 'what came', 'ms', 'the CPU works afterwards', 'holds'],
      results.map(({ name, error, place, ms, ended, said, afterwards, holds: kept }) => {
        const over = place?.passedOver?.map(({ device, reason }) => `; passed over: ${device}: ${reason}`) ?? []
        const came = ended !== undefined ? `ended with ${ended}: ${said}` : error ? `${error.code}: ${error.message}` : `runs on ${place.device}${over.join('')}`
        return [cell(name), cell(came), ms ?? '–', holds(afterwards), rehearsal && kept ? 'rehearsed' : holds(kept)]
      }),
    ),
  ],
}

export function report({ work, out, device }) {
  const about = machine()
  const doctor = read(work, 'doctor')
  const steps = Object.fromEntries(STEPS.map((name) => [name, read(work, name)]))
  const all = { rehearsal: device === 'cpu', date: new Date().toISOString().slice(0, 10), machine: about, doctor, ...steps }

  const head = device === 'cpu' ? '# Rehearsal on a CPU: no figure here counts' : '# On a GPU'
  const lines = [head, `${all.date}. ${about.gpus.join('; ') || 'No NVIDIA GPU'}. ${about.cpu}, ${about.cpus} CPUs, ${about.system}. Node ${about.node}, vecrank ${about.vecrank}.`]
  lines.push('## doctor', doctor.error === undefined ? `\`\`\`json\n${JSON.stringify(doctor, null, 2).slice(0, 4000)}\n\`\`\`` : `Did not run: ${cell(doctor.error)}`)
  for (const [name, step] of Object.entries(steps)) {
    lines.push(`## ${name}`)
    if (step.leftOut !== undefined) lines.push(`Left out: ${step.leftOut}.`)
    else if (step.error !== undefined) lines.push(`**Did not end:** ${cell(step.error)}`)
    else lines.push(...sections[name](step))
  }
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'gpu.json'), `${JSON.stringify(all, null, 2)}\n`)
  writeFileSync(join(out, 'gpu.md'), `${lines.join('\n\n')}\n`)
  console.log(`report: ${join(out, 'gpu.md')}`)
}
