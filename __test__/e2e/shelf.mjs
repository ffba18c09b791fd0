// The libraries that are installed in e2e/node_modules, as a registry on loopback can serve them: each package is packed anew from its folder, so
// that an application can install them by npm's own rules, with no network and in the versions of e2e's lock file.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createGzip } from 'node:zlib'
import { root } from '../fixtures.mjs'

const e2e = join(root, 'e2e')

/**
 * Every installed package but those that are named: whoever wants one of these gets 404, and is remembered.
 *
 * @param {string[]} without
 */
export function shelf(without) {
  const { packages } = JSON.parse(readFileSync(join(e2e, 'node_modules', '.package-lock.json'), 'utf8'))
  const found = new Map()
  for (const [path, { link }] of Object.entries(packages)) {
    if (link) continue
    const folder = join(e2e, path)
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const { name, version } = manifest
    if (without.includes(name)) continue
    found.set(`${name}@${version}`, { name, version, manifest, open: () => packed(folder) })
  }
  return [...found.values()]
}

/** Hardly compressed: it goes over loopback, and one of them has 200 MB. */
function packed(folder) {
  const { stdout } = spawn('tar', ['-cf', '-', '--exclude=./node_modules', '-C', folder, '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
  return stdout.pipe(createGzip({ level: 1 }))
}
