// Names that nobody should believe, and a look at the disk from outside: what was made, and where.

import assert from 'node:assert/strict'
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { temporary } from './world.mjs'

/** Names that can leave a folder, or mean something else than a file's name, on one system or another. */
export const CLIMBING = [
  '..', '.', '../x', '../../x', '../../../../../../../../etc/x', 'a/../../x', 'a/../x', './x', './../x', 'a/..', 'a/.', '.../x', '..../x',
  '/x', '/etc/x', '//server/share/x', '/',
  '..\\x', '..\\..\\x', 'a\\..\\..\\x', 'a\\x', '\\x', '\\\\server\\share\\x', '\\\\?\\C:\\x', '\\\\.\\pipe\\x', 'a/..\\x',
  'C:\\x', 'C:/x', 'C:x', 'c:', 'a/C:/x', 'file:///x', 'a:stream', 'a::$DATA',
]

/** Names that end a string, a line or a path early, or that one system writes in another way. */
export const BROKEN = [
  '', 'a//x', 'a/', '/a/', '\0', 'a\0b', 'x\0.onnx', '../x\0', 'a\nb', 'a\r\nb', 'a\tb', 'a\x1b[31mb', 'a\x7fb', 'a\u0085b', 'a\u009fb',
  'x.', 'x..', 'x ', 'x. .', ' x', 'a /x', 'a./x', ' ', 'a?b', 'a*b', 'a|b', 'a<b', 'a>b', 'a"b',
  'a'.repeat(300), `x/${'a'.repeat(300)}`, 'ä'.repeat(140), `${'a/'.repeat(600)}a`, 'a'.repeat(100_000),
  'con', 'CON', 'Con.txt', 'nul', 'NUL.json', 'aux/x', 'x/PRN', 'prn.tar.gz', 'COM1', 'com9.x', 'LPT1', 'lpt9/x', 'COM¹', 'LPT³.x',
  'nul .x',
]

/** Names that look like others, or that a shell, a server or a library might take for more than a name. They may be names of files. */
export const ODD = [
  '%2e%2e/x', '%2e%2e%2fx', '..%2fx', '%2e%2e', '..%5cx', 'a%00b', '%252e%252e%252fx', '%c0%ae%c0%ae/x',
  '․․/x', '．．／x', '‥/x', '..∕x', '..⁄x', '..＼x', 'a\u202egnp.x', 'a\u200bb', '\ufeffx', 'a\u2028b', 'e\u0301', '\ud800x',
  '~/x', '~root/x', '$HOME/x', '${HOME}', '%APPDATA%', '`x`', '$(x)', ';x', '&x', '#x', 'x#y', 'x=y', '--x', '-x',
  '@{u}', 'x@y', 'x.lock', '.git/config', '.ssh/x',
]

/** A folder around the cache with files of somebody else in it; `assertUntouched()` checks that they, and no others, are there. */
export function surrounding(t) {
  const outer = temporary(t)
  const cacheDir = join(outer, 'home/user/cache/hub')
  mkdirSync(cacheDir, { recursive: true })
  for (const name of ['config.json', 'x', 'home/x', 'home/user/x', 'home/user/cache/x', 'home/user/cache/models--a--b/config.json']) {
    mkdirSync(join(outer, name, '..'), { recursive: true })
    writeFileSync(join(outer, name), `of somebody else: ${name}`)
  }
  const before = everythingIn(outer, cacheDir)
  return { outer, cacheDir, assertUntouched: (what) => assert.deepEqual(everythingIn(outer, cacheDir), before, what) }
}

/** What lies below a folder, but for one of its folders: the kind, the content and the times of each. */
function everythingIn(folder, except) {
  const found = {}
  const visit = (place) => {
    for (const name of readdirSync(place).sort()) {
      const path = join(place, name)
      if (path === except) continue
      const status = lstatSync(path)
      const content = status.isDirectory() ? 'a folder' : status.isSymbolicLink() ? readlinkSync(path) : readFileSync(path, 'utf8')
      found[relative(folder, path)] = status.isDirectory() ? content : `${content}, ${status.mtimeMs}, ${status.ino}`
      if (status.isDirectory()) visit(path)
    }
  }
  if (existsSync(folder)) visit(folder)
  return found
}

/** No address may climb: neither as it was sent, nor as a server would read that decodes it once more than it should. */
export function assertNoneClimbs(hub, what) {
  for (const { url } of hub.requests) {
    const [path] = url.split('?')
    assert.match(path, /^\/[!-~]*$/, what)
    const once = path.split('/').map(decodeURIComponent)
    for (const part of [...path.split('/'), ...once, ...once.flatMap((one) => one.split('/'))]) {
      assert.ok(!/^\.+$/.test(part) && !/[\\\0-\x1f\x7f]/.test(part), `${what}: ${url}`)
    }
    assert.ok(!path.includes('//'), `${what}: ${url}`)
  }
}
