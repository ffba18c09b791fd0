// The bar of `vecrank pull`, and how a signal stops it.

import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { application, bin, contents, sent, settings, start, starting, vecrank } from './hub/cli.mjs'
import { assertSound, filesIn, world } from './hub/world.mjs'

const { Bar } = createRequire(import.meta.url)('../lib/cli/bar.js')

// ---------- the bar ----------------------------------------------------------------------------------------------------

/** A terminal that keeps what is written, and a clock that is set. */
function terminal(columns) {
  const screen = { isTTY: true, columns, text: '', time: 0, write: (text) => (screen.text += text) }
  screen.lines = () => screen.text.split('\r').slice(1)
  return screen
}

test('the bar is one line of 80 columns: percent, bytes, rate and file', () => {
  const screen = terminal(200)
  const bar = new Bar(screen, () => screen.time)
  const total = 400_000_000
  const event = (status, loaded, file = 'onnx/model.onnx') =>
    bar.update({ status, model: 'a/b', file, loaded, total, overall: { loaded, total } })
  event('download', 0)
  // A download that goes on: what an earlier one left did not come in no time.
  event('progress', 100_000_000)
  for (let tick = 1; tick <= 30; tick++) {
    screen.time = tick * 100
    event('progress', 100_000_000 + tick * 1_000_000)
  }
  const lines = screen.lines()
  assert.equal(lines[1].trimEnd(), ' 25% [#####...............] 100 MB of 400 MB  onnx/model.onnx')
  assert.equal(lines.at(-1).trimEnd(), ' 32% [######..............] 130 MB of 400 MB  10.0 MB/s  onnx/model.onnx')
  event('progress', total - 1)
  assert.match(screen.lines().at(-1), /^ 99% /, '100% is all')
  event('done', total)
  assert.match(screen.lines().at(-1), /^100% \[#{20}\] 400 MB of 400 MB/)
  for (const line of screen.lines()) assert.equal(line.length, 79, JSON.stringify(line))
  assert.doesNotMatch(screen.text, /\n/)
  bar.end()
  assert.match(screen.text, /\r {79}\r$/, 'the line is cleared')
  const { length } = screen.text
  bar.end()
  assert.equal(screen.text.length, length)
})

test('a narrow terminal, a long path and an empty file do not break the line', () => {
  for (const columns of [0, 10, 30, 60, 80, 300]) {
    const screen = terminal(columns)
    const bar = new Bar(screen)
    bar.update({
      status: 'progress',
      model: 'a/b',
      file: `${'deep/'.repeat(40)}model.onnx`,
      loaded: 0,
      total: 0,
      overall: { loaded: 0, total: 0 },
    })
    const [line] = screen.lines()
    assert.equal(line.length, Math.min(80, columns || 80) - 1)
    if (line.length === 79) assert.match(line, /\.\.\..*deep\/model\.onnx *$/)
  }
})

const SCRIPT = '/usr/bin/script'
const noTerminal = (!existsSync(SCRIPT) || process.platform !== 'linux') && 'NOT TESTED on a terminal: script(1) of util-linux is not here'

test('on a real terminal the line is drawn anew, and the summary follows it', { skip: noTerminal }, async (t) => {
  const { hub, id, commit, cacheDir } = await world(t)
  hub.fault({ server: 'cdn' }, { rate: 400_000 })
  const line = `"${process.execPath}" "${bin}" pull ${id}`
  const env = { ...settings(hub, cacheDir), HF_HOME: cacheDir }
  const { code, stdout } = await start(t, SCRIPT, ['-qefc', line, '/dev/null'], { env }).ended
  assert.equal(code, 0, stdout)
  const drawn = stdout.split('\r').filter((part) => /^ *\d+% \[/.test(part))
  assert.ok(drawn.length >= 4, stdout)
  assert.match(drawn.at(-1), /^100% \[#{20}\] 269 kB of 269 kB/)
  assert.match(stdout, new RegExp(`\r {79}\rzoo/bert-mean 'main': 8 files, 269 kB\r\n  commit ${commit}`))
})

// ---------- stopping ---------------------------------------------------------------------------------------------------

const noSignals = process.platform === 'win32' && 'NOT TESTED: Windows has no signals between processes'

/** Waits for something to be so: it depends on another process. */
async function until(holds, what) {
  for (const end = performance.now() + 10_000; !holds(); await pause(10)) assert.ok(performance.now() < end, `${what} did not happen`)
}

const incomplete = (cacheDir) => filesIn(cacheDir).filter((file) => file.endsWith('.incomplete'))
/** Their sizes; one that goes between two looks has none. */
const partial = (cacheDir) => incomplete(cacheDir).flatMap((file) => statSync(join(cacheDir, file), { throwIfNoEntry: false })?.size ?? [])

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  test(`${signal} stops a download at once, and the next call goes on from there`, { skip: noSignals }, async (t) => {
    const { hub, id, cacheDir, make } = await world(t)
    const env = settings(hub, cacheDir)
    hub.fault({ server: 'cdn' }, { stall: 'body', at: 150_000 }, { times: 1 })
    const { child, ended } = starting(t, ['pull', id, '--lock'], { env })
    await until(() => partial(cacheDir)[0] === 150_000, 'the first half')
    const before = performance.now()
    child.kill(signal)
    const { code, stderr } = await ended
    assert.equal(code, expected)
    // A connection that stands still is given up after 20 s: this one was not waited for.
    assert.ok(performance.now() - before < 5000, 'at once')
    assert.equal(stderr, 'vecrank: stopped. What has come is kept; the same command goes on from there.\n')
    assert.deepEqual(partial(cacheDir), [150_000])
    assert.equal(hub.requests.at(-1).file, 'onnx/model.onnx')

    hub.clear()
    assert.equal((await vecrank(t, ['pull', id, '--quiet'], { env })).code, 0)
    assert.deepEqual(sent(hub), ['onnx/model.onnx'])
    assert.equal(hub.bytes('onnx/model.onnx'), contents('bert-mean')['onnx/model.onnx'].length - 150_000)
    assertSound(cacheDir)
    await make({ offline: true }).load()
  })
}

test('a stop in the first of two models does not begin the second, and writes no lock file', { skip: noSignals }, async (t) => {
  const { hub, id, cacheDir } = await world(t)
  hub.add('zoo/ranker', contents('bert-ranker-1'))
  const cwd = application(t)
  hub.fault({ server: 'cdn' }, { stall: 'body' })
  const { child, ended } = starting(t, ['pull', id, 'zoo/ranker', '--lock'], { cwd, env: settings(hub, cacheDir) })
  await until(() => hub.count({ server: 'cdn' }) === 1, 'the download')
  child.kill('SIGINT')
  assert.equal((await ended).code, 130)
  assert.equal(hub.count({ id: 'zoo/ranker' }), 0)
  assert.equal(existsSync(join(cwd, 'vecrank.lock.json')), false)
})
