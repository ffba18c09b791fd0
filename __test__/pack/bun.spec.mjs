// Bun as a package manager. Programs run in Bun are a matter of the end-to-end tests.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dependencies, library, through } from './library.mjs'
import { thirdParty } from './programs.mjs'
import { here, installed, project } from './project.mjs'
import { registry } from './registry.mjs'
import { COMMONJS, ESM, MODELS, OFFLINE, assertAnswer } from './smoke.mjs'
import { tarballs } from './tarballs.mjs'

const bun = thirdParty('bun')
const { version } = tarballs().get('vecrank')

function runBun(scratch, args) {
  return scratch.run(bun.program, [...bun.args, ...args], { env: OFFLINE })
}

test('bun add: one platform, no script is held back, and the command is there', { skip: bun.skip }, async (t) => {
  const scratch = project(t, { files: { 'esm.mjs': ESM, 'commonjs.cjs': COMMONJS } })
  const served = await registry(t)
  const { stdout, stderr } = await runBun(scratch, ['add', `--registry=${served.url}`, 'vecrank', ...MODELS])
  assert.doesNotMatch(stdout + stderr, /blocked|untrusted/i)
  assert.deepEqual(served.unknown, [])
  assert.deepEqual(installed(scratch), ['vecrank', here.package, ...MODELS].sort())
  assertAnswer(await scratch.run(process.execPath, ['esm.mjs'], { env: OFFLINE }))
  assertAnswer(await scratch.run(process.execPath, ['commonjs.cjs'], { env: OFFLINE }))
  assert.equal((await runBun(scratch, ['run', 'vecrank', '--version'])).stdout.trim(), version)
})

test('bun with isolated packages: a library that depends on vecrank finds the models of the application', { skip: bun.skip }, async (t) => {
  const served = await registry(t, [library])
  const names = [library.name, ...MODELS]
  const scratch = project(t, { manifest: { dependencies: dependencies(...names) }, files: { 'main.cjs': through(library) } })
  await runBun(scratch, ['install', `--registry=${served.url}`, '--linker=isolated'])
  assert.deepEqual(installed(scratch), names.sort())
  assertAnswer(await scratch.run(process.execPath, ['main.cjs'], { env: OFFLINE }))
})
