// What is in the packages, to the file: whatever else gets in is downloaded by every user, and what is missing nobody notices before them.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import vm from 'node:vm'
import { platforms } from '../../scripts/platforms.mjs'
import { root } from '../fixtures.mjs'
import { here } from './project.mjs'
import { MODELS } from './smoke.mjs'
import { tarballs } from './tarballs.mjs'

const packages = tarballs()
const own = packages.get('vecrank')
const native = packages.get(here.package)
const adapter = packages.get('vecrank-transformers')
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

test('these packages are packed: the root, this platform, the two models, and the adapter', () => {
  for (const name of ['vecrank', here.package, ...MODELS, 'vecrank-transformers']) assert.ok(packages.has(name), `there is no tarball of ${name}`)
})

test('the table of platforms, the loader and the root package know the same seven platforms', () => {
  const names = Object.keys(MACHINES)
  assert.deepEqual(platforms.map(({ name }) => name).sort(), [...names].sort())
  assert.deepEqual([...createRequire(import.meta.url)('../../lib/platform.js').PLATFORMS].sort(), [...names].sort())
  assert.deepEqual(own.manifest.optionalDependencies, Object.fromEntries(names.map((name) => [`vecrank-${name}`, own.version])))
  // Bundlers follow literal names only.
  const required = [...text(own, 'lib/addon.js').matchAll(/require\('(vecrank-[\w-]+)'\)/g)].map(([, name]) => name)
  assert.deepEqual(required.sort(), names.map((name) => `vecrank-${name}`).sort())
  for (const { name, os, cpu, libc } of platforms)
    assert.deepEqual({ os: [os], cpu: [cpu], ...(libc && { libc: [libc] }) }, MACHINES[name], name)
})

test("this platform's package holds the addon, ONNX Runtime's library, an index.js and licences, and nothing else", () => {
  const { os, cpu, libc } = native.manifest
  assert.deepEqual({ os, cpu, ...(libc && { libc }) }, MACHINES[here.name])
  const runtime = pin === undefined ? [] : [pin.file, 'licenses/onnxruntime-LICENSE.txt', 'licenses/onnxruntime-ThirdPartyNotices.txt']
  const rust = ['licenses/rust-crates.txt', 'licenses/rust-standard-library.html']
  const expected = [here.file, ...runtime, ...rust, 'LICENSE-APACHE', 'LICENSE-MIT', 'index.js', 'package.json']
  assert.deepEqual([...native.files.keys()].sort(), expected.sort())
})

test(
  "ONNX Runtime's library is the pinned one, byte for byte",
  { skip: pin === undefined && `on ${here.name} it is the distribution's` },
  () => {
    const library = native.files.get(pin.file)
    assert.equal(library.length, pin.size)
    assert.equal(digest(library), pin.sha256)
  },
)

test('the licences that ask for it travel along: ours, those of ONNX Runtime, those of every crate in the addon', () => {
  for (const tarball of [own, native, adapter]) {
    for (const name of ['LICENSE-MIT', 'LICENSE-APACHE'])
      assert.equal(text(tarball, name), readFileSync(path.join(root, name), 'utf8'), `${tarball.name} ${name}`)
  }
  if (pin !== undefined) {
    assert.match(text(native, 'licenses/onnxruntime-LICENSE.txt'), /MIT License[^]*Microsoft/)
    assert.match(text(native, 'licenses/onnxruntime-ThirdPartyNotices.txt'), /protobuf[^]*Eigen|Eigen[^]*protobuf/)
  }
  const crates = cratesIn(native).filter(({ ofRust }) => !ofRust)
  assert.ok(crates.length > 50, `only ${crates.length} crates were recognised in ${here.file}`)
  const notices = text(native, 'licenses/rust-crates.txt')
  assert.deepEqual(
    crates.map(({ name, version }) => `${name} ${version}`).filter((crate) => !notices.includes(`${crate} (`)),
    [],
  )
})

test("the licences of Rust's standard library and of the crates in it travel along", () => {
  const notices = text(native, 'licenses/rust-standard-library.html')
  // Rust's own text leaves out the crates of its `backtrace` part. They may be used under Apache-2.0, whose text is LICENSE-APACHE.
  const left = new Set(['addr2line', 'adler2', 'miniz_oxide', 'object'])
  const crates = cratesIn(native).filter(({ name, ofRust }) => ofRust && !left.has(name))
  assert.ok(crates.length > 0, `no crate of Rust's own was recognised in ${here.file}`)
  assert.deepEqual(
    crates.map(({ name, version }) => `${name}-${version}`).filter((crate) => !notices.includes(crate)),
    [],
  )
})

/** Which crates are in an addon, by its own word: places of panics are named CRATE-VERSION/src/…, those of Rust itself in /rust/deps. */
function cratesIn({ files }) {
  const places = files
    .get(here.file)
    .toString('latin1')
    .matchAll(/(\/rust\/deps)?[\\/]([a-z][\w-]*?)-(\d+\.\d+\.\d+(?:[-+][\w.+-]+)?)[\\/]src[\\/]/g)
  const found = Array.from(places, ([, ofRust, name, version]) => ({ name, version, ofRust: ofRust !== undefined }))
  return [...new Map(found.map((crate) => [Object.values(crate).join(), crate])).values()]
}

test('the root package holds the face, its documents and licences, and every file of lib and bin that the face reaches', () => {
  const { files } = own
  const code = [...files.keys()].filter((name) => /^(lib|bin)\//.test(name))
  assert.deepEqual(
    [...files.keys()].filter((name) => !code.includes(name)).sort(),
    [
      'CHANGELOG.md',
      'LICENSE-APACHE',
      'LICENSE-MIT',
      'README.md',
      'docs/devices-windows.md',
      'docs/devices.md',
      'docs/doctor.md',
      'docs/hosts.md',
      'docs/migrate-from-transformers-js.md',
      'docs/models.md',
      'docs/next.md',
      'docs/runtimes.md',
      'docs/transformers.md',
      'index.d.ts',
      'index.js',
      'package.json',
      'transformers.d.ts',
      'transformers.js',
      ...readdirSync(path.join(root, 'types')).map((name) => `types/${name}`),
    ].sort(),
  )
  const entries = ['index.js', 'transformers.js', 'lib/elsewhere.js', 'lib/transformers/elsewhere.js', 'bin/vecrank.js', 'package.json']
  const reached = new Set(entries)
  for (const name of reached) {
    if (!files.has(name)) assert.fail(`${name} is required and is not in the package`)
    for (const [, target] of text(own, name).matchAll(/require\('(\.{1,2}\/[^']+)'\)/g))
      reached.add(path.posix.join(path.posix.dirname(name), target))
  }
  assert.deepEqual(
    code.filter((name) => !reached.has(name)),
    [],
    'files that nothing requires',
  )
})

test('no package has scripts, development dependencies or anything that npm would compile', () => {
  for (const { name, manifest, files } of packages.values()) {
    const foreign = [
      'scripts',
      'devDependencies',
      'bundleDependencies',
      'bundledDependencies',
      'gypfile',
      'private',
      'overrides',
      'workspaces',
      'napi',
    ]
    for (const field of foreign) assert.equal(manifest[field], undefined, `${name}: ${field}`)
    // npm runs node-gyp where this file is, without any script.
    assert.ok(!files.has('binding.gyp'), name)
    assert.deepEqual(
      [...files.keys()].filter((file) => /(^|\/)(\.|node_modules\/)/.test(file)),
      [],
      name,
    )
    assert.equal(manifest.engines?.node, '>=20', name)
    assert.ok(typeof manifest.license === 'string' && typeof manifest.description === 'string', `${name}: license and description`)
  }
})

test('all packages have one version, and no dependency but on each other', () => {
  const crate = /^version = "(.+)"$/m.exec(readFileSync(path.join(root, 'Cargo.toml'), 'utf8'))[1]
  for (const { name, version, manifest } of packages.values()) {
    assert.equal(version, crate, name)
    assert.deepEqual(
      Object.keys(manifest.dependencies ?? {}).filter((each) => !packages.has(each)),
      [],
      name,
    )
  }
  assert.deepEqual(own.manifest.peerDependencies, Object.fromEntries(MODELS.map((name) => [name, `^${crate}`])))
  assert.deepEqual(own.manifest.peerDependenciesMeta, Object.fromEntries(MODELS.map((name) => [name, { optional: true }])))
})

test('the adapter is a name for vecrank/transformers, of the root package of its version, and nothing else', () => {
  const code = ['index.d.mts', 'index.d.ts', 'index.js', 'index.mjs']
  assert.deepEqual([...adapter.files.keys()].sort(), ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', ...code, 'package.json'])
  assert.deepEqual(adapter.manifest.dependencies, { vecrank: own.version })
  // By these very words, which scanners for named imports and bundlers follow.
  assert.match(text(adapter, 'index.js'), /^module\.exports = require\('vecrank\/transformers'\)$/m)
  for (const name of code.filter((name) => name !== 'index.js')) assert.match(text(adapter, name), /^export \* from 'vecrank\/transformers'$/m)
})

test('index.js of platform and models names every file by a literal path, and every file is there', () => {
  for (const tarball of [native, ...MODELS.map((name) => packages.get(name))]) {
    const source = text(tarball, 'index.js')
    const literal = [...source.matchAll(/path\.join\(__dirname, '([^']+)'\)/g)].map(([, name]) => name)
    const module = { exports: {} }
    vm.runInThisContext(`(function (exports, require, __dirname) {${source}\n})`)(
      module.exports,
      createRequire(import.meta.url),
      path.resolve('/package'),
    )
    const { size, ...paths } = module.exports
    const given = Object.values(paths)
      .flat()
      .filter((value) => value !== path.resolve('/package'))
    assert.deepEqual(
      given,
      literal.map((name) => path.join(path.resolve('/package'), name)),
      `${tarball.name}: what it exports is what it names`,
    )
    const isModel = tarball !== native
    const named = isModel
      ? (name) => !/^(README\.md|LICENSE.*|index\.(js|d\.ts)|package\.json)$/.test(name)
      : (name) => /\.(node|dll|dylib)$|\.so(\.|$)/.test(name)
    assert.deepEqual(literal.sort(), [...tarball.files.keys()].filter(named).sort(), tarball.name)
    if (isModel) assert.equal(module.exports.path, path.resolve('/package'))
    else assert.deepEqual(Object.keys(paths), pin === undefined ? ['addon'] : ['addon', 'onnxruntime'])
    // By its size the loader knows an addon that was cut short, which would kill the process.
    if (!isModel) assert.equal(size, tarball.files.get(here.file).length)
    // Inside an archive (Plug'n'Play) the system could not open them.
    assert.equal(tarball.manifest.preferUnplugged, true, tarball.name)
  }
})

test('an installed model is the one of the repository', () => {
  for (const [name, folder] of [
    [MODELS[0], 'all-MiniLM-L6-v2'],
    [MODELS[1], 'vecrank-reranker-mini'],
  ]) {
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
