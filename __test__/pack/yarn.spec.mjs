// Yarn 4, with a folder node_modules and with Plug'n'Play, where packages lie in archives and Node is told where.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { dependencies, equipped, library, through } from './library.mjs'
import { thirdParty } from './programs.mjs'
import { here, installed, project } from './project.mjs'
import { CALLS, assertRefused, calls } from './refusal.mjs'
import { registry } from './registry.mjs'
import { COMMONJS, ESM, MODELS, OFFLINE, assertAnswer } from './smoke.mjs'
import { tarballs } from './tarballs.mjs'

const yarn = thirdParty('yarn')
const { version } = tarballs().get('vecrank')

/** A project of Yarn: with a lock file, which says that it is none of a folder above. */
function yarnProject(t, served, nodeLinker, content) {
  const settings = {
    nodeLinker,
    npmRegistryServer: served.url.replace(/\/$/, ''),
    unsafeHttpWhitelist: ['127.0.0.1'],
    enableTelemetry: false,
    enableImmutableInstalls: false,
    enableScripts: false,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
  return project(t, { ...content, files: { ...content.files, '.yarnrc.yml': lines.join(''), 'yarn.lock': '' } })
}

function runYarn(scratch, args, options) {
  return scratch.run(yarn.program, [...yarn.args, ...args], { env: OFFLINE, ...options })
}

test('yarn add with node_modules', { skip: yarn.skip }, async (t) => {
  const served = await registry(t)
  const scratch = yarnProject(t, served, 'node-modules', { files: { 'esm.mjs': ESM, 'commonjs.cjs': COMMONJS } })
  await runYarn(scratch, ['add', 'vecrank', ...MODELS])
  assert.deepEqual(served.unknown, [])
  assert.deepEqual(installed(scratch), ['vecrank', here.package, ...MODELS].sort())
  assertAnswer(await runYarn(scratch, ['node', 'esm.mjs']))
  assertAnswer(await scratch.run(process.execPath, ['commonjs.cjs'], { env: OFFLINE }))
  assert.equal((await runYarn(scratch, ['vecrank', '--version'])).stdout.trim(), version)
})

test("yarn add with Plug'n'Play: what the system opens is unplugged, everything else stays in archives", { skip: yarn.skip }, async (t) => {
  const served = await registry(t)
  // A module by its manifest: only then Yarn makes the loader of ES modules.
  const scratch = yarnProject(t, served, 'pnp', {
    manifest: { type: 'module' },
    files: { 'esm.mjs': ESM, 'commonjs.cjs': COMMONJS, 'calls.cjs': CALLS },
  })
  await runYarn(scratch, ['add', 'vecrank', ...MODELS])
  assert.deepEqual(served.unknown, [])
  assert.equal(existsSync(join(scratch.folder, 'node_modules')), false)
  const unplugged = readdirSync(join(scratch.folder, '.yarn', 'unplugged')).map((name) => name.replace(/-npm-.*$/, ''))
  assert.deepEqual(unplugged.sort(), [here.package, ...MODELS].sort())
  assertAnswer(await runYarn(scratch, ['node', 'esm.mjs']))
  assertAnswer(await runYarn(scratch, ['node', 'commonjs.cjs']))
  assert.equal((await runYarn(scratch, ['vecrank', '--version'])).stdout.trim(), version)
})

test("a workspace with Plug'n'Play: the models may be the application's, a library's or beside vecrank", { skip: yarn.skip }, async (t) => {
  const served = await registry(t, [library, equipped])
  const uses = {
    // The library is from the registry and knows no models; then one that brings them; then a package of the workspace without them.
    application: { used: library, names: [library.name, ...MODELS] },
    carefree: { used: equipped, names: [equipped.name] },
    neighbour: { used: { name: 'search' }, names: MODELS, more: { search: 'workspace:*' } },
  }
  const manifest = (name, names, more) => JSON.stringify({ name, version: '1.0.0', dependencies: { ...dependencies(...names), ...more } })
  const files = { 'search/package.json': manifest('search', ['vecrank']), 'search/index.js': "module.exports = require('vecrank')" }
  for (const [name, { used, names, more }] of Object.entries(uses)) {
    Object.assign(files, { [`${name}/package.json`]: manifest(name, names, more), [`${name}/main.cjs`]: through(used) })
  }
  const scratch = yarnProject(t, served, 'pnp', { manifest: { workspaces: ['*'] }, files })
  await runYarn(scratch, ['install'])
  const run = (file) =>
    scratch.run(process.execPath, ['--require', join(scratch.folder, '.pnp.cjs'), file], { env: OFFLINE, cwd: scratch.home })
  // From another working folder: the application is where the main file is.
  for (const name of Object.keys(uses)) assertAnswer(await run(join(scratch.folder, name, 'main.cjs')))
  // By another program too: what vecrank's own dependents declare is all that is left.
  scratch.write('../home/runner.cjs', `require(${JSON.stringify(join(scratch.folder, 'carefree', 'main.cjs'))})`)
  assertAnswer(await run('runner.cjs'))
})

test("yarn with Plug'n'Play: without this platform's package the message names it", { skip: yarn.skip }, async (t) => {
  const served = await registry(t)
  const scratch = yarnProject(t, served, 'pnp', { manifest: { dependencies: dependencies('vecrank') }, files: { 'calls.cjs': CALLS } })
  const architecture = here.cpu === 'x64' ? 'arm64' : 'x64'
  scratch.write(
    '.yarnrc.yml',
    `supportedArchitectures: { os: [freebsd], cpu: [${architecture}] }\n${readFileSync(join(scratch.folder, '.yarnrc.yml'), 'utf8')}`,
  )
  await runYarn(scratch, ['install'])
  const [error] = calls(await runYarn(scratch, ['node', 'calls.cjs']))
  assertRefused(error, 'not installed', [new RegExp(here.package)])
})
