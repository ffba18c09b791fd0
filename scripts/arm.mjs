// The kernels for aarch64, on processors as QEMU imitates them: `npm run test:arm`. The crate's tests are compiled for aarch64 here, with zig as linker, and
// those of the kernels run on one processor for each instruction set that the kernels know. QEMU and aarch64's C library are unpacked into the cache
// folder and not installed.
//
// QEMU computes as the architecture's manual says, so a wrong result is a failure of ours. It says nothing about speed.

import { spawnSync } from 'node:child_process'
import { hasApt } from './debian.mjs'
import { platformNamed } from './platforms.mjs'
import { SetupError, root, runScript } from './pypi.mjs'
import { emulator } from './qemu.mjs'
import { crossEnvironment, rustFor } from './rust.mjs'

const { target, zig } = platformNamed('linux-arm64-gnu')
/** The module whose tests are run. */
const tests = 'network::encoder::kernel'
/** QEMU's names, and the levels that a processor has, the most able first. `max` has BF16 as well, the others have not. */
const processors = [
  { name: 'cortex-a53', levels: 'neon portable' },
  { name: 'neoverse-n1', levels: 'neon_dotprod neon portable' },
  { name: 'max', levels: 'neon_i8mm neon_dotprod neon portable' },
]
/** Longer than the tests take on a slow machine. */
const limit = 600_000

/** Why this machine cannot run them, or undefined. */
function obstacle() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return `this is ${process.platform}-${process.arch}, and QEMU is taken from Debian for Linux x64`
  if (!hasApt()) return 'there is no apt-get, which brings QEMU'
  return undefined
}

/** Compiles the tests; the program's path. */
function compiled({ flags, env }) {
  const args = ['test', '--release', '--locked', '--lib', '--no-default-features', '--target', target, '--no-run', '--message-format=json-render-diagnostics', ...flags]
  const cross = crossEnvironment([{ target, zig }])
  const suffix = target.replaceAll('-', '_')
  const whole = {
    ...process.env,
    ...env,
    ...cross,
    [`CARGO_TARGET_${suffix.toUpperCase()}_LINKER`]: cross[`CC_${suffix}`],
    // The tests look for faults, not for speed.
    CARGO_PROFILE_RELEASE_LTO: 'off',
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  }
  console.log(`$ cargo ${args.join(' ')}`)
  const { status, stdout, error } = spawnSync('cargo', args, { cwd: root, env: whole, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] })
  if (error !== undefined) throw error
  if (status !== 0) throw new SetupError(`The crate's tests do not compile for ${target}.`)
  const messages = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  const program = messages.find(({ reason, executable }) => reason === 'compiler-artifact' && typeof executable === 'string')?.executable
  if (program === undefined) throw new Error('cargo names no program of tests')
  return program
}

runScript(() => {
  const found = obstacle()
  const rust = found === undefined ? rustFor([target]) : { reason: found }
  if (rust.reason !== undefined) {
    const skipped = `The kernels for aarch64 were NOT tested: ${rust.reason}`
    if (process.env.CI === 'true' && process.platform === 'linux') throw new SetupError(`${skipped}\nWith CI=true that is a failure.`)
    console.log(skipped)
    return
  }
  const { command, first, env } = emulator({ architecture: 'aarch64', script: 'scripts/arm.mjs' })
  const program = compiled(rust)
  const failed = []
  for (const { name, levels } of processors) {
    const args = [...first, '-cpu', name, program, tests]
    const { status, signal, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', env: { ...env, VECRANK_LEVELS: levels }, timeout: limit })
    if (error !== undefined && error.code !== 'ETIMEDOUT') throw error
    const [, passed, failures] = /^test result: \w+\. (\d+) passed; (\d+) failed/m.exec(stdout) ?? []
    console.log(`${name.padEnd(12)} ${levels.padEnd(37)} ${passed ?? '?'} passed, ${failures ?? '?'} failed`)
    if (status === 0 && Number(passed) > 0) continue
    failed.push(name)
    console.log(`${stdout}${stderr}\nended with ${signal ?? status}`)
  }
  if (failed.length > 0) throw new SetupError(`The kernels failed on ${failed.join(' and ')}. What the tests said is above.`)
})
