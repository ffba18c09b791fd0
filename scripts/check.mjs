// Runs the project's checks, each with its time: `npm test` runs those that test, `npm run check` all of them, as CI does.
//
//   node scripts/check.mjs           everything
//   node scripts/check.mjs test      the tests: addon, Rust, types, Node, models from the Hub, hf-hub beside us
//   node scripts/check.mjs lint      format, generated files, clippy, other systems, examples
//   node scripts/check.mjs providers plugin execution providers, downloaded and run: npm run test:providers
//   node scripts/check.mjs pack      the packed packages, installed by several package managers: npm run test:pack
//   node scripts/check.mjs e2e       the packed packages in Next.js, a browser and other hosts: npm run test:e2e
//   node scripts/check.mjs wine      the specs on Windows as Wine imitates it; only when it is named: npm run test:wine
//   node scripts/check.mjs rust node only the named stages
//
// Rust is always built in release mode, so that the addon and the tests share their compiled dependencies.

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { npm } from './npm.mjs'
import { root } from './pypi.mjs'

const node = process.execPath
const spec = /\.spec\.[cm]?js$/
/** Specs of models from the Hub, and of the command line, which is mostly about them. */
const ofHub = /[\\/](hub|cli)[\w-]*\.spec\.mjs$/
/** Of these, the one that builds a program in Rust, which would hold up those beside it. */
const ofCrate = /(^|[\\/])hub-crate\.spec\.mjs$/

/** The files of a folder whose name matches, sorted, so that the order never depends on the disk. */
function filesIn(folder, pattern) {
  const names = readdirSync(join(root, folder)).filter((name) => pattern.test(name))
  if (names.length === 0) throw new Error(`no file in ${folder}/ matches ${pattern}`)
  return names.sort().map((name) => join(folder, name))
}

function tsc() {
  return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
}

/** The packages under test, and other people's programs that they are tested with. `VECRANK_TARBALLS` names a folder of packages made before. */
function packed() {
  const packages = process.env.VECRANK_TARBALLS ? [] : [[node, 'scripts/pack.mjs']]
  // Not `npm ci`: it refuses a lock file that lacks a package of another platform, and registries that mirror others do not have all of them.
  return [...packages, [...npm, 'install', '--prefix', 'e2e', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund']]
}

/** Name, the groups it belongs to, the commands, and what to do when one of them fails. In the order they run. */
const stages = [
  { name: 'format', groups: ['lint'], commands: () => [['cargo', 'fmt', '--check']], advice: 'Run: cargo fmt' },
  { name: 'build', groups: ['test', 'lint'], commands: () => [[node, 'scripts/build.mjs']] },
  {
    name: 'generated',
    groups: ['lint'],
    commands: () => [
      ['git', 'ls-files', '--error-unmatch', 'binding.d.ts', 'Cargo.lock'],
      ['git', 'diff', '--exit-code', '--', 'binding.d.ts', 'Cargo.lock'],
    ],
    advice: 'The build has just written these files anew: add them to git.',
  },
  { name: 'rust', groups: ['test'], commands: () => [['cargo', 'test', '--release', '--locked', '--no-default-features']] },
  { name: 'types', groups: ['test'], commands: () => [[node, tsc(), '--project', '__test__']] },
  {
    name: 'node',
    groups: ['test'],
    commands: () => [[node, '--test', '--test-reporter=spec', ...filesIn('__test__', spec).filter((file) => !ofHub.test(file)), ...filesIn('scripts', spec), ...filesIn('.github', spec)]],
  },
  {
    name: 'hub',
    groups: ['test'],
    // Two at a time, whatever the machine: these wait for a network most of the time, and some of them on purpose.
    commands: () => [[node, '--test', '--test-concurrency=2', '--test-reporter=spec', ...filesIn('__test__', spec).filter((file) => ofHub.test(file) && !ofCrate.test(file))]],
  },
  {
    name: 'hf-hub',
    groups: ['test'],
    // The real hf-hub: two minutes the first time, and seconds where the program is in the cache folder.
    commands: () => [[node, '--test', '--test-reporter=spec', ...filesIn('__test__', ofCrate)]],
  },
  {
    name: 'clippy',
    groups: ['lint'],
    commands: () => [['cargo', 'clippy', '--release', '--locked', '--all-targets', '--', '-D', 'warnings']],
  },
  {
    name: 'providers',
    groups: [],
    // Plugin execution providers, for real: 59 MB of wheels the first time, and forty seconds.
    commands: () => [[node, '--test', '--test-concurrency=1', '--test-reporter=spec', ...filesIn('__test__/providers', spec)]],
  },
  // What only Windows and macOS compile: no other stage sees it.
  { name: 'cross', groups: ['lint'], commands: () => [[node, 'scripts/cross.mjs']] },
  { name: 'packages', groups: ['pack', 'e2e'], commands: packed },
  {
    name: 'pack',
    groups: [],
    commands: () => [[node, '--test', '--test-concurrency=2', '--test-reporter=spec', ...filesIn('__test__/pack', spec)]],
  },
  {
    name: 'e2e',
    groups: [],
    // One at a time: several of these measure memory and the event loop.
    commands: () => [[node, '--test', '--test-concurrency=1', '--test-reporter=spec', ...filesIn('__test__/e2e', spec)]],
  },
  // Minutes of compiling for an imitation: only for those who ask.
  { name: 'wine', groups: [], commands: () => [[node, 'scripts/wine.mjs']], onRequest: true },
  { name: 'examples', groups: ['lint'], commands: () => filesIn('examples', /\.mjs$/).map((file) => [node, file]) },
]

/** Runs one stage; the reason when it fails, else undefined. */
function run({ commands, advice }) {
  for (const [command, ...args] of commands()) {
    console.log(`$ ${[command === node ? 'node' : command, ...args].join(' ')}`)
    const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
    if (error !== undefined) return error.message
    if (status !== 0) return `${command === node ? args[0] : command} ended with ${signal ?? status}. ${advice ?? ''}`
  }
  return undefined
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((word) => !stages.some(({ name, groups }) => name === word || groups.includes(word)))
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(', ')}. Stages: ${stages.map(({ name }) => name).join(', ')}. Groups: test, lint.`)
  process.exit(2)
}

const times = []
for (const stage of stages) {
  if (wanted.length === 0 ? stage.onRequest : !wanted.some((word) => word === stage.name || stage.groups.includes(word))) continue
  console.log(`\n== ${stage.name}`)
  const start = performance.now()
  const failure = run(stage)
  times.push(`${stage.name.padEnd(10)} ${((performance.now() - start) / 1000).toFixed(1).padStart(7)} s${failure === undefined ? '' : '  failed'}`)
  if (failure !== undefined) {
    console.error(`\n${times.join('\n')}\n\nStage ${stage.name}: ${failure}`)
    process.exit(1)
  }
}
console.log(`\n${times.join('\n')}`)
