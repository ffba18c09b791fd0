// Models from the Hub through the face of Transformers.js: settings, events, the cache, and what is thrown where something is missing.

import assert from 'node:assert/strict'
import path from 'node:path'
import { afterEach, test } from 'node:test'
import { AutoConfig, AutoModel, AutoTokenizer, ModelFileNotFoundError, env, pipeline } from 'vecrank/transformers'
import { golden, assertSameVector } from './fixtures.mjs'
import { contents } from './hub/cli.mjs'
import { filesIn, world, zoo } from './hub/world.mjs'

const before = { ...env }
afterEach(() => {
  for (const name of ['allowRemoteModels', 'remoteHost', 'cacheDir']) env[name] = before[name]
})

/** A Hub with a model, and an empty cache, as `env` has them. */
async function hubWith(t) {
  const { hub, cacheDir } = await world(t)
  Object.assign(env, { remoteHost: hub.url, cacheDir })
  return { hub, cacheDir }
}

test('a pipeline downloads its model once, tells of it, and runs offline after', async (t) => {
  const { hub } = await hubWith(t)
  const heard = []
  const extractor = await pipeline('feature-extraction', 'zoo/bert-mean', { progress_callback: (event) => heard.push(event) })
  const { texts, runs } = golden('zoo/bert-mean')
  const output = await extractor(texts[0].text, { pooling: 'mean', normalize: true })
  assertSameVector(output.data, runs.find(({ id }) => id === 'encode').single[0], texts[0].id)
  await extractor.dispose()

  const files = (status) => heard.filter((event) => event.status === status).map(({ file }) => file)
  for (const file of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'onnx/model.onnx']) {
    for (const status of ['initiate', 'download', 'done']) assert.equal(files(status).filter((each) => each === file).length, 1, `${status} ${file}`)
    assert.ok(files('progress').includes(file), file)
  }
  assert.deepEqual(heard.at(-1), { status: 'ready', task: 'feature-extraction', model: 'zoo/bert-mean' })
  assert.equal(heard.filter(({ status }) => status === 'progress_total').at(-1).progress, 100)

  const asked = hub.requests.length
  env.allowRemoteModels = false
  const again = await pipeline('feature-extraction', 'zoo/bert-mean')
  assert.deepEqual((await again(texts[0].text, { pooling: 'mean', normalize: true })).data, output.data)
  await again.dispose()
  assert.equal(hub.requests.length, asked)
})

test('configuration, tokenizer and model by themselves, at a commit', async (t) => {
  const { hub } = await hubWith(t)
  const revision = hub.add('zoo/other', zoo('bert-cls'), { branch: 'v2' }) && 'v2'
  const options = { revision }
  assert.equal((await AutoConfig.from_pretrained('zoo/other', options)).hidden_size, 48)
  const tokenizer = await AutoTokenizer.from_pretrained('zoo/other', options)
  const model = await AutoModel.from_pretrained('zoo/other', options)
  assert.deepEqual((await model(tokenizer('a'))).last_hidden_state.dims.slice(0, 1), [1])
  await model.dispose()
  await assert.rejects(AutoConfig.from_pretrained('zoo/other', { revision: 'v3' }), ModelFileNotFoundError)
})

test('chat templates come with the tokenizer, by the names of their files, and are there offline', async (t) => {
  const { hub } = await hubWith(t)
  hub.add('zoo/chats', {
    ...contents('qwen3-lasttoken'),
    'chat_template.jinja': 'default {{ messages[0].content }}',
    'additional_chat_templates/tool_use.jinja': '{{ tools|length }} tools',
    'additional_chat_templates/deeper/other.jinja': 'no template of its own',
  })
  const chat = [{ role: 'user', content: 'hi' }]
  const asked = async () => {
    const tokenizer = await AutoTokenizer.from_pretrained('zoo/chats')
    assert.deepEqual(Object.keys(tokenizer.chat_template).sort(), ['default', 'tool_use'])
    assert.equal(tokenizer.apply_chat_template(chat, { tokenize: false }), 'default hi')
    assert.equal(tokenizer.apply_chat_template(chat, { tokenize: false, tools: [{}] }), '1 tools')
  }
  await asked()
  env.allowRemoteModels = false
  await asked()
})

test('what is missing is a ModelFileNotFoundError, with the code of vecrank', async (t) => {
  await hubWith(t)
  const thrown = (work) => work.then(assert.fail, (error) => [error instanceof ModelFileNotFoundError, error.name, error.code, error.status])
  assert.deepEqual(await thrown(pipeline('feature-extraction', 'zoo/absent')), [true, 'ModelFileNotFoundError', 'ERR_MODEL_NOT_FOUND', 404])
  const offline = [true, 'ModelFileNotFoundError', 'ERR_OFFLINE', null]
  assert.deepEqual(await thrown(pipeline('feature-extraction', 'zoo/bert-mean', { local_files_only: true })), offline)
  assert.deepEqual(await thrown(AutoTokenizer.from_pretrained('zoo/bert-mean', { local_files_only: true })), offline)
  assert.deepEqual(await thrown(AutoModel.from_pretrained('zoo/bert-mean', { local_files_only: true })), offline)
})

test('the folder of a call comes before that of the process', async (t) => {
  const { cacheDir } = await hubWith(t)
  env.cacheDir = path.join(cacheDir, 'of-the-process')
  const extractor = await pipeline('feature-extraction', 'zoo/bert-mean', { cache_dir: path.join(cacheDir, 'of-the-call') })
  await extractor.dispose()
  assert.ok(filesIn(cacheDir).every((file) => file.startsWith('of-the-call')), filesIn(cacheDir).join('\n'))
})
