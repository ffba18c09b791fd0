// The addon of one platform as it is published: on Linux linked by zig, so that it runs with an older C library than this machine's.

import { spawnSync } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SetupError, root } from './pypi.mjs'
import { tools } from './zig.mjs'

/** What cargo calls the shared library. */
const names = { linux: 'libvecrank.so', darwin: 'libvecrank.dylib', win32: 'vecrank.dll' }

/**
 * Builds it in release mode.
 *
 * @param {import('./platforms.mjs').platforms[number]} platform
 * @param {{ forgetPaths?: boolean }} [options] whether folders of this machine are left out of the messages of panics. It compiles every crate anew.
 * @returns {string} the library's path
 */
export function buildAddon(platform, { forgetPaths = false } = {}) {
  const env = { ...process.env }
  const flags = []
  if (forgetPaths) {
    const cargo = process.env.CARGO_HOME ?? join(homedir(), '.cargo')
    flags.push(`--remap-path-prefix=${root}=/vecrank`, `--remap-path-prefix=${join(cargo, 'registry', 'src')}=/crates`)
  }
  const link = []
  if (platform.os === 'linux') {
    const { cc, ar } = tools(platform.zig)
    // Given to the last crate alone, and not in the environment: what was compiled for this machine already is used as it is.
    link.push('--', '-C', `linker=${cc}`)
    if (platform.name !== `linux-${process.arch}-gnu`) {
      const suffix = platform.target.replaceAll('-', '_')
      // A shared library for musl needs musl as a shared library too.
      if (platform.libc === 'musl') flags.push('-C', 'target-feature=-crt-static')
      Object.assign(env, { [`CC_${suffix}`]: cc, [`AR_${suffix}`]: ar, [`CARGO_TARGET_${suffix.toUpperCase()}_LINKER`]: cc })
    }
  }
  // With this separator, as a folder's name may have spaces.
  if (flags.length > 0) env.CARGO_ENCODED_RUSTFLAGS = flags.join('\x1f')
  const args = ['rustc', '--release', '--locked', '--lib', '--target', platform.target, ...link]
  console.log(`$ cargo ${args.slice(0, 6).join(' ')}`)
  const { status, error } = spawnSync('cargo', args, { cwd: root, env, stdio: 'inherit' })
  if (error !== undefined) throw error
  if (status !== 0) throw new SetupError(`cargo could not build for ${platform.target}. If its standard library is missing: rustup target add ${platform.target}`)
  return join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), platform.target, 'release', names[platform.os])
}
