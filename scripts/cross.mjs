// The crate for Windows and macOS, as far as Linux can tell: every line that only these systems compile is type-checked and linted, the tests too, with napi
// and without. Nothing is linked or run. C code is compiled as well, by zig, which brings the headers of both.
//
// Rust's standard library for a target comes with rustup, where somebody has added it (`rustup target add`). Where not, Debian's newest Rust checks the
// crate, together with its own source of the standard library: `rustup` alone knows where to find a compiled one.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { hasApt, unpacked } from './debian.mjs'
import { SetupError, cacheFolder, root, runScript } from './pypi.mjs'
import { tools } from './zig.mjs'

/** One of each system; Rust's names, and zig's. MSVC's headers are for Windows alone, so GNU's stand for them: `cfg(windows)` holds for both. */
const targets = [
  { target: 'x86_64-pc-windows-gnu', zig: 'x86_64-windows-gnu' },
  { target: 'aarch64-apple-darwin', zig: 'aarch64-macos' },
]
const add = `rustup target add ${targets.map(({ target }) => target).join(' ')}`

/** Whether this machine's Rust has the standard library of a target. */
function hasStandardLibrary({ target }) {
  const { status, stdout } = spawnSync('rustc', ['--print', 'target-libdir', '--target', target], { cwd: root, encoding: 'utf8' })
  if (status !== 0) return false
  try {
    return readdirSync(stdout.trim()).some((name) => /^libstd-.*\.rlib$/.test(name))
  } catch {
    return false
  }
}

/** The compiler's version as `rustc` tells it, `[1, 96]`, and the one that Cargo.toml asks for. */
function versionOf(rustc, env) {
  const { status, stdout, stderr, error } = spawnSync(rustc, ['--version'], { encoding: 'utf8', env })
  if (status !== 0) throw new SetupError(`${rustc} does not start (${error?.message ?? stderr.trim()}). Delete ${cacheFolder()} and run this again.`)
  return /(\d+)\.(\d+)/.exec(stdout).slice(1).map(Number)
}

/** Debian's Rust: how to call clippy, with which environment. */
function debianRust() {
  const advice =
    `Debian 12 has these packages among its security updates (deb.debian.org/debian-security bookworm-security main). On another system, with rustup:\n\n  ${add}\n\n` +
    'which is taken instead. Where the archive has renamed them, mend the list in scripts/cross.mjs: apt-cache search rustc'
  const home = unpacked({ name: 'rust', packages: ['rustc-web', 'libstd-rust-web-dev', 'rust-web-src', 'rust-web-clippy'], advice })
  const usr = join(home, 'usr')
  // The compiler as a library is there, and so is what it needs and the machine lacks; the folder is named after the processor.
  const libraries = readdirSync(join(usr, 'lib'), { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name.endsWith('-linux-gnu'))
  const env = {
    RUSTC: join(usr, 'bin', 'rustc'),
    CARGO: 'cargo',
    LD_LIBRARY_PATH: [...libraries.map(({ name }) => join(usr, 'lib', name)), process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter),
    // To compile a standard library is not stable. This machine's cargo asks for no other word.
    RUSTC_BOOTSTRAP: '1',
  }
  const [, major, minor] = /^rust-version = "(\d+)\.(\d+)/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8')).map(Number)
  const version = versionOf(env.RUSTC, { ...process.env, ...env })
  if (version[0] * 1000 + version[1] < major * 1000 + minor) {
    rmSync(home, { recursive: true, force: true })
    throw new SetupError(
      `Debian's Rust in the cache was ${version.join('.')}, and vecrank needs ${major}.${minor}. It was deleted: run this again, which brings the archive's newest.\n` +
        `Where that is too old as well, with rustup: ${add}`,
    )
  }
  console.log(`Rust ${version.join('.')} of Debian, with the standard library from its source`)
  return { command: [join(usr, 'bin', 'cargo-clippy'), 'clippy'], flags: ['-Z', 'build-std=std,panic_unwind'], env }
}

/** How to call clippy, or why there is nothing to call. */
function clippy() {
  if (process.platform !== 'linux') return { reason: `this is ${process.platform}, and zig is pinned for Linux` }
  if (targets.every(hasStandardLibrary)) return { command: ['cargo', 'clippy'], flags: [], env: {} }
  if (!hasApt()) return { reason: `this Rust has no standard library for them, and there is no apt-get to bring another. With rustup: ${add}` }
  return debianRust()
}

/** Programs for C code and for Windows' import libraries, as cargo's build scripts look for them. */
function environment(folder) {
  const found = targets.map((each) => ({ ...each, ...tools(each.zig) }))
  // napi's build script wants Node as a library to link with. Nothing is linked.
  const node = join(folder, 'libnode')
  mkdirSync(node, { recursive: true })
  writeFileSync(join(node, 'libnode.dll'), '')
  return {
    ...Object.fromEntries(found.flatMap(({ target, cc, ar }) => [[`CC_${target.replaceAll('-', '_')}`, cc], [`AR_${target.replaceAll('-', '_')}`, ar]])),
    LIBNODE_PATH: node,
    PATH: [found[0].dlltool, process.env.PATH].join(delimiter),
    CARGO_TARGET_DIR: folder,
    // Nobody debugs what is not run.
    CARGO_PROFILE_DEV_DEBUG: '0',
  }
}

runScript(() => {
  const { reason, command, flags, env } = clippy()
  if (reason !== undefined) {
    const skipped = `The crate was NOT checked for ${targets.map(({ target }) => target).join(' and ')}: ${reason}`
    if (process.env.CI === 'true' && process.platform === 'linux') throw new SetupError(`${skipped}\nWith CI=true that is a failure.`)
    console.log(skipped)
    return
  }
  // A folder of its own: another compiler's output would push the build's out.
  const folder = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'cross')
  const whole = { ...process.env, ...env, ...environment(folder) }
  for (const features of [[], ['--no-default-features']]) {
    const args = [...command.slice(1), '--locked', '--all-targets', ...features, ...targets.flatMap(({ target }) => ['--target', target])]
    console.log(`$ cargo ${args.join(' ')}`)
    const { status, error } = spawnSync(command[0], [...args, ...flags, '--', '-D', 'warnings'], { cwd: root, env: whole, stdio: 'inherit' })
    if (error !== undefined) throw error
    if (status !== 0) {
      throw new SetupError('The crate has errors or warnings on Windows or macOS. Where a name is missing, it may be declared for Linux alone, or only by a dependency.')
    }
  }
})
