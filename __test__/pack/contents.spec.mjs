// What is in the packages, to the file: whatever else gets in is downloaded by every user, and whatever is missing nobody notices before them.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { lstatSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import vm from 'node:vm'
import { platforms } from '../../scripts/platforms.mjs'
import { root } from '../fixtures.mjs'
import { highest, readElf } from './elf.mjs'
import { here, installed, npmInstall, project } from './project.mjs'
import { registry } from './registry.mjs'
import { MODELS } from './smoke.mjs'
import { tarballs } from './tarballs.mjs'

const packages = tarballs()
const own = packages.get('vecrank')
const native = packages.get(here.package)
const pin = JSON.parse(readFileSync(path.join(root, 'scripts', 'onnxruntime.json'), 'utf8')).platforms[here.name]
const text = (tarball, name) => tarball.files.get(name)?.toString('utf8') ?? assert.fail(`${tarball.name} has no ${name}`)
const digest = (content) => createHash('sha256').update(content).digest('hex')

/** What npm, pnpm, yarn and bun compare a machine with. */
const MACHINES = {
  'linux-x64-gnu': { os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
  'linux-arm64-gnu': { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
  'linux-x64-musl': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  'linux-arm64-musl': { os: ['linux'], cpu: ['arm64'], libc: ['musl'] },
  'darwin-arm64': { os: ['darwin'], cpu: ['arm64'] },
  'win32-x64-msvc': { os: ['win32'], cpu: ['x64'] },
  'win32-arm64-msvc': { os: ['win32'], cpu: ['arm64'] },
}

test('these packages are packed: the root, this platform, the two models, and any adapter', () => {
  for (const name of ['vecrank', here.package, ...MODELS]) assert.ok(packages.has(name), `there is no tarball of ${name}`)
})

test('the table of platforms, the loader and the root package know the same seven platforms', () => {
  const names = Object.keys(MACHINES)
  assert.deepEqual(platforms.map(({ name }) => name).sort(), [...names].sort())
  assert.deepEqual([...createRequire(import.meta.url)('../../lib/platform.js').PLATFORMS].sort(), [...names].sort())
  assert.deepEqual(own.manifest.optionalDependencies, Object.fromEntries(names.map((name) => [`vecrank-${name}`, own.version])))
  // Bundlers follow literal names only.
  const required = [...text(own, 'lib/addon.js').matchAll(/require\('(vecrank-[\w-]+)'\)/g)].map(([, name]) => name)
  assert.deepEqual(required.sort(), names.map((name) => `vecrank-${name}`).sort())
  for (const { name, os, cpu, libc } of platforms) assert.deepEqual({ os: [os], cpu: [cpu], ...(libc && { libc: [libc] }) }, MACHINES[name], name)
})

test("this platform's package holds the addon, ONNX Runtime's library, an index.js and licences, and nothing else", () => {
  const { os, cpu, libc } = native.manifest
  assert.deepEqual({ os, cpu, ...(libc && { libc }) }, MACHINES[here.name])
  const runtime = pin === undefined ? [] : [pin.file, 'licenses/onnxruntime-LICENSE.txt', 'licenses/onnxruntime-ThirdPartyNotices.txt']
  const expected = [here.file, ...runtime, 'LICENSE-APACHE', 'LICENSE-MIT', 'index.js', 'licenses/rust-crates.txt', 'package.json']
  assert.deepEqual([...native.files.keys()].sort(), expected.sort())
})

test("ONNX Runtime's library is the pinned one, byte for byte", { skip: pin === undefined && `on ${here.name} it is the distribution's` }, () => {
  const library = native.files.get(pin.file)
  assert.equal(library.length, pin.size)
  assert.equal(digest(library), pin.sha256)
})

test('the licences that ask for it travel along: ours, those of ONNX Runtime, those of every crate in the addon', () => {
  for (const tarball of [own, native]) {
    for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) assert.equal(text(tarball, name), readFileSync(path.join(root, name), 'utf8'), `${tarball.name} ${name}`)
  }
  if (pin !== undefined) {
    assert.match(text(native, 'licenses/onnxruntime-LICENSE.txt'), /MIT License[^]*Microsoft/)
    assert.match(text(native, 'licenses/onnxruntime-ThirdPartyNotices.txt'), /protobuf[^]*Eigen|Eigen[^]*protobuf/)
  }
  const crates = cratesIn(native).filter(({ ofRust }) => !ofRust)
  assert.ok(crates.length > 50, `only ${crates.length} crates were recognised in ${here.file}`)
  const notices = text(native, 'licenses/rust-crates.txt')
  assert.deepEqual(crates.map(({ name, version }) => `${name} ${version}`).filter((crate) => !notices.includes(`${crate} (`)), [])
})

test("the licences of Rust's standard library travel along", { todo: 'licenses/rust-crates.txt has only the crates of Cargo.lock' }, () => {
  const notices = text(native, 'licenses/rust-crates.txt')
  const crates = cratesIn(native).filter(({ ofRust }) => ofRust)
  assert.ok(crates.length > 0, `no crate of Rust's own was recognised in ${here.file}`)
  assert.deepEqual(crates.map(({ name, version }) => `${name} ${version}`).filter((crate) => !notices.replaceAll('-', ' ').includes(crate.replaceAll('-', ' '))), [])
})

/** Which crates are in an addon, by its own word: the places of their panics are named CRATE-VERSION/src/…, those of Rust itself in /rust/deps. */
function cratesIn({ files }) {
  const places = files.get(here.file).toString('latin1').matchAll(/(\/rust\/deps)?[\\/]([a-z][\w-]*?)-(\d+\.\d+\.\d+(?:[-+][\w.+-]+)?)[\\/]src[\\/]/g)
  const found = Array.from(places, ([, ofRust, name, version]) => ({ name, version, ofRust: ofRust !== undefined }))
  return [...new Map(found.map((crate) => [Object.values(crate).join(), crate])).values()]
}

test('the root package holds the face, its documents and licences, and every file of lib and bin that the face reaches', () => {
  const { files } = own
  const code = [...files.keys()].filter((name) => /^(lib|bin)\//.test(name))
  assert.deepEqual(
    [...files.keys()].filter((name) => !code.includes(name)).sort(),
    ['CHANGELOG.md', 'LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'docs/models.md', 'index.d.ts', 'index.js', 'package.json'].sort(),
  )
  const entries = ['index.js', 'lib/elsewhere.js', 'bin/vecrank.js', 'package.json']
  const reached = new Set(entries)
  for (const name of reached) {
    if (!files.has(name)) assert.fail(`${name} is required and is not in the package`)
    for (const [, target] of text(own, name).matchAll(/require\('(\.{1,2}\/[^']+)'\)/g)) reached.add(path.posix.join(path.posix.dirname(name), target))
  }
  assert.deepEqual(code.filter((name) => !reached.has(name)), [], 'files that nothing requires')
})

test('no package has scripts, development dependencies or anything that npm would compile', () => {
  for (const { name, manifest, files } of packages.values()) {
    const foreign = ['scripts', 'devDependencies', 'bundleDependencies', 'bundledDependencies', 'gypfile', 'private', 'overrides', 'workspaces', 'napi']
    for (const field of foreign) assert.equal(manifest[field], undefined, `${name}: ${field}`)
    // npm runs node-gyp where this file is, without any script.
    assert.ok(!files.has('binding.gyp'), name)
    assert.deepEqual([...files.keys()].filter((file) => /(^|\/)(\.|node_modules\/)/.test(file)), [], name)
    assert.equal(manifest.engines?.node, '>=20', name)
    assert.ok(typeof manifest.license === 'string' && typeof manifest.description === 'string', `${name}: license and description`)
  }
})

test('all packages have one version, and no dependency but on each other', () => {
  const crate = /^version = "(.+)"$/m.exec(readFileSync(path.join(root, 'Cargo.toml'), 'utf8'))[1]
  for (const { name, version, manifest } of packages.values()) {
    assert.equal(version, crate, name)
    assert.deepEqual(Object.keys(manifest.dependencies ?? {}).filter((each) => !packages.has(each)), [], name)
  }
  assert.deepEqual(own.manifest.peerDependencies, Object.fromEntries(MODELS.map((name) => [name, `^${crate}`])))
  assert.deepEqual(own.manifest.peerDependenciesMeta, Object.fromEntries(MODELS.map((name) => [name, { optional: true }])))
})

test('index.js of platform and models names every file by a literal path, and every file is there', () => {
  for (const tarball of [native, ...MODELS.map((name) => packages.get(name))]) {
    const source = text(tarball, 'index.js')
    const literal = [...source.matchAll(/path\.join\(__dirname, '([^']+)'\)/g)].map(([, name]) => name)
    const module = { exports: {} }
    vm.runInThisContext(`(function (exports, require, __dirname) {${source}\n})`)(module.exports, createRequire(import.meta.url), path.resolve('/package'))
    const given = Object.values(module.exports).flat().filter((value) => value !== path.resolve('/package'))
    assert.deepEqual(given, literal.map((name) => path.join(path.resolve('/package'), name)), `${tarball.name}: what it exports is what it names`)
    const isModel = tarball !== native
    const named = isModel ? (name) => !/^(README\.md|LICENSE.*|index\.(js|d\.ts)|package\.json)$/.test(name) : (name) => /\.(node|dll|dylib)$|\.so(\.|$)/.test(name)
    assert.deepEqual(literal.sort(), [...tarball.files.keys()].filter(named).sort(), tarball.name)
    if (isModel) assert.equal(module.exports.path, path.resolve('/package'))
    else assert.deepEqual(Object.keys(module.exports), pin === undefined ? ['addon'] : ['addon', 'onnxruntime'])
    // Inside an archive (Plug'n'Play) the system could not open them.
    assert.equal(tarball.manifest.preferUnplugged, true, tarball.name)
  }
})

test('an installed model is the one of the repository', () => {
  for (const [name, folder] of [[MODELS[0], 'all-MiniLM-L6-v2'], [MODELS[1], 'vecrank-reranker-mini']]) {
    const source = path.join(root, 'models', folder)
    const listed = readdirSync(source, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const files = listed.map((entry) => path.relative(source, path.join(entry.parentPath ?? entry.path, entry.name)).replaceAll('\\', '/'))
    assert.deepEqual([...packages.get(name).files.keys()].sort(), files.sort(), name)
    for (const file of files) {
      if (file === 'package.json') continue
      assert.equal(digest(packages.get(name).files.get(file)), digest(readFileSync(path.join(source, file))), `${name}/${file}`)
    }
  }
})

// ---------- native code ------------------------------------------------------------------------------------------------------

const elf = { skip: here.os !== 'linux' && `there is no ELF file on ${here.name}` }

test('the addon needs no newer C library than promised, no C++ library, and no library of the machine that built it', elf, (t) => {
  const { machine, needed, rpath, versions, executableStack } = readElf(native.files.get(here.file))
  t.diagnostic(`${here.file}: needs ${needed.join(', ')}; GLIBC_${highest(versions, 'GLIBC')}`)
  assert.equal(machine, here.cpu)
  const system = here.libc === 'musl' ? /^(libc\.musl-\w+\.so\.1|libc\.so|libgcc_s\.so\.1)$/ : /^(lib(c|m|dl|pthread|gcc_s)\.so\.\d|ld-linux[\w-]*\.so\.\d)$/
  assert.deepEqual(needed.filter((name) => !system.test(name)), [])
  assert.deepEqual(rpath, [])
  assert.equal(executableStack, false)
  assert.ok(atMost(highest(versions, 'GLIBC'), here.libc === 'musl' ? undefined : '2.28'), `GLIBC_${highest(versions, 'GLIBC')}`)
  for (const family of ['GLIBCXX', 'CXXABI']) assert.equal(highest(versions, family), undefined, family)
})

test("ONNX Runtime's library has its own SONAME and runs on the oldest systems promised", { skip: elf.skip || (pin === undefined && 'it is the distribution\'s') }, (t) => {
  const { machine, soname, rpath, versions } = readElf(native.files.get(pin.file))
  const found = ['GLIBC', 'GLIBCXX', 'CXXABI'].map((family) => [family, highest(versions, family)])
  t.diagnostic(`${pin.file}: ${found.map((pair) => pair.join('_')).join(', ')}`)
  assert.equal(machine, here.cpu)
  assert.equal(soname, 'libvecrank-ort.so.1')
  assert.ok(rpath.every((place) => place === '$ORIGIN'), rpath.join())
  // RHEL 8: glibc 2.28, and the C++ library of GCC 8.
  const oldest = { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11' }
  for (const [family, version] of found) assert.ok(atMost(version, oldest[family]), `${family}_${version}`)
})

/** Whether a version (undefined: none is needed) is no higher than another (undefined: none may be). */
function atMost(version, limit) {
  return version === undefined || (limit !== undefined && new Intl.Collator('en', { numeric: true }).compare(version, limit) <= 0)
}

test('the addon names no folder of the machine that built it', { todo: "the places of panics name the folder of the builder's crates" }, () => {
  const content = native.files.get(here.file).toString('latin1')
  const found = [root, homedir(), '/home/', '/root/', '/Users/', '/Users\\'].filter((folder) => content.includes(folder))
  assert.deepEqual(found, [])
})

// ---------- weight -----------------------------------------------------------------------------------------------------------

test('vecrank and its platform take at most 45 MB when installed, the addon at most 12 MB', async (t) => {
  const scratch = project(t)
  await npmInstall(scratch, await registry(t), ['vecrank', ...MODELS])
  const modules = path.join(scratch.folder, 'node_modules')
  const parts = installed(scratch).flatMap((name) => weights(modules, name))
  const runtime = parts.filter(({ name }) => !name.startsWith('vecrank-model-'))
  const total = (list) => ({ bytes: sum(list, 'bytes'), blocks: sum(list, 'blocks') })
  const rows = [
    ['addon', total(runtime.filter(({ name }) => name.endsWith('.node')))],
    ['ONNX Runtime', total(runtime.filter(({ name }) => pin !== undefined && name.endsWith(pin.file)))],
    ['licences and notices', total(runtime.filter(({ name }) => /licen[cs]e/i.test(name)))],
    ['JavaScript, types, documents', total(runtime.filter(({ name }) => !/\.node$|licen[cs]e/i.test(name) && !(pin !== undefined && name.endsWith(pin.file))))],
    ['vecrank, all told', total(runtime)],
    ...MODELS.map((model) => [model, total(parts.filter(({ name }) => name.startsWith(`${model}/`)))]),
  ]
  for (const [name, { bytes, blocks }] of rows) t.diagnostic(`${name.padEnd(32)} ${mb(bytes)}, on disk ${mb(blocks)}`)
  const downloads = [own, native, ...MODELS.map((name) => packages.get(name))]
  for (const { name, content } of downloads) t.diagnostic(`${name.padEnd(32)} ${mb(content.length)} to download`)
  const [[, addon], , , , [, all]] = rows
  assert.ok(addon.bytes > 1e6 && addon.bytes <= 12e6, mb(addon.bytes))
  // Both as a copy counts it and as `du` does.
  assert.ok(all.bytes <= 45e6, mb(all.bytes))
  assert.ok(all.blocks <= 45e6, mb(all.blocks))
})

/** Every file and folder below a package, with its size and what it takes on the disk. */
function weights(modules, name) {
  const { isDirectory, size, blocks } = ((stat) => ({ isDirectory: stat.isDirectory(), size: stat.size, blocks: stat.blocks }))(lstatSync(path.join(modules, name)))
  // Windows has no blocks: there it is the size.
  const own = { name, bytes: isDirectory ? 0 : size, blocks: blocks === undefined ? size : blocks * 512 }
  return isDirectory ? [own, ...readdirSync(path.join(modules, name)).flatMap((each) => weights(modules, `${name}/${each}`))] : [own]
}

function sum(list, field) {
  return list.reduce((total, each) => total + each[field], 0)
}

function mb(bytes) {
  return `${(bytes / 1e6).toFixed(1).padStart(5)} MB`
}
