// The manifest of a package that holds native code for one platform: the addon's, and those with other builds of ONNX Runtime.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './pypi.mjs'

/** The repository's own manifest. */
export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** Texts that lie beside every package. */
export const licences = ['LICENSE-MIT', 'LICENSE-APACHE']

/** Where the source is. Registries compare it with the workflow that publishes, which therefore says it of itself (docs/release.md). */
const { GITHUB_SERVER_URL = 'https://github.com', GITHUB_REPOSITORY } = process.env
export const repository = manifest.repository ?? (GITHUB_REPOSITORY && { type: 'git', url: `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git` })

/**
 * @param {{ name: string, version: string, description: string }} about
 * @param {{ os: string, cpu: string, libc?: string }} platform
 * @param {string[]} files those beside index.js and the licences
 * @param {boolean} isOfMicrosoft whether a build of ONNX Runtime is in it
 */
export function nativeManifest(about, platform, files, isOfMicrosoft) {
  const { license, engines } = manifest
  return {
    ...about,
    license: isOfMicrosoft ? `(${license}) AND MIT` : license,
    repository,
    engines,
    os: [platform.os],
    cpu: [platform.cpu],
    ...(platform.libc && { libc: [platform.libc] }),
    type: 'commonjs',
    main: 'index.js',
    files: ['index.js', ...files, 'licenses', ...licences],
    // Native code is opened by the system, which cannot look into an archive.
    preferUnplugged: true,
  }
}
