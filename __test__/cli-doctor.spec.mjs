// `vecrank doctor`: that it ends well where everything else fails, what it takes for broken, and that no secret leaves it.

import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cards } from '../lib/cli/cards.js'
import { cores } from '../lib/cli/cores.js'
import { problemsOf } from '../lib/cli/doctor.js'
import { variables } from '../lib/cli/environment.js'
import { text } from '../lib/cli/report.js'
import { hubFolder, room } from '../lib/cli/room.js'
import { tiny } from './fixtures.mjs'
import { start, vecrank } from './hub/cli.mjs'
import { root, temporary } from './hub/world.mjs'

const KEYS = 'ok problems notes vecrank node system addon unknown cpu memory gpus cards onnxruntime providers runtimes cache defaults environment selfTest'.split(' ')
/** Nothing of the developer's own machine. */
const clean = (t, env = {}) => ({
  VECRANK_DATA: join(temporary(t), 'data'),
  VECRANK_EMBEDDER: tiny('zoo/bert-mean'),
  VECRANK_RERANKER: '',
  VECRANK_ONNXRUNTIME: '',
  VECRANK_ORT_DIR: '',
  VECRANK_CPU: '',
  MODEL_CACHE: '',
  HF_HUB_CACHE: '',
  HUGGINGFACE_HUB_CACHE: '',
  HF_TOKEN: '',
  HF_ENDPOINT: '',
  ...env,
})

/** The findings as JSON, with the exit code. */
async function found(t, env, words = []) {
  const { code, stdout } = await vecrank(t, ['doctor', '--json', ...words], { env: clean(t, env) })
  const all = JSON.parse(stdout)
  assert.deepEqual(Object.keys(all), KEYS)
  assert.equal(all.ok, code === 0)
  assert.equal(all.problems.length === 0, all.ok)
  return { code, ...all }
}

test('a sound machine: every part is there, in words and as JSON, and it ends with 0', async (t) => {
  const { code, stdout, stderr } = await vecrank(t, ['doctor'], { env: clean(t) })
  assert.deepEqual([code, stderr], [0, ''])
  for (const title of ['Processor', 'Memory', 'GPUs', 'ONNX Runtime', 'Devices', 'Added runtimes', 'Cache of models', 'Default models', 'Environment', 'Self-test']) {
    assert.match(stdout, new RegExp(`^${title}$`, 'm'))
  }
  assert.match(stdout, /^ {2}cpu +the encoder, fp32: \d+ texts a second$/m)
  assert.match(stdout, /^ {2}cpu +CPUExecutionProvider, fp32: \d+ texts a second; least cosine 1\.0000$/m)
  assert.match(stdout, /\nEverything that is here works\.\n$/)

  const all = await found(t)
  assert.equal(all.code, 0)
  assert.equal(all.cache.writable, true)
  assert.equal(all.defaults.embedder.source, 'folder')
  assert.match(all.onnxruntime.sha256, /^[\da-f]{64}$/)
  assert.ok(all.providers.every(({ available, reason }) => available || reason.length > 0))
  const [encoder, graph] = all.selfTest.runs
  assert.deepEqual([encoder.device, encoder.engine, encoder.cosine], ['cpu', 'encoder', null])
  assert.deepEqual([graph.engine, graph.least, graph.cosine > 0.9999], ['graph', 0.99, true])
})

test('--quick leaves the self-test out, and says so', async (t) => {
  const all = await found(t, {}, ['--quick'])
  assert.deepEqual([all.code, all.selfTest], [0, { skipped: '--quick was given', runs: [] }])
})

test('it has its help, and what nobody could run is refused with 2', async (t) => {
  assert.match((await vecrank(t, ['--help'])).stdout, /vecrank doctor \[options\]/)
  const help = await vecrank(t, ['doctor', '--help'], { env: { VECRANK_ONNXRUNTIME: 'not/absolute' } })
  assert.deepEqual([help.code, help.stderr], [0, ''])
  for (const name of ['quick', 'json']) assert.match(help.stdout, new RegExp(`--${name}\\b`))
  for (const words of [['everything'], ['--fast'], ['--json=1']]) assert.equal((await vecrank(t, ['doctor', ...words])).code, 2)
})

test('a default model that would have to be downloaded is not tested, and nothing is broken', async (t) => {
  const all = await found(t, { VECRANK_EMBEDDER: 'owner/name' })
  assert.equal(all.code, 0)
  assert.match(all.selfTest.skipped, /not on this machine.*npx vecrank pull owner\/name/)
  assert.deepEqual([all.defaults.embedder.isHere, all.defaults.embedder.chosenBy], [false, 'VECRANK_EMBEDDER'])
  const wrong = await found(t, { VECRANK_EMBEDDER: 'no such model' }, ['--quick'])
  assert.equal(wrong.code, 1)
  assert.match(wrong.problems[0], /^VECRANK_EMBEDDER: Expected/)
})

test('a default model that is not there is broken, also with --quick, and its variable is named', async (t) => {
  const nowhere = join(temporary(t), 'nowhere')
  const empty = temporary(t)
  for (const words of [[], ['--quick']]) {
    const all = await found(t, { VECRANK_EMBEDDER: nowhere, VECRANK_RERANKER: nowhere }, words)
    const said = ['VECRANK_EMBEDDER', 'VECRANK_RERANKER'].map((name) => `${name} names the folder ${nowhere}, which is not there`)
    assert.deepEqual([all.code, all.problems], [1, said])
  }
  const all = await found(t, { VECRANK_EMBEDDER: empty })
  assert.deepEqual([all.code, all.problems.length, all.selfTest.runs], [1, 1, []])
  assert.match(all.problems[0], /^VECRANK_EMBEDDER: .* has no config\.json/)
  assert.match(all.selfTest.skipped, /embedder cannot be loaded/)
})

test('VECRANK_CPU that names no instruction set of this processor is broken', async (t) => {
  for (const words of [[], ['--quick']]) {
    const all = await found(t, { VECRANK_CPU: 'mmx' }, words)
    assert.deepEqual([all.code, all.problems.length], [1, 1])
    assert.match(all.problems[0], /^VECRANK_CPU is "mmx"; it must be one of .*portable, which is what this processor has$/)
  }
  const { cpu, problems } = await found(t, {}, ['--quick'])
  assert.deepEqual(problems, [])
  for (const word of [cpu.instructions, 'portable']) assert.deepEqual((await found(t, { VECRANK_CPU: word }, ['--quick'])).problems, [])
})

/** The package as it is installed, without the platform's. */
function withoutAddon(t) {
  const folder = temporary(t)
  for (const name of ['bin', 'lib', 'index.js', 'package.json']) cpSync(join(root, name), join(folder, name), { recursive: true })
  return folder
}

test('without the addon there is the diagnosis, and all that JavaScript knows', async (t) => {
  const folder = withoutAddon(t)
  const run = (words) => start(t, process.execPath, [join(folder, 'bin/vecrank.js'), 'doctor', ...words], { cwd: folder, env: clean(t) }).ended
  const { code, stdout, stderr } = await run([])
  assert.deepEqual([code, stderr], [1, ''])
  assert.match(stdout, /could not be loaded[^]*is not installed/)
  assert.match(stdout, /unknown: the addon could not be loaded/)
  assert.match(stdout, /\n1 problem: see above\.\n$/)
  const all = JSON.parse((await run(['--json'])).stdout)
  assert.deepEqual(Object.keys(all), KEYS)
  assert.deepEqual([all.providers, all.onnxruntime, all.gpus, all.selfTest.runs], [null, null, null, []])
  assert.ok(all.cpu.cores > 0 && all.memory.total > 0 && all.cache.folder.length > 0)
  assert.match(all.addon.error, /^The native addon of vecrank could not be loaded/)
})

test('an addon that ends the process that loads it is a finding', { skip: process.platform !== 'linux' && 'a library that is cut off ends a process on Linux' }, async (t) => {
  const folder = withoutAddon(t)
  for (const name of readdirSync(root).filter((file) => /\.node$|^libvecrank/.test(file))) cpSync(join(root, name), join(folder, name))
  const addon = readdirSync(folder).find((name) => name.endsWith('.node'))
  truncateSync(join(folder, addon), 2_000_000)
  const { code, stdout } = await start(t, process.execPath, [join(folder, 'bin/vecrank.js'), 'doctor', '--json'], { cwd: folder, env: clean(t) }).ended
  assert.equal(code, 1)
  assert.match(JSON.parse(stdout).problems[0], /ended with SIG\w+, while it was loading the addon|could not be loaded/)
})

test('where nothing is known of the devices the reason is told, and it is not the addon', async (t) => {
  const shown = async (env) => (await vecrank(t, ['doctor', '--quick'], { env: clean(t, env) })).stdout
  for (const name of ['VECRANK_DATA', 'VECRANK_ONNXRUNTIME']) {
    const stdout = await shown({ [name]: 'relative' })
    assert.match(stdout, new RegExp(`^Devices\n {2}unknown: ${name} is "relative"; it must be the absolute path`, 'm'))
    assert.doesNotMatch(stdout, /addon/)
    assert.match((await found(t, { [name]: 'relative' })).selfTest.skipped, new RegExp(`^${name} is`))
  }
  if (process.platform === 'win32') return
  const end = join(temporary(t), 'end.cjs')
  writeFileSync(end, "if (process.argv[1].endsWith('examination.js')) process.kill(process.pid, 'SIGBUS')")
  const stdout = await shown({ NODE_OPTIONS: `--require "${end}"` })
  assert.match(stdout, /^Devices\n {2}unknown: the look at the devices ended with SIGBUS$/m)
  assert.match(stdout, /Problems\n {2}The process that looked at the devices ended with SIGBUS/)
})

test('an ONNX Runtime that cannot be opened is broken; the encoder is tested all the same', async (t) => {
  const library = join(temporary(t), 'no-such-library')
  const all = await found(t, { VECRANK_ONNXRUNTIME: library })
  assert.equal(all.code, 1)
  assert.equal(all.problems.length, 1)
  assert.ok(all.problems[0].includes(library), all.problems[0])
  assert.deepEqual([all.onnxruntime.path, all.onnxruntime.place], [library, 'VECRANK_ONNXRUNTIME'])
  assert.deepEqual(all.selfTest.runs.map(({ engine }) => engine), ['encoder'])
  assert.match((await found(t, { VECRANK_ONNXRUNTIME: 'relative.so' }, ['--quick'])).problems[0], /must be the absolute path/)
})

test('VECRANK_ORT_DIR without a library is broken', async (t) => {
  const folder = temporary(t)
  const all = await found(t, { VECRANK_ORT_DIR: folder }, ['--quick'])
  assert.equal(all.code, 1)
  assert.ok(all.problems[0].includes(folder) && all.problems[0].startsWith('VECRANK_ORT_DIR'), all.problems[0])
})

test('a damaged runtime is broken, with its reasons', async (t) => {
  const data = temporary(t)
  const place = join(data, 'runtimes', 'onnxruntime-gpu-1.31.1')
  mkdirSync(place, { recursive: true })
  const described = { format: 1, kind: 'onnxruntime', name: 'onnxruntime-gpu', version: '1.31.1', library: 'a.so', devices: ['cuda'], files: { 'a.so': { size: 5, sha256: '' } } }
  writeFileSync(join(place, 'runtime.json'), JSON.stringify(described))
  writeFileSync(join(place, 'a.so'), 'cut')
  const all = await found(t, { VECRANK_DATA: data }, ['--quick'])
  assert.equal(all.code, 1)
  assert.match(all.problems[0], /onnxruntime-gpu-1\.31\.1 is damaged: .*a\.so has 3 of 5 bytes/)
  assert.equal(all.runtimes.runtimes[0].damaged.length, 1)
  assert.match((await found(t, { VECRANK_DATA: 'relative' }, ['--quick'])).problems[0], /VECRANK_DATA/)
})

test('a damaged build of ONNX Runtime that was passed over is broken, and told once', () => {
  const place = '/data/runtimes/onnxruntime-gpu-1.31.1'
  const passedOver = [
    '/a/vecrank-cuda-linux-x64 (the installed package) is damaged: b.so is missing or cut. Add it again',
    `${place} (\`vecrank runtime add\`) is damaged: a.so is missing or cut. Add it again`,
    '/b/libonnxruntime.so.1.20.0 (the system) is version 1.20.0',
  ]
  const model = { source: 'package', isHere: true, chosenBy: null, error: null }
  const machine = {
    addon: { error: null },
    cpu: { features: [], instructions: null },
    onnxruntime: { passedOver, error: null },
    runtimes: { folder: '/data/runtimes', error: null, runtimes: [{ path: place, name: 'onnxruntime-gpu', damaged: ['a.so has 3 of 5 bytes'] }] },
    cache: { writable: true, error: null },
    defaults: { embedder: model, reranker: model },
    selfTest: { skipped: null, runs: [] },
  }
  const [first, second, ...rest] = problemsOf(machine, { ended: null })
  assert.deepEqual([first.startsWith(`The added runtime in ${place} is damaged`), second, rest], [true, passedOver[0], []])
})

test('a cache that cannot be written is broken: a file is in its way, or rights are missing', async (t) => {
  const folder = temporary(t)
  writeFileSync(join(folder, 'file'), '')
  const all = await found(t, { HF_HUB_CACHE: join(folder, 'file', 'hub') }, ['--quick'])
  assert.equal(all.code, 1)
  assert.match(all.problems[0], /cannot be written: .*file is a file, not a folder/)
  assert.equal(all.problems[0].split(folder).length, 2, all.problems[0])
  assert.deepEqual([all.cache.writable, all.cache.exists], [false, false])
  if (process.platform === 'win32' || process.getuid() === 0) return
  chmodSync(folder, 0o500)
  const narrow = await found(t, { HF_HUB_CACHE: folder }, ['--quick'])
  assert.deepEqual([narrow.code, narrow.problems[0].split(folder).length], [1, 2])
})

test('a folder is tried and left as it was', (t) => {
  const folder = temporary(t)
  assert.deepEqual({ ...room(folder), free: 0 }, { exists: true, writable: true, reason: null, free: 0 })
  assert.ok(room(join(folder, 'not', 'there')).writable)
  assert.deepEqual(readdirSync(folder), [])
})

test('secrets are never printed: of a token only that it is set', async (t) => {
  const secrets = {
    HF_TOKEN: 'hf_canaryCANARYcanaryCANARY',
    HUGGING_FACE_HUB_TOKEN: 'canary-2',
    VECRANK_SECRET: 'canary-3',
    HTTPS_PROXY: 'http://user:canary-4/?#@127.0.0.1:9',
    ALL_PROXY: 'user:canary-9@127.0.0.1:9',
    HF_ENDPOINT: 'https://canary-5:canary-6@hub.invalid/?key=canary-7',
    ORT_NOTE: 'it is hf_canary8CANARYcanaryCANARY',
  }
  for (const words of [[], ['--json']]) {
    const { stdout, stderr } = await vecrank(t, ['doctor', '--quick', ...words], { env: clean(t, secrets) })
    assert.doesNotMatch(stdout + stderr, /canary/i)
    assert.match(stdout, /HF_TOKEN/)
  }
  // Also where the value is no token, and the settings are refused for it.
  for (const value of ['canary with blanks', 'canary\u0007']) {
    const { stdout, stderr } = await vecrank(t, ['doctor', '--quick'], { env: clean(t, { HF_TOKEN: value }) })
    assert.doesNotMatch(stdout + stderr, /canary/)
  }
  const shown = variables({ ...secrets, HF_TOKEN_PATH: '/a/token', HF_HOME: '/b', HOME: '/c', HF_HUB_OFFLINE: '' })
  assert.deepEqual(shown, {
    ALL_PROXY: '...@127.0.0.1:9',
    HF_ENDPOINT: 'https://...@hub.invalid/?...',
    HF_HOME: '/b',
    HF_TOKEN: 'set',
    HF_TOKEN_PATH: '/a/token',
    HTTPS_PROXY: 'http://...@127.0.0.1:9',
    HUGGING_FACE_HUB_TOKEN: 'set',
    ORT_NOTE: 'set',
    VECRANK_SECRET: 'set',
  })
})

/** Files under a folder that stands for the machine's root. */
function machine(t, files) {
  const folder = temporary(t)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

test('the quota of a container, of both versions, and the cores that a process may run on', { skip: process.platform !== 'linux' && 'only Linux has them' }, (t) => {
  const status = 'Name:\tnode\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n'
  const two = machine(t, { 'proc/self/status': status, 'proc/self/cgroup': '0::/a/b\n', 'sys/fs/cgroup/a/cpu.max': '150000 100000\n', 'sys/fs/cgroup/a/b/cpu.max': 'max 100000\n' })
  assert.deepEqual(cores(two), { affinity: 1, quota: 1.5 })
  const one = machine(t, { 'proc/self/cgroup': '4:cpu,cpuacct:/docker/x\n2:memory:/\n', 'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000\n', 'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n' })
  assert.equal(cores(one).quota, 0.5)
  const none = machine(t, { 'proc/self/cgroup': '1:cpu:/\n0::/\n', 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', 'sys/fs/cgroup/cpu.max': 'max 100000\n' })
  assert.equal(cores(none).quota, null)
})

test('graphics cards are named by their vendors; connectors are none', { skip: process.platform === 'win32' && 'links need rights there' }, (t) => {
  const pci = (vendor, device) => (name) => ({ [`${name}/device/vendor`]: `${vendor}\n`, [`${name}/device/device`]: `${device}\n` })
  const folder = machine(t, { ...pci('0x1002', '0x744c')('card1'), ...pci('0x8086', '0x46a6')('card0'), 'card1-HDMI-A-1/status': '', 'card10/device/uevent': '' })
  symlinkSync('/nowhere/drivers/amdgpu', join(folder, 'card1/device/driver'))
  assert.deepEqual(cards(folder), [
    { name: 'card0', vendor: 'Intel', id: '8086:46a6', driver: null },
    { name: 'card1', vendor: 'AMD', id: '1002:744c', driver: 'amdgpu' },
    { name: 'card10', vendor: 'unknown', id: null, driver: null },
  ])
  assert.deepEqual(cards(join(folder, 'nowhere')), [])
})

test("the cache's folder without the addon is that of the addon", async (t) => {
  const home = temporary(t)
  const cases = [{}, { HF_HOME: join(home, 'a') }, { HF_HUB_CACHE: join(home, 'b') }, { MODEL_CACHE: '$HF_HOME/c', HF_HOME: home }, { HF_HOME: '', XDG_CACHE_HOME: join(home, 'd') }]
  for (const given of cases) {
    const env = clean(t, { HF_HOME: join(home, 'e'), XDG_CACHE_HOME: '', ...given })
    const { stdout } = await vecrank(t, ['cache', 'ls', '--json'], { env })
    assert.equal(hubFolder(env), JSON.parse(stdout).folder, JSON.stringify(given))
  }
})

test('what no machine here has is told as well: a GPU, a narrow container, a device with wrong vectors', () => {
  const run = { device: 'cuda', engine: 'graph', provider: 'CUDAExecutionProvider', dtype: 'fp16', nodes: { CUDAExecutionProvider: 90, CPUExecutionProvider: 10 }, cosine: 0.5, least: 0.99, textsPerSecond: 9000, skipped: null, error: null }
  const model = { model: 'a/b', source: 'hub', path: null, isHere: false, chosenBy: null, error: null }
  const machine = {
    ok: false,
    problems: ['two\nlines, and \u001b[31m'],
    notes: [],
    vecrank: { version: '1.0.0', platform: 'linux-x64-gnu' },
    node: 'v20',
    system: 'Linux',
    cpu: { model: 'x', cores: 64, affinity: 8, quota: 1.5, features: [], instructions: 'avx2' },
    memory: { total: 64e9, limit: 2e9 },
    gpus: [{ name: 'NVIDIA L4', driver: '580.65', cuda: '13.0', memory: 24e9, free: 20e9 }],
    cards: [{ name: 'card0', vendor: 'AMD', id: null, driver: 'amdgpu' }],
    onnxruntime: { version: '1.31.1', path: '/a', place: 'the package', sha256: '0', passedOver: ['/b is damaged'], error: null },
    providers: [{ device: 'cuda', provider: 'CUDAExecutionProvider', available: true, reason: null }],
    runtimes: { folder: '/c', runtimes: [], error: null },
    cache: { folder: '/d', exists: true, writable: true, reason: null, free: 1e9, used: 0, models: 0, error: null },
    defaults: { embedder: model, reranker: model },
    environment: {},
    selfTest: { skipped: null, runs: [run] },
  }
  const shown = text(machine)
  assert.match(shown, /64; this process may run on 8, with a quota of 1\.5, which is less/)
  assert.match(shown, /64\.0 GB, of which this process may use 2\.0 GB/)
  assert.match(shown, /NVIDIA L4: 24\.0 GB, 20\.0 GB free; driver 580\.65, which runs CUDA 13\.0 and older\n {2}card0: AMD, amdgpu driver/)
  assert.match(shown, /passed over +\/b is damaged/)
  assert.match(shown, /9000 texts a second; least cosine 0\.5000, which is wrong: below 0\.99; 90 of 100 nodes are on it/)
  assert.match(shown, /Problems\n {2}two\n {2}lines, and \\x1b\[31m\n\n1 problem: see above\.\n$/)
  // A GPU that nothing runs on is no fault, and does not work either.
  const idle = { ...machine, ok: true, problems: [], providers: [{ device: 'cuda', provider: 'CUDAExecutionProvider', available: false, reason: 'no library' }] }
  assert.match(text(idle), /\nNothing is broken\. Not usable: cuda \(see above\)\.\n$/)
  assert.match(text({ ...idle, gpus: [] }), /\nEverything that is here works\.\n$/)
})
