// A contender of pipelines.mjs: a process of its own that loads one model once, started with its description as JSON.

import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { serve } from '../commands.mjs'
import { measured } from '../field.mjs'

/** What every text gives: probabilities in the order of the labels' names, or a vector. */
const TASKS = {
  'text-classification': {
    options: { top_k: null },
    rows: (given) => given.map((labels) => labels.toSorted((a, b) => (a.label < b.label ? -1 : 1)).map(({ score }) => score)),
  },
  'feature-extraction': { options: { pooling: 'mean', normalize: true }, rows: (given) => given.tolist() },
}

/** The same lines for every library that has the face of Transformers.js. */
async function pipeline({ module, folder, task, dtype, batch }) {
  const { env, pipeline } = await import(module)
  env.allowRemoteModels = false
  env.localModelPath = path.dirname(folder)
  const { options, rows } = TASKS[task]
  const pipe = await pipeline(task, path.basename(folder), { dtype, device: 'cpu' })
  return async (texts) => {
    const all = []
    for (let start = 0; start < texts.length; start += batch ?? texts.length) {
      const part = texts.slice(start, start + (batch ?? texts.length))
      all.push(...rows(await pipe(part, options)))
    }
    return all
  }
}

/** vecrank's own face. */
async function own({ folder, task, dtype, engine }) {
  const { Classifier, Embedder } = await import('vecrank')
  const options = { dtype, engine, device: 'cpu' }
  if (task === 'feature-extraction') {
    const model = await Embedder.load(folder, options)
    return (texts) => model.embed(texts)
  }
  const model = await Classifier.load(folder, options)
  return async (texts) => TASKS[task].rows(await model.classify(texts))
}

await serve(
  async (spec) => ({ run: await { pipeline, own }[spec.kind](spec), sets: JSON.parse(readFileSync(spec.texts, 'utf8')), about: {} }),
  async ({ run, sets }, { do: asked, what, to }) => {
    if (asked === 'timed') {
      const { result: _, ...times } = await measured(() => run(sets[what]))
      return times
    }
    const rows = await run(sets[what])
    const data = Float32Array.from(rows.flatMap((row) => Array.from(row)))
    writeFileSync(to, data)
    return { rows: rows.length, width: rows[0].length }
  },
)
