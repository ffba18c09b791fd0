// What `vecrank runtime add` refuses: archives that would write elsewhere, that are damaged or too large, libraries for other machines, versions
// that are too old. Whatever it refuses, nothing is left behind. And what killed processes leave.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { dataFolder } from '../lib/data.js'
import { elf, elfForArm, macho, pe, tarballOf, wheelOf, zipOf } from './archives.mjs'
import { SONAME, gpuFiles, gpuWheel, main, runtime, startingRuntime, written } from './cli-runtime.mjs'
import { temporary } from './hub/world.mjs'

const TOP = 'onnxruntime-linux-x64-gpu-1.31.1'
const LIBRARY = `${TOP}/lib/libonnxruntime.so.1.31.1`
const CUDA = `${TOP}/lib/libonnxruntime_providers_cuda.so`
const windows = process.platform === 'win32' && 'links and rights are other ones on Windows'

/** Adds each and expects one line that names the file, and nothing in the data folder. Cases: name of the file, its content, what is said. */
async function refused(t, code, cases, options) {
  await Promise.all(
    cases.map(async ([name, content, pattern]) => {
      const data = join(temporary(t), 'data')
      const file = Buffer.isBuffer(content) ? written(t, name, content) : content
      const result = await runtime(t, data, ['add', file], options)
      assert.equal(result.code, 1, `${pattern}: ${result.stdout}`)
      assert.match(result.stderr, new RegExp(`^vecrank: Could not add [^\\n]+ \\(${code}\\)\\n$`))
      assert.ok(result.stderr.includes(file), result.stderr)
      assert.match(result.stderr, pattern)
      assert.equal(result.stdout, '')
      const left = existsSync(join(data, 'runtimes')) ? readdirSync(join(data, 'runtimes')) : []
      assert.deepEqual(left, [], result.stderr)
    }),
  )
}

test('names that lead out of the folder are refused, in whatever format and whether they are wanted or not', async (t) => {
  const inside = ['lib/../../../evil.so', 'lib/evil.so\n', '/evil.so', '.. /evil.so', './evil.so', 'evil.so.'].map((name) => `${TOP}/${name}`)
  const names = ['../evil.so', '/etc/evil.so', 'C:/evil.so', 'C:evil.so', '..\\evil.so', 'a'.repeat(2000), ...inside]
  const zips = [...names, 'evil\0.so'].flatMap((name) => [
    ['a.zip', zipOf({ [LIBRARY]: main(), [name]: elf('evil') }), /is no path inside a folder/],
    ['a.zip', zipOf({ [LIBRARY]: main(), [`${name}/`]: '' }), /is no path inside a folder/],
  ])
  const tarballs = names.map((name) => ['a.tgz', tarballOf({ [LIBRARY]: main(), x: { content: 'evil', pax: { path: name } } }), /is no path inside a folder/])
  const folder = ['a.tgz', tarballOf([[LIBRARY, main()], ['../evil/', { type: '5' }]]), /is no path inside a folder/]
  await refused(t, 'ERR_CORRUPT', [...zips, ...tarballs, folder])
})

test('links and what is no file are refused', { skip: windows }, async (t) => {
  const tar = (link, type = '2') => tarballOf([[LIBRARY, main()], [CUDA, { type, link }]])
  const folder = temporary(t)
  writeFileSync(join(folder, 'libonnxruntime.so.1.31.1'), main())
  symlinkSync('/etc/passwd', join(folder, 'libonnxruntime_providers_cuda.so'))
  await refused(t, 'ERR_CORRUPT', [
    ['a.tgz', tar('/etc/passwd'), /is a link to "\/etc\/passwd", which is in another folder/],
    ['a.tgz', tar('../../evil.so'), /in another folder/],
    ['a.tgz', tar('..'), /is no path/],
    ['a.tgz', tar(''), /is no path/],
    ['a.tgz', tar('/etc/passwd', '1'), /in another folder/],
    // It stays in the folder, but would be missing.
    ['a.tgz', tar('libonnxruntime.so.1.31.1'), /is a link to "libonnxruntime.so.1.31.1"; copy/],
    ['a.tgz', tar(LIBRARY, '1'), /is a link to "libonnxruntime.so.1.31.1"; copy/],
    ['a.tgz', tar('', '3'), /is neither a file nor a folder/],
    ['a.tgz', tar('', 'S'), /is neither a file nor a folder/],
    ['a.zip', zipOf({ [LIBRARY]: main(), [CUDA]: { content: '/etc/passwd', mode: 0o120777 } }), /is a link or no file at all/],
    ['a', folder, /in another folder/],
  ])
})

test('archives that are damaged, encrypted or of another kind are refused', async (t) => {
  const whole = zipOf({ [LIBRARY]: main(), [CUDA]: elf('cuda') })
  const cuda = (fields) => zipOf({ [LIBRARY]: main(), [CUDA]: { content: elf('cuda'), ...fields } })
  const stored = Buffer.from(cuda({ method: 0 }))
  stored[stored.indexOf('cuda\0', stored.indexOf(CUDA) + CUDA.length)] ^= 1
  const deflated = Buffer.from(whole)
  deflated.fill(0xff, deflated.indexOf(CUDA) + CUDA.length, deflated.indexOf(CUDA) + CUDA.length + 8)
  const zip64 = Buffer.from(whole)
  zip64.writeUInt32LE(0xffffffff, zip64.length - 6)
  const volumes = Buffer.from(whole)
  volumes.writeUInt16LE(1, volumes.length - 18)
  const tarball = tarballOf({ [LIBRARY]: main(), [CUDA]: elf('cuda') })
  const checksum = Buffer.from(tarball)
  checksum[checksum.length - 6] ^= 1
  await refused(t, 'ERR_CORRUPT', [
    ['a.zip', cuda({ crc: 1 }), /does not have its checksum \(CRC-32\)/],
    ['a.zip', stored, /does not have its checksum \(CRC-32\)/],
    ['a.zip', deflated, /packed data is damaged/],
    ['a.zip', cuda({ flags: 1 }), /is encrypted/],
    ['a.zip', cuda({ method: 12 }), /packed by method 12/],
    ['a.zip', cuda({ size: 5 }), /is larger than the 5 bytes that it declares/],
    ['a.zip', cuda({ size: 5000 }), /has \d+ of the 5000 bytes that it declares/],
    ['a.zip', cuda({ method: 0, size: 5 }), /has two sizes/],
    ['a.zip', cuda({ packed: 100_000 }), /is cut off/],
    ['a.zip', cuda({ localName: CUDA.replace('cuda', 'gpus') }), /is another one in the directory/],
    ['a.zip', cuda({ size: 0xffffffff }), /ZIP64|more than 4 GiB/],
    ['a.zip', zip64, /ZIP64/],
    ['a.zip', volumes, /several volumes/],
    ['a.zip', whole.subarray(0, -30), /no ZIP archive|not a ZIP archive/],
    ['a.zip', whole.subarray(0, 100), /not a ZIP archive/],
    ['a.zip', whole.subarray(10), /neither a wheel/],
    ['a.zip', Buffer.concat([Buffer.from('PK before it'), whole]), /something was put before the archive/],
    ['a.zip', zipOf([[LIBRARY, main()], [CUDA, elf('cuda')], [CUDA, elf('cuda')]]), /is there twice/],
    ['a.zip', zipOf({ [LIBRARY]: main(), [CUDA]: elf('cuda'), [CUDA.replace('cuda', 'CUDA')]: elf('cuda') }), /twice, in different letters/],
    ['a.tgz', tarballOf([[LIBRARY, main()], [CUDA, elf('cuda')], [CUDA, elf('cuda')]]), /is there twice/],
    ['a.tgz', tarball.subarray(0, 200), /packed data is damaged|cut off/],
    ['a.tgz', checksum, /packed data is damaged/],
    ['a.tgz', gzipSync(Buffer.alloc(2048, 'x')), /not a tar archive/],
    ['a.tgz', tarballOf({ [LIBRARY]: { content: main(), size: 50_000 } }), /cut off/],
    ['a.whl', Buffer.from('<html>not found</html>'), /neither a wheel/],
    ['a.whl', Buffer.alloc(0), /neither a wheel/],
  ])
})

test('a wheel must be what its RECORD says', async (t) => {
  const cuda = 'onnxruntime/capi/libonnxruntime_providers_cuda.so'
  const info = { 'onnxruntime_gpu-1.31.1.dist-info/METADATA': 'Name: onnxruntime-gpu\nVersion: 1.31.1\n' }
  await refused(t, 'ERR_CORRUPT', [
    ['a.whl', wheelOf('onnxruntime_gpu', '1.31.1', gpuFiles(), { [cuda]: elf('another') }), /providers_cuda\.so" is not the one of its RECORD: sha256 [0-9a-f]{64}, expected [0-9a-f]{64}/],
    ['a.whl', wheelOf('onnxruntime_gpu', '1.31.1', { ...gpuFiles(), 'onnxruntime/capi/libmore.so': elf('more') }, { 'onnxruntime/capi/libmore.so': '' }), /is not the one of its RECORD/],
    ['a.whl', zipOf({ ...gpuFiles(), ...info, 'onnxruntime_gpu-1.31.1.dist-info/RECORD': '' }), /is not in its RECORD/],
    ['a.whl', zipOf({ ...gpuFiles(), ...info }), /without a RECORD/],
    ['a.zip', zipOf({ ...gpuFiles(), ...info }), /without a RECORD/],
    ['a.whl', zipOf(gpuFiles()), /without a RECORD/],
  ])
})

test('an archive that would fill the disk is refused before it does', async (t) => {
  // 3 files of 2 GiB, as they declare; what they hold does not matter.
  const huge = Object.fromEntries([1, 2, 3].map((number) => [`${TOP}/lib/lib${number}.so`, { content: elf('x'), size: 2 ** 31 }]))
  // A file that goes on after its end.
  const zeros = Buffer.alloc(64 * 2 ** 20)
  const bomb = zipOf({ [LIBRARY]: main(), [CUDA]: { content: Buffer.concat([elf('cuda'), zeros]), size: 1000 } })
  assert.ok(bomb.length < 1_000_000)
  const many = Array.from({ length: 20_001 }, (_, number) => [`${TOP}/${number}`, { content: '', method: 0 }])
  await refused(t, 'ERR_CORRUPT', [
    ['a.zip', zipOf({ [LIBRARY]: main(), ...huge }), /more than 4 GiB/],
    ['a.zip', bomb, /is larger than the 1000 bytes that it declares/],
    ['a.zip', zipOf([[LIBRARY, main()], ...many]), /more than 20000 files/],
    ['a.tgz', tarballOf({ [LIBRARY]: main(), ...huge }), /more than 4 GiB|cut off/],
    ['a.tgz', tarballOf({ [LIBRARY]: main(), x: { content: zeros.subarray(0, 100_000), type: 'x' } }), /header in it is too long/],
  ])
})

test('libraries for other machines are refused by name', async (t) => {
  const beside = (content) => zipOf({ [LIBRARY]: main(), [CUDA]: content })
  const nuget = {
    'x.nuspec': '<id>Microsoft.ML.OnnxRuntime</id><version>1.31.1</version>',
    'runtimes/win-x64/native/onnxruntime.dll': pe('x64'),
    'runtimes/osx-arm64/native/libonnxruntime.dylib': macho('arm64'),
  }
  await refused(t, 'ERR_RUNTIME', [
    ['a.zip', beside(elfForArm('cuda')), /"libonnxruntime_providers_cuda\.so" is a library for linux-arm64, and this is linux-x64/],
    ['a.zip', beside(pe('x64')), /is a library for win32-x64, and/],
    ['a.zip', beside(macho('arm64')), /is a library for darwin-arm64, and/],
    ['a.zip', beside('version https://git-lfs.github.com/spec/v1'), /is no library, and this is linux-x64/],
    ['a.zip', beside(elf('x').subarray(0, 10)), /is no library/],
    ['a.zip', beside(''), /is no library/],
    ['a.zip', zipOf({ [LIBRARY]: elfForArm(SONAME) }), /is a library for linux-arm64/],
    ['a.nupkg', zipOf(nuget), /it is for darwin-arm64, win32-x64, and this is linux-x64/],
    ['a.tgz', tarballOf({ 'package/bin/napi-v6/linux/arm64/libonnxruntime.so.1': elfForArm(SONAME) }), /it is for linux-arm64, and/],
    // The path says one thing and the library another.
    ['a.nupkg', zipOf({ ...nuget, 'runtimes/linux-x64/native/libonnxruntime.so': elfForArm(SONAME) }), /is a library for linux-arm64/],
  ])
  await refused(t, 'ERR_RUNTIME', [['a.whl', gpuWheel(), /is a library for linux-x64, and this is win32-arm64/]], { platform: 'win32', arch: 'arm64' })
})

test('a large library for another machine is refused by its beginning, and nothing is left', async (t) => {
  // More than a pipe holds, so that most of it has not been read when it is refused.
  const large = Buffer.concat([elfForArm(SONAME), randomBytes(6_000_000)])
  const pattern = /: its file "libonnxruntime\.so\.1\.31\.1" is a library for linux-arm64, and this is linux-x64 \(ERR_RUNTIME\)/
  const folder = temporary(t)
  writeFileSync(join(folder, 'libonnxruntime.so.1.31.1'), large)
  await refused(t, 'ERR_RUNTIME', [
    ['a.zip', zipOf({ [LIBRARY]: large }), pattern],
    ['a.zip', zipOf({ [LIBRARY]: { content: large, method: 0 } }), pattern],
    ['a.tgz', tarballOf({ [LIBRARY]: large }), pattern],
    ['a', folder, pattern],
  ])
})

test('versions that are too old or not known, and what is no runtime, are refused', async (t) => {
  const folder = temporary(t)
  writeFileSync(join(folder, 'libonnxruntime.so'), main())
  const plugins = { 'a/libonnxruntime_providers_webgpu.so': elf('w'), 'a/libonnxruntime_providers_openvino_plugin.so': elf('o') }
  await refused(t, 'ERR_RUNTIME', [
    ['a.whl', gpuWheel('1.23.9'), /it is ONNX Runtime 1\.23\.9, and vecrank needs 1\.24 or newer/],
    ['a.whl', gpuWheel('0.99.0'), /it is ONNX Runtime 0\.99\.0/],
    ['a', folder, /version cannot be told/],
    ['a.zip', zipOf(plugins), /more than one plugin in one folder/],
    ['a.zip', zipOf({ [LIBRARY]: main(), [LIBRARY.replace('/lib/', '/other/')]: main() }), /more than one runtime: .*lib, .*other/],
    ['a.whl', wheelOf('numpy', '2.0.0', { 'numpy/__init__.py': '' }), /no library of ONNX Runtime .* and no plugin; plugins are known for openvino and webgpu/],
    ['a', temporary(t), /no library of ONNX Runtime/],
    // A version that is not one is none, and is not looked at for minutes either.
    ['a.zip', zipOf({ 'a.nuspec': `<id>Microsoft.ML.OnnxRuntime</id><version>1.31.1${'a'.repeat(50)}/..</version>`, 'lib/libonnxruntime.so': main() }), /version cannot be told/],
  ])
  await refused(t, 'ERR_CORRUPT', [
    ['a.whl', wheelOf('onnxruntime_gpu', '1.31.1', gpuFiles('1.30.0')), /METADATA" says that it is version 1\.31\.1, and its library is named "libonnxruntime\.so\.1\.30\.0"/],
    ['a.zip', zipOf({ [LIBRARY]: Buffer.concat([main().subarray(0, 100), Buffer.alloc(100, 0xff)]) }), /is not built as ONNX Runtime is.*Cause: /],
  ])
})

test('a name that there is not, and words that mean nothing', async (t) => {
  const data = temporary(t)
  const missing = await runtime(t, data, ['add', join(data, 'none.whl')])
  assert.deepEqual([missing.code, missing.stderr], [1, `vecrank: There is no ${join(data, 'none.whl')} (ERR_FILE_NOT_FOUND)\n`])
  const cases = [
    [['add'], /needs a wheel, a package, an archive or a folder/],
    ...['https://user:canary@example.com/a.whl', 'onnxruntime-gpu', 'onnxruntime_gpu==1.31.1', 'Microsoft.ML.OnnxRuntime.Gpu.Linux'].map((word) => [
      ['add', word],
      /^vecrank: runtime add: it takes a file or a folder; download it first, such as: pip download --no-deps onnxruntime-gpu\n/,
    ]),
    [['ls', 'x'], /runtime ls takes no "x"/],
    [['rm'], /needs the name of a runtime/],
    [['frob'], /no command "runtime frob"/],
    [[], /missing after runtime: add, ls or rm/],
    [['ls', '--cache-dir', 'x'], /no option "--cache-dir"/],
  ]
  for (const [words, pattern] of cases) {
    const { code, stdout, stderr } = await runtime(t, data, words)
    assert.deepEqual([code, stdout], [2, ''], stderr)
    assert.match(stderr, pattern)
  }
  assert.deepEqual(readdirSync(data), [])
})

// ---------- the disk -----------------------------------------------------------------------------------------------------

test('a data folder that cannot be written to is named', async (t) => {
  const [folder, wheel] = [temporary(t), written(t, 'a.whl', gpuWheel())]
  writeFileSync(join(folder, 'file'), '')
  for (const data of [join(folder, 'file'), join(folder, 'file', 'data')]) {
    const { code, stderr } = await runtime(t, data, ['add', wheel])
    assert.equal(code, 1)
    assert.match(stderr, /^vecrank: Could not write to \S+runtimes\. A file is in the way of a folder: remove it, or set VECRANK_DATA to another folder\. /)
    assert.match(stderr, / Cause: [^\n]+ \(ERR_DISK\)\n$/)
    assert.ok(stderr.includes(join(data, 'runtimes')), stderr)
  }
  const relative = await runtime(t, 'data', ['ls'])
  assert.equal(relative.code, 1)
  assert.match(relative.stderr, /VECRANK_DATA is "data"; it must be the absolute path of a folder\. \(ERR_RUNTIME\)\n$/)
})

const root = process.getuid?.() === 0 && 'root may write everywhere'
test('a data folder without rights is named', { skip: windows || root }, async (t) => {
  const data = temporary(t)
  chmodSync(data, 0o555)
  const { code, stderr } = await runtime(t, data, ['add', written(t, 'a.whl', gpuWheel())])
  assert.equal(code, 1)
  assert.match(stderr, /Could not write to \S+runtimes\. Give this user the right to write there, or set VECRANK_DATA.*\(ERR_DISK\)/)
})

test('the data folder is the one of the system, unless VECRANK_DATA names another', (t) => {
  const before = { ...process.env }
  t.after(() => Object.assign(process.env, before))
  for (const name of ['VECRANK_DATA', 'XDG_DATA_HOME', 'LOCALAPPDATA']) delete process.env[name]
  const usual = { linux: ['.local', 'share'], darwin: ['Library', 'Application Support'], win32: ['AppData', 'Local'] }[process.platform]
  assert.equal(dataFolder(), join(os.homedir(), ...usual, 'vecrank'))
  const folder = temporary(t)
  if (process.platform !== 'darwin') {
    const variable = process.platform === 'win32' ? 'LOCALAPPDATA' : 'XDG_DATA_HOME'
    process.env[variable] = folder
    assert.equal(dataFolder(), join(folder, 'vecrank'))
    process.env[variable] = 'relative'
    assert.equal(dataFolder(), join(os.homedir(), ...usual, 'vecrank'))
  }
  process.env.VECRANK_DATA = folder
  assert.equal(dataFolder(), folder)
})

/** A release whose second library takes a while to be written. */
function slowRelease() {
  return zipOf({ [LIBRARY]: main(), [CUDA]: Buffer.concat([elf('cuda'), Buffer.alloc(192 * 2 ** 20)]) })
}

/** Starts an `add` and gives it when it is in the middle of its second library. */
async function inTheMiddle(t, data, file) {
  const started = startingRuntime(t, data, ['add', file])
  const runtimes = join(data, 'runtimes')
  for (let attempt = 0; attempt < 5000; attempt++) {
    const [passing] = existsSync(runtimes) ? readdirSync(runtimes) : []
    const reached = passing && statSync(join(runtimes, passing, 'libonnxruntime_providers_cuda.so'), { throwIfNoEntry: false })?.size
    if (reached > 2 ** 20) return started
    await sleep(2)
  }
  throw new Error('it did not begin to write')
}

test('a killed add leaves nothing that counts, and the next one takes it away', async (t) => {
  const data = temporary(t)
  const runtimes = join(data, 'runtimes')
  const file = written(t, 'a.zip', slowRelease())
  const { child, ended } = await inTheMiddle(t, data, file)
  child.kill('SIGKILL')
  await ended
  const [left, ...others] = readdirSync(runtimes)
  assert.deepEqual(others, [])
  assert.match(left, /^\.passing-/)
  assert.match((await runtime(t, data, ['ls'])).stdout, /^0 runtimes, /)

  // What a living process writes stays, and so does what a process of another machine has written just now.
  const [, host] = left.slice(1).split('-')
  const living = left.replace(`-${child.pid}-`, `-${process.pid}-`)
  const elsewhere = left.replace(host, '0'.repeat(8))
  const forgotten = left.replace(host, '1'.repeat(8))
  for (const name of [living, elsewhere, forgotten]) mkdirSync(join(runtimes, name))
  const long = new Date(Date.now() - 3_600_000)
  utimesSync(join(runtimes, forgotten), long, long)
  assert.equal((await runtime(t, data, ['add', written(t, 'a.whl', gpuWheel())])).code, 0)
  assert.deepEqual(readdirSync(runtimes).sort(), [elsewhere, living, 'onnxruntime-gpu-1.31.1'].sort())
  assert.match((await runtime(t, data, ['ls'])).stdout, /\n1 runtime, /)
})

test('an add that is stopped takes away what it wrote', { skip: process.platform === 'win32' && 'there are no such signals on Windows' }, async (t) => {
  const data = temporary(t)
  const { child, ended } = await inTheMiddle(t, data, written(t, 'a.zip', slowRelease()))
  child.kill('SIGTERM')
  const { code, stdout, stderr } = await ended
  assert.deepEqual([code, stdout, stderr], [143, '', 'vecrank: stopped. Nothing was added.\n'])
  assert.deepEqual(readdirSync(join(data, 'runtimes')), [])
})
