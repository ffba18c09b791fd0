// `npm run pack [-- --platform NAME] [--release]`: the packages as they are published, in `npm/`, and their tarballs in `npm/tarballs/`.
//
//   npm/linux-x64-gnu/   one platform: the addon, ONNX Runtime's library, licences, and an index.js that names both files
//   npm/vecrank/         the root package: JavaScript and types; every platform is an optional dependency
//   npm/vecrank-model-*  the models: the listed files, as they lie in models/
//   npm/vecrank-*        the adapters of packages/, which need the root package of their own version
//
// What is published is packed with --release: the addon then names no folder of the machine that built it, which takes a build of its own.
//
// The manifests in the repository name no package of the repository: `npm ci` would look for what is not published yet. What is published has no
// scripts and no development dependencies.

import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildAddon } from './addon.mjs'
import { licences, manifest, nativeManifest, repository } from './manifest.mjs'
import { crateNotices, standardLibraryNotices } from './notices.mjs'
import { npm } from './npm.mjs'
import { fetchLibrary, readPins } from './onnxruntime.mjs'
import { platformNamed, platforms } from './platforms.mjs'
import { SetupError, root, runScript } from './pypi.mjs'

const { platform: currentPlatform } = createRequire(import.meta.url)('../lib/platform.js')
const { version } = manifest
const out = join(root, 'npm')

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}

/** An empty folder in `npm/`. */
function emptied(name) {
  const folder = join(out, name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}

/** The package of one platform. */
function stagePlatform(platform, forgetPaths) {
  const addon = buildAddon(platform, { forgetPaths })
  const folder = emptied(platform.name)
  copyFileSync(addon, join(folder, platform.file))
  const pin = readPins().platforms[platform.name]
  if (pin !== undefined) fetchLibrary({ platform: platform.name, folder })
  mkdirSync(join(folder, 'licenses'), { recursive: true })
  writeFileSync(join(folder, 'licenses', 'rust-crates.txt'), crateNotices(platform.target))
  copyFileSync(standardLibraryNotices(), join(folder, 'licenses', 'rust-standard-library.html'))
  for (const name of licences) copyFileSync(join(root, name), join(folder, name))
  writeFileSync(join(folder, 'index.js'), entry(platform.file, statSync(addon).size, pin?.file))
  const description = `The native addon of vecrank for ${platform.name}`
  const files = [platform.file, ...(pin === undefined ? [] : [pin.file])]
  writeJson(join(folder, 'package.json'), nativeManifest({ name: platform.package, version, description }, platform, files, pin !== undefined))
  return folder
}

function entry(addon, size, onnxruntime) {
  const lines = ["'use strict'", '', "const path = require('node:path')", '', '// By literal paths, so that bundlers and file tracers take the files along.']
  lines.push(`exports.addon = path.join(__dirname, '${addon}')`)
  // The system ends a process that opens a file cut short.
  lines.push(`exports.size = ${size}`)
  if (onnxruntime !== undefined) lines.push(`exports.onnxruntime = path.join(__dirname, '${onnxruntime}')`)
  return `${lines.join('\n')}\n`
}

/** A package of the repository: its listed files, and its manifest without what only the repository needs. */
function stageSource(source, more = {}) {
  const { scripts, devDependencies, overrides, workspaces, napi, ...published } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
  const folder = emptied(published.name)
  for (const name of [...published.files, 'README.md']) {
    const from = join(source, name)
    if (!existsSync(from)) throw new SetupError(`The package.json of ${published.name} lists ${name}, which is not there.`)
    cpSync(from, join(folder, name), { recursive: true })
  }
  writeJson(join(folder, 'package.json'), { ...published, repository, ...more })
  return folder
}

/** The root package. Every platform is an optional dependency, of exactly its own version. */
function stageRoot() {
  return stageSource(root, { optionalDependencies: Object.fromEntries(platforms.map((platform) => [platform.package, version])) })
}

/** The models. */
function stageModels() {
  return sourcesIn('models').map((source) => stageSource(source))
}

/** The adapters: the root package, of exactly their own version, under another name. */
function stageAdapters() {
  return sourcesIn('packages').map((source) => {
    const { files } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
    const folder = stageSource(source, { files: [...files, ...licences], dependencies: { [manifest.name]: version } })
    for (const name of licences) copyFileSync(join(root, name), join(folder, name))
    return folder
  })
}

function sourcesIn(parent) {
  return readdirSync(join(root, parent)).map((name) => join(root, parent, name))
}

/** `npm pack` of each folder. */
function pack(folders) {
  const destination = join(out, 'tarballs')
  mkdirSync(destination, { recursive: true })
  const [command, ...before] = npm
  const args = [...before, 'pack', '--json', '--ignore-scripts', '--pack-destination', destination, ...folders]
  const run = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (run.status !== 0) throw new SetupError(`npm pack failed:\n${run.stderr || run.error?.message}`)
  const packed = JSON.parse(run.stdout)
  return Array.isArray(packed) ? packed : Object.values(packed)
}

/** Every package has the root's version, and so has the crate. */
function assertVersions(folders) {
  const crate = /^version = "(.+)"$/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))[1]
  const versions = new Map([['Cargo.toml', crate]])
  for (const folder of folders) versions.set(folder, JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version)
  for (const [where, version] of versions) {
    if (version !== manifest.version) throw new SetupError(`The versions differ: package.json has ${manifest.version}, ${where} has ${version}.`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runScript(() => {
    const at = process.argv.indexOf('--platform')
    const platform = platformNamed(at === -1 ? currentPlatform() : process.argv[at + 1])
    rmSync(join(out, 'tarballs'), { recursive: true, force: true })
    const folders = [stageRoot(), stagePlatform(platform, process.argv.includes('--release')), ...stageModels(), ...stageAdapters()]
    assertVersions(folders)
    for (const { filename, size, unpackedSize, entryCount } of pack(folders)) {
      console.log(`${filename.padEnd(48)} ${mb(size)} packed, ${mb(unpackedSize)} installed, ${entryCount} files`)
    }
  })
}

function mb(bytes) {
  return `${(bytes / 1e6).toFixed(1).padStart(5)} MB`
}
