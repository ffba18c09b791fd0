// The platforms that have a package, one row each. Names are napi's; `lib/platform.js` knows the same ones, which a spec holds.

/**
 * `target` is Rust's name of it, `zig` zig's (Linux is linked by zig, with the oldest C library that we promise), `file` the addon's. ONNX Runtime
 * has a pin in onnxruntime.json, but for musl, where it comes from the distribution.
 */
const rows = [
  { name: 'linux-x64-gnu', os: 'linux', cpu: 'x64', libc: 'glibc', target: 'x86_64-unknown-linux-gnu', zig: 'x86_64-linux-gnu.2.28' },
  { name: 'linux-arm64-gnu', os: 'linux', cpu: 'arm64', libc: 'glibc', target: 'aarch64-unknown-linux-gnu', zig: 'aarch64-linux-gnu.2.28' },
  { name: 'linux-x64-musl', os: 'linux', cpu: 'x64', libc: 'musl', target: 'x86_64-unknown-linux-musl', zig: 'x86_64-linux-musl' },
  { name: 'linux-arm64-musl', os: 'linux', cpu: 'arm64', libc: 'musl', target: 'aarch64-unknown-linux-musl', zig: 'aarch64-linux-musl' },
  { name: 'darwin-arm64', os: 'darwin', cpu: 'arm64', target: 'aarch64-apple-darwin' },
  { name: 'win32-x64-msvc', os: 'win32', cpu: 'x64', target: 'x86_64-pc-windows-msvc' },
  { name: 'win32-arm64-msvc', os: 'win32', cpu: 'arm64', target: 'aarch64-pc-windows-msvc' },
]

export const platforms = rows.map((row) => ({ ...row, package: `vecrank-${row.name}`, file: `vecrank.${row.name}.node` }))

/** The platform of that name; throws where there is none. */
export function platformNamed(name) {
  const found = platforms.find((platform) => platform.name === name)
  if (found === undefined) throw new Error(`There is no package for ${name}. There are packages for ${platforms.map((platform) => platform.name).join(', ')}.`)
  return found
}
