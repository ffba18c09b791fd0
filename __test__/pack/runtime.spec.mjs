// ONNX Runtime's library when something is wrong with it: the message says which library, what is wrong with it and what to do.

import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { root } from '../fixtures.mjs'
import { compiler } from './programs.mjs'
import { here, place, project } from './project.mjs'
import { MODELS, OFFLINE } from './smoke.mjs'

const pin = JSON.parse(readFileSync(join(root, 'scripts', 'onnxruntime.json'), 'utf8')).platforms[here.name]

let scratch
before((t) => {
  scratch = project(t)
  place(scratch, ['vecrank', here.package, MODELS[0]])
})

/** Embeds twice in one process, with something done in between; what each call gave: the vector's length or an error. */
async function embedTwice({ env = {}, repair = '' } = {}) {
  const code = `
const failed = ({ name, code, message, cause }) => ({ name, code, message, cause: cause?.message })
const call = () => require('vecrank').embed('a', { load: { engine: 'graph' } }).then((vector) => vector.length, failed)
call().then(async (first) => { ${repair}; console.log(JSON.stringify([first, await call()])) })`
  const { stdout } = await scratch.run(process.execPath, ['--eval', code], { env: { ...OFFLINE, ...env } })
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

/** A library that says it is ONNX Runtime, of some version, and is nothing else. */
function pretended(version) {
  const source = `
    static const char *version(void) { return "${version}"; }
    static const void *api(unsigned int wanted) { return 0; }
    struct base { const void *(*GetApi)(unsigned int); const char *(*GetVersionString)(void); };
    const struct base *OrtGetApiBase(void) { static const struct base base = { api, version }; return &base; }`
  return compiler.library(scratch, source, join(scratch.base, `onnxruntime-${version}.so`))
}

test('a library that is too old: both versions, its path, and the way out', { skip: compiler.skip }, async () => {
  for (const version of ['1.20.0', '1.9.1', '0.5.0']) {
    const library = pretended(version)
    const [error] = await embedTwice({ env: { VECRANK_ONNXRUNTIME: library } })
    assert.equal(error.code, 'ERR_RUNTIME')
    for (const part of [library, version, '1.24', 'VECRANK_ONNXRUNTIME'])
      assert.ok(error.message.includes(part), `${part}: ${error.message}`)
  }
})

test('a library that says nothing sensible is refused and harms nobody', { skip: compiler.skip }, async () => {
  for (const version of ['', 'next', '99.0.0']) {
    const [error] = await embedTwice({ env: { VECRANK_ONNXRUNTIME: pretended(version) } })
    assert.equal(error.code, 'ERR_RUNTIME', version)
    assert.ok(error.message.includes('onnxruntime-'), error.message)
  }
  const other = compiler.library(scratch, 'int other(void) { return 1; }', join(scratch.base, 'other.so'))
  const [error] = await embedTwice({ env: { VECRANK_ONNXRUNTIME: other } })
  assert.equal(error.code, 'ERR_RUNTIME')
  assert.ok(error.message.includes(other), error.message)
  assert.match(error.message, /not ONNX Runtime/)
})

test('a library that is not there, or is no library: its path, what the system said, and what to do', async () => {
  const text = join(scratch.base, 'text.so')
  writeFileSync(text, 'This is a text.'.repeat(100))
  for (const [library, said] of [
    [join(scratch.base, 'none.so'), /No such file/],
    [text, /invalid ELF header|Exec format error/],
    [scratch.base, /./],
  ]) {
    const [error] = await embedTwice({ env: { VECRANK_ONNXRUNTIME: library } })
    assert.equal(error.code, 'ERR_RUNTIME')
    assert.ok(error.message.includes(library), error.message)
    assert.match(error.message, /VECRANK_ONNXRUNTIME/)
    if (process.platform === 'linux') assert.match(error.message, said)
    assert.ok(error.cause, 'the cause is what the system said')
  }
})

test(
  'the library of the package, damaged or missing: it is named before its code runs, and once it is whole the same process goes on',
  { skip: pin === undefined && `on ${here.name} it is the distribution's` },
  async () => {
    const library = join(scratch.folder, 'node_modules', here.package, pin.file)
    const good = join(scratch.base, 'good')
    copyFileSync(library, good)
    const repair = `require('node:fs').copyFileSync(${JSON.stringify(good)}, ${JSON.stringify(library)})`
    // One bit, in the middle: no loader would notice.
    const spoilt = readFileSync(good)
    spoilt[spoilt.length >> 1] ^= 1
    for (const [spoil, code] of [
      [() => writeFileSync(library, spoilt), 'ERR_CORRUPT'],
      [() => writeFileSync(library, spoilt.subarray(0, spoilt.length >> 1)), 'ERR_CORRUPT'],
      [() => rmSync(library), 'ERR_RUNTIME'],
    ]) {
      spoil()
      const [error, after] = await embedTwice({ repair })
      assert.equal(error.code, code, error.message)
      assert.ok(error.message.includes(library), error.message)
      assert.match(error.message, /[Rr]einstall|install/)
      assert.equal(after, 384)
    }
  },
)
