'use strict'

/**
 * `vecrank doctor`: what this machine has, what of it works and what does not, and why. It must end well where everything else fails, so each part
 * is found on its own; what only native code knows comes from another process (`examination.js`), whose end is one more finding.
 *
 * Something is broken where what is there does not work. That there is no GPU, or no model, is no fault.
 */

const { fork } = require('node:child_process')
const os = require('node:os')
const path = require('node:path')
const { describe } = require('../errors.js')
const { exists } = require('../exists.js')
const { memory, processor } = require('../hardware.js')
const { platform } = require('../platform.js')
const { identify, resolve } = require('../source.js')
const { version } = require('../../package.json')
const { UsageError } = require('./arguments.js')
const { cards } = require('./cards.js')
const { cores } = require('./cores.js')
const { variables, withoutSecrets } = require('./environment.js')
const { SELF_TEST_MS, examine } = require('./examination.js')
const { text } = require('./report.js')
const { hubFolder, room } = require('./room.js')
const { listRuntimes, runtimesFolder } = require('./runtimes.js')

/** What all before the self-test may take: the first start of CUDA can need many seconds. */
const EXAMINATION_MS = 40_000
/** What the process may take to end when all is said. */
const FAREWELL_MS = 3000
/** What VECRANK_CPU can name, the most able first on each architecture, as `src/network/encoder/kernel/level.rs` has it. */
const INSTRUCTIONS = { x64: ['amx', 'avx512', 'avx_vnni', 'avx2', 'portable'], arm64: ['neon_i8mm', 'neon_dotprod', 'neon', 'portable'] }
/** Those that a more able processor need not have, by the feature that they need. */
const APART = { avx_vnni: 'avxvnni', neon_dotprod: 'dotprod' }

async function doctor(words, options) {
  if (words.length > 0) throw new UsageError(`doctor takes no ${JSON.stringify(words[0])}`)
  // First, as ONNX Runtime's telemetry is turned off by a variable.
  const environment = variables()
  const native = await examined({ quick: options.quick === true })
  const found = findings(native, environment, options.quick === true)
  const problems = problemsOf(found, native).map(withoutSecrets)
  const all = { ok: problems.length === 0, problems, notes: notesOf(found), ...found }
  process.stdout.write(options.json ? `${JSON.stringify(all, null, 2)}\n` : text(all))
  return problems.length > 0 ? 1 : 0
}

// ---------- the other process -------------------------------------------------------------------------------------------

/** What the examination told, with how it ended: `{ doing, addon, cache, hardware, model, skipped, runs, done, ended }`. */
function examined(options) {
  const found = { runs: [], ended: null }
  const take = ({ name, value }) => (name === 'run' ? found.runs.push(value) : (found[name] = value ?? true))
  return new Promise((settle) => {
    const inThisProcess = () => {
      const failed = (error) => (found.ended = error.message)
      return settle(examine(options, (name, value) => take({ name, value })).catch(failed).then(() => found))
    }
    let child
    try {
      // What a driver prints is not to be a part of our JSON.
      const stdio = ['ignore', 2, 2, 'ipc']
      child = fork(path.join(__dirname, 'examination.js'), options.quick ? ['--quick'] : [], { stdio, execArgv: [...process.execArgv, '--no-warnings'] })
    } catch {
      // Node's permission model forbids other processes.
      return inThisProcess()
    }
    let isLate = false
    let timer
    const bound = (milliseconds, isFarewell = false) => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        isLate = !isFarewell
        child.kill('SIGKILL')
      }, milliseconds)
    }
    bound(EXAMINATION_MS)
    child.on('message', (message) => {
      take(message)
      // The self-test looks at its end itself; only a device that does not answer has to be ended.
      if (message.name === 'hardware') bound(SELF_TEST_MS)
      if (message.name === 'done') bound(FAREWELL_MS, true)
    })
    child.on('error', inThisProcess)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (isLate) found.ended = 'late'
      // One that does not end when all is said was ended by us.
      else if (!found.done || (code !== 0 && signal !== 'SIGKILL')) found.ended = signal ?? `exit code ${code}`
      settle(found)
    })
  })
}

// ---------- findings ----------------------------------------------------------------------------------------------------

function findings(native, environment, quick) {
  const { gpus = null, providers = null, onnxruntime = null, cpu = {} } = native.hardware ?? {}
  const cache = cacheOf(native.cache)
  const defaults = { embedder: defaultOf('embedder', cache.folder), reranker: defaultOf('reranker', cache.folder) }
  return {
    vecrank: { version, platform: platform(), path: path.join(__dirname, '..', '..') },
    node: process.version,
    system: `${os.type()} ${os.release()}`,
    addon: { error: native.addon?.error ?? null },
    unknown: whyUnknown(native),
    cpu: { ...processor(), allowed: cpu.allowed ?? processor().allowed, ...cores(), features: cpu.features ?? null, instructions: cpu.instructions ?? null },
    memory: memory(),
    gpus,
    cards: process.platform === 'linux' ? cards() : null,
    onnxruntime,
    providers,
    runtimes: addedRuntimes(),
    cache,
    defaults,
    environment,
    selfTest: { skipped: whySkipped(native, quick), runs: unfinished(native) },
  }
}

const isWithoutAddon = (error) => /^The native addon/.test(error)

/** Why what only native code knows is not known; null where it is. */
function whyUnknown({ addon: { error = null } = {}, hardware, ended }) {
  if (error !== null) return isWithoutAddon(error) ? 'the addon could not be loaded' : error
  if (hardware !== undefined) return hardware.error ?? null
  return ended === 'late' ? `the look at the devices had not ended after ${EXAMINATION_MS / 1000} seconds` : `the look at the devices ended with ${ended}`
}

function whySkipped(native, quick) {
  if (quick) return '--quick was given'
  if (native.addon?.error) return isWithoutAddon(native.addon.error) ? 'there is no addon to test' : native.addon.error
  if (native.model !== undefined) return 'the default embedder cannot be loaded'
  if (native.skipped !== undefined) return withoutSecrets(native.skipped)
  return native.runs.length === 0 && native.ended !== null && !isOfSelfTest(native) ? 'it was not reached' : null
}

const isOfSelfTest = ({ doing }) => String(doing).startsWith('the self-test of ')

/** The runs of the self-test, with the one that did not end. */
function unfinished({ runs, doing, ended }) {
  if (ended === null || !isOfSelfTest({ doing })) return runs
  const device = doing.slice('the self-test of '.length)
  const late = { skipped: `it had not ended after the ${SELF_TEST_MS / 1000} seconds that the self-test may take` }
  const said = ended === 'late' ? late : { error: `the process ended with ${ended}` }
  return [...runs, { device, cosine: null, textsPerSecond: null, skipped: null, error: null, ...said }]
}

function addedRuntimes() {
  try {
    const runtimes = listRuntimes().map(({ entry: _, ...one }) => one)
    return { folder: runtimesFolder(), runtimes, error: null }
  } catch (error) {
    return { folder: null, runtimes: [], error: error.message }
  }
}

function cacheOf(native) {
  const folder = native?.folder ?? hubFolder() ?? null
  const facts = folder === null ? { exists: false, writable: false, reason: 'this user has no home folder', free: null } : room(folder)
  const models = native?.models ?? null
  const used = models && models.reduce((sum, { size }) => sum + size, 0)
  return { folder, ...facts, used, models: models && models.length, error: native?.error ? withoutSecrets(native.error) : null }
}

/** The model that answers where none is named, and whether it is there without a download. */
function defaultOf(kind, cache) {
  const variable = { embedder: 'VECRANK_EMBEDDER', reranker: 'VECRANK_RERANKER' }[kind]
  const chosenBy = process.env[variable] ? variable : null
  try {
    const { source, model, path: folder } = resolve(kind, identify(kind, undefined))
    if (source !== 'hub') return { model, source, path: folder, isHere: exists(folder), chosenBy, error: null }
    const place = cache && path.join(cache, `models--${model.replace('/', '--')}`)
    return { model, source, path: place, isHere: place !== null && exists(path.join(place, 'snapshots')), chosenBy, error: null }
  } catch (error) {
    return { model: chosenBy && withoutSecrets(process.env[variable]), source: null, path: null, isHere: false, chosenBy, error: error.message }
  }
}

// ---------- what they mean ----------------------------------------------------------------------------------------------

/** What is broken: sentences that say what, and what to do where that is known. */
function problemsOf(found, native) {
  const problems = []
  const { addon, onnxruntime, runtimes, cache, defaults, selfTest } = found
  if (addon.error !== null) problems.push(addon.error)
  if (native.hardware?.error) problems.push(`The devices could not be looked at: ${native.hardware.error}`)
  if (onnxruntime?.error) problems.push(onnxruntime.error)
  for (const { path: place, name, damaged } of runtimes.runtimes) {
    if (damaged.length === 0) continue
    problems.push(`The added runtime in ${place} is damaged: ${damaged.join('; ')}. Add it again, or take it away: npx vecrank runtime rm ${name}`)
  }
  // The addon would say the same.
  if (runtimes.error !== null && addon.error === null && runtimes.folder === null && process.env.VECRANK_DATA) problems.push(runtimes.error)
  if (!cache.writable) {
    problems.push(`The cache of models cannot be written: ${cache.reason}. HF_HUB_CACHE, HF_HOME or the option cacheDir choose another folder`)
  } else if (cache.error !== null) problems.push(cache.error)
  problems.push(...damagedOf(found), ...modelProblemsOf(defaults, native))
  const instructions = wrongInstructions(found.cpu)
  if (instructions !== null) problems.push(instructions)
  if (native.ended !== null && !isOfSelfTest(native)) {
    const how = native.ended === 'late' ? `had not ended after ${EXAMINATION_MS / 1000} seconds` : `ended with ${native.ended}`
    problems.push(`The process that looked at the devices ${how}, while it was ${native.doing ?? 'starting'}${native.done ? ' or later' : ''}`)
  }
  for (const { device, error, cosine, least } of selfTest.runs) {
    // Said of the variable already.
    if (error?.includes('VECRANK_CPU') && instructions !== null) continue
    if (error !== null) problems.push(`The self-test of ${device} failed: ${error}`)
    else if (isWrong({ cosine, least })) {
      problems.push(`${device} gives wrong vectors: the least cosine to the CPU is ${cosine.toFixed(4)}, and ${least} would be right`)
    }
  }
  return problems
}

/** Builds of ONNX Runtime that would have been taken if they were whole. Of added ones it is known already. */
function damagedOf({ onnxruntime, runtimes }) {
  const isKnown = (note) => runtimes.runtimes.some(({ path: place, damaged }) => damaged.length > 0 && note.startsWith(`${place} `))
  return (onnxruntime?.passedOver ?? []).filter((note) => note.includes(' is damaged') && !isKnown(note))
}

/** A default model that somebody has named wrongly, or that cannot be loaded. One on the Hub that is not here yet is no fault. */
function modelProblemsOf(defaults, native) {
  const problems = []
  for (const [kind, { source, path: folder, isHere, chosenBy, error }] of Object.entries(defaults)) {
    const said = chosenBy === null ? `The default ${kind}` : chosenBy
    if (error !== null) problems.push(chosenBy === null ? error : `${chosenBy}: ${error}`)
    else if (source === 'folder' && !isHere) problems.push(`${said} names the folder ${folder}, which is not there`)
    else if (kind === 'embedder' && native.model !== undefined) problems.push(`${said}: ${native.model}`)
  }
  return problems
}

/** What is wrong with VECRANK_CPU; null where it is right, not set, or where nothing is known of the processor. */
function wrongInstructions({ features, instructions }) {
  const word = process.env.VECRANK_CPU
  const known = INSTRUCTIONS[process.arch] ?? ['portable']
  if (!word || instructions === null) return null
  const here = known.slice(known.indexOf(instructions)).filter((name) => APART[name] === undefined || features.includes(APART[name]))
  return here.includes(word) ? null : `VECRANK_CPU is ${describe(word)}; it must be one of ${here.join(', ')}, which is what this processor has`
}

const isWrong = ({ cosine, least }) => cosine !== null && !(cosine >= least)

/** What the user may want to know, and is no fault. */
function notesOf({ cpu, gpus, cards: seen, providers, runtimes }) {
  const notes = []
  const works = (device) => providers?.some((one) => one.device === device && one.available)
  if (cpu.quota !== null && cpu.quota < cpu.affinity) {
    const quota = Number(cpu.quota.toFixed(2))
    notes.push(`The container's quota is ${quota} of the ${cpu.affinity} cores that this process may run on: more threads than that wait for each other`)
  }
  if (gpus?.length > 0 && !works('cuda')) notes.push('There is a GPU of NVIDIA, and CUDA does not work: see the reason above and docs/devices.md')
  if (gpus?.length === 0 && seen?.some(({ vendor }) => vendor === 'NVIDIA')) notes.push("There is a card of NVIDIA, but NVIDIA's driver does not show a GPU")
  for (const vendor of ['AMD', 'Intel']) {
    const ways = { AMD: ['webgpu'], Intel: ['openvino', 'webgpu'] }[vendor]
    if (!seen?.some((card) => card.vendor === vendor) || ways.some(works)) continue
    notes.push(`There is a GPU of ${vendor}: the plugin for ${ways.join(' or ')} may use it (docs/devices.md)`)
  }
  if (runtimes.error !== null && !process.env.VECRANK_DATA) notes.push(runtimes.error)
  return notes
}

module.exports = { doctor, problemsOf }
