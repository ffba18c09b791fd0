// The packed packages under test: made by `npm run pack`, or, in CI, brought from another machine (`VECRANK_TARBALLS`).

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { root } from '../fixtures.mjs'

const folder = process.env.VECRANK_TARBALLS ?? join(root, 'npm', 'tarballs')

/** The files of an npm tarball by name, without its first folder. Short names only, as npm writes them. */
export function unpacked(tarball) {
  const archive = gunzipSync(tarball)
  const files = new Map()
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0;) {
    const field = (from, to) => archive.toString('utf8', at + from, at + to).replace(/\0.*$/s, '')
    const size = Number.parseInt(field(124, 136), 8)
    if (field(156, 157) === '0') files.set(field(0, 100).replace(/^[^/]+\//, ''), archive.subarray(at + 512, at + 512 + size))
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}

/**
 * A package made on the spot, as npm would pack it: libraries that depend on vecrank, and platforms that this machine did not build.
 *
 * @param {{ name: string, version: string }} manifest
 * @param {Record<string, string>} [texts] its other files
 */
export function made(manifest, texts = {}) {
  const files = new Map(
    Object.entries({ 'package.json': `${JSON.stringify(manifest)}\n`, ...texts }).map(([name, text]) => [name, Buffer.from(text)]),
  )
  const blocks = [...files].flatMap(([name, content]) => [
    header(`package/${name}`, content.length),
    content,
    Buffer.alloc(-content.length & 511),
  ])
  return {
    name: manifest.name,
    version: manifest.version,
    manifest,
    content: gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)])),
    files,
  }
}

function header(name, size) {
  const block = Buffer.alloc(512)
  const fields = [
    [0, name],
    [100, '0000644'],
    [124, size.toString(8).padStart(11, '0')],
    [136, '00000000000'],
    [148, ' '.repeat(8)],
    [156, '0'],
    [257, 'ustar\x0000'],
  ]
  for (const [at, text] of fields) block.write(text, at, 'latin1')
  // The sum is over the block with spaces in the sum's own place.
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

let known

/**
 * Every tarball: `{ path, name, version, manifest, content, files }`, by the package's name. A test that has none must fail, not pass.
 *
 * @returns {Map<string, { path: string, name: string, version: string, manifest: object, content: Buffer, files: Map<string, Buffer> }>}
 */
export function tarballs() {
  // Read once: the models are large.
  known ??= read()
  return new Map(known)
}

function read() {
  const paths = readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .sort()
    .map((name) => join(folder, name))
  if (paths.length === 0) throw new Error(`There are no tarballs in ${folder}. Run: npm run pack`)
  return new Map(
    paths.map((path) => {
      const content = readFileSync(path)
      const files = unpacked(content)
      const manifest = JSON.parse(files.get('package.json').toString('utf8'))
      return [manifest.name, { path, name: manifest.name, version: manifest.version, manifest, content, files }]
    }),
  )
}
