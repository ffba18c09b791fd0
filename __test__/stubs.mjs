// What specs of devices need on a machine without a GPU: libraries of NVIDIA as far as they are asked, a build of ONNX Runtime for GPUs as far as its
// files say so, and processes that meet them. ONNX Runtime itself is real: it is the build for the CPU, which has no CUDA and says so when a session
// asks for it. So with all else in place a load ends there, and no further.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { platform } from '../lib/platform.js'
import { readJson, root, tiny } from './fixtures.mjs'
import { inProcess, temporary } from './hub/world.mjs'

/** The version of ONNX Runtime that is shipped. */
export const PINNED = readJson(join(root, 'scripts', 'onnxruntime.json')).version
export const SHIPPED = join(root, 'libvecrank-onnxruntime.so.1')

/** A version of NVIDIA's libraries that no machine has, and one that lies there in its place: what is installed here must not decide. */
export const VERSION = 99
export const OTHER = 98

const isHere = platform() === 'linux-x64-gnu'
const hasCompiler = isHere && spawnSync('cc', ['--version']).status === 0
assert.ok(!isHere || hasCompiler || process.env.CI !== 'true', 'CI=true and there is no cc to make stubs of libraries with')

/** Why what needs stubs cannot run here; `false` where it can. */
export const noStubs = !isHere
  ? 'stubs of libraries are made for Linux on x64 with glibc'
  : !hasCompiler && 'there is no cc to make stubs of libraries with: how devices fail is NOT tested'
/** Why what needs a machine without a driver cannot run here. */
export const noBareMachine = !isHere
  ? 'on another system other devices are missing'
  : existsSync('/proc/driver/nvidia/version') && 'a driver of NVIDIA is here: that it is missing cannot be tested'

/** Compiles a library that needs others, which lie in the same folder, and knows its own name. */
export function compiled(folder, name, source, needs = []) {
  const file = join(folder, name)
  const linked = needs.map((other) => join(folder, other))
  const args = ['-shared', '-fPIC', '-x', 'c', '-', '-o', file, `-Wl,-soname,${name}`, '-Wl,--no-as-needed', '-x', 'none', ...linked]
  const { status, stderr } = spawnSync('cc', args, { input: source, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return file
}

// ---------- NVIDIA ----------------------------------------------------------------------------------------------------

/** The driver: nothing of it is called before a device is found. */
export const driver = (folder) => compiled(folder, 'libcuda.so.1', 'int cuInit(unsigned flags) { return 0; }')

/**
 * NVML with made-up GPUs: `{ name, total, free }`, or `{ fails: true }` for one that does not answer. Of `functions` each name is left out. The names and
 * signatures are those of nvml.h.
 */
export function nvml(folder, gpus, { version = '580.65.06', cuda = 13000, status = 0, without = [] } = {}) {
  const functions = {
    nvmlInit_v2: `(void) { return ${status}; }`,
    nvmlShutdown: '(void) { return 0; }',
    nvmlDeviceGetCount_v2: `(unsigned *count) { *count = ${gpus.length}; return 0; }`,
    nvmlDeviceGetHandleByIndex_v2: `(unsigned index, void **device) { *device = (void *)(size_t)(index + 1); return gpus[index].fails ? 15 : 0; }`,
    nvmlDeviceGetName: '(void *device, char *text, unsigned length) { strncpy(text, gpus[(size_t)device - 1].name, length); return 0; }',
    nvmlDeviceGetMemoryInfo: `(void *device, unsigned long long *memory) {
      memory[0] = gpus[(size_t)device - 1].total, memory[1] = gpus[(size_t)device - 1].free, memory[2] = memory[0] - memory[1]; return 0; }`,
    nvmlSystemGetDriverVersion: `(char *text, unsigned length) { strncpy(text, ${JSON.stringify(version)}, length); return 0; }`,
    nvmlSystemGetCudaDriverVersion_v2: `(int *version) { *version = ${cuda}; return 0; }`,
  }
  const rows = gpus.map(({ name = '', total = 0, free = 0, fails = false }) => `{ ${JSON.stringify(name)}, ${total}ull, ${free}ull, ${Number(fails)} }`)
  const table = `static struct { const char *name; unsigned long long total, free; int fails; } gpus[] = { ${[...rows, '{ "" }'].join(', ')} };`
  const kept = Object.entries(functions).filter(([name]) => !without.includes(name))
  const source = ['#include <string.h>', table, ...kept.map(([name, rest]) => `int ${name}${rest}`)].join('\n')
  return compiled(folder, 'libnvidia-ml.so.1', source)
}

/**
 * CUDA's runtime with two devices. The words are CUDA's for a number of a device that there is not, or those of STUB_CUDA_REFUSES, which then refuses every
 * device, or of STUB_CUDA_EXHAUSTED, which refuses to tell of its memory.
 */
const CUDART = `
  #include <stdlib.h>
  int cudaSetDevice(int number) { return getenv("STUB_CUDA_REFUSES") ? 1 : number > 1 ? 101 : 0; }
  int cudaMemGetInfo(unsigned long *free, unsigned long *total) { *free = 6ul << 30; *total = 8ul << 30; return getenv("STUB_CUDA_EXHAUSTED") ? 2 : 0; }
  const char *cudaGetErrorString(int status) {
    return status == 1 ? getenv("STUB_CUDA_REFUSES") : status == 2 ? getenv("STUB_CUDA_EXHAUSTED") : "invalid device ordinal";
  }`

export const named = (stem, version = VERSION) => `lib${stem}.so.${version}`
const OF_CUDA = ['cublasLt', 'cublas', 'cudart', 'curand', 'cufft', 'cudnn']
const OF_TENSORRT = ['nvinfer', 'nvonnxparser']
/** The libraries that the provider needs, and lie in folders of CUDA. */
export const NEEDED = OF_CUDA.map((stem) => named(stem))
const PROVIDER = { cuda: 'libonnxruntime_providers_cuda.so', tensorrt: 'libonnxruntime_providers_tensorrt.so' }

let made
/** Every library once for all tests: copied from here to where a test wants it. */
function kit() {
  if (made !== undefined) return made
  made = realpathSync(mkdtempSync(join(tmpdir(), 'vecrank-stubs-')))
  process.on('exit', () => rmSync(made, { recursive: true, force: true }))
  for (const stem of [...OF_CUDA, ...OF_TENSORRT]) {
    // As with NVIDIA's own, one needs the other.
    const needs = stem === 'cublas' ? [named('cublasLt')] : []
    compiled(made, named(stem), stem === 'cudart' ? CUDART : `int ${stem}_is_here(void) { return 1; }`, needs)
  }
  compiled(made, named('cublas', OTHER), 'int cublas_is_here(void) { return 1; }')
  for (const [device, name] of Object.entries(PROVIDER)) {
    const needs = device === 'cuda' ? OF_CUDA : [...OF_CUDA.slice(0, 3), ...OF_TENSORRT]
    compiled(made, name, 'int provider_is_here(void) { return 1; }', needs.map((stem) => named(stem)))
  }
  driver(made)
  return made
}

/** Puts libraries into a folder, which is made. */
export function put(folder, names) {
  mkdirSync(folder, { recursive: true })
  for (const name of names) copyFileSync(join(kit(), name), join(folder, name))
  return folder
}

/** A folder of CUDA's libraries, but for some. */
export const cudaFolder = (folder, without = []) => put(folder, NEEDED.filter((name) => !without.includes(name)))

/** A folder with the driver, for LD_LIBRARY_PATH. */
export const driverFolder = (t) => put(temporary(t), ['libcuda.so.1'])

// ---------- ONNX Runtime ----------------------------------------------------------------------------------------------

function link(from, to) {
  try {
    linkSync(from, to)
  } catch {
    // Another disk.
    copyFileSync(from, to)
  }
}

/** A build of ONNX Runtime for GPUs, as the wheel of `onnxruntime-gpu` has it in its folder `capi`. */
export function gpuBuild(folder, { version = PINNED, providers = ['cuda'] } = {}) {
  put(folder, providers.map((device) => PROVIDER[device]))
  link(SHIPPED, join(folder, `libonnxruntime.so.${version}`))
  return folder
}

/** A library by that name which says that it is of a version, or is no ONNX Runtime at all. Of `onnxruntime_c_api.h` the first structure is there. */
export function onnxruntimeStub(folder, version) {
  const base = `
    static const char *version(void) { return "${version}"; }
    static struct { const void *(*api)(unsigned); const char *(*version)(void); } base = { 0, version };
    void *OrtGetApiBase(void) { return &base; }`
  return compiled(folder, `libonnxruntime.so.${PINNED}`, version === undefined ? 'int nothing(void) { return 0; }' : base)
}

/** A GPU build with the description that `vecrank runtime add` and the package with CUDA write. `fields` are other than they should be. */
export function describedBuild(folder, { version = PINNED, providers = ['cuda'], files = {}, ...fields } = {}) {
  gpuBuild(folder, { version, providers })
  const library = `libonnxruntime.so.${version}`
  const sizes = [library, ...providers.map((device) => PROVIDER[device])].map((name) => [name, { size: statSync(join(folder, name)).size }])
  const description = { format: 1, kind: 'onnxruntime', name: 'onnxruntime-gpu', version, library, devices: providers, ...fields }
  writeFileSync(join(folder, 'runtime.json'), JSON.stringify({ ...description, files: { ...Object.fromEntries(sizes), ...files } }))
  return folder
}

/** Where a Python environment keeps packages. */
export const sitePackages = (environment) => join(environment, 'lib', 'python3.12', 'site-packages')

// ---------- processes -------------------------------------------------------------------------------------------------

/** What would decide in the place of the test. */
const OWN = /^(VECRANK_|CUDA_|VIRTUAL_ENV|CONDA_|XDG_|LD_|ORT_|NODE_(?!V8_COVERAGE|EXTRA))/

const preamble = (vecrank) => `
  import { Embedder, Reranker, embed, hardware, rerank } from ${JSON.stringify(pathToFileURL(join(vecrank, 'index.js')).href)}
  const model = ${JSON.stringify(tiny('zoo/bert-mean'))}
  const warnings = []
  process.on('warning', ({ name, code, message }) => warnings.push({ name, code, message }))
  /** What comes of a promise: \`{ ms, value }\` or \`{ ms, error }\`. */
  async function outcome(promised) {
    const start = performance.now()
    try {
      const value = await promised()
      return { ms: performance.now() - start, value }
    } catch (error) {
      const { name, code, message, cause } = error
      return { ms: performance.now() - start, error: { name, code, message, cause: cause?.message, isTypeError: error instanceof TypeError } }
    }
  }
  /** A load and a text through it. */
  const attempt = (options, from = model) => outcome(async () => {
    const embedder = await Embedder.load(from, options)
    const vector = Array.from(await embedder.embed('hello world'))
    const info = await embedder.info()
    await embedder.dispose()
    return { info, vector }
  })`

/**
 * Runs the body of an async function in a process of its own, whose user has a home without anything and no driver but the one in \`drivers\`. The body knows
 * `model`, `attempt(options)` and `outcome(function)`. What it returns comes back as `value`, with the warnings of the process; it must end well.
 */
export async function met(t, body, { env = {}, drivers, vecrank = root } = {}) {
  const cleared = Object.fromEntries(Object.keys(process.env).filter((name) => OWN.test(name)).map((name) => [name, undefined]))
  const own = { HOME: temporary(t), ...(drivers && { LD_LIBRARY_PATH: drivers }) }
  const source = `${preamble(vecrank)}
    const value = await (async () => {${body}})()
    // Warnings are told a turn later.
    await new Promise(setImmediate)
    console.log(JSON.stringify({ value, warnings }))`
  const { ended } = inProcess(source, { env: { ...cleared, ...own, ...env } })
  const { code, signal, stdout, stderr } = await ended
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr)
  return { ...JSON.parse(stdout.trim().split('\n').at(-1)), stderr }
}

/** The same for a body that must print nothing and warn of nothing: its value. */
export async function quietly(t, body, options) {
  const { value, warnings, stderr } = await met(t, body, options)
  assert.equal(stderr, '', 'nothing on stderr')
  assert.deepEqual(warnings, [])
  return value
}

/** On stderr are Node's lines for these warnings and nothing else. */
export function assertOnlyWarnings(stderr, warnings) {
  const lines = warnings.map(({ name, code, message }) => `[${code}] ${name}: ${message}`)
  const hint = '(Use `node --trace-warnings ...` to show where the warning was created)'
  const found = stderr.split('\n').filter((line) => line !== '' && line !== hint).map((line) => line.replace(/^\(node:\d+\) /, ''))
  assert.deepEqual(found, lines)
}

/** An outcome is the error that a device is. */
export function assertDevice({ error, value }, ...patterns) {
  assert.equal(value, undefined, 'nothing was loaded')
  assert.deepEqual({ name: error.name, code: error.code }, { name: 'VecrankError', code: 'ERR_DEVICE' }, error.message)
  for (const pattern of patterns) assert.match(error.message, pattern)
}
