// Rust for systems that are not this one.
//
// The standard library for a target comes with rustup, where somebody has added it (`rustup target add`). Where not, Debian's newest Rust is taken, with
// the standard library compiled from Debian's source of it: the compiled ones are in no package.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { hasApt, unpacked } from './debian.mjs'
import { SetupError, cacheFolder, root } from './pypi.mjs'
import { tools } from './zig.mjs'

/** Whether this machine's Rust has the standard library of a target. */
function hasStandardLibrary(target) {
  const { status, stdout } = spawnSync('rustc', ['--print', 'target-libdir', '--target', target], { cwd: root, encoding: 'utf8' })
  if (status !== 0) return false
  try {
    return readdirSync(stdout.trim()).some((name) => /^libstd-.*\.rlib$/.test(name))
  } catch {
    return false
  }
}

/** The compiler's version, `[1, 96]`. */
function versionOf(rustc, env) {
  const { status, stdout, stderr, error } = spawnSync(rustc, ['--version'], { encoding: 'utf8', env })
  if (status !== 0) throw new SetupError(`${rustc} does not start (${error?.message ?? stderr.trim()}). Delete ${cacheFolder()} and run this again.`)
  return /(\d+)\.(\d+)/.exec(stdout).slice(1).map(Number)
}

function debianRust(add) {
  const advice =
    `Debian 12 has these packages among its security updates (suite bookworm-security). On another system, with rustup:\n\n  ${add}\n\n` +
    'which is taken instead. Where the archive has renamed them, mend the list in scripts/rust.mjs: apt-cache search rust'
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
  const [major, minor] = /^rust-version = "(\d+)\.(\d+)/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8')).slice(1).map(Number)
  const version = versionOf(env.RUSTC, { ...process.env, ...env })
  if (version[0] * 1000 + version[1] < major * 1000 + minor) {
    rmSync(home, { recursive: true, force: true })
    throw new SetupError(
      `Debian's Rust in the cache was ${version.join('.')}, and vecrank needs ${major}.${minor}. It was deleted: run this again, which brings the archive's newest.\n` +
        `Where that is too old as well, with rustup: ${add}`,
    )
  }
  console.log(`Rust ${version.join('.')} of Debian, with the standard library from its source`)
  return { clippy: [join(usr, 'bin', 'cargo-clippy'), 'clippy'], flags: ['-Z', 'build-std=std,panic_unwind'], env }
}

/**
 * Rust for these targets: how to call clippy, and flags and environment for every call of cargo. Or the reason why there is none.
 *
 * @param {string[]} targets Rust's names
 * @returns {{ clippy: string[], flags: string[], env: object } | { reason: string }}
 */
export function rustFor(targets) {
  const add = `rustup target add ${targets.join(' ')}`
  if (process.platform !== 'linux') return { reason: `this is ${process.platform}, and zig, which compiles the C code, is pinned for Linux` }
  if (targets.every(hasStandardLibrary)) return { clippy: ['cargo', 'clippy'], flags: [], env: {} }
  if (!hasApt()) return { reason: `this Rust has no standard library for them, and there is no apt-get to bring another. With rustup: ${add}` }
  return debianRust(add)
}

/** Where what is compiled for other systems goes: another compiler's output would push that of the build out. */
export const targetFolder = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'cross')

/**
 * What build scripts look for when they compile C code, or for Windows.
 *
 * @param {{ target: string, zig: string }[]} targets Rust's names, and zig's
 */
export function crossEnvironment(targets) {
  const found = targets.map((each) => ({ suffix: each.target.replaceAll('-', '_'), ...tools(each.zig) }))
  // napi's build script wants Node as a library to link with. It need not be one: Node's functions are looked up at run time.
  const node = join(targetFolder, 'libnode')
  mkdirSync(node, { recursive: true })
  writeFileSync(join(node, 'libnode.dll'), '')
  return {
    ...Object.fromEntries(found.flatMap(({ suffix, cc, ar }) => [[`CC_${suffix}`, cc], [`AR_${suffix}`, ar]])),
    LIBNODE_PATH: node,
    PATH: [found[0].dlltool, process.env.PATH].join(delimiter),
    CARGO_TARGET_DIR: targetFolder,
    // Nobody debugs what is made here.
    CARGO_PROFILE_DEV_DEBUG: '0',
  }
}
