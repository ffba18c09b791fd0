// `vecrank-transformers` in the place of @huggingface/transformers: a library that imports that name, by a dependency or by a peer dependency on version 3,
// gets vecrank from each package manager's own form of an override, and what is replaced is never asked for. Real libraries are a matter of the
// end-to-end tests.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { thirdParty } from './programs.mjs'
import { here, npmInstall, project } from './project.mjs'
import { registry } from './registry.mjs'
import { MODELS, OFFLINE, QUERY, assertVector } from './smoke.mjs'
import { made, tarballs } from './tarballs.mjs'

const PEER = '@huggingface/transformers'
const { version } = tarballs().get('vecrank')
const alias = `npm:vecrank-transformers@^${version}`
const model = MODELS[0]

/** A library in both module systems that knows nothing of vecrank. */
function standIn(name, more) {
  const vector = `async (model) => {
    const extract = await pipeline('feature-extraction', model, { dtype: 'q8', revision: undefined, progress_callback: undefined })
    return (await extract(${JSON.stringify(QUERY)}, { pooling: 'mean', normalize: true })).tolist()[0]
  }`
  const exports = { import: './index.mjs', require: './index.cjs' }
  return made(
    { name, version: '1.0.0', exports, ...more },
    {
      'index.mjs': `import { pipeline } from '${PEER}'\nexport const vector = ${vector}\n`,
      'index.cjs': `const { pipeline } = require('${PEER}')\nexports.vector = ${vector}\n`,
    },
  )
}

const depending = standIn('search-depending', { dependencies: { [PEER]: '^3.5.1' } })
const peering = standIn('search-peering', { peerDependencies: { [PEER]: '^3.8.1' }, peerDependenciesMeta: { [PEER]: { optional: true } } })
/** What is replaced, as small as can be: an override that has no effect installs it. */
const replaced = made({ name: PEER, version: '3.8.1', dependencies: { 'onnxruntime-node': '1.21.0', sharp: '0.34.1' } })
const heavy = ['onnxruntime-node', 'sharp'].map((name, index) => made({ name, version: ['1.21.0', '0.34.1'][index] }))
const shelf = [depending, peering, replaced, ...heavy]

const body = `
;(async () => {
  const vectors = []
  for (const { vector } of libraries) vectors.push(await vector('${model}'))
  console.log(JSON.stringify({ vectors, version: env.version }))
})()
`
const ESM = `import * as depending from '${depending.name}'
import * as peering from '${peering.name}'
import { env } from '${PEER}'
const libraries = [depending, peering]
${body}`
const COMMONJS = `const libraries = [require('${depending.name}'), require('${peering.name}')]
const { env } = require('${PEER}')
${body}`
const files = { 'esm.mjs': ESM, 'commonjs.cjs': COMMONJS }
/** Prints which names an import has not, or has otherwise, and how many there are. */
const NAMES = `import { createRequire } from 'node:module'
import * as imported from '${PEER}'
const required = createRequire(import.meta.url)('${PEER}')
const names = Object.keys(required)
console.log(JSON.stringify({ count: names.length, different: names.filter((name) => imported[name] !== required[name]) }))
`
/** The application names the package itself for the sake of the library that only has it as a peer. */
const dependencies = { [depending.name]: '1.0.0', [peering.name]: '1.0.0', [PEER]: alias, [model]: version }

function assertVectors({ stdout }) {
  const answer = JSON.parse(stdout.trim().split('\n').at(-1))
  assert.equal(answer.vectors.length, 2)
  for (const vector of answer.vectors) assertVector(vector)
  assert.equal(answer.version, '4.3.1')
}

/** Nothing of what is replaced was fetched. Its description may be read, by who looks for newer versions. */
function assertReplaced({ requests, unknown }) {
  const fetched = requests.filter((name) => name.endsWith('.tgz')).map((name) => name.split('/-/')[0])
  assert.deepEqual(fetched.sort(), [depending.name, peering.name, model, 'vecrank', 'vecrank-transformers', here.package].sort())
  assert.deepEqual(unknown, [])
}

async function assertPrograms(scratch) {
  for (const file of Object.keys(files)) assertVectors(await scratch.run(process.execPath, [file], { env: OFFLINE }))
}

const npmManifest = { dependencies, overrides: { [PEER]: alias } }

test('npm: overrides', async (t) => {
  const scratch = project(t, { manifest: npmManifest, files: { ...files, 'names.mjs': NAMES } })
  const served = await registry(t, shelf)
  await npmInstall(scratch, served)
  assertReplaced(served)
  await assertPrograms(scratch)
  const { count, different } = JSON.parse((await scratch.run(process.execPath, ['names.mjs'])).stdout)
  assert.deepEqual(different, [])
  assert.ok(count > 900, `${count} names`)
})

/** What libraries name in their types. */
const TYPESCRIPT = `import { env, pipeline } from '${PEER}'
import type { FeatureExtractionPipeline, FeatureExtractionPipelineOptions, PretrainedConfig, PretrainedModelOptions, PretrainedOptions } from '${PEER}'
import type { AutoModel, PreTrainedModel, PreTrainedTokenizer, ProgressCallback, ProgressInfo, Tensor } from '${PEER}'

const told: string[] = []
const progress_callback: ProgressCallback = (info: ProgressInfo) => void told.push(info.status)
const settings: PretrainedModelOptions & PretrainedOptions = { dtype: 'q8', progress_callback }
const options: FeatureExtractionPipelineOptions = { pooling: 'mean', normalize: true }
export async function main(): Promise<Tensor> {
  env.allowRemoteModels = false
  const extract: FeatureExtractionPipeline = await pipeline('feature-extraction', '${model}', settings)
  return extract(['a text'], options)
}
export type Names = [typeof AutoModel, PretrainedConfig, PreTrainedModel, PreTrainedTokenizer]
// @ts-expect-error: no such pooling
export const wrong: FeatureExtractionPipelineOptions = { pooling: 'meen' }
`

test('its types are those that libraries name, in both module systems and for bundlers', async (t) => {
  const scratch = project(t, { manifest: npmManifest, files: { 'module.mts': TYPESCRIPT, 'commonjs.cts': TYPESCRIPT } })
  await npmInstall(scratch, await registry(t, shelf))
  const compiler = createRequire(import.meta.url).resolve('typescript/package.json').replace('package.json', 'bin/tsc')
  for (const [module, moduleResolution, names] of [['node16', 'node16', ['module.mts', 'commonjs.cts']], ['esnext', 'bundler', ['module.mts']]]) {
    const compilerOptions = { target: 'es2022', lib: ['es2022', 'dom'], types: [], strict: true, noEmit: true, skipLibCheck: false, module, moduleResolution }
    scratch.write('tsconfig.json', JSON.stringify({ compilerOptions, files: names }))
    await scratch.run(process.execPath, [compiler, '--project', '.'])
  }
})

test('npm: overrides in a project that has the other package already, and a lock file', async (t) => {
  const before = { ...dependencies, [PEER]: '^3.5.1' }
  const scratch = project(t, { manifest: { dependencies: before }, files })
  const served = await registry(t, shelf)
  await npmInstall(scratch, served)
  const isThere = (name) => existsSync(join(scratch.folder, 'node_modules', name))
  assert.deepEqual(heavy.map(({ name }) => isThere(name)), [true, true])
  scratch.write('package.json', JSON.stringify({ name: 'scratch', private: true, version: '1.0.0', ...npmManifest }))
  await npmInstall(scratch, served)
  assert.deepEqual(heavy.map(({ name }) => isThere(name)), [false, false])
  await assertPrograms(scratch)
})

const PNPM = {
  'pnpm-workspace.yaml': { pnpm: thirdParty('pnpm'), files: { 'pnpm-workspace.yaml': `overrides:\n  '${PEER}': '${alias}'\n` } },
  // Newer ones do not read it.
  'package.json': { pnpm: thirdParty('pnpm 10'), manifest: { pnpm: { overrides: { [PEER]: alias } } } },
}
for (const [file, { pnpm, files: more, manifest }] of Object.entries(PNPM)) {
  test(`pnpm: overrides in ${file}`, { skip: pnpm.skip }, async (t) => {
    const scratch = project(t, { manifest: { dependencies, ...manifest }, files: { ...files, ...more } })
    const served = await registry(t, shelf)
    const env = { ...OFFLINE, npm_config_hoist: 'false', npm_config_registry: served.url, pnpm_config_hoist: 'false', pnpm_config_registry: served.url }
    await scratch.run(pnpm.program, [...pnpm.args, 'install', '--no-frozen-lockfile'], { env })
    assertReplaced(served)
    await assertPrograms(scratch)
  })
}

const yarn = thirdParty('yarn')
for (const nodeLinker of ['node-modules', 'pnp']) {
  test(`Yarn: resolutions, ${nodeLinker}`, { skip: yarn.skip }, async (t) => {
    const served = await registry(t, shelf)
    const settings = { nodeLinker, npmRegistryServer: served.url.replace(/\/$/, ''), unsafeHttpWhitelist: ['127.0.0.1'], enableTelemetry: false, enableImmutableInstalls: false, enableScripts: false }
    const rc = Object.entries(settings).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`).join('')
    const manifest = { type: 'module', dependencies, resolutions: { [PEER]: alias } }
    const scratch = project(t, { manifest, files: { ...files, '.yarnrc.yml': rc, 'yarn.lock': '' } })
    await scratch.run(yarn.program, [...yarn.args, 'install'], { env: OFFLINE })
    assertReplaced(served)
    for (const file of Object.keys(files)) assertVectors(await scratch.run(yarn.program, [...yarn.args, 'node', file], { env: OFFLINE }))
  })
}

const bun = thirdParty('bun')
test('Bun: overrides', { skip: bun.skip }, async (t) => {
  const scratch = project(t, { manifest: npmManifest, files })
  const served = await registry(t, shelf)
  await scratch.run(bun.program, [...bun.args, 'install', `--registry=${served.url}`], { env: OFFLINE })
  assertReplaced(served)
  await assertPrograms(scratch)
})
