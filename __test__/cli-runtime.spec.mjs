// `vecrank runtime`: what may become a runtime and what it is then. What must not is cli-runtime-refusals.spec.mjs's. Archives are made here; they
// are for Linux x64 unless a test says otherwise, whatever system it runs on.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compareVersions } from '../lib/cli/runtimes.js'
import { elf, elfForArm, macho, pe, tarballOf, universal, wheelOf, zipOf } from './archives.mjs'
import { SONAME, describedIn, gpuWheel, main, runtime, written } from './cli-runtime.mjs'
import { filesIn, hashes, temporary } from './hub/world.mjs'

/** Adds an archive and gives what its `runtime.json` says. */
async function added(t, source, folder, options) {
  const data = join(temporary(t), 'data')
  const result = await runtime(t, data, ['add', source], options)
  assert.deepEqual([result.code, result.stderr], [0, ''])
  assert.deepEqual(readdirSync(join(data, 'runtimes')), [folder])
  const place = join(data, 'runtimes', folder)
  const described = describedIn(place)
  // Whatever the test is about: the description is true.
  assert.equal(folder, `${described.name}-${described.version}`)
  assert.deepEqual(filesIn(place).sort(), [...Object.keys(described.files), 'runtime.json'].sort())
  for (const [file, { size, sha256 }] of Object.entries(described.files)) {
    const content = readFileSync(join(place, file))
    assert.deepEqual([content.length, hashes(content).sha256], [size, sha256], file)
  }
  assert.equal(described.sha256, described.files[described.library].sha256)
  return { ...described, place, stdout: result.stdout }
}

test('a wheel for GPUs becomes a runtime: its libraries and licences, and no Python', async (t) => {
  const wheel = written(t, 'onnxruntime_gpu-1.31.1-cp312-cp312-manylinux_2_28_x86_64.whl', gpuWheel())
  const { files, sha256: _, place, stdout, ...rest } = await added(t, wheel, 'onnxruntime-gpu-1.31.1')
  assert.deepEqual(rest, {
    format: 1,
    kind: 'onnxruntime',
    name: 'onnxruntime-gpu',
    version: '1.31.1',
    library: 'libonnxruntime.so.1.31.1',
    devices: ['cuda', 'tensorrt'],
    source: 'onnxruntime_gpu-1.31.1-cp312-cp312-manylinux_2_28_x86_64.whl',
  })
  assert.deepEqual(Object.keys(files), [
    'libonnxruntime.so.1.31.1',
    'libonnxruntime_providers_cuda.so',
    'libonnxruntime_providers_shared.so',
    'libonnxruntime_providers_tensorrt.so',
    'licenses/onnxruntime/LICENSE',
    'licenses/onnxruntime/ThirdPartyNotices.txt',
  ])
  assert.match(stdout, /^Added onnxruntime-gpu 1\.31\.1 \(cuda, tensorrt\): 6 files, \d\.\d kB\n {2}folder .*onnxruntime-gpu-1\.31\.1\n$/)
  // As in the library that is shipped: beside onnxruntime-node, each keeps its own. Nothing else in it changes.
  const [before, after] = [main(), readFileSync(join(place, 'libonnxruntime.so.1.31.1'))]
  assert.equal(after.includes('\0libvecrank-ort.so.1\0'), true)
  assert.ok(Buffer.from(after.toString('latin1').replace('libvecrank-ort.so.1', SONAME), 'latin1').equals(before))
})

test('packages of NuGet, releases, tarballs of npm and folders are taken as well', async (t) => {
  const cuda = { 'libonnxruntime_providers_cuda.so': elf('cuda'), 'libonnxruntime_providers_shared.so': elf('shared') }
  const below = (folder, files) => Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]))
  const other = { 'runtimes/win-x64/native/onnxruntime.dll': pe('x64'), 'runtimes/linux-arm64/native/libonnxruntime.so': elfForArm(SONAME) }
  const nuspec = '<package><metadata><id>Microsoft.ML.OnnxRuntime.Gpu.Linux</id><version>1.31.1</version></metadata></package>'
  const nuget = zipOf({
    'Microsoft.ML.OnnxRuntime.Gpu.Linux.nuspec': nuspec,
    'LICENSE': 'MIT',
    ...other,
    ...below('runtimes/linux-x64/native', { 'libonnxruntime.so': main(), ...cuda }),
    'build/native/include/onnxruntime_c_api.h': '//',
  })
  const one = await added(t, written(t, 'gpu.nupkg', nuget), 'onnxruntime-gpu-1.31.1')
  assert.deepEqual([one.library, one.devices, Object.keys(one.files).at(-1)], ['libonnxruntime.so', ['cuda'], 'licenses/LICENSE'])

  // As `tar` writes them: the names of the library are links to it.
  const top = './onnxruntime-linux-x64-gpu-1.32.0'
  const release = tarballOf([
    ['./', { type: '5' }],
    [`${top}/lib/`, { type: '5' }],
    [`${top}/lib/libonnxruntime.so`, { type: '2', link: 'libonnxruntime.so.1' }],
    [`${top}/lib/libonnxruntime.so.1`, { type: '2', link: 'libonnxruntime.so.1.32.0' }],
    [`${top}/lib/libonnxruntime.so.1.32.0`, main()],
    ['x', { content: cuda['libonnxruntime_providers_cuda.so'], pax: { path: `${top}/lib/libonnxruntime_providers_cuda.so` } }],
    [`${top}/lib/pkgconfig/libonnxruntime.pc`, 'prefix='],
    [`${top}/include/onnxruntime_c_api.h`, '//'],
    [`${top}/LICENSE`, 'MIT'],
  ])
  const two = await added(t, written(t, 'release.tgz', release), 'onnxruntime-gpu-1.32.0')
  assert.deepEqual([two.library, two.devices, Object.keys(two.files).length], ['libonnxruntime.so.1.32.0', ['cuda'], 3])

  const npm = tarballOf({
    'package/package.json': '{ "name": "onnxruntime-node", "version": "1.30.0" }',
    'package/bin/napi-v6/linux/x64/libonnxruntime.so.1': main(),
    'package/bin/napi-v6/linux/x64/onnxruntime_binding.node': 'binding',
    'package/bin/napi-v6/linux/arm64/libonnxruntime.so.1': elfForArm(SONAME),
    'package/bin/napi-v6/win32/x64/onnxruntime.dll': pe('x64'),
  })
  const three = await added(t, written(t, 'onnxruntime-node-1.30.0.tgz', npm), 'onnxruntime-node-1.30.0')
  assert.deepEqual([three.devices, Object.keys(three.files)], [[], ['libonnxruntime.so.1']])
  assert.match(three.stdout, /note: this is a build for the CPU: .* vecrank does not take it by itself: set VECRANK_ORT_DIR to its folder\n/)

  const folder = temporary(t)
  for (const [name, content] of Object.entries({ 'libonnxruntime.so.1.31.1': main(), ...cuda, '__init__.py': '' })) writeFileSync(join(folder, name), content)
  const four = await added(t, folder, 'onnxruntime-gpu-1.31.1')
  assert.deepEqual([four.devices, Object.keys(four.files).length], [['cuda'], 3])
})

test('of a folder with many Python packages, the one that lists the library names it', async (t) => {
  const folder = temporary(t)
  const put = (name, content) => {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  put('onnxruntime/capi/libonnxruntime.so.1.31.1', main())
  put('numpy-2.0.0.dist-info/METADATA', 'Name: numpy\nVersion: 2.0.0\n')
  put('numpy-2.0.0.dist-info/LICENSE.txt', 'BSD')
  for (const name of ['onnxruntime_extensions', 'onnxruntime_training']) {
    put(`${name}-1.31.1.dist-info/METADATA`, `Name: ${name}\nVersion: 1.31.1\n`)
    put(`${name}-1.31.1.dist-info/RECORD`, name === 'onnxruntime_training' ? 'onnxruntime/capi/libonnxruntime.so.1.31.1,sha256=x,1\n' : 'onnxruntime_extensions/a.so,,\n')
  }
  const { files } = await added(t, folder, 'onnxruntime-training-1.31.1')
  assert.deepEqual(Object.keys(files), ['libonnxruntime.so.1.31.1'])
})

test('a plugin keeps its folder, but for Python', async (t) => {
  const plugin = elf('libonnxruntime_providers_openvino_plugin.so.1')
  const wheel = wheelOf('onnxruntime_ep_openvino', '1.8.1', {
    'onnxruntime_ep_openvino/__init__.py': 'import os',
    'onnxruntime_ep_openvino/libonnxruntime_providers_openvino_plugin.so': plugin,
    'onnxruntime_ep_openvino/libonnxruntime_providers_openvino_plugin.so.1.8.1': plugin,
    'onnxruntime_ep_openvino/libtbb.so.12': elf('libtbb.so.12'),
    'onnxruntime_ep_openvino/data/cache.json': '{}',
    'onnxruntime_ep_openvino/third-party-programs.txt': 'Apache',
  })
  const one = await added(t, written(t, 'openvino.whl', wheel), 'onnxruntime-ep-openvino-1.8.1')
  const library = 'libonnxruntime_providers_openvino_plugin.so'
  assert.deepEqual([one.kind, one.library, one.devices], ['plugin', library, ['openvino']])
  assert.deepEqual(Object.keys(one.files), ['data/cache.json', library, `${library}.1.8.1`, 'libtbb.so.12', 'third-party-programs.txt'])
  assert.ok(readFileSync(join(one.place, library)).equals(plugin), 'a plugin has a SONAME of its own')
  // What was added can be added again, elsewhere.
  assert.deepEqual(Object.keys((await added(t, one.place, 'onnxruntime-ep-openvino-1.8.1')).files), Object.keys(one.files))

  const webgpu = wheelOf('onnxruntime_ep_webgpu', '0.4.0', {
    'onnxruntime_ep_webgpu/libonnxruntime_providers_webgpu.so': elf('libonnxruntime_providers_webgpu.so'),
    'onnxruntime_ep_webgpu-0.4.0.dist-info/licenses/LICENSE': 'MIT',
  })
  const two = await added(t, written(t, 'webgpu.whl', webgpu), 'onnxruntime-ep-webgpu-0.4.0')
  assert.deepEqual([two.kind, two.devices, Object.keys(two.files).length], ['plugin', ['webgpu'], 2])
})

test('Windows and macOS have libraries of their own', async (t) => {
  const directml = wheelOf('onnxruntime_directml', '1.24.4', {
    'onnxruntime/LICENSE': 'MIT',
    'onnxruntime/capi/DirectML.dll': pe('x64'),
    'onnxruntime/capi/onnxruntime.dll': pe('x64'),
    'onnxruntime/capi/onnxruntime_providers_shared.dll': pe('x64'),
    'onnxruntime/capi/onnxruntime_pybind11_state.pyd': pe('x64'),
  })
  const windows = { platform: 'win32', arch: 'x64' }
  const one = await added(t, written(t, 'directml.whl', directml), 'onnxruntime-directml-1.24.4', windows)
  assert.deepEqual([one.library, one.devices, Object.keys(one.files).length], ['onnxruntime.dll', ['dml'], 4])

  const release = zipOf({ 'onnxruntime-win-x64-gpu-1.31.1/lib/onnxruntime.dll': pe('x64'), 'onnxruntime-win-x64-gpu-1.31.1/lib/onnxruntime_providers_cuda.dll': pe('x64') })
  assert.deepEqual((await added(t, written(t, 'release.zip', release), 'onnxruntime-gpu-1.31.1', windows)).devices, ['cuda'])

  // The name of a bare library tells no version there; its resources do, as far as ONNX Runtime writes it to them.
  const folder = temporary(t)
  writeFileSync(join(folder, 'onnxruntime.dll'), pe('x64', [1, 31]))
  assert.equal((await added(t, folder, 'onnxruntime-1.31', windows)).version, '1.31')

  const mac = { platform: 'darwin', arch: 'arm64' }
  const top = 'onnxruntime-osx-arm64-1.31.1/lib'
  const symbols = `${top}/libonnxruntime.1.31.1.dylib.dSYM/Contents/Resources/DWARF/libonnxruntime.1.31.1.dylib`
  const three = await added(t, written(t, 'mac.tgz', tarballOf({ [`${top}/libonnxruntime.1.31.1.dylib`]: macho('arm64'), [symbols]: 'symbols' })), 'onnxruntime-1.31.1', mac)
  assert.deepEqual(Object.keys(three.files), ['libonnxruntime.1.31.1.dylib'])
  const both = tarballOf({ 'onnxruntime-osx-universal2-1.31.1/lib/libonnxruntime.1.31.1.dylib': universal() })
  await added(t, written(t, 'both.tgz', both), 'onnxruntime-1.31.1', mac)
})

test('what is added again replaces what was there, and heals it', async (t) => {
  const data = temporary(t)
  const wheel = written(t, 'gpu.whl', gpuWheel())
  assert.equal((await runtime(t, data, ['add', wheel])).code, 0)
  const place = join(data, 'runtimes', 'onnxruntime-gpu-1.31.1')
  const first = readFileSync(join(place, 'runtime.json'), 'utf8')
  truncateSync(join(place, 'libonnxruntime.so.1.31.1'), 10)
  writeFileSync(join(place, 'stray.so'), '')
  assert.equal((await runtime(t, data, ['add', wheel])).code, 0)
  assert.equal(readFileSync(join(place, 'runtime.json'), 'utf8'), first)
  assert.equal(existsSync(join(place, 'stray.so')), false)
  assert.deepEqual(readdirSync(join(data, 'runtimes')), ['onnxruntime-gpu-1.31.1'])
  // Two at a time: one of them is there in the end, whole.
  const both = await Promise.all([1, 2, 3].map(() => runtime(t, data, ['add', wheel])))
  assert.deepEqual(both.map(({ code, stderr }) => [code, stderr]), Array(3).fill([0, '']))
  assert.equal((await runtime(t, data, ['ls'])).code, 0)
  assert.deepEqual(readdirSync(join(data, 'runtimes')), ['onnxruntime-gpu-1.31.1'])
})

// ---------- ls and rm ------------------------------------------------------------------------------------------------------

test('ls lists what is there and which version counts; rm takes one version or all', async (t) => {
  const data = join(temporary(t), 'data')
  const empty = await runtime(t, data, ['ls'])
  assert.deepEqual([empty.code, empty.stderr], [0, ''])
  assert.equal(empty.stdout, `0 runtimes, 0 B in ${join(data, 'runtimes')}\n`)
  assert.equal(existsSync(data), false, 'listing makes no folder')

  for (const version of ['1.31.1', '1.100.0']) await runtime(t, data, ['add', written(t, `${version}.whl`, gpuWheel(version))])
  const older = await runtime(t, data, ['add', written(t, 'older.whl', gpuWheel('1.24.0'))])
  assert.match(older.stdout, /note: onnxruntime-gpu 1\.100\.0 is there as well, and the newest counts/)
  const { code, stdout } = await runtime(t, data, ['ls'])
  assert.equal(code, 0)
  const place = (version) => join(data, 'runtimes', `onnxruntime-gpu-${version}`)
  const lines = stdout.split('\n')
  assert.match(lines[0], /^onnxruntime-gpu {2}1\.100\.0 {2}cuda, tensorrt {2}\d\.\d kB {2}/)
  assert.ok(lines[0].endsWith(place('1.100.0')), lines[0])
  assert.ok(lines[1].endsWith(`${place('1.31.1')}  (not used: 1.100.0 is newer)`), lines[1])
  assert.ok(lines[2].endsWith(`${place('1.24.0')}  (not used: 1.100.0 is newer)`), lines[2])
  assert.match(lines[3], /^3 runtimes, \d+(\.\d)? kB in /)

  const { folder, runtimes } = JSON.parse((await runtime(t, data, ['ls', '--json'])).stdout)
  assert.equal(folder, join(data, 'runtimes'))
  assert.deepEqual(
    runtimes.map(({ version, isNewest, damaged, path }) => [version, isNewest, damaged, path]),
    ['1.100.0', '1.31.1', '1.24.0'].map((version) => [version, version === '1.100.0', [], place(version)]),
  )
  assert.deepEqual([runtimes[0].name, runtimes[0].kind, runtimes[0].library], ['onnxruntime-gpu', 'onnxruntime', 'libonnxruntime.so.1.100.0'])

  const unknown = await runtime(t, data, ['rm', 'onnxruntime-gpu-1.31.1', 'frob'])
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /no runtime "frob"; there is onnxruntime-gpu-1\.100\.0, onnxruntime-gpu-1\.31\.1, onnxruntime-gpu-1\.24\.0\nRun /)
  assert.equal(readdirSync(folder).length, 3, 'nothing was done')
  assert.match((await runtime(t, data, ['rm', 'onnxruntime-gpu-1.31.1'])).stdout, /^Removed onnxruntime-gpu-1\.31\.1: \d\.\d kB freed\n$/)
  assert.deepEqual(readdirSync(folder).sort(), ['onnxruntime-gpu-1.100.0', 'onnxruntime-gpu-1.24.0'])
  assert.equal((await runtime(t, data, ['rm', 'onnxruntime-gpu'])).code, 0)
  assert.deepEqual(readdirSync(folder), [])
  assert.match((await runtime(t, data, ['rm', '../runtimes'])).stderr, /there is none at all/)
})

test('ls says what is damaged, and rm takes that away too', async (t) => {
  const data = temporary(t)
  await runtime(t, data, ['add', written(t, 'gpu.whl', gpuWheel())])
  const place = join(data, 'runtimes', 'onnxruntime-gpu-1.31.1')
  truncateSync(join(place, 'libonnxruntime_providers_cuda.so'), 5)
  rmSync(join(place, 'libonnxruntime_providers_shared.so'))
  // What is no folder and what is on its way is not listed.
  writeFileSync(join(data, 'runtimes', 'readme.txt'), '')
  const broken = { 'a-1.0': undefined, 'b-1.0': '{', 'c-1.0': '{ "format": 2 }', 'd-1.0': '{ "format": 1 }', 'e': readFileSync(join(place, 'runtime.json')) }
  for (const [name, text] of Object.entries(broken)) {
    mkdirSync(join(data, 'runtimes', name))
    if (text !== undefined) writeFileSync(join(data, 'runtimes', name, 'runtime.json'), text)
  }
  const { code, stdout } = await runtime(t, data, ['ls'])
  assert.equal(code, 1)
  const reasons = [
    /a-1\.0.runtime\.json is missing/,
    /b-1\.0.runtime\.json is no JSON/,
    /c-1\.0.runtime\.json has a format that this version does not know/,
    /d-1\.0.runtime\.json lacks what it must say/,
    /e.runtime\.json is about onnxruntime-gpu-1\.31\.1/,
    /libonnxruntime_providers_cuda\.so has 5 of \d+ bytes/,
    /libonnxruntime_providers_shared\.so is missing/,
  ]
  const found = stdout.split('\n').filter((line) => line.startsWith('  damaged: '))
  assert.equal(found.length, reasons.length, stdout)
  for (const [index, pattern] of reasons.entries()) assert.match(found[index], pattern)
  assert.equal(JSON.parse((await runtime(t, data, ['ls', '--json'])).stdout).runtimes.length, 6)
  assert.equal((await runtime(t, data, ['rm', 'onnxruntime-gpu', ...Object.keys(broken)])).code, 0)
  assert.deepEqual(readdirSync(join(data, 'runtimes')), ['readme.txt'])
})

test('a link in the folder of runtimes is taken away, and not what it leads to', { skip: process.platform === 'win32' && 'links need rights on Windows' }, async (t) => {
  const [data, elsewhere] = [temporary(t), temporary(t)]
  await runtime(t, elsewhere, ['add', written(t, 'gpu.whl', gpuWheel())])
  mkdirSync(join(data, 'runtimes'))
  symlinkSync(join(elsewhere, 'runtimes', 'onnxruntime-gpu-1.31.1'), join(data, 'runtimes', 'onnxruntime-gpu-1.31.1'))
  assert.equal((await runtime(t, data, ['ls'])).code, 0)
  assert.equal((await runtime(t, data, ['rm', 'onnxruntime-gpu'])).code, 0)
  assert.deepEqual(readdirSync(join(data, 'runtimes')), [])
  assert.equal((await runtime(t, elsewhere, ['ls'])).code, 0)
})

test('versions are compared number by number', () => {
  const order = ['1.24.0', '1.31.0-rc1', '1.31.0-rc2', '1.31.0', '1.31.1', '1.100.0', '2.0']
  for (const [index, version] of order.entries()) {
    assert.equal(compareVersions(version, version), 0)
    for (const later of order.slice(index + 1)) assert.ok(compareVersions(version, later) < 0 && compareVersions(later, version) > 0, `${version} ${later}`)
  }
  for (const before of ['1.31.0rc1', '1.31.0.dev20260101']) assert.ok(compareVersions(before, '1.31.0') < 0, before)
})

test('help names the commands, without the addon', async (t) => {
  const data = temporary(t)
  const { code, stdout } = await runtime(t, data, ['--help'])
  assert.equal(code, 0)
  for (const name of ['add', 'ls', 'rm']) {
    assert.match(stdout, new RegExp(`vecrank runtime ${name}`))
    assert.match((await runtime(t, data, [name, '--help'])).stdout, new RegExp(`^vecrank runtime ${name} `))
  }
})
