// Missing, damaged and foreign models: each has its code, and none ends the process.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Embedder, Reranker, VecrankError, embed, rerank } from 'vecrank'
import { copyOf, failure, readJson, root, tiny } from './fixtures.mjs'
import { temporary } from './hub/world.mjs'

test('a missing folder or package', async () => {
  await assert.rejects(new Embedder('./no/such/folder').load(), failure('ERR_MODEL_NOT_FOUND', /no.such.folder/))
  await assert.rejects(new Reranker('/no/such/folder').load(), failure('ERR_MODEL_NOT_FOUND'))
  await assert.rejects(new Embedder('vecrank-no-such-model').load(), failure('ERR_MODEL_NOT_FOUND', /No package named vecrank-no-such-model[^]*node_modules/))
  await assert.rejects(new Embedder('@vecrank/no-such-model').load(), failure('ERR_MODEL_NOT_FOUND', /@vecrank\/no-such-model/))
  await assert.rejects(embed('text', { model: './no/such/folder' }), failure('ERR_MODEL_NOT_FOUND'))
})

// Whoever forgets the owner of a model's name must not be sent to install what a stranger has put under the rest of it.
test('a name without its owner is never advised to be installed, wherever it was given', async (t) => {
  const told = (promise) => promise.then(() => assert.fail('it was loaded'), (error) => error)
  const named = { 'all-MiniLM-L6-v2': 'sentence-transformers/all-MiniLM-L6-v2', 'ms-marco-minilm-l6-v2': 'cross-encoder/ms-marco-MiniLM-L6-v2' }
  for (const name of ['all-MiniLM-L6-v2', 'ms-marco-minilm-l6-v2', 'bge-small-en-v1.5', 'vecrank-model-all-minilm-l6-v3', '@xenova/all-MiniLM-L6-v2']) {
    const asked = { Embedder: new Embedder(name).load(), Reranker: new Reranker(name).load(), embed: embed('text', { model: name }) }
    for (const [how, promise] of Object.entries({ ...asked, rerank: rerank('query', ['text'], { model: name }) })) {
      const { code, message } = await told(promise)
      assert.equal(code, 'ERR_MODEL_NOT_FOUND')
      assert.doesNotMatch(message, /npm|yarn|pnpm|install (?!ed)/, how)
      assert.match(message, /No package named .* is installed.*Models on the Hub are named "owner\/name"/, how)
      assert.ok(message.includes(`"./${name}"`), message)
      const known = Object.values(named).filter((full) => message.includes(`"${full}"`))
      assert.deepEqual(known, named[name] === undefined ? [] : [named[name]], how)
    }
  }
  for (const [variable, Kind] of [['VECRANK_EMBEDDER', Embedder], ['VECRANK_RERANKER', Reranker]]) {
    process.env[variable] = 'all-MiniLM-L6-v2'
    t.after(() => delete process.env[variable])
    const { message } = await told(new Kind().load())
    assert.match(message, new RegExp(`\\(named by ${variable}\\).*"sentence-transformers/all-MiniLM-L6-v2"`))
    assert.doesNotMatch(message, /npm install/)
  }
})

test('of the packages that hold the bundled models it is said how they are installed', async (t) => {
  // Without them, as a user has it who installed vecrank alone.
  const folder = temporary(t)
  for (const name of ['index.js', 'package.json', 'lib', ...readdirSync(root).filter((file) => /\.node$|^libvecrank|\.dll$|\.dylib$/.test(file))]) {
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true })
  }
  const source = `require('./index.js').Embedder.load('vecrank-model-all-minilm-l6-v2').catch(({ code, message }) => console.log(code, message))`
  const { stdout } = spawnSync(process.execPath, ['-e', source], { cwd: folder, encoding: 'utf8' })
  assert.match(stdout, /^ERR_MODEL_NOT_FOUND .*npm install vecrank-model-all-minilm-l6-v2/)
})

test('a file in the place of the folder, an empty folder', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  const file = new Embedder(path.join(folder, 'config.json'))
  await assert.rejects(file.load(), ({ code }) => ['ERR_MODEL_NOT_FOUND', 'ERR_FILE_NOT_FOUND'].includes(code))
  const empty = path.join(folder, 'empty')
  mkdirSync(empty)
  await assert.rejects(new Embedder(empty).load(), failure('ERR_FILE_NOT_FOUND'))
})

const plain = { method: 'forward', method_output_name: 'last_hidden_state' }
const sentenceBert = (content) => (folder) => writeFileSync(path.join(folder, 'sentence_bert_config.json'), JSON.stringify(content))

function chatTemplate(folder) {
  rmSync(path.join(folder, 'modules.json'))
  writeFileSync(path.join(folder, 'chat_template.jinja'), '{% for message in messages %}')
}

/** What is done to a copy of a model, and the codes it may end in. */
const damages = [
  ['no ONNX file', (folder) => rmSync(path.join(folder, 'onnx'), { recursive: true }), ['ERR_FILE_NOT_FOUND', 'ERR_MODEL_UNSUPPORTED'], /onnx/],
  ['no tokenizer.json', (folder) => rmSync(path.join(folder, 'tokenizer.json')), ['ERR_FILE_NOT_FOUND'], /tokenizer\.json/],
  ['no config.json', (folder) => rmSync(path.join(folder, 'config.json')), ['ERR_FILE_NOT_FOUND'], /config\.json/],
  ['a pooling module without its file', (folder) => rmSync(path.join(folder, '1_Pooling'), { recursive: true }), ['ERR_FILE_NOT_FOUND', 'ERR_MODEL_INVALID'], /1_Pooling/],
  ['a truncated ONNX file', (folder) => truncateSync(path.join(folder, 'onnx', 'model.onnx'), 5000), ['ERR_MODEL_INVALID'], /model\.onnx/],
  ['an empty ONNX file', (folder) => truncateSync(path.join(folder, 'onnx', 'model.onnx'), 0), ['ERR_MODEL_INVALID'], /model\.onnx/],
  ['text in the place of the ONNX file', (folder) => writeFileSync(path.join(folder, 'onnx', 'model.onnx'), 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'), ['ERR_MODEL_INVALID'], /model\.onnx/],
  ['a truncated tokenizer.json', (folder) => truncateSync(path.join(folder, 'tokenizer.json'), 1000), ['ERR_MODEL_INVALID'], /tokenizer\.json/],
  ['a tokenizer.json of another kind', (folder) => writeFileSync(path.join(folder, 'tokenizer.json'), '{"version":"1.0"}'), ['ERR_MODEL_INVALID', 'ERR_MODEL_UNSUPPORTED'], /tokenizer\.json/],
  ['a config.json that is not JSON', (folder) => writeFileSync(path.join(folder, 'config.json'), '{"model_type":'), ['ERR_MODEL_INVALID'], /config\.json/],
  ['a modules.json that is no list', (folder) => writeFileSync(path.join(folder, 'modules.json'), '{}'), ['ERR_MODEL_INVALID'], /modules\.json/],
  ['a module nobody knows', (folder) => module(folder, 'sentence_transformers.models.Unheard'), ['ERR_MODEL_UNSUPPORTED'], /Unheard/],
  ['a module that is code of the repository', (folder) => module(folder, 'custom_st.Normalize'), ['ERR_MODEL_UNSUPPORTED'], /custom_st/],
  ['a tokenizer elsewhere', sentenceBert({ tokenizer_name_or_path: '../other' }), ['ERR_MODEL_UNSUPPORTED'], /tokenizer_name_or_path/],
  ['a module outside the folder', (folder) => module(folder, 'sentence_transformers.models.Dense', '../../elsewhere'), ['ERR_MODEL_INVALID', 'ERR_MODEL_UNSUPPORTED', 'ERR_FILE_NOT_FOUND'], /\S/],
  ['a chat template that is no Jinja', chatTemplate, ['ERR_MODEL_INVALID'], /chat_template/],
  ['texts that go into a chat template that is not there', sentenceBert({ modality_config: { text: plain, message: { ...plain, format: 'flat' } } }), ['ERR_FILE_NOT_FOUND'], /modality_config\.message/],
  ['texts that go another way', sentenceBert({ modality_config: { text: { ...plain, method: 'get_text_features' } } }), ['ERR_MODEL_UNSUPPORTED'], /get_text_features/],
  ['an output that is not read', sentenceBert({ modality_config: { text: { ...plain, method_output_name: ['hidden_states', -2] } } }), ['ERR_MODEL_UNSUPPORTED'], /hidden_states/],
  ['no special tokens', sentenceBert({ processing_kwargs: { text: { add_special_tokens: false } } }), ['ERR_MODEL_UNSUPPORTED'], /add_special_tokens/],
  ['expanded queries', sentenceBert({ query_expansion: { strategy: 'fixed', length: 32 } }), ['ERR_MODEL_UNSUPPORTED'], /query_expansion/],
  ['JSON nested without end', (folder) => writeFileSync(path.join(folder, 'config.json'), '['.repeat(200_000)), ['ERR_MODEL_INVALID'], /config\.json/],
]

function module(folder, type, place = '3_More') {
  const file = path.join(folder, 'modules.json')
  const modules = readJson(file)
  modules.push({ idx: modules.length, name: String(modules.length), path: place, type })
  writeFileSync(file, JSON.stringify(modules))
}

for (const [name, damage, codes, pattern] of damages) {
  test(name, async (t) => {
    const folder = copyOf('zoo/bert-mean', t)
    damage(folder)
    await assert.rejects(new Embedder(folder).embed('text'), (error) => {
      assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`)
      assert.ok(error instanceof VecrankError)
      assert.match(error.message, pattern)
      return true
    })
  })
}

// The tokenizer's library cuts the text into pieces of no character, and panics.
test('a tokenizer that panics is a damaged file, and nothing is printed', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  const file = path.join(folder, 'tokenizer.json')
  const parts = readJson(file)
  writeFileSync(file, JSON.stringify({ ...parts, pre_tokenizer: { type: 'FixedLength', length: 0 } }))
  writeFileSync(path.join(folder, 'tokenizer_config.json'), JSON.stringify({ tokenizer_class: 'PreTrainedTokenizerFast' }))
  const source = `
    const { Embedder } = require(${JSON.stringify(root)})
    const said = ({ name, code, message, cause }) => console.log(JSON.stringify({ name, code, message, cause: cause?.message }))
    const embedder = new Embedder(${JSON.stringify(folder)})
    embedder.embed(['text', 'river']).catch(said).then(() => embedder.tokenCounts(['text'])).catch(said)`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', source], { encoding: 'utf8' })
  assert.equal(stderr, '', 'nothing on stderr')
  assert.equal(status, 0)
  const errors = stdout.trim().split('\n').map((line) => JSON.parse(line))
  assert.equal(errors.length, 2)
  for (const { name, code, message, cause } of errors) {
    assert.deepEqual({ name, code, cause }, { name: 'VecrankError', code: 'ERR_MODEL_INVALID', cause: 'chunk size must be non-zero' })
    assert.match(message, /^`texts\[[01]\]`: tokenizer\.json: /)
  }
})

test('the graph of another model gives an error, not numbers', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  // Its vocabulary is smaller than the ids that this tokenizer gives, or its shape is another.
  writeFileSync(path.join(folder, 'onnx', 'model.onnx'), readFileSync(path.join(tiny('zoo/bert-ranker-1'), 'onnx', 'model.onnx')))
  await assert.rejects(new Embedder(folder).embed('text'), ({ name, code }) => name === 'VecrankError' && code !== 'ERR_INTERNAL')
})

test('a file or dtype that is not there', async () => {
  await assert.rejects(new Embedder(tiny('zoo/bert-mean'), { dtype: 'q4' }).load(), failure('ERR_FILE_NOT_FOUND', /q4/))
  await assert.rejects(new Embedder(tiny('zoo/bert-mean'), { file: 'onnx/other.onnx' }).load(), failure('ERR_FILE_NOT_FOUND', /other\.onnx/))
  await assert.rejects(new Embedder(tiny('zoo/bert-mean'), { maxLength: 100_000 }).load(), failure('ERR_INVALID_ARG', /maxLength/))
})

test('an error keeps what is underneath as its cause', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  writeFileSync(path.join(folder, 'config.json'), 'nonsense')
  const error = await new Embedder(folder).load().catch((reason) => reason)
  assert.ok(error.cause instanceof Error, 'the parser has spoken')
  assert.match(String(error.stack), /^VecrankError/)
})

test('a package may hold its model in a folder of its own', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  const home = path.join(folder, 'node_modules', 'a-model')
  mkdirSync(home, { recursive: true })
  writeFileSync(path.join(home, 'package.json'), JSON.stringify({ name: 'a-model', exports: {}, vecrank: { path: '../..' } }))
  const before = process.cwd()
  process.chdir(folder)
  t.after(() => process.chdir(before))
  const info = await new Embedder('a-model').info()
  assert.equal(info.source, 'package')
  assert.equal(info.dimensions, 32)
  writeFileSync(path.join(home, 'package.json'), '{')
  await assert.rejects(new Embedder('a-model').load(), failure('ERR_MODEL_INVALID', /package\.json/))
  writeFileSync(path.join(home, 'package.json'), JSON.stringify({ vecrank: { path: 5 } }))
  await assert.rejects(new Embedder('a-model').load(), failure('ERR_MODEL_INVALID', /vecrank\.path/))
})

test('a failed load is tried again', async (t) => {
  const folder = copyOf('zoo/bert-mean', t)
  const config = path.join(folder, 'config.json')
  const content = readFileSync(config)
  rmSync(config)
  const embedder = new Embedder(folder)
  await assert.rejects(embedder.embed('text'), { name: 'VecrankError' })
  await assert.rejects(embed('text', { model: folder }), { name: 'VecrankError' })
  writeFileSync(config, content)
  assert.equal((await embedder.embed('text')).length, 32)
  assert.equal((await embed('text', { model: folder })).length, 32)
})
