// What a GPU gives and how it fails: the measuring parts of scripts/gpu-check.sh, which sets up the libraries and runs them in order.
//
//   node benches/gpu.mjs STEP --model FOLDER --work DIR [--device cuda] [--libraries DIR] [--torch FOLDER] [--python PATH] [--quick]
//
// STEP is `describe` (a runtime.json for libraries that have none), `parity`, `throughput`, `memory`, `failures` or `report`. A step leaves
// DIR/STEP.json and ends with 1 where something does not hold; `report` makes gpu.json and gpu.md of them. With `--device cpu` all of it is
// rehearsed without a GPU: what only a GPU can show is left out and said so, and no figure counts.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describe } from './gpu/describe.mjs'
import { failures } from './gpu/failures.mjs'
import { memory } from './gpu/memory.mjs'
import { parity } from './gpu/parity.mjs'
import { report } from './gpu/report.mjs'
import { throughput } from './gpu/throughput.mjs'

const steps = { describe, parity, throughput, memory, failures, report }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    work: { type: 'string' },
    device: { type: 'string', default: 'cuda' },
    libraries: { type: 'string' },
    torch: { type: 'string' },
    python: { type: 'string' },
    out: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  // The top of this file.
  const [top] = readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\n\n')
  console.log(top.replace(/^\/\/ ?/gm, ''))
  process.exit()
}
const [name] = positionals
const step = steps[name]
if (step === undefined) throw new Error(`The step is one of ${Object.keys(steps).join(', ')}.`)
// Absolute paths: a bare name would be that of a package.
const paths = Object.fromEntries(['model', 'work', 'libraries', 'torch', 'out'].map((key) => [key, values[key] && resolve(values[key])]))

const result = await step({ ...values, ...paths })
if (result !== undefined) {
  mkdirSync(paths.work, { recursive: true })
  writeFileSync(join(paths.work, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
  console.log(`${name}: ${result.leftOut ?? (result.holds ? 'holds' : 'DOES NOT HOLD')}`)
  if (result.leftOut === undefined && !result.holds) process.exitCode = 1
}
