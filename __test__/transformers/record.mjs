// node __test__/transformers/record.mjs [FOLDER]
//
// Asks the real Transformers.js and writes its answers beside this file, for the specs that compare vecrank with them. FOLDER is where
// @huggingface/transformers is installed: e2e/ by default (npm ci --prefix e2e --ignore-scripts).

import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { root } from '../fixtures.mjs'
import * as pipelines from './pipeline-cases.mjs'
import { recipes, run } from './recipes.mjs'
import { answers, cases } from './tensor-cases.mjs'

const folder = path.resolve(process.argv[2] ?? path.join(root, 'e2e'))
const library = createRequire(path.join(folder, 'package.json'))('@huggingface/transformers')

function write(name, value) {
  // One answer a line: a change of one shows as one.
  const lines = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${JSON.stringify(each)}`)
  writeFileSync(path.join(import.meta.dirname, name), `{\n${lines.join(',\n')}\n}\n`)
}

write('names.json', { version: library.env.version, names: Object.keys(library).sort() })
write('tensors.json', await answers(cases, library))

library.env.localModelPath = path.join(root, 'tests', 'fixtures', path.sep)
library.env.allowRemoteModels = false
library.env.logLevel = library.LogLevel.NONE
write('pipelines.json', await answers(pipelines.cases, library))
await pipelines.dispose(library)

const printed = {}
for (const recipe of recipes) printed[recipe] = (await run(recipe, { library: '@huggingface/transformers', home: folder })).result
write('recipes.json', printed)
