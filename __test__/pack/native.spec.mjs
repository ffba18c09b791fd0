// What the native files ask of the system that loads them, and what the packages weigh.

import assert from 'node:assert/strict'
import { lstatSync, readFileSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { root } from '../fixtures.mjs'
import { highest, readElf } from './elf.mjs'
import { here, installed, npmInstall, project } from './project.mjs'
import { registry } from './registry.mjs'
import { MODELS } from './smoke.mjs'
import { tarballs } from './tarballs.mjs'

const packages = tarballs()
const native = packages.get(here.package)
const pin = JSON.parse(readFileSync(path.join(root, 'scripts', 'onnxruntime.json'), 'utf8')).platforms[here.name]

const elf = { skip: here.os !== 'linux' && `there is no ELF file on ${here.name}` }

test('the addon needs no newer C library than promised, no C++ library, and no library of the machine that built it', elf, (t) => {
  const { machine, needed, rpath, versions, executableStack } = readElf(native.files.get(here.file))
  t.diagnostic(`${here.file}: needs ${needed.join(', ')}; GLIBC_${highest(versions, 'GLIBC')}`)
  assert.equal(machine, here.cpu)
  const system =
    here.libc === 'musl'
      ? /^(libc\.musl-\w+\.so\.1|libc\.so|libgcc_s\.so\.1)$/
      : /^(lib(c|m|dl|pthread|gcc_s)\.so\.\d|ld-linux[\w-]*\.so\.\d)$/
  assert.deepEqual(
    needed.filter((name) => !system.test(name)),
    [],
  )
  assert.deepEqual(rpath, [])
  assert.equal(executableStack, false)
  assert.ok(atMost(highest(versions, 'GLIBC'), here.libc === 'musl' ? undefined : '2.28'), `GLIBC_${highest(versions, 'GLIBC')}`)
  for (const family of ['GLIBCXX', 'CXXABI']) assert.equal(highest(versions, family), undefined, family)
})

test(
  "ONNX Runtime's library has its own SONAME and runs on the oldest systems promised",
  { skip: elf.skip || (pin === undefined && "it is the distribution's") },
  (t) => {
    const { machine, soname, rpath, versions } = readElf(native.files.get(pin.file))
    const found = ['GLIBC', 'GLIBCXX', 'CXXABI'].map((family) => [family, highest(versions, family)])
    t.diagnostic(`${pin.file}: ${found.map((pair) => pair.join('_')).join(', ')}`)
    assert.equal(machine, here.cpu)
    assert.equal(soname, 'libvecrank-ort.so.1')
    assert.ok(
      rpath.every((place) => place === '$ORIGIN'),
      rpath.join(),
    )
    // RHEL 8: glibc 2.28, and the C++ library of GCC 8.
    const oldest = { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11' }
    for (const [family, version] of found) assert.ok(atMost(version, oldest[family]), `${family}_${version}`)
  },
)

/** Whether a version (undefined: none is needed) is no higher than another (undefined: none may be). */
function atMost(version, limit) {
  return version === undefined || (limit !== undefined && new Intl.Collator('en', { numeric: true }).compare(version, limit) <= 0)
}

test(
  'the addon names no folder of the machine that built it',
  // The places of panics do, unless all crates are compiled anew for it. What is published is, and CI brings it from there.
  { skip: !process.env.VECRANK_TARBALLS && 'only packages for publishing are built so: npm run pack -- --release' },
  () => {
    const content = native.files.get(here.file).toString('latin1')
    const found = [root, homedir(), '/home/', '/root/', '/Users/', '\\Users\\'].filter((folder) => content.includes(folder))
    assert.deepEqual(found, [])
  },
)

// ---------- weight -----------------------------------------------------------------------------------------------------------

test('vecrank and its platform take at most 46 MB when installed, the addon at most 14 MB', async (t) => {
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
    [
      'JavaScript, types, documents',
      total(runtime.filter(({ name }) => !/\.node$|licen[cs]e/i.test(name) && !(pin !== undefined && name.endsWith(pin.file)))),
    ],
    ['vecrank, all told', total(runtime)],
    ...MODELS.map((model) => [model, total(parts.filter(({ name }) => name.startsWith(`${model}/`)))]),
  ]
  for (const [name, { bytes, blocks }] of rows) t.diagnostic(`${name.padEnd(32)} ${mb(bytes)}, on disk ${mb(blocks)}`)
  const downloads = [packages.get('vecrank'), native, ...MODELS.map((name) => packages.get(name))]
  for (const { name, content } of downloads) t.diagnostic(`${name.padEnd(32)} ${mb(content.length)} to download`)
  const [[, addon], , , , [, all]] = rows
  assert.ok(addon.bytes > 1e6 && addon.bytes <= 14e6, mb(addon.bytes))
  // Both as a copy counts it and as `du` does.
  assert.ok(all.bytes <= 46e6, mb(all.bytes))
  assert.ok(all.blocks <= 46e6, mb(all.blocks))
})

/** Every file and folder below a package, with its size and what it takes on the disk. */
function weights(modules, name) {
  const stat = lstatSync(path.join(modules, name))
  const inside = stat.isDirectory() ? readdirSync(path.join(modules, name)).flatMap((each) => weights(modules, `${name}/${each}`)) : []
  // Windows has no blocks: there it is the size.
  return [{ name, bytes: stat.isDirectory() ? 0 : stat.size, blocks: stat.blocks === undefined ? stat.size : stat.blocks * 512 }, ...inside]
}

function sum(list, field) {
  return list.reduce((total, each) => total + each[field], 0)
}

function mb(bytes) {
  return `${(bytes / 1e6).toFixed(1).padStart(5)} MB`
}
