// The crate for Windows and macOS, as far as Linux can tell: every line that only these systems compile is type-checked and linted, the tests too, with napi
// and without. Nothing is linked or run. C code is compiled as well, by zig, which brings the headers of both.

import { spawnSync } from 'node:child_process'
import { SetupError, root, runScript } from './pypi.mjs'
import { crossEnvironment, rustFor } from './rust.mjs'

/** One of each system; Rust's names, and zig's. MSVC's headers are for Windows alone, so GNU's stand for them: `cfg(windows)` holds for both. */
const targets = [
  { target: 'x86_64-pc-windows-gnu', zig: 'x86_64-windows-gnu' },
  { target: 'aarch64-apple-darwin', zig: 'aarch64-macos' },
]

runScript(() => {
  const names = targets.map(({ target }) => target)
  const { reason, clippy, flags, env } = rustFor(names)
  if (reason !== undefined) {
    const skipped = `The crate was NOT checked for ${names.join(' and ')}: ${reason}`
    if (process.env.CI === 'true' && process.platform === 'linux') throw new SetupError(`${skipped}\nWith CI=true that is a failure.`)
    console.log(skipped)
    return
  }
  const [command, ...first] = clippy
  for (const features of [[], ['--no-default-features']]) {
    const args = [...first, '--locked', '--all-targets', ...features, ...names.flatMap((name) => ['--target', name])]
    console.log(`$ cargo ${args.join(' ')}`)
    const whole = { ...process.env, ...env, ...crossEnvironment(targets) }
    const { status, error } = spawnSync(command, [...args, ...flags, '--', '-D', 'warnings'], { cwd: root, env: whole, stdio: 'inherit' })
    if (error !== undefined) throw error
    if (status !== 0) {
      throw new SetupError('The crate has errors or warnings on Windows or macOS. Where a name is missing, it may be declared for Linux alone, or only by a dependency.')
    }
  }
})
