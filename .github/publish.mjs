// Publishes the tarballs of a folder, and before that says whether they may be published. For the job `publish` of workflows/ci.yml.
//
//   node .github/publish.mjs check FOLDER
//   node .github/publish.mjs publish FOLDER [arguments of npm publish]
//
// The order matters, so that whoever installs one of them meanwhile finds what it needs: the root package names the platforms and the models and
// comes after them, and the adapters need the root package and come last.
// A run that was cut short is run again: a version that the registry has with the same bytes is left alone. With other bytes it is
// an error, before anything is sent, because half of a release would come from another build than the rest.

import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { platforms } from '../scripts/platforms.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))
const rootName = readJson(join(root, 'package.json')).name
const platformNames = platforms.map((platform) => platform.package)

/** npm runs these with an install. No package has any. */
const lifecycle = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare']
/** How long the registry may take to show what it was given. */
const patience = 5 * 60_000

/** A reason to stop that the reader can act on. */
class Refusal extends Error {}

/** What a tarball holds: its manifest, the names of its files, and npm's digest of it. */
function readTarball(file) {
  const tar = (...args) => execFileSync('tar', args, { encoding: 'utf8' })
  const integrity = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
  const manifest = JSON.parse(tar('-xzOf', file, 'package/package.json'))
  return { file, integrity, manifest, entries: tar('-tzf', file).split('\n') }
}

/** The workspaces in a folder that are not private. */
function workspacesIn(parent) {
  const paths = readdirSync(join(root, parent)).map((name) => join(root, parent, name, 'package.json'))
  const manifests = paths.filter((path) => existsSync(path)).map(readJson)
  return manifests.filter((manifest) => !manifest.private).map((manifest) => manifest.name)
}
const adapterNames = workspacesIn('packages')

/** The packages of a release in the order in which they are published. */
function inOrder(folder) {
  const names = [...platformNames, ...workspacesIn('models'), rootName, ...adapterNames]
  const files = readdirSync(folder).filter((name) => name.endsWith('.tgz')).sort()
  const packages = files.map((name) => readTarball(resolve(folder, name)))
  const found = packages.map(({ manifest }) => manifest.name)
  const missing = names.filter((name) => !found.includes(name))
  const strange = found.filter((name, index) => !names.includes(name) || found.indexOf(name) !== index)
  if (missing.length > 0) throw new Refusal(`${folder} has no tarball of ${missing.join(', ')}.`)
  if (strange.length > 0) throw new Refusal(`${folder} has tarballs that do not belong to a release: ${strange.join(', ')}.`)
  return names.map((name) => packages[found.indexOf(name)])
}

/** `https://host/owner/name` of what package.json may write in several ways. */
function address(repository) {
  return (repository?.url ?? repository ?? '').replace(/^git\+/, '').replace(/\.git$/, '')
}

/** Why one package may not be published, in sentences. */
function faultsOf({ manifest, entries }, { tag, repository }) {
  const { name, version, scripts = {}, dependencies = {}, optionalDependencies = {} } = manifest
  const faults = []
  if (tag !== `v${version}`) faults.push(`the tag is ${tag}, its version is ${version}`)
  const home = address(manifest.repository)
  if (home !== repository) faults.push(`its repository is "${home}", not ${repository}, and the registry refuses provenance that differs`)
  const hooks = lifecycle.filter((hook) => hook in scripts)
  if (hooks.length > 0) faults.push(`it has lifecycle scripts: ${hooks.join(', ')}`)
  if (entries.includes('package/binding.gyp')) faults.push('it has a binding.gyp, which npm takes for an install script')
  if (name === rootName) {
    const wrong = platformNames.filter((platform) => optionalDependencies[platform] !== version)
    if (wrong.length > 0) faults.push(`its optional dependencies lack ${wrong.map((platform) => `${platform} ${version}`).join(', ')}`)
  }
  if (adapterNames.includes(name) && dependencies[rootName] !== version) faults.push(`it does not depend on ${rootName} ${version}`)
  return faults.map((fault) => `${name}: ${fault}.`)
}

/** The packages of a folder, if every one of them may be published. */
function releasable(folder) {
  const { GITHUB_REF_NAME: tag, GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env
  if (!tag || !server || !repository) {
    throw new Refusal('GITHUB_REF_NAME, GITHUB_SERVER_URL and GITHUB_REPOSITORY say what is released. They are not set.')
  }
  const packages = inOrder(folder)
  const faults = packages.flatMap((one) => faultsOf(one, { tag, repository: `${server}/${repository}` }))
  if (faults.length > 0) throw new Refusal(faults.join('\n'))
  return packages
}

/** Runs npm; what it printed, if that was asked for. This process goes on meanwhile, so that connections that end are noticed. */
async function npm(args, { quiet = false } = {}) {
  const child = spawn('npm', args, { stdio: ['ignore', quiet ? 'pipe' : 'inherit', 'inherit'] })
  const ended = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  const printed = quiet ? await text(child.stdout) : undefined
  return { ok: (await ended) === 0, printed }
}

/** npm's digest of a version on the registry; undefined where there is no such version. A registry that stumbles is asked again. */
async function onRegistry(registry, { name, version }, tries = 5) {
  const options = { headers: { 'cache-control': 'no-cache' }, signal: AbortSignal.timeout(30_000) }
  let reason
  try {
    const response = await fetch(new URL(`${encodeURIComponent(name)}/${version}`, registry), options)
    if (response.status === 404) return undefined
    if (response.ok) return (await response.json()).dist.integrity
    reason = `it answered ${response.status}`
  } catch (error) {
    reason = error.cause?.message ?? error.message
  }
  if (tries === 1) throw new Refusal(`The registry does not say whether it has ${name} ${version}: ${reason}.`)
  await sleep(2000)
  return onRegistry(registry, { name, version }, tries - 1)
}

/** Sends what is missing, one after the other, and waits until the registry shows all of it. */
async function publish(packages, args) {
  const registry = (await npm(['config', 'get', 'registry'], { quiet: true })).printed.trim()
  const states = await Promise.all(packages.map(({ manifest }) => onRegistry(registry, manifest)))
  const others = packages.filter(({ integrity }, index) => states[index] !== undefined && states[index] !== integrity)
  if (others.length > 0) {
    const names = others.map(({ manifest: { name, version } }) => `${name} ${version}`).join(', ')
    throw new Refusal(
      `The registry has ${names} with other bytes. Nothing was published. Run the failed jobs of the first run again, which still ` +
        'has its tarballs, or release another version.',
    )
  }
  for (const [index, { file, manifest: { name, version } }] of packages.entries()) {
    if (states[index] !== undefined) {
      console.log(`${name} ${version} is there already`)
      continue
    }
    // A pre-release must not become what `npm install` takes.
    const tag = version.includes('-') ? ['--tag', 'next'] : []
    console.log(`$ npm publish ${file}`)
    if (!(await npm(['publish', file, '--ignore-scripts', ...tag, ...args])).ok) {
      throw new Refusal(`npm could not publish ${name} ${version}. What came before it is published: run this again later.`)
    }
  }
  await shown(registry, packages)
}

async function shown(registry, packages) {
  const end = Date.now() + patience
  for (const { manifest, integrity } of packages) {
    for (let pause = 250; (await onRegistry(registry, manifest)) !== integrity; pause = Math.min(2 * pause, 15_000)) {
      if (Date.now() > end) throw new Refusal(`The registry took ${manifest.name} ${manifest.version} and does not show it.`)
      await sleep(pause)
    }
  }
  console.log(`The registry has all ${packages.length} packages.`)
}

const [command, folder, ...rest] = process.argv.slice(2)
try {
  if (!['check', 'publish'].includes(command) || folder === undefined) {
    throw new Refusal('Usage: node .github/publish.mjs check|publish FOLDER [arguments of npm publish]')
  }
  const packages = releasable(folder)
  for (const { manifest, integrity } of packages) console.log(`${manifest.name} ${manifest.version} ${integrity}`)
  if (command === 'publish') await publish(packages, rest)
} catch (error) {
  console.error(error instanceof Refusal ? `\n${error.message}\n` : error)
  process.exitCode = 1
}
