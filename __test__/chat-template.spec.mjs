// Chat templates through the tokenizer of `vecrank/transformers`, against what Python's transformers makes of them
// (tests/fixtures/templates, whose recipe stands beside its golden file).

import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { AutoTokenizer } from 'vecrank/transformers'

const require = createRequire(import.meta.url)
const { addon } = require('../lib/addon.js')
const { unwrap } = require('../lib/errors.js')
const fixtures = path.join(import.meta.dirname, '..', 'tests', 'fixtures')
const { chats, options, outcomes, cases, messages, folders } = JSON.parse(readFileSync(path.join(fixtures, 'templates', 'golden.json')))
const root = mkdtempSync(path.join(os.tmpdir(), 'vecrank-chat-'))
after(() => rmSync(root, { recursive: true }))

let made = 0
/** The tokenizer of a fixture with another configuration and further files. */
async function tokenizerWith(base, changes, files) {
  const folder = path.join(root, String(made++))
  mkdirSync(folder)
  for (const file of ['config.json', 'tokenizer.json']) copyFileSync(path.join(fixtures, base, file), path.join(folder, file))
  const config = JSON.parse(readFileSync(path.join(fixtures, base, 'tokenizer_config.json')))
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete config[key]
    else config[key] = value === 'null' ? null : value
  }
  for (const [file, content] of Object.entries({ ...files, 'tokenizer_config.json': config })) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    writeFileSync(path.join(folder, file), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return AutoTokenizer.from_pretrained(folder)
}

const template = (name) => readFileSync(path.join(fixtures, 'templates', name), 'utf8')
const special = { tokenizer_class: 'PreTrainedTokenizerFast', bos_token: '<s>', eos_token: '</s>', pad_token: null, unk_token: null, sep_token: null, cls_token: null, mask_token: null }
const plain = 'extra/class-unknown'

function compare(render, outcome, what) {
  if (outcome.rendered !== undefined) return assert.equal(render(), outcome.rendered, what)
  const refusal = /^TemplateError: (.*)/su.exec(outcome.error)?.[1]
  assert.throws(render, (error) => /^ERR_(?!INTERNAL)/u.test(error.code) && (refusal === undefined || error.message.includes(refusal)), `${what}: ${outcome.error}`)
}

/** The day as the templates write it. */
const today = () => {
  const now = new Date()
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][now.getMonth()]
  return `${String(now.getDate()).padStart(2, '0')} ${month} ${now.getFullYear()}`
}

for (const name of new Set(Object.keys(cases).map((key) => key.split(': ')[0]))) {
  test(`${name} gives what Python gives`, async () => {
    const tokenizer = await tokenizerWith(plain, special, { 'chat_template.jinja': template(name) })
    assert.equal(tokenizer.chat_template, template(name))
    let compared = 0
    for (const [chat, given] of Object.entries(chats)) {
      cases[`${name}: ${chat}`].forEach((number, index) => {
        const render = () => tokenizer.apply_chat_template(given, { ...options[index], tokenize: false })
        const outcome = { ...outcomes[number] }
        // JavaScript has one kind of number, and the reference's clock stood still.
        outcome.rendered &&= outcome.rendered.replaceAll(/("days"|'days'): 1\.0/gu, '$1: 1')
        const before = today()
        if (name === 'llama3.jinja') outcome.rendered &&= outcome.rendered.replace('26 Jul 2024', before)
        if (today() !== before) return
        compare(render, outcome, `${chat} ${JSON.stringify(options[index])}`)
        compared++
      })
    }
    assert.ok(compared > 100, `${compared} chats were compared`)
  })
}

for (const { name, base, changes, files, calls, outcomes: expected } of folders) {
  test(`templates and special tokens of a repository: ${name}`, async () => {
    const tokenizer = await tokenizerWith(base, changes, files)
    const native = addon()
    const own = unwrap(await native.loadTokenizer({ path: path.join(root, String(made - 1)) }, new native.LoadWait()))
    calls.forEach((call, index) => {
      compare(() => tokenizer.apply_chat_template(messages, { ...call, tokenize: false }), expected[index], JSON.stringify(call))
      // The native object chooses by itself, for those who have no face before it.
      compare(() => unwrap(own.applyChatTemplate(JSON.stringify(messages), JSON.stringify(call))), expected[index], JSON.stringify(call))
    })
  })
}

test('a chat in tokens has those of its text, and no special tokens of its own', async () => {
  const tokenizer = await tokenizerWith('zoo/qwen3-lasttoken', {}, { 'chat_template.jinja': template('qwen3.jinja') })
  const chat = [{ role: 'user', content: 'How many people live in Berlin?' }]
  const text = tokenizer.apply_chat_template(chat, { tokenize: false, add_generation_prompt: true })
  assert.equal(text, '<|im_start|>user\nHow many people live in Berlin?<|im_end|>\n<|im_start|>assistant\n')
  const { input_ids } = tokenizer.apply_chat_template(chat, { add_generation_prompt: true, return_tensor: false })
  assert.deepEqual(input_ids, tokenizer(text, { add_special_tokens: false, return_tensor: false }).input_ids)
  assert.equal(tokenizer.decode(input_ids), text)
})

test('what only the template knows is in `chat_template.json` of old processors', async () => {
  const tokenizer = await tokenizerWith(plain, special, { 'chat_template.json': { chat_template: '{{ messages[0].content }}{{ eos_token }}' } })
  assert.equal(tokenizer.apply_chat_template(messages, { tokenize: false }), 'hi</s>')
})

test('half a surrogate pair is U+FFFD', async () => {
  const tokenizer = await tokenizerWith(plain, special, { 'chat_template.jinja': '{{ messages[0].content }}' })
  assert.equal(tokenizer.apply_chat_template([{ role: 'user', content: 'a\ud83d b \u{1f600}' }], { tokenize: false }), 'a\ufffd b \u{1f600}')
})

test('a hostile template is an error that names its file', async () => {
  for (const [source, code, words] of [
    [template('endless.jinja'), 'ERR_MODEL_INVALID', /chat_template\.jinja: .*does not come to an end/u],
    ["{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", 'ERR_MODEL_INVALID', /chat_template\.jinja, line 1: .*a namespace/u],
    ["{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", 'ERR_MODEL_INVALID', /does not come to an end/u],
    [`{{ ${'['.repeat(3000)}${']'.repeat(3000)} }}`, 'ERR_MODEL_INVALID', /chat_template\.jinja/u],
    ['\n{% if %}', 'ERR_MODEL_INVALID', /chat_template\.jinja, line 2: .*not Jinja/u],
    ['{{ messages|unheard }}', 'ERR_MODEL_UNSUPPORTED', /unheard/u],
    ['{{ raise_exception("no system role") }}', 'ERR_INVALID_ARG', /no system role/u],
  ]) {
    const tokenizer = await tokenizerWith(plain, special, { 'chat_template.jinja': source })
    assert.throws(() => tokenizer.apply_chat_template(messages, { tokenize: false }), { code, message: words })
  }
})

test('wrong arguments are named', async () => {
  const tokenizer = await tokenizerWith(plain, special, { 'chat_template.jinja': '{{ messages }}' })
  for (const [chat, given, words] of [
    [[], {}, /at least one message/u],
    ['text', {}, /conversation/u],
    [['text'], {}, /messages/u],
    [messages, { tools: 'weather' }, /tools/u],
    [messages, { continue_final_message: true, add_generation_prompt: true }, /exclude each other/u],
    [messages, { chat_template: 5 }, /chat_template/u],
  ]) {
    assert.throws(() => tokenizer.apply_chat_template(chat, { ...given, tokenize: false }), { code: 'ERR_INVALID_ARG', message: words })
  }
})
