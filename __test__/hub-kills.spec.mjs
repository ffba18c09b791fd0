// What other processes see of a cache while one writes to it, and after one was killed in the middle. Looked at from outside: every blob is
// hashed, and no file that was there may be gone.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertMends, isFinished, loadApart, skip, together, works } from './hub/apart.mjs'
import { assertSound, filesIn, inProcess, soak, world, zoo } from './hub/world.mjs'

const files = Object.fromEntries(filesIn(zoo('bert-mean')).map((file) => [file, readFileSync(join(zoo('bert-mean'), file))]))

/** What a cache may hold beside what is finished, while somebody writes to it. */
const UNFINISHED = /\/(blobs\/[^/]+\.incomplete|\.vecrank\/.+)$/

/** Nothing that a reader could find is wrong: blobs, links, the commit that the branch stands for, if any. Gives what is not finished. */
function assertNothingWrong({ cacheDir, folder, commit }) {
  const all = assertSound(cacheDir, { partials: Infinity })
  for (const file of all) assert.ok(isFinished(file) || UNFINISHED.test(file), `a reader would find ${file}`)
  for (const file of all.filter((name) => name.includes('/snapshots/'))) {
    const [, at, path] = /\/snapshots\/([^/]+)\/(.+)$/.exec(file)
    assert.equal(at, commit)
    assert.ok(files[path]?.equals(readFileSync(join(cacheDir, file))), `${file} has other bytes than the Hub's`)
  }
  if (existsSync(join(folder, 'refs/main'))) assert.equal(readFileSync(join(folder, 'refs/main'), 'utf8'), commit)
  return all.filter((name) => name.endsWith('.incomplete'))
}

test(`${soak ? 200 : 25} processes killed at random moments: nothing wrong is visible, and the next run succeeds`, async (t) => {
  let left = soak ? 200 : 25
  let partials = 0
  const chain = async () => {
    while (left > 0) {
      const place = await world(t)
      place.hub.fault({ server: 'cdn' }, { rate: 1_500_000 })
      // Some runs are the first ones, some find what one or two others left.
      for (let number = 1 + Math.floor(Math.random() * 3); number > 0 && left > 0; number--) {
        place.hub.clear()
        const { child, said } = loadApart(t, place.id, place.options())
        while (place.hub.requests.length === 0 && child.exitCode === null) await sleep(2)
        await sleep(Math.random() * 300)
        child.kill('SIGKILL')
        // One that was faster is no kill.
        if ((await said).signal !== 'SIGKILL') break
        left--
        partials += assertNothingWrong(place).length
      }
      await assertMends(place)
    }
  }
  await together([chain(), chain()])
  assert.ok(partials > 0, 'no download was interrupted')
})

test('a process killed while it renames or links a file: nothing wrong is visible, and the next run cleans up', async (t) => {
  if (!works('strace', '-V')) return skip(t, 'there is no strace')
  const killedAt = async (call, number) => {
    const place = await world(t)
    const wrap = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=/${call}`, '-e', `inject=/${call}:signal=KILL:when=${number}`]
    const { signal, stderr } = await loadApart(t, place.id, place.options(), { wrap }).said
    assertNothingWrong(place)
    await assertMends(place)
    assert.ok(signal === 'SIGKILL' || number > 1, `${call} is never called: ${stderr}`)
    return signal === 'SIGKILL'
  }
  // Each one in turn until a run comes to its end; in CI every fourth.
  const walk = async (call) => {
    let number = 1
    while (await killedAt(call, number)) number += soak ? 1 : 4
    return number
  }
  const [renames, links] = await together([walk('^rename'), walk('^symlink')])
  assert.ok(renames > 8 && links > 4, `${renames} and ${links}`)
})

// ---------- readers ------------------------------------------------------------------------------------------------------

/** Looks at every file of every snapshot, again and again. One that has been there once must be there each time, and whole. */
const reader = (folder, looks) => `
  import { createHash } from 'node:crypto'
  import { closeSync, existsSync, fstatSync, openSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs'
  import { basename } from 'node:path'
  const folder = ${JSON.stringify(folder)}
  const seen = new Map()
  const wrong = []
  let looks = 0
  const hash = (name, ...parts) => parts.reduce((sum, part) => sum.update(part), createHash(name)).digest('hex')
  const look = (file, size) => {
    const descriptor = openSync(file, 'r')
    const sizes = [statSync(file).size, fstatSync(descriptor).size]
    closeSync(descriptor)
    if (sizes.some((other) => other !== size)) throw new Error('has ' + sizes + ' bytes and not ' + size)
  }
  const list = (path) => existsSync(path) ? readdirSync(path, { recursive: true, withFileTypes: true }) : []
  while (looks < ${looks} && wrong.length < 20) {
    for (const entry of list(folder + '/snapshots')) {
      const file = entry.path + '/' + entry.name
      if (entry.isDirectory() || seen.has(file)) continue
      const bytes = readFileSync(file)
      const hashes = [hash('sha256', bytes), hash('sha1', 'blob ' + bytes.length + '\\0', bytes)]
      if (!hashes.includes(basename(realpathSync(file)))) wrong.push(file + ' is not what its name says')
      seen.set(file, bytes.length)
    }
    for (let round = 0; round < 20; round++) {
      for (const [file, size] of seen) {
        looks++
        try { look(file, size) } catch (error) { wrong.push(file + ': ' + error.message) }
      }
      const main = existsSync(folder + '/refs/main') ? readFileSync(folder + '/refs/main', 'utf8') : undefined
      if (main !== undefined && !/^[0-9a-f]{40}$/.test(main)) wrong.push('refs/main: ' + main)
    }
  }
  console.log(JSON.stringify({ looks, files: seen.size, wrong }))`

/** Refreshes until there is a file `stop`. */
const writer = ({ hub, id, cacheDir }, stop) => `
  import { existsSync } from 'node:fs'
  import { pull } from './__test__/hub/drive.mjs'
  const wanted = ${JSON.stringify({ hub: { url: hub.url }, id, cacheDir, refresh: true })}
  let pulls = 0
  for (; !existsSync(${JSON.stringify(stop)}); pulls++) await pull(wanted)
  console.log(pulls)`

const LOOKS = soak ? 10_000_000 : 100_000

test(`${LOOKS} looks at a cache that three processes refresh: no file vanishes and none is short`, async (t) => {
  const place = await world(t)
  const { hub, id, folder, cacheDir, load } = place
  const stop = join(cacheDir, '../stop')
  const reading = inProcess(reader(folder, LOOKS))
  const writing = [0, 1].map(() => inProcess(writer(place, stop)))
  for (const { child } of [reading, ...writing]) t.after(() => child.kill('SIGKILL'))
  // A new commit now and then: some of its files are new, and links to all of them are made by whoever is first.
  let commits = 0
  let over = false
  const moving = (async () => {
    for (; !over; commits++) {
      const card = `---\nlanguage: en\n---\n${commits}`
      hub.add(id, { ...files, 'README.md': card, 'config.json': Buffer.concat([files['config.json'], Buffer.alloc(commits % 50, '\n')]) })
      const embedder = await load({ refresh: true })
      await embedder.dispose()
      // In a long run a commit for some thousands of looks is enough.
      if (soak) await sleep(500)
    }
  })()
  const ended = await reading.ended
  over = true
  writeFileSync(stop, '')
  const pulls = await Promise.all(writing.map(({ ended }) => ended))
  await moving
  assert.equal(ended.code, 0, ended.stderr)
  const { looks, files: seen, wrong } = JSON.parse(ended.stdout)
  assert.deepEqual(wrong, [])
  for (const { code, stdout, stderr } of pulls) assert.ok(code === 0 && Number(stdout) > 10, `${stdout} refreshes: ${stderr}`)
  assert.ok(looks >= LOOKS && seen >= 40 && commits >= 5, `${looks} looks at ${seen} files of ${commits} commits`)
  assertSound(cacheDir)
  t.diagnostic(`${looks} looks at ${seen} files of ${commits} commits, ${pulls.map(({ stdout }) => stdout.trim())} refreshes`)
})
