// The check for machines with a GPU, rehearsed on the CPU with a tiny model: every step runs and leaves its part of the report. What only a GPU
// can show is made up here: its tables, and which outcome of a failure is the right one.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isExpected } from '../benches/gpu/failures.mjs'
import { report } from '../benches/gpu/report.mjs'
import { platform } from '../lib/platform.js'
import { fetchLibrary, readPins } from './onnxruntime.mjs'
import { root } from './pypi.mjs'

const linux = platform() === 'linux-x64-gnu' ? false : 'the check is for Linux on x64 with glibc'
const script = join(root, 'scripts', 'gpu-check.sh')
const fixture = join(root, 'tests', 'fixtures', 'low-bits', 'bert')

function temporary(context) {
  const folder = mkdtempSync(join(tmpdir(), 'vecrank-gpu-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function check(args, env = {}) {
  const run = spawnSync('bash', [script, ...args], { encoding: 'utf8', env: { ...process.env, NODE: process.execPath, PYTHON: 'no-python-here', ...env } })
  return { ...run, all: run.stdout + run.stderr }
}

/** A folder's content as the parts of a tar, as it travels to a machine that takes small files only. */
function parts(from, to, prefix) {
  mkdirSync(to)
  const { status, stderr } = spawnSync('bash', ['-c', `tar -C "$0" -czf - . | split -b 4M - "$1/${prefix}-part-"`, from, to], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

test('all steps run on the CPU, from split parts, and the report says that it is a rehearsal', { skip: linux }, (context) => {
  const folder = temporary(context)
  const [libraries, models] = [join(folder, 'libraries'), join(folder, 'models')]
  mkdirSync(libraries)
  copyFileSync(fetchLibrary(), join(libraries, `libonnxruntime.so.${readPins().version}`))
  for (const name of ['cuda', 'shared', 'tensorrt']) writeFileSync(join(libraries, `libonnxruntime_providers_${name}.so`), 'made up')
  cpSync(fixture, join(models, 'tiny'), { recursive: true })
  parts(libraries, join(folder, 'ort'), 'ort')
  parts(models, join(folder, 'model'), 'model')
  assert.ok(readdirSync(join(folder, 'ort')).length > 1)

  const out = join(folder, 'out')
  const { status, all } = check([join(folder, 'ort'), join(folder, 'model'), '--model', 'tiny', '--device', 'cpu', '--quick'], { OUT: out })
  // 1 where `doctor` found something to say.
  assert.ok(status === 0 || status === 1, all)
  assert.deepEqual(readdirSync(out).sort(), ['gpu.json', 'gpu.log', 'gpu.md'])
  const { rehearsal, parity, throughput, memory, failures } = JSON.parse(readFileSync(join(out, 'gpu.json'), 'utf8'))
  assert.equal(rehearsal, true)
  assert.deepEqual(parity.results.map(({ dtype, holds }) => [dtype, holds]), [['fp32', true], ['fp16', true]])
  assert.deepEqual(throughput.contenders.map(({ name }) => name), ['vecrank, fp32', 'vecrank, fp16'])
  assert.ok(throughput.results.length === 6 && throughput.results.every(({ perSecond }) => perSecond.median > 0))
  assert.deepEqual(throughput.absent.map(({ leftOut }) => leftOut), ['no Python was found', 'no Python was found'])
  assert.equal(memory.leftOut, 'a CPU has no limit of this kind')
  assert.ok(failures.results.length === 6 && failures.holds, JSON.stringify(failures))
  const written = readFileSync(join(out, 'gpu.md'), 'utf8')
  assert.match(written, /^# Rehearsal on a CPU: no figure here counts/)
  assert.doesNotMatch(written, /undefined|NaN|\[object/)
  assert.match(written, / 1 round in turn/)
  assert.equal(written.split('| rehearsed |').length, 1 + failures.results.length)
})

test('what is not there is named, and nothing runs', { skip: linux }, (context) => {
  const folder = temporary(context)
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  const says = (args, pattern) => {
    const { status, all } = check(args, { OUT: join(folder, 'out') })
    assert.equal(status, 2, all)
    assert.match(all, pattern)
  }
  says([], /give the folder of the libraries/)
  says([empty, empty, '--devise', 'cpu'], /no option --devise/)
  says([empty, empty, '--device', 'tpu'], /cuda or cpu, not tpu/)
  const rehearsed = ['--device', 'cpu']
  says([join(folder, 'nowhere'), empty, ...rehearsed], /nowhere is no folder/)
  says([empty, empty, ...rehearsed], /no libonnxruntime\.so\.X\.Y\.Z is in/)
  writeFileSync(join(empty, 'libonnxruntime.so.1.2.3'), '')
  says([empty, empty, ...rehearsed], /is a model/)
  writeFileSync(join(empty, 'ort-part-aa'), 'neither a tar nor a wheel')
  says([empty, empty, ...rehearsed], /do not make an archive/)
})

test('without a GPU it ends at once with one sentence, and --help is no failure', { skip: linux }, (context) => {
  const folder = temporary(context)
  writeFileSync(join(folder, 'nvidia-smi'), '#!/bin/sh\nexit 9\n', { mode: 0o755 })
  const { status, all } = check([folder, folder], { OUT: join(folder, 'out'), PATH: `${folder}:${process.env.PATH}` })
  assert.deepEqual([status, all.split('\n').length, existsSync(join(folder, 'out'))], [2, 2, false])
  assert.match(all, /^gpu-check: there is no GPU of NVIDIA here.*--device cpu/)
  const help = check(['--help'])
  assert.equal(help.status, 0)
  assert.match(help.stdout, /scripts\/gpu-check\.sh LIBRARIES MODELS[^]*--help/)
  assert.doesNotMatch(help.stdout, /^#|pipefail/m)
  const bench = spawnSync(process.execPath, ['benches/gpu.mjs', '--help'], { cwd: root, encoding: 'utf8' })
  assert.deepEqual([bench.status, bench.stderr], [0, ''])
  assert.match(bench.stdout, /node benches\/gpu\.mjs STEP/)
})

test('what is used before and at most is read from nvidia-smi', { skip: linux }, (context) => {
  const work = temporary(context)
  // 400 MiB, and while it is watched 500 to begin with.
  const stand = '#!/bin/bash\n[ "$1" = -L ] && exit 0\ncase "$*" in *-lms*) for ((i = 500; ; i++)); do echo $i; sleep 0.05; done ;; *) echo 400 ;; esac\n'
  writeFileSync(join(work, 'nvidia-smi'), stand, { mode: 0o755 })
  // Not `cpu`, which has nothing to measure.
  const args = ['benches/gpu.mjs', 'memory', '--device', 'auto', '--model', fixture, '--work', work]
  const run = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: { ...process.env, PATH: `${work}:${process.env.PATH}` } })
  assert.match(run.stdout, /^memory: /, run.stderr)
  const [free, ...limited] = JSON.parse(readFileSync(join(work, 'memory.json'), 'utf8')).results
  const MIB = 2 ** 20
  assert.deepEqual([free.before, free.context, free.after, free.holds], [400 * MIB, 400 * MIB, 400 * MIB, true])
  assert.ok(free.peak >= 500 * MIB && free.peak < 1000 * MIB && free.own === free.peak - free.context)
  assert.deepEqual(limited.map(({ limit }) => limit), [512 * MIB, 2048 * MIB])
})

test('an outcome is right only with the code and the words that its case asks for', () => {
  const error = (code, message) => ({ error: { code, message } })
  const missing = { code: /^ERR_DEVICE$/, words: /providers_cuda/ }
  assert.equal(isExpected(error('ERR_DEVICE', 'libonnxruntime_providers_cuda.so is missing'), missing), true)
  assert.equal(isExpected(error('ERR_DEVICE', 'no device'), missing), false)
  assert.equal(isExpected(error('ERR_INTERNAL', 'providers_cuda'), missing), false)
  assert.equal(isExpected({ place: { device: 'cuda' } }, missing), false)
  assert.equal(isExpected({ place: { device: 'cuda' } }, { ...missing, mayRun: true }), true)
  assert.equal(isExpected({ place: { device: 'cpu', passedOver: [{ device: 'cuda', reason: 'no' }] } }, { runs: true }), true)
  assert.equal(isExpected({ place: { device: 'cpu', passedOver: [] } }, { runs: true }), false)
  assert.equal(isExpected(error('ERR_DEVICE', 'no'), { runs: true }), false)
})

test('the report has a table for each step of a GPU, and says what did not end', (context) => {
  const work = temporary(context)
  const [MIB, GIB] = [2 ** 20, 2 ** 30]
  const nodes = { CUDAExecutionProvider: 300, CPUExecutionProvider: 4 }
  const place = { device: 'cuda', provider: 'CUDAExecutionProvider', nodes, passedOver: [], deviceMemory: { limit: GIB, used: 500 * MIB } }
  const near = { mean: 1, least: 0.99999, largest: 1e-4 }
  const full = { dtype: 'fp16', holds: false, error: { code: 'ERR_DEVICE', message: 'out of\nmemory | full' } }
  const kept = { limit: GIB, before: 0, context: 400 * MIB, peak: 900 * MIB, own: 500 * MIB, after: 450 * MIB, place, least: 1, holds: true }
  const fell = { name: 'auto', place: { device: 'cpu', passedOver: [{ device: 'cuda', reason: 'not there' }] }, ms: 12, afterwards: true, holds: true }
  const steps = {
    doctor: { devices: ['cuda'] },
    parity: { texts: 300, holds: false, results: [{ dtype: 'fp32', holds: true, limit: 0.9999, toCpu: near, toRow: near, place }, full] },
    memory: { slack: 256 * MIB, holds: false, results: [kept, { limit: 2 * GIB, holds: false, error: 'out of memory' }] },
    failures: { holds: false, results: [{ name: 'no provider', ended: 'SIGSEGV', said: '', holds: false }, fell] },
  }
  for (const [name, step] of Object.entries(steps)) writeFileSync(join(work, `${name}.json`), JSON.stringify(step))
  report({ work, out: work, device: 'cuda' })
  const written = readFileSync(join(work, 'gpu.md'), 'utf8')
  const wanted = [
    '# On a GPU',
    '| cuda (CUDAExecutionProvider) | CUDAExecutionProvider 300, CPUExecutionProvider 4 | yes |',
    'ERR_DEVICE: out of memory \\| full',
    '| 1024 | 0 | 400 | 900 | 500 | 450 | 500 of 1024 |',
    'ended with SIGSEGV',
    'passed over: cuda: not there',
    '**Did not end:** this step did not end',
  ]
  for (const words of wanted) {
    assert.ok(written.includes(words), `${words}\n\n${written}`)
  }
  assert.doesNotMatch(written, /undefined|NaN|\[object/)
})
