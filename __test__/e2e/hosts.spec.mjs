// Other runtimes and narrower ones: each gives the very numbers that Node gives and ends by itself, and where one forbids something the
// message says what.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { root } from '../fixtures.mjs'
import { compiler } from '../pack/programs.mjs'
import { here, installed } from '../pack/project.mjs'
import { registry } from '../pack/registry.mjs'
import { BODY, COMMONJS, ESM, MODELS, assertAnswer } from '../pack/smoke.mjs'
import { made, tarballs } from '../pack/tarballs.mjs'
import { answer, application } from './application.mjs'
import { program } from './programs.mjs'

const TYPESCRIPT = `import { embed, rerank, type RankedDocument } from 'vecrank'\nconst typed: RankedDocument[] = []\n${BODY}`
const app = await application(
  { after },
  {
    programs: ['outputs.mjs', 'worker.mjs', 'electron.cjs', 'folder.cjs', 'readonly.sh'],
    files: { 'esm.mjs': ESM, 'commonjs.cjs': COMMONJS, 'typescript.ts': TYPESCRIPT },
  },
)
const reference = await app.node(['esm.mjs'])
assertAnswer(reference)
const expected = answer(reference)

/** Throws unless the program printed what Node printed, to the last bit, and had no complaint. */
function assertSame(output, complaint = /^$/) {
  assert.deepEqual(answer(output), expected)
  assert.match(output.stderr, complaint)
}

const NODES = { 'this Node': { path: process.execPath, skip: false }, 'Node 22': program('node 22'), 'Node 24': program('node 24') }
const isOld = Number.parseInt(process.versions.node, 10) < 22

for (const [name, { path, skip }] of Object.entries(NODES)) {
  const flag = name === 'this Node' && isOld ? '--experimental-permission' : '--permission'
  const reading = `--allow-fs-read=${app.folder}`

  test(`${name}: ES modules, CommonJS, worker threads`, { skip }, async () => {
    assertSame(await app.run(path, ['esm.mjs']))
    assertSame(await app.run(path, ['commonjs.cjs']))
    for (const each of answer(await app.run(path, ['worker.mjs']))) assert.deepEqual(each.vector, expected.vector)
  })

  test(`${name}: the permission model, with the two flags that it takes`, { skip }, async () => {
    const allowed = [flag, '--allow-addons']
    for (const file of ['esm.mjs', 'commonjs.cjs']) assertSame(await app.run(path, [...allowed, reading, file]), /SecurityWarning/)
    // No more than what is needed: the packages, and what Node itself reads to find them.
    const narrow = ['node_modules', 'package.json', 'esm.mjs'].map((each) => `--allow-fs-read=${join(app.folder, each)}`)
    assertSame(await app.run(path, [...allowed, ...narrow, 'esm.mjs']), /SecurityWarning/)
  })

  test(`${name}: what is forbidden is named, with the flag that allows it`, { skip }, async () => {
    const noAddons = await app.failure(path, [flag, reading, 'esm.mjs'])
    assert.match(noAddons.stderr, /could not be loaded[^]*must not load native addons[^]*--allow-addons[^]*ERR_RUNTIME/)
    const alone = await app.failure(path, ['--no-addons', 'esm.mjs'])
    assert.match(alone.stderr, /could not be loaded[^]*drop --no-addons[^]*ERR_RUNTIME/)
    const parts = ['node_modules/vecrank', 'package.json', 'esm.mjs'].map((each) => `--allow-fs-read=${join(app.folder, each)}`)
    const noPlatform = await app.failure(path, [flag, '--allow-addons', ...parts, 'esm.mjs'])
    assert.match(noPlatform.stderr, /could not be loaded[^]*Add --allow-fs-read for node_modules[^]*ERR_RUNTIME/)
  })

  test(`${name}: without __proto__, and with frozen intrinsics`, { skip }, async () => {
    assertSame(await app.run(path, ['--disable-proto=delete', 'esm.mjs']))
    assertSame(await app.run(path, ['--disable-proto=throw', 'commonjs.cjs']))
    assertSame(await app.run(path, ['--frozen-intrinsics', 'esm.mjs']), /ExperimentalWarning/)
  })
}

// ---------- Bun -------------------------------------------------------------------------------------------------------

const bun = program('bun')

test('Bun: ES modules, CommonJS, TypeScript, worker threads', { skip: bun.skip }, async () => {
  for (const file of ['esm.mjs', 'commonjs.cjs', 'typescript.ts']) assertSame(await app.run(bun.path, [file]))
  const answers = answer(await app.run(bun.path, ['worker.mjs']))
  assert.equal(answers.length, 7)
  for (const { vector } of answers) assert.deepEqual(vector, expected.vector)
})

test('bun build: with vecrank kept outside the bundle runs in Bun and Node', { skip: bun.skip }, async () => {
  await app.run(bun.path, ['build', '--target=node', '--external', 'vecrank', 'esm.mjs', '--outfile=bundle/app.mjs'])
  assertSame(await app.run(bun.path, ['bundle/app.mjs']))
  assertSame(await app.node(['bundle/app.mjs']))
})

test('bun build --compile: the program needs node_modules in its working folder, and says so', { skip: bun.skip }, async () => {
  await app.run(bun.path, ['build', '--compile', '--external', 'vecrank', 'esm.mjs', '--outfile=program'])
  assertSame(await app.run(join(app.folder, 'program'), []))
  const elsewhere = await app.failure(join(app.folder, 'program'), [], { cwd: app.home })
  assert.match(elsewhere.stderr, /Cannot find package 'vecrank'/)
})

// ---------- Deno ------------------------------------------------------------------------------------------------------

const deno = program('deno')
/** The least that the smoke test needs. Settings of the Hub are not asked for where both models are installed. */
const LEAST = [
  '--allow-env=VECRANK_EMBEDDER,VECRANK_RERANKER,VECRANK_ONNXRUNTIME',
  `--allow-read=${join(app.folder, 'node_modules')}`,
  `--allow-ffi=${join(app.folder, 'node_modules')}`,
]
const denoRun = ['run', '--no-prompt', '--node-modules-dir=manual']
const quiet = { NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' }

test('Deno with node_modules: the least permissions, and worker threads', { skip: deno.skip }, async () => {
  const env = { ...quiet, DENO_DIR: join(app.home, 'deno') }
  for (const file of ['esm.mjs', 'commonjs.cjs', 'typescript.ts']) {
    assertSame(await app.run(deno.path, [...denoRun, ...LEAST, file], { env }))
  }
  const answers = answer(await app.run(deno.path, [...denoRun, '-A', 'worker.mjs'], { env }))
  for (const { vector } of answers) assert.deepEqual(vector, expected.vector)
})

test('Deno: what is forbidden is named, with the flag that allows it', { skip: deno.skip }, async () => {
  const env = { ...quiet, DENO_DIR: join(app.home, 'deno') }
  for (const missing of ['ffi', 'read', 'env']) {
    const allowed = LEAST.filter((flag) => !flag.startsWith(`--allow-${missing}`))
    const { code, stderr } = await app.failure(deno.path, [...denoRun, ...allowed, 'esm.mjs'], { env })
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`--allow-${missing}`), missing)
    // Variables are read before the addon is loaded: there Deno's own words come through.
    if (missing !== 'env') assert.match(stderr, /could not be loaded[^]*Start with --allow-ffi, --allow-read and --allow-env/)
  }
})

for (const mode of ['none', 'auto']) {
  test(`Deno with npm: specifiers, --node-modules-dir=${mode}`, { skip: deno.skip }, async (t) => {
    const { version } = tarballs().get('vecrank')
    // Deno knows a package's os and cpu and not its libc: it fetches the other one's as well.
    const other = { name: 'vecrank-linux-x64-musl', version, os: ['linux'], cpu: ['x64'], libc: ['musl'], main: 'index.js' }
    const served = await registry(t, [made(other, { 'index.js': '' })])
    const folder = join(app.base, `deno-${mode}`)
    mkdirSync(folder)
    writeFileSync(join(folder, 'deno.json'), '{}\n')
    const models = MODELS.map((name) => `import 'npm:${name}@${version}'\n`)
    writeFileSync(join(folder, 'main.mjs'), models.join('') + ESM.replace("'vecrank'", `'npm:vecrank@${version}'`))
    const env = { ...quiet, DENO_DIR: join(folder, 'cache'), NPM_CONFIG_REGISTRY: served.url }
    const args = ['run', '--no-prompt', `--node-modules-dir=${mode}`, '--allow-env', `--allow-read=${folder}`, `--allow-ffi=${folder}`]
    assertSame(await app.run(deno.path, [...args, 'main.mjs'], { cwd: folder, env }), /Download/)
    assert.deepEqual(served.unknown, [])
  })
}

// ---------- Electron --------------------------------------------------------------------------------------------------

const native = [here.package, ...MODELS]
const linux = process.platform === 'linux' ? false : 'Linux only: NOT tested on this system'
const electron = ['--require', join(app.folder, 'electron.cjs')]
const isScript = (file) => /\.(js|json|mjs|cjs)$/.test(file)

/**
 * The application in a folder that stands for an Electron archive: what native code would have to open cannot be used there. Beside it lies
 * what was unpacked: of the packages and of a model of the application's own, the files for which `unpack` holds.
 */
function archived(name, unpack) {
  const archive = join(app.base, name, 'resources', 'app.asar')
  for (const file of ['package.json', 'esm.mjs', 'commonjs.cjs', 'folder.cjs', 'node_modules/vecrank']) {
    cpSync(join(app.folder, file), join(archive, file), { recursive: true })
  }
  const inside = [...native.map((each) => [each, join('node_modules', each)]), [MODELS[0], join('models', 'own')]]
  for (const [each, folder] of inside) {
    const from = join(app.folder, 'node_modules', each)
    for (const file of readdirSync(from, { recursive: true }).filter((file) => statSync(join(from, file)).isFile())) {
      mkdirSync(dirname(join(archive, folder, file)), { recursive: true })
      if (isScript(file)) cpSync(join(from, file), join(archive, folder, file))
      else writeFileSync(join(archive, folder, file), 'part of an archive')
      if (unpack(file)) cpSync(join(from, file), join(`${archive}.unpacked`, folder, file))
    }
  }
  return archive
}

test('an Electron archive: addon, library and models are opened where they were unpacked', async () => {
  const archive = archived('unpacked', () => true)
  assertSame(await app.node([...electron, join(archive, 'esm.mjs')], { cwd: app.home }))
  assertSame(await app.node([...electron, 'commonjs.cjs'], { cwd: archive }))
  const { path, vector } = answer(await app.node([...electron, join(archive, 'folder.cjs')], { cwd: app.home }))
  assert.deepEqual({ path, vector }, { path: join(`${archive}.unpacked`, 'models', 'own'), vector: expected.vector })
})

const UNPACKED = {
  nothing: () => false,
  // What tools unpack that know native addons, and nothing of the library beside them.
  addons: (file) => file.endsWith('.node'),
  'no model': (file) => /\.node$|onnxruntime/.test(file),
}

for (const [name, unpack] of Object.entries(UNPACKED)) {
  test(`an Electron archive of which was unpacked: ${name}. The message says what to set`, async () => {
    const { code, stderr } = await app.failure(process.execPath, [...electron, join(archived(name, unpack), 'esm.mjs')], { cwd: app.home })
    assert.equal(code, 1)
    assert.match(stderr, /VecrankError: .*app\.asar.* is inside an Electron archive/)
    assert.ok(stderr.includes("asarUnpack: ['**/node_modules/vecrank-*/**']"), stderr)
  })
}

test('a host that allows no external buffers, as Electron, gets the same arrays by copy', { skip: linux || compiler.skip }, async () => {
  const source = readFileSync(join(root, '__test__', 'e2e', 'hosted', 'no-external-buffers.c'), 'utf8')
  const library = compiler.library(app, source, join(app.base, 'no-external-buffers.so'))
  const usual = answer(await app.node(['outputs.mjs']))
  const output = await app.node(['outputs.mjs'], { env: { LD_PRELOAD: library } })
  assert.deepEqual(answer(output), usual)
  // Else the library was not in force, and nothing was shown.
  const [, refused] = /refused (\d+) external buffers/.exec(output.stderr)
  assert.ok(Number(refused) >= 15, `only ${refused} external buffers were asked for`)
})

// ---------- AWS Lambda ------------------------------------------------------------------------------------------------

test('AWS Lambda: the folder that npm installs fits into a zip file, with one model or both', (t) => {
  assert.deepEqual(installed(app), ['vecrank', ...native].sort())
  const sizes = new Map(installed(app).map((name) => [name, sizeOf(name)]))
  const models = { 'no model': [], 'the embedder': [MODELS[0]], 'the reranker': [MODELS[1]], 'both models': MODELS }
  for (const [what, chosen] of Object.entries(models)) {
    const each = ['vecrank', here.package, ...chosen].map((name) => sizes.get(name))
    const [unpacked, packed] = ['unpacked', 'packed'].map((key) => total(each.map((size) => size[key])))
    t.diagnostic(`${what}: ${(unpacked / 1e6).toFixed(1)} MB, ${(packed / 1e6).toFixed(1)} MB as a zip file`)
    assert.ok(unpacked < 250 * 2 ** 20, `${what}: ${unpacked} bytes`)
    // Both together are close to the limit, and meant to go over S3.
    if (chosen.length < 2) assert.ok(packed < 50 * 2 ** 20, `${what}: ${packed} bytes as a zip file`)
  }
})

function total(numbers) {
  return numbers.reduce((a, b) => a + b, 0)
}

/** Bytes of an installed package, as files and deflated as in a zip file. */
function sizeOf(name) {
  const folder = join(app.folder, 'node_modules', name)
  const files = readdirSync(folder, { recursive: true }).filter((file) => statSync(join(folder, file)).isFile())
  const contents = files.map((file) => readFileSync(join(folder, file)))
  const headers = files.map((file) => 76 + 2 * `node_modules/${name}/${file}`.length)
  const packed = total(headers) + total(contents.map((content) => deflateRawSync(content).length))
  return { unpacked: total(contents.map(({ length }) => length)), packed }
}

test('AWS Lambda: nothing can be written but /tmp, and there is no home', { skip: linux }, async (t) => {
  const isolate = ['-m', 'sh', join(app.folder, 'readonly.sh'), app.folder]
  if (spawnSync('unshare', [...isolate, 'true']).status !== 0) return t.skip('this process must not make a mount namespace: NOT tested')
  const write = "require('node:fs').writeFileSync('/mnt/file', '')"
  const forbidden = await app.failure('unshare', [...isolate, process.execPath, '--eval', write])
  assert.match(forbidden.stderr, /EROFS/)
  for (const file of ['esm.mjs', 'commonjs.cjs']) assertSame(await app.run('unshare', [...isolate, process.execPath, file]))
})
