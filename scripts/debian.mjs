// Programs of Debian's archive for checks, unpacked into the cache folder and not installed: nothing of this machine changes or takes another's place.
//
// apt-get brings them with whatever they need and the machine lacks, by the machine's own sources, and checks them as ever: the archive's signature, and
// by that the digest of each package. No version is pinned, as Debian's security archive keeps the newest alone. What was unpacked stays until its
// folder is deleted. apt-get keeps its own lists and downloads in a folder of ours, so this needs no root.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SetupError, cachedFolder, readIfThere } from './pypi.mjs'

export function hasApt() {
  return spawnSync('apt-get', ['--version']).status === 0
}

/** This system as its own file calls it, `debian-12`: programs that were unpacked under one do not run under another. */
function system() {
  const text = String(readIfThere('/etc/os-release') ?? '')
  const field = (name) => new RegExp(`^${name}="?([\\w.]+)"?$`, 'm').exec(text)?.[1]
  return [field('ID') ?? 'linux', field('VERSION_ID')].filter(Boolean).join('-')
}

/** Runs one step, or throws with what it said and what to do. */
function step(what, [command, ...args], advice) {
  // Its own words are read below, and people read them too.
  const run = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' } })
  if (run.status === 0) return
  throw new SetupError(`${what} failed on ${system()}. ${command} said:\n\n${(run.stderr || run.error?.message || 'nothing').trim()}\n\n${advice}`)
}

/**
 * Packages, unpacked with what they need: the folder that stands for `/`.
 *
 * @param {{ name: string, packages: string[], advice: string }} which `name` becomes part of the folder's; `advice` is what to do on a system that does not
 *   have these packages
 */
export function unpacked({ name, packages, advice }) {
  return cachedFolder(`${name}-${system()}-${process.arch}`, (passing) => {
    console.log(`Downloading ${packages.join(', ')} ...`)
    const [lists, archives, files] = ['lists', 'archives', 'root'].map((folder) => join(passing, folder))
    for (const folder of [join(lists, 'partial'), join(archives, 'partial'), files]) mkdirSync(folder, { recursive: true })
    const settings = {
      'Dir::State::lists': lists,
      'Dir::Cache': passing,
      'Dir::Cache::archives': archives,
      // Locks are for what is installed, and the user _apt cannot write here.
      'Debug::NoLocking': 'true',
      'APT::Sandbox::User': '',
      'APT::Update::Error-Mode': 'any',
      'Acquire::AllowInsecureRepositories': 'false',
      'APT::Get::AllowUnauthenticated': 'false',
      'Acquire::Retries': '3',
    }
    const apt = ['apt-get', '-q', '-y', ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])]
    step('Reading the lists of packages', [...apt, 'update'], 'Check that this machine reaches the sources in /etc/apt, and run this again.')
    step('Downloading packages', [...apt, '--no-install-recommends', '--reinstall', '--download-only', 'install', ...packages], advice)
    for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
      step('Unpacking a package', ['dpkg-deb', '--extract', join(archives, file), files], 'Check that there is room on the disk, and run this again.')
    }
    return files
  })
}
