// A fresh process up to its first vector: import, load, embed. Prints a line when the vector is there; peers.mjs takes the time from outside.

import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const { kind, folder, engine, peers } = JSON.parse(process.argv[2])
const text = 'How do plants make sugar?'

async function first() {
  if (kind === 'vecrank') {
    const { embed } = await import('vecrank')
    return embed(text, { model: 'vecrank-model-all-minilm-l6-v2', ...(engine === undefined ? {} : { load: { engine } }) })
  }
  const entry = createRequire(path.join(peers, 'package.json')).resolve('@huggingface/transformers')
  const { env, pipeline } = await import(pathToFileURL(entry).href)
  env.allowRemoteModels = false
  env.localModelPath = `${path.dirname(folder)}/`
  const extract = await pipeline('feature-extraction', path.basename(folder), { dtype: 'q8', device: 'cpu' })
  return (await extract(text, { pooling: 'mean', normalize: true })).data
}

const say = (answer, code) => process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(code))
try {
  say({ dimensions: (await first()).length }, 0)
} catch (error) {
  say({ error: error.message }, 1)
}
