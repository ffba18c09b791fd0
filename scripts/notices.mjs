// The licences of every crate that is compiled into the addon, as one text: MIT, BSD and ISC ask for their notice to travel with the program.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SetupError, root } from './pypi.mjs'

const LICENCE = /^(licen[cs]e|copying|notice|copyright|unlicense)/i

/** @param {string} target Rust's name of the platform: crates of other platforms are left out */
export function crateNotices(target) {
  const run = spawnSync('cargo', ['metadata', '--format-version=1', '--locked', '--filter-platform', target], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (run.status !== 0) throw new SetupError(`cargo metadata failed:\n${run.stderr}`)
  const { packages, resolve } = JSON.parse(run.stdout)
  const byId = new Map(packages.map((crate) => [crate.id, crate]))
  const crates = [...compiledIn(resolve, byId)].map((id) => byId.get(id)).filter((crate) => crate.source !== null)
  crates.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))

  // Many crates carry the same text: it is printed once, with all of them above it.
  const holders = new Map()
  for (const crate of crates) {
    const folder = dirname(crate.manifest_path)
    const files = readdirSync(folder).filter((name) => LICENCE.test(name) && statSync(join(folder, name)).isFile())
    const texts = files.sort().map((name) => readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n').trim())
    if (texts.length === 0) texts.push(`No licence text in the crate. Its manifest says: ${crate.license ?? 'nothing'}.`)
    for (const text of texts) holders.set(text, [...(holders.get(text) ?? []), `${crate.name} ${crate.version} (${crate.license ?? 'see below'})`])
  }
  const parts = [...holders].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`)
  const library = "Rust's standard library, and with it addr2line, adler2, miniz_oxide and object (Apache-2.0 OR MIT): see rust-standard-library.html."
  return `Rust crates that are part of this addon, and their licences.\n\n${library}\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** Rust's own text about its standard library and the crates in it, which every toolchain has. */
export function standardLibraryNotices() {
  const { stdout } = spawnSync('rustc', ['--print', 'sysroot'], { cwd: root, encoding: 'utf8' })
  const path = join(stdout?.trim() ?? '', 'share', 'doc', 'rust', 'COPYRIGHT-library.html')
  if (!existsSync(path)) throw new SetupError(`The licences of Rust's standard library are not at ${path}: the addon cannot be packed without them.`)
  return path
}

/** The crates that the addon links: through normal dependencies, and neither tests', build scripts' nor macros', which only run in the build. */
function compiledIn({ root: start, nodes }, crates) {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const isMacro = (id) => crates.get(id).targets.some(({ kind }) => kind.includes('proc-macro'))
  const seen = new Set()
  const waiting = [start]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (seen.has(id) || isMacro(id)) continue
    seen.add(id)
    for (const { pkg, dep_kinds: kinds } of byId.get(id).deps) if (kinds.some(({ kind }) => kind === null)) waiting.push(pkg)
  }
  return seen
}
