// pnpm: packages see only what they declare.

import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { equipped, dependencies, library, through } from './library.mjs'
import { thirdParty } from './programs.mjs'
import { here, installed, project } from './project.mjs'
import { CALLS, assertRefused, calls } from './refusal.mjs'
import { registry } from './registry.mjs'
import { COMMONJS, ESM, MODELS, OFFLINE, assertAnswer } from './smoke.mjs'
import { tarballs } from './tarballs.mjs'

const pnpm = thirdParty('pnpm')
const { version } = tarballs().get('vecrank')

/** Stricter than by default: a package sees what it declares, and not by luck more. */
const STRICT = { pnpm_config_hoist: 'false', pnpm_config_auto_install_peers: 'false' }

/** A pnpm command in a project, with that registry and no other. */
function runPnpm(scratch, served, args) {
  return scratch.run(pnpm.program, [...pnpm.args, ...args], { env: { ...OFFLINE, ...STRICT, pnpm_config_registry: served.url } })
}

test(
  'pnpm add: nothing of this is hidden from vecrank, no script is asked for, and the command is there',
  { skip: pnpm.skip },
  async (t) => {
    const scratch = project(t, { files: { 'esm.mjs': ESM, 'commonjs.cjs': COMMONJS } })
    const served = await registry(t)
    const { stdout, stderr } = await runPnpm(scratch, served, ['add', 'vecrank', ...MODELS])
    assert.doesNotMatch(stdout + stderr, /build script|approve-builds/i)
    assert.deepEqual(served.unknown, [])
    assert.deepEqual(installed(scratch), ['vecrank', ...MODELS])
    // Of the platforms, this one and no other.
    const stored = readdirSync(join(scratch.folder, 'node_modules', '.pnpm')).map((name) => name.split('@')[0])
    assert.deepEqual(
      stored.filter((name) => name.startsWith('vecrank-') && !MODELS.includes(name)),
      [here.package],
    )
    assertAnswer(await scratch.run(process.execPath, ['esm.mjs'], { env: OFFLINE }))
    assertAnswer(await scratch.run(process.execPath, ['commonjs.cjs'], { env: OFFLINE }))
    assert.equal((await runPnpm(scratch, served, ['exec', 'vecrank', '--version'])).stdout.trim(), version)

    rmSync(join(scratch.folder, 'node_modules'), { recursive: true })
    await runPnpm(scratch, served, ['install', '--frozen-lockfile', '--no-optional'])
    const [error] = calls(await scratch.run(process.execPath, ['--eval', CALLS]))
    assertRefused(error, 'not installed', [new RegExp(`Cannot find module '${here.package}'`)])
    assert.match(error.message, /--no-optional/)
  },
)

test(
  'pnpm: a library that depends on vecrank finds the models of the application, and those of its own',
  { skip: pnpm.skip },
  async (t) => {
    const served = await registry(t, [library, equipped])
    for (const [used, names] of [
      [library, [library.name, ...MODELS]],
      [equipped, [equipped.name]],
    ]) {
      const scratch = project(t, { manifest: { dependencies: dependencies(...names) }, files: { 'main.cjs': through(used) } })
      await runPnpm(scratch, served, ['install', '--no-frozen-lockfile'])
      assert.deepEqual(installed(scratch), names.sort())
      // From another folder and by another program: vecrank has to find them from where it is itself.
      scratch.write('../home/runner.cjs', `require(${JSON.stringify(join(scratch.folder, 'main.cjs'))})`)
      assertAnswer(await scratch.run(process.execPath, ['runner.cjs'], { env: OFFLINE, cwd: scratch.home }))
    }
  },
)

test('pnpm workspace: the models of one package serve another one that depends on vecrank', { skip: pnpm.skip }, async (t) => {
  const manifest = (name, names, more) =>
    `${JSON.stringify({ name, version: '1.0.0', dependencies: { ...dependencies(...names), ...more } })}\n`
  const scratch = project(t, {
    files: {
      'pnpm-workspace.yaml': 'packages: [search, app]\n',
      'search/package.json': manifest('search', ['vecrank']),
      'search/index.js': "module.exports = require('vecrank')",
      'app/package.json': manifest('app', MODELS, { search: 'workspace:*' }),
      'app/main.cjs': through({ name: 'search' }),
    },
  })
  const served = await registry(t)
  await runPnpm(scratch, served, ['install', '--no-frozen-lockfile'])
  assertAnswer(await scratch.run(process.execPath, [join('app', 'main.cjs')], { env: OFFLINE }))
})
