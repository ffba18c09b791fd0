// Who takes part, in which dtypes and in which rows, and why somebody does not.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { Embedder } from 'vecrank'

/** What a contender is asked for. Rows name one of these. */
const EVERYTHING = ['bulk', 'memory', 'lone', 'callers', 'idle', 'trickle', 'linear', 'rerank', 'first']

/**
 * `most`: texts of a bulk row that are enough to know its speed. fastembed fills every text up to the limit, so that each costs the same, and a lone one
 * half a second in a model of twelve layers.
 * `family`: what is one peer in several modes.
 */
const ALL = [
  { id: 'encoder', name: 'vecrank, encoder', family: 'vecrank', kind: 'vecrank', engine: 'encoder', dtypes: ['fp32', 'bf16', 'q8'], does: EVERYTHING },
  { id: 'graph', name: 'vecrank, graph', family: 'vecrank', kind: 'vecrank', engine: 'graph', dtypes: ['fp32', 'q8'], does: EVERYTHING },
  {
    id: 'transformers-1',
    name: 'Transformers.js, one text a call',
    family: 'transformers',
    kind: 'transformers',
    batch: 1,
    dtypes: ['fp32', 'q8'],
    does: EVERYTHING.filter((row) => row !== 'linear'),
  },
  {
    id: 'transformers-8',
    name: 'Transformers.js, batches of 8',
    family: 'transformers',
    kind: 'transformers',
    batch: 8,
    dtypes: ['fp32', 'q8'],
    does: ['rerank'],
  },
  {
    id: 'transformers-32',
    name: 'Transformers.js, batches of 32',
    family: 'transformers',
    kind: 'transformers',
    batch: 32,
    dtypes: ['fp32', 'q8'],
    does: ['bulk', 'memory', 'rerank'],
  },
  {
    id: 'fastembed',
    name: 'fastembed, batches of 8',
    family: 'fastembed',
    kind: 'fastembed',
    batch: 8,
    most: 8,
    dtypes: ['fp32', 'q8'],
    does: ['bulk', 'memory'],
  },
  {
    id: 'sentence-transformers',
    name: 'sentence-transformers',
    family: 'sentence-transformers',
    kind: 'sentence-transformers',
    batch: 32,
    dtypes: ['fp32'],
    does: ['bulk', 'memory', 'lone', 'rerank'],
  },
  {
    id: 'openvino',
    name: 'OpenVINO, sorted batches of 8',
    family: 'openvino',
    kind: 'openvino',
    batch: 8,
    dtypes: ['fp32', 'bf16', 'q8'],
    does: ['bulk', 'memory', 'lone', 'rerank'],
  },
]

/** Whether this version of vecrank knows an option. A constructor reads no file, so this costs nothing. */
function accepts(options) {
  try {
    new Embedder('./none', options)
    return true
  } catch {
    return false
  }
}

const can = (python, modules) => spawnSync(python, ['-c', `import ${modules}`], { stdio: 'ignore' }).status === 0

const installed = (peers, name) =>
  peers === undefined ? 'no --peers' : existsSync(path.join(peers, 'node_modules', name)) ? undefined : `${name} is not installed in ${peers}`

/** What of a contender can run here: itself, changed where this version of vecrank needs it, or the reason why not. */
function judge(contender, { peers, python, openvino, quick }) {
  if (contender.family === 'vecrank') {
    const dtypes = contender.dtypes.filter((dtype) => accepts({ dtype }))
    if (accepts({ engine: contender.engine })) return { ...contender, dtypes }
    // Versions before the option have the graph alone.
    return contender.engine === 'graph' ? { ...contender, engine: undefined } : "this version does not have the option engine: 'encoder'"
  }
  if (contender.family === 'transformers') return installed(peers, '@huggingface/transformers') ?? { ...contender, peers }
  if (quick) return 'not with --quick'
  if (contender.family === 'fastembed') return installed(peers, 'fastembed') ?? { ...contender, peers }
  const [option, program, modules] =
    contender.kind === 'openvino'
      ? ['--openvino or --python', openvino ?? python, 'openvino, tokenizers, numpy']
      : ['--python', python, 'torch, sentence_transformers']
  if (program === undefined) return `no ${option}`
  return can(program, modules) ? { ...contender, python: program } : `${program} cannot import ${modules}`
}

/** `there`: who takes part. `absent`: `{ name, reason }` of the others. */
export function contenders(options) {
  const there = []
  const absent = []
  for (const contender of ALL) {
    const judged = judge(contender, options)
    if (typeof judged === 'string') absent.push({ name: contender.name, reason: judged })
    else there.push(judged)
  }
  return { there, absent }
}
