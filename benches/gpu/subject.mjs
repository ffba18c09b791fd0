// What the steps share: the texts, the options of a device, and what `info()` says of where the network runs.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cosineSimilarity } from 'vecrank'

const json = (url) => JSON.parse(readFileSync(url, 'utf8'))

/** So many real texts of 2 to 230 words. */
export function someTexts(count) {
  const bench = new URL('../../../shared/data/bench.json', import.meta.url)
  if (existsSync(bench)) return repeated(json(bench).mixed, count)
  const words = json(new URL('../../examples/data/passages.json', import.meta.url)).passages.map(({ text }) => text.split(' '))
  return Array.from({ length: count }, (_, index) => words[index % words.length].slice(0, 2 + ((index * 37) % 200)).join(' '))
}

function repeated(texts, count) {
  return Array.from({ length: count }, (_, index) => texts[index % texts.length])
}

/** On the CPU, where this is only rehearsed, ONNX Runtime is named: else the encoder would run fp32. */
export function optionsFor(device, dtype, more = {}) {
  return device === 'cpu' ? { device, dtype, engine: 'graph' } : { device, dtype, ...more }
}

/** Why a dtype is left out; undefined where its file is there. */
export function lacks(model, dtype) {
  const file = dtype === 'fp32' ? 'onnx/model.onnx' : `onnx/model_${dtype}.onnx`
  return existsSync(join(model, file)) ? undefined : `${file} is not there (benches/low-bits/make.py makes it)`
}

/** Where the network runs, of all that `info()` says. */
export function placeOf(info) {
  const { device, provider, requested, passedOver, nodes, deviceMemory, onnxruntime, dtype, file } = info
  return { device, provider, requested, passedOver, nodes, deviceMemory, onnxruntime, dtype, file }
}

/** Whether it runs where it was to run. A device may be told with its number. */
export function isOn(info, device) {
  return info.device === device || String(info.device).startsWith(`${device}:`)
}

/** How near vectors are to others: cosines and the largest difference of a value. */
export function likeness(rows, others) {
  const cosines = rows.map((row, index) => cosineSimilarity(row, others[index]))
  let largest = 0
  rows.forEach((row, index) => row.forEach((value, at) => (largest = Math.max(largest, Math.abs(value - others[index][at])))))
  // Not `Math.min` alone: NaN must not pass for a number.
  const isNumber = cosines.every((cosine) => cosine <= 1.001)
  return { mean: cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length, least: isNumber ? Math.min(...cosines) : NaN, largest }
}

export function spread(values) {
  const sorted = Float64Array.from(values).sort()
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return { median: at(0.5), p90: at(0.9), least: sorted[0], most: sorted.at(-1) }
}
