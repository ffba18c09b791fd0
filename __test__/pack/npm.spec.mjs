// npm: the packed packages, installed as a user does, without scripts, from a registry that has nothing else.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { npm } from '../../scripts/npm.mjs'
import { platforms } from '../../scripts/platforms.mjs'
import { library, through } from './library.mjs'
import { here, installed, npmInstall, project, runNpm } from './project.mjs'
import { CALLS, PRODUCT, assertRefused, calls } from './refusal.mjs'
import { registry } from './registry.mjs'
import { COMMONJS, ESM, MODELS, OFFLINE, assertAnswer } from './smoke.mjs'
import { made, tarballs } from './tarballs.mjs'

const [program, ...before] = npm

const { version } = tarballs().get('vecrank')
/** A platform that this machine is not, with a package that installs: an addon that no system can open. */
const other = platforms.find(({ os, libc }) => os !== here.os && libc === undefined)
const elsewhere = [`--os=${other.os}`, `--cpu=${other.cpu}`]
const ofOther = () =>
  made(
    { name: other.package, version, os: [other.os], cpu: [other.cpu], main: 'index.js' },
    { 'index.js': `exports.addon = require('node:path').join(__dirname, '${other.file}')`, [other.file]: 'native code' },
  )

const tarballsFetched = ({ requests }) =>
  requests
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => name.split('/')[0])
    .sort()

test('npm install vecrank: one platform, no script, both module systems, and the same again by npm ci', async (t) => {
  const scratch = project(t, { files: { 'esm.mjs': ESM, 'commonjs.cjs': COMMONJS } })
  const served = await registry(t)
  await npmInstall(scratch, served, ['vecrank', ...MODELS])
  assert.deepEqual(served.unknown, [])
  const modules = join(scratch.folder, 'node_modules')
  const expected = ['vecrank', here.package, ...MODELS].sort()
  assert.deepEqual(installed(scratch), expected)
  assert.deepEqual(tarballsFetched(served), expected)
  for (const name of installed(scratch)) {
    assert.equal(JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).scripts, undefined, name)
  }
  assertAnswer(await scratch.run(process.execPath, ['esm.mjs'], { env: OFFLINE }))
  assertAnswer(await scratch.run(process.execPath, ['commonjs.cjs'], { env: OFFLINE }))

  // The lock file is for every platform, and nothing in it asks for a script.
  const lock = JSON.parse(readFileSync(join(scratch.folder, 'package-lock.json'), 'utf8')).packages
  assert.deepEqual(
    platforms.map((row) => row.package).filter((name) => lock[`node_modules/${name}`]?.optional !== true),
    [],
  )
  assert.deepEqual(
    Object.keys(lock).filter((name) => lock[name].hasInstallScript),
    [],
  )
  rmSync(modules, { recursive: true })
  await runNpm(scratch, served, ['ci'])
  assert.deepEqual(installed(scratch), expected)
  assertAnswer(await scratch.run(process.execPath, ['esm.mjs'], { env: OFFLINE }))

  // The command is there as well.
  const { stdout } = await scratch.run(program, [...before, 'exec', '--offline', '--', 'vecrank', '--version'], { env: OFFLINE })
  assert.equal(stdout.trim(), version)
  const help = await scratch.run(program, [...before, 'exec', '--offline', '--', 'vecrank', '--help'], { env: OFFLINE })
  assert.match(help.stdout, /vecrank pull/)
})

test('from tarballs, with no network at all', async (t) => {
  const scratch = project(t, { files: { 'esm.mjs': ESM } })
  const paths = [...tarballs().values()].filter(({ name }) => ['vecrank', here.package, ...MODELS].includes(name)).map(({ path }) => path)
  // A process without network interfaces, where the system gives it to us; everywhere a registry that refuses connections.
  const isolate = spawnSync('unshare', ['-n', 'true']).status === 0 ? ['unshare', '-n'] : []
  t.diagnostic(
    isolate.length > 0
      ? 'in a network namespace of its own'
      : 'with a registry that refuses: this process must not make a network namespace',
  )
  const run = (program, args) => {
    const [first, ...rest] = [...isolate, program, ...args]
    return scratch.run(first, rest, { env: OFFLINE })
  }
  const options = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--registry=http://127.0.0.1:9/']
  await run(program, [...before, 'install', ...options, ...paths])
  assert.deepEqual(installed(scratch), ['vecrank', here.package, ...MODELS].sort())
  assertAnswer(await run(process.execPath, ['esm.mjs']))
})

test("an install for another platform fetches that one's package only; run here, it says that node_modules was copied", async (t) => {
  const scratch = project(t, { files: { 'calls.cjs': CALLS } })
  const served = await registry(t, [ofOther()])
  await npmInstall(scratch, served, [...elsewhere, 'vecrank'])
  assert.deepEqual(tarballsFetched(served), ['vecrank', other.package].sort())
  assert.deepEqual(installed(scratch), ['vecrank', other.package].sort())
  const [error] = calls(await scratch.run(process.execPath, ['calls.cjs']))
  assertRefused(error, 'other platform', [new RegExp(`Cannot find module '${here.package}'`)])
  assert.match(error.message, new RegExp(`Installed is .*${other.name}, .*Delete node_modules`))
})

test('a lock file that was written on another platform installs this one', async (t) => {
  const scratch = project(t, { files: { 'calls.cjs': CALLS } })
  const served = await registry(t, [ofOther()])
  await npmInstall(scratch, served, [...elsewhere, 'vecrank'])
  rmSync(join(scratch.folder, 'node_modules'), { recursive: true })
  await runNpm(scratch, served, ['ci'])
  assert.deepEqual(installed(scratch), ['vecrank', here.package].sort())
  assert.deepEqual(calls(await scratch.run(process.execPath, ['calls.cjs'])), [PRODUCT, PRODUCT])
})

test('--omit=optional installs no native code, and the message says which option to leave out', async (t) => {
  const scratch = project(t, { files: { 'calls.cjs': CALLS } })
  const served = await registry(t)
  await npmInstall(scratch, served, ['--omit=optional', 'vecrank'])
  assert.deepEqual(installed(scratch), ['vecrank'])
  const [error] = calls(await scratch.run(process.execPath, ['calls.cjs']))
  assertRefused(error, 'not installed', [new RegExp(`Cannot find module '${here.package}'`)])
  await npmInstall(scratch, served)
  assert.deepEqual(calls(await scratch.run(process.execPath, ['calls.cjs'])), [PRODUCT, PRODUCT])
})

test('a library that depends on vecrank finds the models of the application, also when it is linked from another place', async (t) => {
  const scratch = project(t, { files: { 'main.cjs': through(library) } })
  const served = await registry(t, [library])
  // Nested, npm's strictest layout: the library's packages lie inside of it.
  await npmInstall(scratch, served, ['--install-strategy=nested', library.name, ...MODELS])
  assert.deepEqual(installed(scratch), [library.name, ...MODELS])
  assertAnswer(await scratch.run(process.execPath, ['main.cjs'], { env: OFFLINE }))

  // As by `npm link`: no folder above vecrank has the models. The application is where the main file is, or the working folder.
  const inside = join(scratch.folder, 'node_modules', library.name)
  const outside = join(scratch.base, library.name)
  renameSync(inside, outside)
  symlinkSync(outside, inside, 'junction')
  const main = join(scratch.folder, 'main.cjs')
  assertAnswer(await scratch.run(process.execPath, [main], { env: OFFLINE, cwd: scratch.home }))
  scratch.write('../home/runner.cjs', `require(${JSON.stringify(main)})`)
  assertAnswer(await scratch.run(process.execPath, [join(scratch.home, 'runner.cjs')], { env: OFFLINE }))
})
