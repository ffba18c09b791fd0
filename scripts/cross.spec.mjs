// What the stage `cross` does on machines that this one is not: a folder of stand-ins is the whole PATH, and the cache is empty.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cacheFolder, root } from './pypi.mjs'
import { tools } from './zig.mjs'

const linux = process.platform === 'linux' ? false : 'zig is pinned for Linux: the stage cross is not run here'

/** A machine whose PATH has these programs, each a shell script, and nothing else. */
function machine(t, programs) {
  const folder = mkdtempSync(join(tmpdir(), 'vecrank-cross-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'bin')
  mkdirSync(path)
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(path, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(path, name), 0o755)
  }
  const cross = (env) => {
    const variables = { HOME: folder, PATH: path, XDG_CACHE_HOME: join(folder, 'cache'), ...env }
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'cross.mjs')], { encoding: 'utf8', env: variables })
    return { status, stdout, stderr }
  }
  return { folder, cross }
}

test('where neither Rust nor apt-get can check the other systems, the reason is printed', { skip: linux }, (t) => {
  const { cross } = machine(t, { rustc: 'exit 1' })
  const { status, stdout, stderr } = cross({})
  assert.equal(status, 0, stderr)
  assert.match(stdout, /NOT checked for x86_64-pc-windows-gnu and aarch64-apple-darwin: .*no apt-get.*rustup target add x86_64-pc-windows-gnu aarch64-apple-darwin/)
})

test('with CI=true that is a failure', { skip: linux }, (t) => {
  const { cross } = machine(t, { rustc: 'exit 1' })
  const { status, stderr } = cross({ CI: 'true' })
  assert.equal(status, 1)
  assert.match(stderr, /NOT checked.*\n.*CI=true/)
})

test('an archive without the packages is an error that says what else there is', { skip: linux }, (t) => {
  const words = 'E: Unable to locate package rustc-web'
  const { cross } = machine(t, { rustc: 'exit 1', 'apt-get': `case "$*" in *install*) echo "${words}" >&2; exit 100 ;; esac` })
  const { status, stderr } = cross({})
  assert.equal(status, 1)
  assert.ok(stderr.includes(words), stderr)
  assert.match(stderr, /bookworm-security[^]*rustup target add x86_64-pc-windows-gnu aarch64-apple-darwin/)
  assert.doesNotMatch(stderr, /\n {4}at /)
})

test('standard libraries that rustup has added are taken, and every target and feature is checked', { skip: linux }, (t) => {
  // Here, where there is a Python that can fetch it: the machine below has none.
  tools('x86_64-windows-gnu')
  const { folder, cross } = machine(t, {
    rustc: 'echo "$VECRANK_LIBDIR"',
    cargo: 'printf "%s\\n" "$*" >>"$VECRANK_CALLS"; case "$*" in *no-default-features*) exit 101 ;; esac',
    'apt-get': 'exit 1',
  })
  const [libdir, calls] = ['libdir', 'calls'].map((name) => join(folder, name))
  mkdirSync(libdir)
  writeFileSync(join(libdir, 'libstd-0123456789abcdef.rlib'), '')
  const { status, stderr } = cross({ VECRANK_LIBDIR: libdir, VECRANK_CALLS: calls, CARGO_TARGET_DIR: join(folder, 'target'), XDG_CACHE_HOME: join(cacheFolder(), '..') })
  const targets = '--target x86_64-pc-windows-gnu --target aarch64-apple-darwin -- -D warnings'
  assert.deepEqual(readFileSync(calls, 'utf8').trim().split('\n'), [`clippy --locked --all-targets ${targets}`, `clippy --locked --all-targets --no-default-features ${targets}`])
  // What cargo finds is the stage's own failure.
  assert.equal(status, 1)
  assert.match(stderr, /errors or warnings on Windows or macOS/)
})

const compiled = [
  ['Windows', 'x86_64-windows-gnu', ['--target=x86_64-pc-windows-gnu'], '6486'],
  ['macOS', 'aarch64-macos', ['--target=arm64-apple-macosx', '-arch', 'arm64', '-mmacosx-version-min=11.0'], 'cffaedfe'],
]
for (const [system, target, flags, magic] of compiled) {
  test(`zig compiles C for ${system}, with the flags that are passed for it`, { skip: linux }, (t) => {
    const { folder } = machine(t, {})
    const [source, object] = ['answer.c', 'answer.o'].map((name) => join(folder, name))
    writeFileSync(source, '#include <stdlib.h>\nint answer(void) { return abs(-42); }\n')
    const { status, stderr } = spawnSync(tools(target).cc, [...flags, '-c', source, '-o', object], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    // PE's machine number of x64, Mach-O's magic of 64 bits.
    assert.equal(readFileSync(object).toString('hex', 0, magic.length / 2), magic)
  })
}
