// `node scripts/sbom.mjs`: what is in each package, as CycloneDX in `npm/sbom/`.
//
//   vecrank-<platform>.cdx.json    a platform package: the crates that are compiled into its addon, and ONNX Runtime's library
//   vecrank.cdx.json               the root package: nothing but its optional dependencies
//   vecrank-transformers.cdx.json  and so for each adapter: the root package
//   vecrank-development.cdx.json   what the repository installs to build and test; in no package
//
// The first needs cargo-cyclonedx (`cargo install --locked cargo-cyclonedx@0.5.9`), the others a tool that npx fetches. Both describe
// a source tree; what is attested is a package, so the subject is exchanged for it here, and no path of this machine stays.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readPins } from './onnxruntime.mjs'
import { platforms } from './platforms.mjs'
import { SetupError, root, runScript } from './pypi.mjs'

const CYCLONEDX_NPM = '@cyclonedx/cyclonedx-npm@6.0.1'
/** The newest that both tools write. */
const SPEC = '1.5'

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const out = join(root, 'npm', 'sbom')
const npmUrl = (name, version = manifest.version) => `pkg:npm/${name.replace('@', '%40')}@${version}`

function run(command, args, { missing, env = {} }) {
  const options = { cwd: root, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 1 << 28 }
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  if (status !== 0) throw new SetupError(`${command} ${args[0]} failed. ${missing}\n\n${error?.message ?? (stderr || stdout)}`)
  return stdout
}

/** The same bytes for the same commit: its time stands in the place of now. */
function reproducibly() {
  if (process.env.SOURCE_DATE_EPOCH) return {}
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' })
  return status === 0 ? { SOURCE_DATE_EPOCH: stdout.trim() } : {}
}

/** What cargo-cyclonedx says of the crate for one target. It can only write beside Cargo.toml. */
function crates(target) {
  const name = `vecrank-sbom-${process.pid}`
  const written = join(root, `${name}.json`)
  const options = ['--format', 'json', '--spec-version', SPEC, '--target', target, '--no-build-deps', '--override-filename', name]
  const missing = 'It needs cargo-cyclonedx: cargo install --locked cargo-cyclonedx@0.5.9'
  try {
    run('cargo', ['cyclonedx', '--quiet', ...options], { missing, env: reproducibly() })
    return JSON.parse(readFileSync(written, 'utf8'))
  } finally {
    rmSync(written, { force: true })
  }
}

/** What cyclonedx-npm says of the lock file. */
function modules(...options) {
  const args = ['--yes', '--package', CYCLONEDX_NPM, 'cyclonedx-npm', '--package-lock-only', '--output-reproducible', '--no-validate']
  // Its optional dependencies have install scripts, for checks of XML that nobody asked for.
  const how = { missing: `npx has to fetch ${CYCLONEDX_NPM}.`, env: { npm_config_ignore_scripts: 'true', npm_config_omit: 'optional' } }
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx'
  return JSON.parse(run(npx, [...args, '--spec-version', SPEC, '--mc-type', 'library', ...options], how))
}

/** ONNX Runtime as a component: the file in the package with its digest, or on musl what the distribution has. */
function onnxruntime(platform) {
  const { version, platforms: pins } = readPins()
  const pin = pins[platform.name]
  const common = {
    type: 'library',
    name: 'onnxruntime',
    licenses: [{ license: { id: 'MIT' } }],
    externalReferences: [{ type: 'website', url: 'https://onnxruntime.ai' }],
  }
  if (pin === undefined) {
    const description = 'Not in the package: the library of the distribution, version 1.24 or newer (Alpine 3.24: apk add onnxruntime)'
    return { 'bom-ref': 'onnxruntime', ...common, description, scope: 'required' }
  }
  const purl = `pkg:pypi/onnxruntime@${version}?file_name=${pin.wheel}`
  return {
    'bom-ref': purl,
    ...common,
    version,
    description: `Microsoft's build, in the package as ${pin.file}`,
    scope: 'required',
    hashes: [{ alg: 'SHA-256', content: pin.sha256 }],
    purl,
    properties: [
      { name: 'vecrank:file', value: pin.file },
      { name: 'vecrank:wheel', value: pin.wheel },
      { name: 'vecrank:wheel:sha256', value: pin.wheelSha256 },
    ],
  }
}

/** Puts a package in the place of what a tool described, and `more` under it. */
function about(bom, name, more = [], { version, description, license } = manifest) {
  const was = bom.metadata.component['bom-ref']
  const purl = npmUrl(name)
  const licenses = [{ expression: license }]
  bom.metadata.component = { type: 'library', 'bom-ref': purl, name, version, description, licenses, purl }
  bom.components = [...(bom.components ?? []), ...more]
  const rest = (bom.dependencies ?? []).filter(({ ref }) => ref !== was)
  const own = (bom.dependencies ?? []).find(({ ref }) => ref === was)?.dependsOn ?? []
  const refs = more.map((component) => component['bom-ref'])
  bom.dependencies = [{ ref: purl, dependsOn: [...own, ...refs] }, ...rest, ...refs.map((ref) => ({ ref }))]
  return bom
}

/** Writes one, unless it lacks what must be in it or tells of this machine. */
function write(name, bom, mustName) {
  const names = new Set(bom.components.map(({ group, name: plain }) => (group ? `${group}/${plain}` : plain)))
  const missing = mustName.filter((component) => !names.has(component))
  if (missing.length > 0) throw new SetupError(`${name} does not name ${missing.join(', ')}, so it is not what is in the package.`)
  const text = `${JSON.stringify(bom, null, 2)}\n`
  const local = [root, homedir(), 'file:/'].find((path) => text.includes(path))
  if (local !== undefined) throw new SetupError(`${name} would hold a path of this machine (${local}).`)
  const path = join(out, `${name}.cdx.json`)
  writeFileSync(`${path}.part`, text)
  renameSync(`${path}.part`, path)
  console.log(`${name.padEnd(28)} ${String(bom.components.length).padStart(4)} components`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runScript(() => {
    rmSync(out, { recursive: true, force: true })
    mkdirSync(out, { recursive: true })
    for (const platform of platforms) {
      const bom = about(crates(platform.target), platform.package, [onnxruntime(platform)])
      write(platform.package, bom, ['ort', 'tokenizers', 'reqwest', 'onnxruntime'])
    }
    const packages = platforms.map((platform) => platform.package)
    const component = (name, scope) => ({ type: 'library', 'bom-ref': npmUrl(name), name, version: manifest.version, scope, purl: npmUrl(name) })
    const own = () => modules('--omit', 'dev', '--no-workspaces')
    write('vecrank', about(own(), manifest.name, packages.map((name) => component(name, 'optional'))), packages)
    for (const folder of readdirSync(join(root, 'packages'))) {
      const adapter = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'))
      write(adapter.name, about(own(), adapter.name, [component(manifest.name, 'required')], adapter), [manifest.name])
    }
    write('vecrank-development', about(modules(), manifest.name), Object.keys(manifest.devDependencies))
  })
}
