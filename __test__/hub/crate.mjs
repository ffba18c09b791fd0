// The real hf-hub, Hugging Face's Rust crate, for tests that share a cache with it: the program in e2e/hf-hub, built where cargo can, and kept.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from '../../scripts/pypi.mjs'
import { runPartner } from './partner.mjs'
import { root } from './world.mjs'

const FOLDER = join(root, 'e2e', 'hf-hub')
const SOURCES = ['Cargo.toml', 'Cargo.lock', 'src/main.rs']

/** What a build depends on. The same program is not built twice, whatever clone of the repository asks for it. */
function key(rustc) {
  const hash = createHash('sha256').update(rustc)
  for (const name of SOURCES) hash.update(readFileSync(join(FOLDER, name)))
  return hash.digest('hex').slice(0, 16)
}

/**
 * The program: `{ crate }`, its path, or `{ reason }` why there is none. The first time it is built, which takes two minutes and the network;
 * after that it lies in the cache folder of the build scripts.
 */
export function findCrate() {
  const none = (why) => ({ reason: `hf-hub could not be built (${why})` })
  const { status, stdout, error } = spawnSync('rustc', ['--version', '--verbose'], { cwd: FOLDER, encoding: 'utf8' })
  if (status !== 0) return none(`rustc --version: ${error?.message ?? `ended with ${status}`}`)
  const kept = join(cacheFolder(), `hf-hub-${key(stdout)}${process.platform === 'win32' ? '.exe' : ''}`)
  if (existsSync(kept)) return { crate: kept }

  // What cargo compiles and warns goes where somebody who waits can see it.
  const how = { cwd: FOLDER, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: 900_000, maxBuffer: 1 << 26 }
  const build = spawnSync('cargo', ['build', '--locked', '--message-format=json-render-diagnostics'], how)
  if (build.status !== 0) return none(`cargo build: ${build.error?.message ?? `ended with ${build.signal ?? build.status}`}`)
  const lines = build.stdout.split('\n').filter((line) => line.startsWith('{'))
  const built = lines.map((line) => JSON.parse(line).executable).find(Boolean)
  try {
    mkdirSync(cacheFolder(), { recursive: true })
    // In one step, as others may look for it.
    const part = `${kept}.${process.pid}.part`
    copyFileSync(built, part)
    renameSync(part, kept)
    return { crate: kept }
  } catch (error) {
    return none(error.message)
  }
}

/** Carries out orders (see e2e/hf-hub/src/main.rs), one after the other; `said` is what each gave, `{ ok }` or `{ error }`. See `runPartner`. */
export function runCrate(t, crate, orders, place) {
  return runPartner(t, 'hf-hub', [crate, JSON.stringify(orders)], place)
}
