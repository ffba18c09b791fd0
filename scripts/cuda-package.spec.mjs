// The package for NVIDIA GPUs, made from a wheel that is made up: what is in it, what it says of itself, and what is refused.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { zipOf } from '../__test__/archives.mjs'
import { readGpuPins, stage } from './cuda-package.mjs'
import { npm } from './npm.mjs'
import { fetchLibrary, readPins } from './onnxruntime.mjs'
import { root, sha256 } from './pypi.mjs'
import { replaceSoname } from '../lib/cli/soname.js'

const pins = readGpuPins()
const linux = process.platform === 'linux' ? false : 'the library of this platform is no ELF file'
const LINUX = 'vecrank-cuda-linux-x64'
const WINDOWS = 'vecrank-cuda-win32-x64'
const json = (...parts) => JSON.parse(readFileSync(join(...parts), 'utf8'))

function temporary(context) {
  const folder = mkdtempSync(join(tmpdir(), 'vecrank-cuda-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A wheel with all that a package takes, and something that it does not. */
function wheelOf(pin, library) {
  return zipOf({
    'onnxruntime/LICENSE': 'MIT',
    'onnxruntime/ThirdPartyNotices.txt': 'others',
    'onnxruntime/capi/onnxruntime_pybind11_state.so': 'for Python',
    [`onnxruntime/capi/${pin.library}`]: library,
    ...Object.fromEntries(pin.providers.map((name) => [`onnxruntime/capi/${name}`, `made up: ${name}`])),
  })
}

/** Stages a package whose pin fits the made-up library. */
function staged(context, name, library, storedAs = library) {
  const pin = { ...pins.packages[name], sha256: sha256(storedAs) }
  const folder = join(temporary(context), name)
  stage({ name, version: pins.version, pin, wheel: wheelOf(pin, library), folder })
  return { pin, folder }
}

test('the pin is of the version that vecrank ships, and complete', () => {
  assert.equal(pins.version, readPins().version)
  for (const pin of Object.values(pins.packages)) {
    for (const digest of [pin.wheelSha256, pin.sha256]) assert.match(digest, /^[0-9a-f]{64}$/)
    assert.ok(pin.wheel.includes(`-${pins.version}-`) && pin.wheel.includes(pin.platformTag))
  }
})

test('runtime.json says what is there, to the byte', (context) => {
  const { pin, folder } = staged(context, WINDOWS, Buffer.from('made up'))
  const { files, ...rest } = json(folder, 'runtime.json')
  assert.deepEqual(rest, {
    format: 1,
    kind: 'onnxruntime',
    name: 'onnxruntime-gpu',
    version: pins.version,
    library: 'onnxruntime.dll',
    devices: ['cuda', 'tensorrt'],
    source: pin.wheel,
    sha256: sha256('made up'),
  })
  assert.deepEqual(Object.keys(files), [pin.library, ...pin.providers])
  for (const [name, { size, sha256: digest }] of Object.entries(files)) {
    assert.equal(statSync(join(folder, name)).size, size)
    assert.equal(sha256(readFileSync(join(folder, name))), digest)
  }
})

test('the package holds the libraries, the licences and nothing for Python, and is for its system only', (context) => {
  const { pin, folder } = staged(context, WINDOWS, Buffer.from('made up'))
  const licences = ['LICENSE-APACHE', 'LICENSE-MIT', 'licenses/onnxruntime-LICENSE.txt', 'licenses/onnxruntime-ThirdPartyNotices.txt']
  const [command, ...before] = npm
  const run = spawnSync(command, [...before, 'pack', '--dry-run', '--json', folder], { encoding: 'utf8', cwd: root, shell: process.platform === 'win32' })
  assert.equal(run.status, 0, run.stderr)
  const packed = Object.values(JSON.parse(run.stdout))[0].files.map(({ path }) => path)
  assert.deepEqual(packed.sort(), [...licences, 'README.md', 'index.js', 'package.json', 'runtime.json', pin.library, ...pin.providers].sort())
  const { name, version, os, cpu, libc, scripts, dependencies } = json(folder, 'package.json')
  assert.deepEqual({ name, version, os, cpu }, { name: WINDOWS, version: pins.version, os: ['win32'], cpu: ['x64'] })
  assert.deepEqual([libc, scripts, dependencies], [undefined, undefined, undefined])
  const readme = readFileSync(join(folder, 'README.md'), 'utf8')
  assert.ok(readme.includes(`npm install ${WINDOWS}`) && !/\{(name|version|size)\}/.test(readme))
})

test('index.js gives the folder and its files', (context) => {
  const { folder } = staged(context, WINDOWS, Buffer.from('made up'))
  const entry = createRequire(import.meta.url)(folder)
  assert.equal(entry.folder, folder)
  assert.ok(entry.files.length === 5 && entry.files.every((file) => existsSync(file)))
})

test('on Linux the library has the SONAME of the shipped one', { skip: linux }, (context) => {
  const { from, to } = readPins().soname
  const shipped = readFileSync(fetchLibrary())
  const { folder } = staged(context, LINUX, replaceSoname(shipped, to, from), shipped)
  assert.ok(readFileSync(join(folder, pins.packages[LINUX].library)).equals(shipped))
  assert.deepEqual(json(folder, 'package.json').libc, ['glibc'])
})

test('another library than the pinned one is not written', (context) => {
  const folder = join(temporary(context), WINDOWS)
  const pin = pins.packages[WINDOWS]
  const namesBoth = ({ message }) => message.includes(pin.sha256) && message.includes(sha256('other'))
  assert.throws(() => stage({ name: WINDOWS, version: pins.version, pin, wheel: wheelOf(pin, 'other'), folder }), namesBoth)
  assert.equal(existsSync(folder), false)
})

test('a wheel that lacks a library is named, and nothing is written', (context) => {
  const folder = join(temporary(context), WINDOWS)
  const pin = pins.packages[WINDOWS]
  const wheel = wheelOf({ ...pin, providers: pin.providers.slice(1) }, 'made up')
  assert.throws(() => stage({ name: WINDOWS, version: pins.version, pin, wheel, folder }), /has no file onnxruntime\/capi\/onnxruntime_providers_shared\.dll/)
  assert.equal(existsSync(folder), false)
})

test('a package or a version that is not pinned is refused in words', (context) => {
  const out = temporary(context)
  const says = (args, pattern) => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/cuda-package.mjs', '--out', out, ...args], { cwd: root, encoding: 'utf8' })
    assert.equal(status, 1)
    assert.match(stderr, pattern)
  }
  says(['vecrank-cuda-none'], /There is no package vecrank-cuda-none\. There are: vecrank-cuda-linux-x64/)
  says(['--version', '0.0.1'], /--pin --version 0\.0\.1/)
  assert.deepEqual(readdirSync(out), [])
})

test('nothing of vecrank depends on it', () => {
  const manifest = json(root, 'package.json')
  for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies']) assert.doesNotMatch(JSON.stringify(manifest[kind] ?? {}), /vecrank-cuda/)
  assert.doesNotMatch(readFileSync(join(root, 'scripts', 'platforms.mjs'), 'utf8'), /vecrank-cuda/)
})
