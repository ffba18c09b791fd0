// What an installation weighs: `npm run pack && node benches/size.mjs [name@version …]`.
//
// Each package is installed alone into an empty folder, without its scripts: what these would download (GPU libraries, models) is not counted. Sizes
// are sums of the files' lengths, in MB (1,000,000 bytes). vecrank is taken from npm/tarballs.

import { spawnSync } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../scripts/pypi.mjs'

const peers = process.argv.length > 2 ? process.argv.slice(2) : ['@huggingface/transformers@4.3.1', 'fastembed@2.1.0', 'node-llama-cpp@3.22.1']
const tarballs = join(root, 'npm', 'tarballs')
const packed = readdirSync(tarballs).map((name) => join(tarballs, name))
const models = packed.filter((path) => path.includes('vecrank-model-'))
const own = packed.filter((path) => !models.includes(path))

/** Every file below a folder, with its length. */
function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => ({ path: join(entry.parentPath ?? entry.path, entry.name), size: lstatSync(join(entry.parentPath ?? entry.path, entry.name)).size }))
}

function measure(name, wanted, more = []) {
  const folder = mkdtempSync(join(tmpdir(), 'vecrank-size-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{"private":true}')
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...more, ...wanted]
    const run = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' })
    if (run.status !== 0) throw new Error(`npm install ${wanted.join(' ')} failed:\n${run.stderr}`)
    const modules = join(folder, 'node_modules')
    mkdirSync(modules, { recursive: true })
    const all = files(modules)
    const manifests = all.filter(({ path }) => /node_modules[\\/](@[^\\/]+[\\/])?[^\\/]+[\\/]package\.json$/.test(path))
    const scripts = manifests.filter(({ path }) => {
      const { scripts = {} } = JSON.parse(readFileSync(path, 'utf8'))
      return ['preinstall', 'install', 'postinstall'].some((script) => script in scripts)
    })
    const size = all.reduce((sum, file) => sum + file.size, 0)
    console.log(`| ${name} | ${(size / 1e6).toFixed(1)} MB | ${manifests.length} | ${scripts.length} |`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

console.log('| package | installed | packages | with install scripts |\n|---|---|---|---|')
// Its packages for other platforms are optional and not looked for.
measure('vecrank', own, ['--omit=optional'])
measure('vecrank with both models', packed, ['--omit=optional'])
for (const peer of peers) measure(peer, [peer])
