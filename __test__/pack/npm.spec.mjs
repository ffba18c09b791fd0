// npm: the packed packages, installed as a user does, without scripts, from a registry that has nothing else.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { npmInstall, project } from './project.mjs'
import { registry } from './registry.mjs'
import { COMMONJS, ESM, MODELS, assertAnswer } from './smoke.mjs'

test('npm install vecrank: one platform, no script, both module systems', async (t) => {
  const scratch = project(t, { files: { 'esm.mjs': ESM, 'commonjs.cjs': COMMONJS } })
  const served = await registry(t)
  await npmInstall(scratch, served, ['vecrank', ...MODELS])
  assert.deepEqual(served.unknown, [])
  const modules = join(scratch.folder, 'node_modules')
  assert.deepEqual(readdirSync(modules).filter((name) => !name.startsWith('.')).sort(), ['vecrank', 'vecrank-linux-x64-gnu', ...MODELS])
  for (const name of readdirSync(modules).filter((each) => !each.startsWith('.'))) {
    assert.equal(JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).scripts, undefined, name)
  }
  assertAnswer(await scratch.run(process.execPath, ['esm.mjs']))
  assertAnswer(await scratch.run(process.execPath, ['commonjs.cjs']))
})
