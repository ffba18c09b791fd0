// What the operating system saw: which files a process made or changed, and to whom it spoke. Nothing that a program does is hidden there.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { lstatSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { bin, contents, start } from './hub/cli.mjs'
import { FakeHub } from './hub/hub.mjs'
import { BROKEN, CLIMBING, ODD, surrounding } from './hub/hostile.mjs'
import { filesIn, soak } from './hub/world.mjs'

const MEAN = contents('bert-mean')
const CALLS = [
  'open,openat,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,truncate',
  'chmod,fchmodat,chown,lchown,fchownat,utimensat,connect,sendto,sendmsg,sendmmsg',
].join(',')

/** Says aloud why something is not tested here. */
function without(t) {
  const { error, status } = spawnSync('strace', ['-V'])
  if (error === undefined && status === 0) return false
  console.error('NOT TESTED: strace is not here, so nobody can tell from outside what a process wrote and to whom it spoke')
  t.skip('NOT TESTED: there is no strace')
  return true
}

/** Runs a program of Node under strace, and gives the calls that changed a file, those that spoke to somebody, and what it printed. */
async function traced(t, args, { cwd, env, log }) {
  const wrap = ['-f', '-y', '-qq', '-s', '5000', '-e', `trace=${CALLS}`, '-o', log, process.execPath]
  const { code, stdout, stderr } = await start(t, 'strace', [...wrap, ...args], { cwd, env }).ended
  assert.equal(code, 0, stderr)
  const lines = whole(readFileSync(log, 'utf8'))
  const speaks = (line) => /\b(connect|sendto|sendmsg|sendmmsg)\(/.test(line)
  const changes = (line) => !/\b(open|openat)\(/.test(line) || /O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)/.test(line)
  const writes = lines.filter((line) => !speaks(line) && changes(line) && !/ = -1 E/.test(line))
  return { writes, spoken: lines.filter(speaks), stdout }
}

/** A call that another thread interrupted is written in two parts. */
function whole(text) {
  const begun = new Map()
  const lines = []
  for (const line of text.split('\n')) {
    const [, thread, rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    if (rest.endsWith('<unfinished ...>')) begun.set(thread, rest.replace(/ *<unfinished \.\.\.>$/, ''))
    else if (resumed) lines.push(`${begun.get(thread) ?? ''}${resumed[1]}`)
    else if (rest) lines.push(rest)
  }
  return lines
}

/** The strings of a call, each with the folder that it is relative to. Of a character above ASCII strace writes the bytes, in octal. */
function stringsOf(line, cwd) {
  const octal = (text) => text.replace(/\\(\d{1,3})/g, (_, digits) => `\\u00${parseInt(digits, 8).toString(16).padStart(2, '0')}`)
  const strings = line.matchAll(/(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"/g)
  return [...strings].map(([, folder = cwd, text]) => [folder, JSON.parse(`"${octal(text).replaceAll('\\v', '\\u000b')}"`)])
}

/** The paths that a call changes. What a link holds is none: it may lead to a blob of its repository, from wherever it will lie. */
function pathsOf(line, cwd) {
  const strings = stringsOf(line, cwd)
  if (/\bsymlink(at)?\(/.test(line)) assert.match(strings.shift()[1], /^(\.\.\/)+blobs\/([0-9a-f]{40}|[0-9a-f]{64})$/, line)
  return strings.map(([folder, name]) => resolve(folder, name))
}

/** No link of the cache leads out of it. */
function assertLinks(cacheDir) {
  let links = 0
  for (const file of filesIn(cacheDir)) {
    const path = join(cacheDir, file)
    if (!lstatSync(path).isSymbolicLink()) continue
    links++
    assert.ok(realpathSync(path).startsWith(join(cacheDir, file.split('/')[0], 'blobs/')), file)
  }
  assert.ok(links > 0)
}

function assertInside(writes, cwd, folders) {
  for (const line of writes) {
    for (const path of pathsOf(line, cwd)) {
      // Terminals and the like; threads that name themselves.
      if (/^\/(dev|proc)\//.test(path)) continue
      assert.ok(
        folders.some((folder) => path === folder || path.startsWith(`${folder}/`) || folder.startsWith(`${path}/`)),
        line,
      )
    }
  }
}

/** Only loopback, at these ports: nobody is looked up, and nobody is told. */
function assertPeers(spoken, ports) {
  const peers = new Set()
  for (const line of spoken) {
    if (/sa_family=AF_UNIX|AF_NETLINK/.test(line)) assert.match(line, /\/nscd\/|AF_NETLINK/, line)
    else if (/sa_family=AF_INET/.test(line)) {
      const [, port] = /sin6?_port=htons\((\d+)\)/.exec(line)
      assert.match(line, /inet_addr\("127\.0\.0\.1"\)/, line)
      peers.add(Number(port))
    }
  }
  assert.deepEqual([...peers].sort(), [...ports].sort())
}

test('a program that loads and embeds writes into the cache only, and speaks to the Hub and its CDN only', async (t) => {
  if (without(t)) return
  const hub = await FakeHub.start()
  t.after(() => hub.close())
  hub.add('zoo/bert-mean', MEAN)
  const { outer, cacheDir } = surrounding(t)
  const program = `
    import { Embedder } from ${JSON.stringify(new URL('../index.js', import.meta.url).href)}
    const embedder = await Embedder.load('zoo/bert-mean')
    console.log((await embedder.embed(['a', 'b'])).length)
    await embedder.dispose()`
  const cwd = join(outer, 'home/user')
  const log = join(outer, 'trace.log')
  const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir, HF_HOME: join(cacheDir, 'home'), TMPDIR: cacheDir, HOME: cwd }
  const { writes, spoken, stdout } = await traced(t, ['--input-type=module', '-e', program], { cwd, env, log })
  assert.equal(stdout.trim(), '2')
  assert.ok(writes.length > 20, 'the trace saw the files being made')
  assertInside(writes, cwd, [cacheDir])
  assertPeers(spoken, [hub.port, hub.cdnPort])
  assertLinks(cacheDir)
})

test('the command line writes into the cache and its lock file only', async (t) => {
  if (without(t)) return
  const hub = await FakeHub.start()
  t.after(() => hub.close())
  hub.add('zoo/bert-mean', MEAN)
  const { outer, cacheDir } = surrounding(t)
  const application = join(outer, 'home/user/application')
  mkdirSync(application)
  writeFileSync(join(application, 'package.json'), '{}')
  const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir, HF_HOME: join(cacheDir, 'home'), TMPDIR: cacheDir, HOME: outer }
  const log = join(outer, 'trace.log')
  const run = (...words) => traced(t, [bin, ...words], { cwd: application, env, log })
  const pulled = await run('pull', 'zoo/bert-mean', '--lock')
  const locks = pulled.writes.filter((line) => pathsOf(line, application).some((path) => path.startsWith(`${application}/`)))
  assert.ok(locks.length > 0)
  for (const line of locks) for (const path of pathsOf(line, application)) assert.match(path, /\/application\/vecrank\.lock\.json/)
  assertInside(
    pulled.writes.filter((line) => !locks.includes(line)),
    application,
    [cacheDir],
  )
  assertPeers(pulled.spoken, [hub.port, hub.cdnPort])
  for (const words of [
    ['cache', 'ls'],
    ['cache', 'verify'],
    ['cache', 'rm', 'zoo/bert-mean'],
  ]) {
    const { writes, spoken } = await run(...words)
    // Listing and hashing change nothing.
    if (words[1] !== 'rm')
      assert.deepEqual(
        writes.filter((line) => !/"\/(dev|proc)\//.test(line)),
        [],
        words.join(' '),
      )
    assertInside(writes, application, [cacheDir])
    assert.deepEqual(
      spoken.filter((line) => /AF_INET/.test(line)),
      [],
    )
  }
})

test('hostile names from the user, the list and the files of a model write nothing outside the cache', async (t) => {
  if (without(t)) return
  const hub = await FakeHub.start()
  t.after(() => hub.close())
  const { outer, cacheDir } = surrounding(t)
  const all = [...CLIMBING, ...BROKEN, ...ODD].filter((name) => !/[\ud800-\udbff](?![\udc00-\udfff])/.test(name) && name.length < 2000)
  const names = all.filter((_, number) => soak || number % 3 === 0)
  const modules = JSON.parse(MEAN['modules.json'])
  const pooling = modules.find(({ type }) => /Pooling/.test(type))
  for (const [number, name] of names.entries()) {
    const list = modules.map((one) => (one === pooling ? { ...one, path: name } : one))
    hub.add(`zoo/names-${number}`, {
      ...MEAN,
      'modules.json': JSON.stringify(list),
      [`${name}/config.json`]: MEAN['1_Pooling/config.json'],
      [name]: MEAN['onnx/model.onnx'],
    })
  }
  const program = `
    import { readFileSync } from 'node:fs'
    import { Embedder } from ${JSON.stringify(new URL('../index.js', import.meta.url).href)}
    const names = JSON.parse(readFileSync(process.env.NAMES, 'utf8'))
    let tried = 0
    const attempt = async (id, options) => {
      try {
        tried++
        await (await Embedder.load(id, options)).dispose()
      } catch (error) {
        if (error.code === undefined) throw error
      }
    }
    for (const [number, name] of names.entries()) {
      await attempt('zoo/' + name)
      await attempt('zoo/names-0', { revision: name || '..' })
      await attempt('zoo/names-0', { file: name || '..' })
      await attempt('zoo/names-' + number)
    }
    console.log(tried)`
  const cwd = join(outer, 'home/user')
  const namesFile = join(outer, 'names.json')
  writeFileSync(namesFile, JSON.stringify(names))
  const env = {
    HF_ENDPOINT: hub.url,
    HF_HUB_CACHE: cacheDir,
    HF_HOME: join(cacheDir, 'home'),
    TMPDIR: cacheDir,
    HOME: cwd,
    NAMES: namesFile,
  }
  const { writes, spoken, stdout } = await traced(t, ['--input-type=module', '-e', program], { cwd, env, log: join(outer, 'trace.log') })
  assert.equal(Number(stdout), names.length * 4)
  assert.ok(writes.length > names.length)
  assertInside(writes, cwd, [cacheDir])
  assertLinks(cacheDir)
  assertPeers(spoken, [hub.port, hub.cdnPort])
})
