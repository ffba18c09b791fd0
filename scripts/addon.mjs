// The addon of one platform as it is published: on Linux linked by zig, so that it runs with an older C library than this machine's.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { SetupError, root } from './pypi.mjs'
import { tools } from './zig.mjs'

/** What cargo calls the shared library. */
const names = { linux: 'libvecrank.so', darwin: 'libvecrank.dylib', win32: 'vecrank.dll' }

/**
 * Builds it in release mode.
 *
 * @param {import('./platforms.mjs').platforms[number]} platform
 * @returns {string} the library's path
 */
export function buildAddon(platform) {
  const env = { ...process.env }
  const link = []
  if (platform.os === 'linux') {
    const { cc, ar } = tools(platform.zig)
    // Given to the last crate alone, and not in the environment: what was compiled for this machine already is used as it is.
    link.push('--', '-C', `linker=${cc}`)
    if (platform.name !== `linux-${process.arch}-gnu`) {
      const suffix = platform.target.replaceAll('-', '_')
      // A shared library for musl needs musl as a shared library too.
      const flags = platform.libc === 'musl' ? { [`CARGO_TARGET_${suffix.toUpperCase()}_RUSTFLAGS`]: '-C target-feature=-crt-static' } : {}
      Object.assign(env, { [`CC_${suffix}`]: cc, [`AR_${suffix}`]: ar, [`CARGO_TARGET_${suffix.toUpperCase()}_LINKER`]: cc, ...flags })
    }
  }
  const args = ['rustc', '--release', '--locked', '--lib', '--target', platform.target, ...link]
  console.log(`$ cargo ${args.slice(0, 6).join(' ')}`)
  const { status, error } = spawnSync('cargo', args, { cwd: root, env, stdio: 'inherit' })
  if (error !== undefined) throw error
  if (status !== 0) throw new SetupError(`cargo could not build for ${platform.target}. If its standard library is missing: rustup target add ${platform.target}`)
  return join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), platform.target, 'release', names[platform.os])
}
