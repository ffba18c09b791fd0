// The loader of the addon when something is wrong: an installation that is really broken, where a test can do that. Packages that were omitted or
// are for another platform: npm.spec.mjs.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compiler, thirdParty } from './programs.mjs'
import { here, place, project } from './project.mjs'
import { CALLS, PRODUCT, assertRefused, calls } from './refusal.mjs'
import { tarballs } from './tarballs.mjs'

const { version } = tarballs().get('vecrank')
const original = tarballs().get(here.package).files.get(here.file)
const onLinux = { skip: process.platform !== 'linux' && 'Linux only' }

/** An installation to break. */
function broken(t) {
  const scratch = project(t, { files: { 'calls.cjs': CALLS } })
  // Without ONNX Runtime's library, which is large and opened with the first model only.
  place(scratch, ['vecrank', here.package], (file) => !/onnxruntime\.(so|dylib|dll)|^licenses/.test(file))
  return Object.assign(scratch, {
    package: join(scratch.folder, 'node_modules', here.package),
    addon: join(scratch.folder, 'node_modules', here.package, here.file),
  })
}

/** Runs calls.cjs after some code; what the two calls gave. */
async function attempt(scratch, { first = '', flags = [], node = process.execPath } = {}) {
  scratch.write('program.cjs', `${first}\n${CALLS}`)
  return calls(await scratch.run(node, [...flags, 'program.cjs']))
}

// ---------- files ------------------------------------------------------------------------------------------------------------

/** Code that sets the installation right between the two calls. */
const repairBy = (statement) => `const fs = require('node:fs')\nglobalThis.repair = () => ${statement}\n`

test('a platform package that is missing: the message, and no restart once it is there', async (t) => {
  const scratch = broken(t)
  const aside = join(scratch.base, 'aside')
  renameSync(scratch.package, aside)
  const [error, after] = await attempt(scratch, {
    first: repairBy(`fs.renameSync(${JSON.stringify(aside)}, ${JSON.stringify(scratch.package)})`),
  })
  assertRefused(error, 'not installed', [new RegExp(`'${here.package}'.*MODULE_NOT_FOUND`)])
  assert.match(error.cause, /Cannot find module/)
  assert.equal(after, PRODUCT)
})

for (const [what, content, said] of [
  ['empty', Buffer.alloc(0), /has 0 bytes of \d+/],
  // The system's loader does not look, and the process would end by SIGBUS.
  ['cut short', original.subarray(0, original.length >> 1), /has \d+ bytes of \d+/],
  [
    'a text',
    Buffer.alloc(original.length, '<html>blocked</html>'),
    /invalid ELF header|not a valid Win32|not a mach-o|slice is not valid|Exec format error/i,
  ],
]) {
  test(`an addon that is ${what}: the message, and no restart once it is right`, async (t) => {
    const scratch = broken(t)
    const good = join(scratch.base, 'good.node')
    renameSync(scratch.addon, good)
    writeFileSync(scratch.addon, content)
    const [error, after] = await attempt(scratch, {
      first: repairBy(`fs.renameSync(${JSON.stringify(good)}, ${JSON.stringify(scratch.addon)})`),
    })
    assertRefused(error, 'damaged', [said])
    assert.ok(error.message.includes(scratch.addon), error.message)
    assert.equal(after, PRODUCT)
  })
}

test(
  'an addon for another processor',
  { skip: onLinux.skip || (here.libc === 'musl' && 'musl does not look at the processor') },
  async (t) => {
    const scratch = broken(t)
    const foreign = Buffer.from(original)
    foreign.writeUInt16LE(here.cpu === 'x64' ? 183 : 62, 18)
    writeFileSync(scratch.addon, foreign)
    const [error] = await attempt(scratch)
    assertRefused(error, 'damaged', [/cannot open shared object file|wrong ELF class|invalid ELF header|ELF file|incompatible/i])
  },
)

test('a platform package without its addon', async (t) => {
  const scratch = broken(t)
  rmSync(scratch.addon)
  const [error] = await attempt(scratch)
  assertRefused(error, 'left out', [new RegExp(here.file)])
})

test('a platform package of another version', async (t) => {
  const scratch = broken(t)
  const manifest = join(scratch.folder, 'node_modules', 'vecrank', 'package.json')
  writeFileSync(manifest, JSON.stringify({ ...tarballs().get('vecrank').manifest, version: '99.0.0' }))
  const [error, again] = await attempt(scratch)
  for (const each of [error, again]) assertRefused(each, 'versions', [new RegExp(`${here.file}.*${version}.*99\\.0\\.0`)])
})

test("an addon that is another program's", { skip: onLinux.skip || compiler.skip }, async (t) => {
  const scratch = broken(t)
  rmSync(scratch.addon)
  compiler.library(scratch, 'void *napi_register_module_v1(void *env, void *exports) { return exports; }', scratch.addon)
  truncateSync(scratch.addon, original.length)
  const [error] = await attempt(scratch)
  assertRefused(error, 'versions', [/not the addon of vecrank/])
})

// ---------- rights -----------------------------------------------------------------------------------------------------------

test('an addon that the process must not read', onLinux, async (t) => {
  const scratch = broken(t)
  chmodSync(scratch.addon, 0o000)
  // Root may read everything, so the program becomes nobody.
  chmodSync(scratch.base, 0o755)
  const [error] = await attempt(scratch, { first: 'if (process.getuid() === 0) process.setuid(65534)' })
  assertRefused(error, 'no execution', [/permission denied|not permitted/i])
})

test(
  'a folder that is mounted with noexec',
  { skip: onLinux.skip || (spawnSync('unshare', ['-m', 'true']).status !== 0 && 'this process must not mount') },
  async (t) => {
    const scratch = broken(t)
    const mounted = join(scratch.base, 'mounted')
    mkdirSync(mounted)
    const script = 'mount -t tmpfs -o noexec,size=64m tmpfs "$1" && cp -r node_modules calls.cjs "$1" && cd "$1" && exec "$2" calls.cjs'
    const [error] = calls(await scratch.run('unshare', ['-m', 'sh', '-c', script, 'sh', mounted, process.execPath]))
    assertRefused(error, 'no execution', [/failed to map segment|not permitted/i])
  },
)

test('--no-addons', async (t) => {
  const [error] = await attempt(broken(t), { flags: ['--no-addons'] })
  assertRefused(error, 'no addons', [/ERR_DLOPEN_DISABLED/])
})

const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
const nodes = {
  [process.version]: { skip: false, program: process.execPath, flag: permission },
  'Node 22': { ...thirdParty('node 22'), flag: '--permission' },
  'Node 24': { ...thirdParty('node 24'), flag: '--permission' },
}
for (const [name, { skip, program: node, flag }] of Object.entries(nodes)) {
  test(`the permission model of ${name}: what is forbidden is said, and what the message asks for is enough`, { skip }, async (t) => {
    const scratch = broken(t)
    const read = `--allow-fs-read=${join(scratch.folder, '*')}`
    const [forbidden] = await attempt(scratch, { node, flags: [flag, read] })
    assertRefused(forbidden, 'no addons', [/ERR_DLOPEN_DISABLED/])
    assert.deepEqual(await attempt(scratch, { node, flags: [flag, read, '--allow-addons'] }), [PRODUCT, PRODUCT])
    const modules = join(scratch.folder, 'node_modules')
    const some = [join(scratch.folder, 'program.cjs'), join(scratch.folder, 'package.json'), join(modules, 'vecrank', '*')].map(
      (path) => `--allow-fs-read=${path}`,
    )
    const [unread] = await attempt(scratch, { node, flags: [flag, ...some, '--allow-addons'] })
    assertRefused(unread, 'no reading', [/ERR_ACCESS_DENIED/])
  })
}

// ---------- platforms --------------------------------------------------------------------------------------------------------

/** Code that makes a process look like another one. */
const pretend = (name, value) => `Object.defineProperty(process, ${JSON.stringify(name)}, { value: ${JSON.stringify(value)} })\n`

for (const [platform, { os, cpu, cause }] of Object.entries({
  'darwin-x64': { os: 'darwin', cpu: 'x64', cause: 'intel' },
  'freebsd-x64': { os: 'freebsd', cpu: 'x64', cause: 'no build' },
  'linux-ia32-gnu': { os: 'linux', cpu: 'ia32', cause: 'no build' },
  'linux-riscv64-gnu': { os: 'linux', cpu: 'riscv64', cause: 'no build' },
  'win32-ia32-msvc': { os: 'win32', cpu: 'ia32', cause: 'no build' },
})) {
  const skip = platform.endsWith('-gnu') && here.libc !== 'glibc' && 'the C library is that of this Node'
  test(`${platform} has no package, and the message says so`, { skip }, async (t) => {
    const [error] = await attempt(broken(t), { first: pretend('platform', os) + pretend('arch', cpu) })
    assertRefused(error, cause, [/nothing: no package is made for this platform/], platform)
  })
}

test('an old Node', async (t) => {
  const scratch = broken(t)
  rmSync(scratch.package, { recursive: true })
  const [error] = await attempt(scratch, { first: pretend('versions', { ...process.versions, node: '18.20.8' }) })
  assertRefused(error, 'node', [new RegExp(here.package)])
})

// ---------- what the systems say ---------------------------------------------------------------------------------------------

/** Real sentences of other systems, each from its dynamic linker, and what follows from it. */
const SENTENCES = [
  [
    'a glibc that is too old',
    'old glibc',
    "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.28' not found (required by /app/node_modules/vecrank.node)",
  ],
  ['glibc, and an addon for musl', 'other libc', 'libc.musl-x86_64.so.1: cannot open shared object file: No such file or directory'],
  ['musl, and an addon for glibc', 'other libc', 'Error relocating /app/node_modules/vecrank.node: fcntl64: symbol not found'],
  [
    'musl, and a library of glibc that is not there',
    'other libc',
    'Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /app/node_modules/vecrank.node)',
  ],
  ['Windows, and a file that is none of its programs', 'damaged', '\\\\?\\C:\\app\\vecrank.node is not a valid Win32 application.'],
  [
    'Windows without the C++ runtime',
    'redistributable',
    'The specified module could not be found.\r\n\\\\?\\C:\\app\\vecrank.node',
    'win32',
  ],
  [
    'musl, and a file that is none of its programs',
    'damaged',
    'Error loading shared library /app/node_modules/vecrank.node: Exec format error',
  ],
  [
    'macOS, and a file that is none of its programs',
    'damaged',
    "dlopen(/app/vecrank.node, 0x0001): tried: '/app/vecrank.node' (slice is not valid mach-o file)",
  ],
  [
    'macOS, and an addon for another processor',
    'damaged',
    "dlopen(/app/vecrank.node, 0x0001): tried: '/app/vecrank.node' (mach-o file, but is an incompatible architecture (have 'x86_64', need 'arm64'))",
  ],
  ['a sentence that nobody knows', 'again', 'Something else went wrong'],
]
for (const [what, cause, sentence, os] of SENTENCES) {
  test(`${what}: ${cause}`, async (t) => {
    const scratch = broken(t)
    // The platform's package and its addon are there; the system refuses the addon in another one's words, until it is repaired.
    const first = `
const Module = require('node:module')
const load = Module._load
Module._load = function (name, ...rest) {
  if (name.endsWith('.node')) throw Object.assign(new Error(${JSON.stringify(sentence)}), { code: 'ERR_DLOPEN_FAILED' })
  return load.call(this, name, ...rest)
}
globalThis.repair = () => (Module._load = load)
${os === 'win32' && process.platform !== 'win32' ? windows(scratch) : ''}`
    const [error, after] = await attempt(scratch, { first })
    const platform = os === undefined ? here.name : `${os}-${here.cpu}-msvc`
    assertRefused(
      error,
      cause,
      [
        new RegExp(
          `${sentence
            .split(/[\r\n]/)[0]
            .slice(0, 30)
            .replaceAll(/[^\w ]/g, '.')}.*ERR_DLOPEN_FAILED`,
        ),
      ],
      platform,
    )
    assert.equal(error.cause, sentence)
    if (os === undefined) assert.equal(after, PRODUCT)
  })
}

/** Code that makes the process one on Windows, and a package of it that names some file. */
function windows(scratch) {
  scratch.write(join('node_modules', `vecrank-win32-${here.cpu}-msvc`, 'index.js'), 'exports.addon = __filename.replace(/js$/, "node")')
  scratch.write(join('node_modules', `vecrank-win32-${here.cpu}-msvc`, 'index.node'), '')
  return pretend('platform', 'win32')
}
