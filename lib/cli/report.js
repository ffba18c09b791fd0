'use strict'

/** The findings of `vecrank doctor` as people read them: a heading for each part, one fact a line, nothing cut short. */

const { bytes, several } = require('./arguments.js')

/** What JSON leaves as it is, and a terminal does not. */
const CONTROL = /[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g

const printable = (value) => String(value).replace(CONTROL, (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`)

/** Lines of a text below each other, each as it may be printed. */
const lines = (value) => String(value).split('\n').map(printable)

/** Rows of two columns: the first as wide as it has to be, the second with as many lines as it has. */
function rows(pairs) {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return pairs.flatMap(([name, value]) => lines(value).map((line, index) => `${(index === 0 ? name : '').padEnd(width)}  ${line}`))
}

function text(all) {
  const parts = [
    ['Processor', processor(all)],
    ['Memory', [memory(all.memory)]],
    ['GPUs', gpus(all)],
    ['ONNX Runtime', onnxruntime(all)],
    ['Devices', devices(all)],
    ['Added runtimes', runtimes(all.runtimes)],
    ['Cache of models', cache(all.cache)],
    ['Default models', rows([['embed()', model(all.defaults.embedder)], ['rerank()', model(all.defaults.reranker)]])],
    ['Environment', environment(all.environment)],
    ['Self-test', selfTest(all.selfTest)],
    ['Notes', all.notes],
    ['Problems', all.problems],
  ]
  const indented = (content) => content.flatMap(lines).map((line) => `  ${line}\n`).join('')
  const shown = parts.filter(([, content]) => content.length > 0).map(([title, content]) => `\n${title}\n${indented(content)}`)
  const end = all.ok ? soundness(all) : `${several(all.problems.length, 'problem')}: see above.`
  return `vecrank ${all.vecrank.version} on ${all.vecrank.platform}, Node ${all.node}, ${printable(all.system)}\n${shown.join('')}\n${end}\n`
}

/** The last line where nothing is broken. A GPU that nothing runs on is no fault, but not what works either. */
function soundness({ gpus: found, providers }) {
  const isIdle = found?.length > 0 && providers?.some(({ device, available }) => device === 'cuda' && !available)
  return isIdle ? 'Nothing is broken. Not usable: cuda (see above).' : 'Everything that is here works.'
}

const unknown = ({ unknown: why }) => `unknown: ${why}`

function processor(all) {
  const { model: name, cores, affinity, quota, features, instructions } = all.cpu
  const bounded = quota !== null && quota < affinity
  const share = quota === null ? 'no quota' : `a quota of ${Number(quota.toFixed(2))}${bounded ? ', which is less' : ''}`
  return rows([
    ['model', name],
    ['cores', `${cores}; this process may run on ${affinity}, with ${share}`],
    ['encoder', instructions === null ? unknown(all) : `uses ${instructions}`],
    ['features', features === null ? unknown(all) : features.join(', ') || 'none that matter'],
  ])
}

const memory = ({ total, limit }) => `${bytes(total)}, ${limit === null ? 'no limit' : `of which this process may use ${bytes(limit)}`}`

function gpus({ gpus: found, cards }) {
  const ofNvidia = (found ?? []).map(
    ({ name, driver, cuda, memory: all, free }) => `${name}: ${bytes(all)}, ${bytes(free)} free; driver ${driver}, which runs CUDA ${cuda} and older`,
  )
  const seen = (cards ?? []).map(({ name, vendor, id, driver }) => `${name}: ${vendor}${id === null ? '' : ` ${id}`}, ${driver ?? 'no'} driver`)
  if (ofNvidia.length + seen.length > 0) return [...ofNvidia, ...seen]
  if (found === null) return ["NVIDIA's were not looked for"]
  return [`none of NVIDIA${cards === null ? '; others are not looked for on this system' : ', and no card of others'}`]
}

function onnxruntime(all) {
  if (all.onnxruntime === null) return [unknown(all)]
  const { version, path, place, sha256, passedOver, error } = all.onnxruntime
  const facts = [
    ['version', error === null ? version : `not opened (${version} is the one that vecrank was made with)`],
    ['from', place ?? 'nowhere'],
    ['path', path ?? '-'],
    ['sha256', sha256 ?? '-'],
    ...passedOver.map((note) => ['passed over', note]),
  ]
  return rows(error === null ? facts : [...facts, ['error', error]])
}

function devices(all) {
  if (all.providers === null) return [unknown(all)]
  return rows(all.providers.map(({ device, provider, available, reason }) => [device, available ? `works (${provider})` : `no: ${reason}`]))
}

function runtimes({ folder, runtimes: found, error }) {
  if (error !== null) return [error]
  if (found.length === 0) return [`none in ${folder}`]
  return found.flatMap(({ name, version, devices: serves, size, path, isNewest, damaged }) => [
    `${name} ${version}  ${serves.join(', ') || '-'}  ${bytes(size)}  ${path}${isNewest ? '' : '  (not used: there is a newer one)'}`,
    ...damaged.map((reason) => `  damaged: ${reason}`),
  ])
}

function cache({ folder, exists, writable, reason, free, used, models, error }) {
  const state = writable ? (exists ? 'can be written' : 'is not there yet, and can be made') : `cannot be written: ${reason}`
  const facts = [['folder', folder ?? '-'], ['state', state]]
  if (used !== null) facts.push(['used', `${bytes(used)} by ${several(models, 'model')}`])
  if (free !== null) facts.push(['free', bytes(free)])
  return rows(error === null ? facts : [...facts, ['error', error]])
}

function model({ model: name, source, path, isHere, chosenBy, error }) {
  const by = chosenBy === null ? '' : ` (${chosenBy})`
  if (error !== null) return `${name}${by}: ${error}`
  const where = { package: 'an installed package', folder: 'a folder', hub: 'on the Hub' }[source]
  return `${name}${by}: ${where}, ${isHere ? path : source === 'hub' ? 'not in the cache: downloaded when it is needed' : `not there: ${path}`}`
}

function environment(variables) {
  const pairs = Object.entries(variables)
  return pairs.length === 0 ? ['nothing is set that matters here'] : rows(pairs.map(([name, value]) => [printable(name), printable(value)]))
}

function selfTest({ skipped, runs }) {
  if (skipped !== null) return [`skipped: ${skipped}`]
  return rows(runs.map((run) => [run.device, result(run)]))
}

function result({ engine, provider, dtype, nodes, cosine, least, textsPerSecond, skipped, error }) {
  if (error !== null) return `failed: ${error}`
  if (skipped !== null) return `not tested: ${skipped}`
  const what = `${engine === 'encoder' ? 'the encoder' : provider}, ${dtype ?? 'unknown numbers'}: ${textsPerSecond} texts a second`
  const all = Object.values(nodes).reduce((sum, count) => sum + count, 0)
  const part = engine === 'graph' && nodes[provider] !== all ? `; ${nodes[provider] ?? 0} of ${all} nodes are on it` : ''
  if (cosine === null) return `${what}${part}`
  return `${what}; least cosine ${cosine.toFixed(4)}${cosine >= least ? '' : `, which is wrong: below ${least}`}${part}`
}

module.exports = { text }
