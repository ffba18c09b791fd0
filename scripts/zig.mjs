// zig as linker and C compiler. It brings the C libraries of its targets, so an addon that is made on any Linux runs with glibc 2.28 and newer, or with
// musl; and the headers of Windows and macOS, for checks of what only they compile. A build for one's own machine takes the machine's linker.

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SetupError, cachedFolder, findPip, pinnedWheel, readIfThere } from './pypi.mjs'

const version = '0.17.1'
/** zig for the machine that builds. */
const wheels = {
  x64: {
    platformTag: 'manylinux_2_12_x86_64',
    wheel: `ziglang-${version}-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl`,
    wheelSha256: 'ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54',
  },
  arm64: {
    platformTag: 'manylinux_2_17_aarch64',
    wheel: `ziglang-${version}-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl`,
    wheelSha256: 'b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e',
  },
}

/** The folder with the programs of this file: zig itself and what wraps it. Unpacked from zig's pinned wheel when it is first needed. */
function home() {
  return cachedFolder(`zig-${version}`, (passing) => {
    const pin = wheels[process.arch]
    if (process.platform !== 'linux' || pin === undefined) throw new SetupError(`zig is pinned for Linux, x64 and arm64; this is ${process.platform}-${process.arch}.`)
    const { path } = pinnedWheel({ project: 'ziglang', version, ...pin })
    const [command, ...args] = findPip()
    const options = ['--no-deps', '--no-index', '--no-compile', '--disable-pip-version-check', '--quiet', '--target', passing]
    const run = spawnSync(command, [...args, 'install', ...options, path], { encoding: 'utf8', env: { ...process.env, PIP_REQUIRE_VIRTUALENV: '0', PIP_USER: '0' } })
    if (run.status !== 0) throw new SetupError(`pip could not unpack ${path}. It said:\n\n${(run.stderr || run.error?.message || 'nothing').trim()}`)
    return passing
  })
}

/** zig's path. */
function zig() {
  return join(home(), 'ziglang', 'zig')
}

/**
 * Programs that link and compile for `target`, one of zig's (`x86_64-linux-gnu.2.28`).
 *
 * @returns {{ cc: string, ar: string, dlltool: string }} absolute paths; `dlltool` is a folder for PATH, as that program is found by GNU's name only
 */
export function tools(target) {
  const program = zig()
  const folder = join(home(), 'tools')
  const gnu = join(folder, 'gnu')
  mkdirSync(gnu, { recursive: true })
  // zig has its own names for targets and refuses those of others, which the cc crate passes.
  const compile = `for arg do shift; case "$arg" in --target=*) ;; *) set -- "$@" "$arg" ;; esac; done\nexec "${program}" cc -target ${target} "$@"`
  const scripts = {
    cc: [join(folder, `cc-${target}`), compile],
    ar: [join(folder, 'ar'), `exec "${program}" ar "$@"`],
    dlltool: [join(gnu, 'x86_64-w64-mingw32-dlltool'), `exec "${program}" dlltool "$@"`],
  }
  for (const [path, body] of Object.values(scripts)) writeScript(path, body)
  return { cc: scripts.cc[0], ar: scripts.ar[0], dlltool: gnu }
}

/** A program that links for Rust's target `x86_64-pc-windows-gnullvm`. zig brings the C library and its start files itself, and wants the list of exports plain. */
export function windowsLinker() {
  const { cc } = tools('x86_64-windows-gnu')
  const path = join(home(), 'tools', 'link-windows')
  const dropped = [
    ...['-nolibc', '--unwindlib=none', '-lnode', '-lmsvcrt', '-lmingw32', '-lmingwex', '-Wl,-Bdynamic', '-Wl,-Bstatic'],
    ...['-Wl,--nxcompat', '-Wl,--dynamicbase', '-Wl,--high-entropy-va', '-Wl,--disable-auto-image-base', '-Wl,--out-implib*', '-Wl,-soname*'],
  ]
  writeScript(path, `for arg do\n  shift\n  case "$arg" in\n    ${dropped.join(' | ')}) ;;\n    -Wl,*.def) set -- "$@" "\${arg#-Wl,}" ;;\n    *) set -- "$@" "$arg" ;;\n  esac\ndone\nexec "${cc}" "$@"`)
  return path
}

/** Left alone where it is right already: another build may be running it. */
function writeScript(path, body) {
  const text = `#!/bin/sh\n${body}\n`
  if (readIfThere(path)?.toString() === text) return
  writeFileSync(path, text)
  chmodSync(path, 0o755)
}
