// The snippets of the guide for those who come from Transformers.js, as programs, and the models that they name. The first line of a block says what it is:
//
//   js before, js before=NAME   for Transformers.js; NAME is a variable that the block after it has too
//   js after=NAME               the same in vecrank
//   js run                      a program of vecrank's, run to its end
//   js check                    one that needs what is not here: parsed only

import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { assertNear, root, tiny } from './fixtures.mjs'

/** Tiny models stand for those that the guide names. */
const MODELS = {
  'BAAI/bge-small-en-v1.5': 'zoo/bert-cls',
  'Xenova/all-MiniLM-L6-v2': 'zoo/bert-mean',
  'Xenova/bert-base-NER': 'zoo/bert-token-classifier',
  'Xenova/bert-base-uncased': 'beyond/masked-lm',
  'Xenova/bge-small-en-v1.5': 'zoo/bert-cls',
  'Xenova/distilbert-base-uncased-finetuned-sst-2-english': 'zoo/distilbert-classifier-2',
  'Xenova/ms-marco-MiniLM-L-6-v2': 'zoo/bert-ranker-1',
  'Xenova/nli-deberta-v3-xsmall': 'beyond/nli-3',
}
/** What a load asks for and a repository may lack: that it is known to lack it is noted as an empty file. */
const OPTIONAL = ['README.md', 'chat_template.jinja', 'config_sentence_transformers.json', 'modules.json', 'sentence_bert_config.json', 'special_tokens_map.json']

/** `{ heading, mark, name, code, line }` of each block of JavaScript. */
export function snippets() {
  const blocks = []
  let heading
  let open
  for (const [index, line] of readFileSync(path.join(root, 'docs', 'migrate-from-transformers-js.md'), 'utf8').split('\n').entries()) {
    const [, language, mark, name] = /^```(\w*) ?(\w*)=?(\w*)$/.exec(line) ?? []
    if (open !== undefined && line === '```') {
      if (open.language === 'js') blocks.push(open)
      open = undefined
    } else if (open !== undefined) open.code += `${line}\n`
    else if (language !== undefined) open = { heading, language, mark, name, code: '', line: index + 1 }
    else if (/^#+ /.test(line)) heading = line.replace(/^#+ /, '')
  }
  assert.equal(open, undefined, 'a block has no end')
  return blocks
}

/** Words for the end of a program: it prints what its variable is, in plain numbers, on a line of its own. */
export function reporting(name) {
  return `
const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : typeof value === 'bigint' ? Number(value) : value)
console.log('\\n' + JSON.stringify(${name}, plain))
`
}

/** The models in a folder by their names, as `env.localModelPath` has them. */
export function modelsIn(folder) {
  for (const [name, model] of Object.entries(MODELS)) cpSync(tiny(model), path.join(folder, name), { recursive: true })
}

/** The models in the cache of huggingface_hub below a folder (`HF_HOME`), as it is where it makes no links. */
export function cacheIn(folder) {
  for (const [name, model] of Object.entries(MODELS)) {
    const repository = path.join(folder, 'hub', `models--${name.replace('/', '--')}`)
    const commit = '0'.repeat(40)
    const snapshot = path.join(repository, 'snapshots', commit)
    cpSync(tiny(model), snapshot, { recursive: true })
    for (const part of ['refs', path.join('.no_exist', commit)]) mkdirSync(path.join(repository, part), { recursive: true })
    writeFileSync(path.join(repository, 'refs', 'main'), commit)
    for (const file of OPTIONAL) if (!existsSync(path.join(snapshot, file))) writeFileSync(path.join(repository, '.no_exist', commit, file), '')
  }
}

/** The same shape and, within rounding, the same numbers. */
export function assertAlike(actual, expected, where) {
  if (typeof expected === 'number') assertNear([actual], [expected], 1e-4, where)
  else if (typeof expected !== 'object' || expected === null) assert.equal(actual, expected, where)
  else {
    assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), where)
    for (const key of Object.keys(expected)) assertAlike(actual[key], expected[key], `${where}.${key}`)
  }
}
