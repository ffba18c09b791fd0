// What `output: 'standalone'` has taken along.

import assert from 'node:assert/strict'
import { lstatSync, readFileSync, readdirSync, realpathSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { here } from '../pack/project.mjs'
import { MODELS } from '../pack/smoke.mjs'
import { tarballs } from '../pack/tarballs.mjs'

const OURS = ['vecrank', here.package, ...MODELS]
const MB = 1e6

/** The folder has every file that vecrank needs, byte for byte, and of what is ours nothing else. */
export function assertStandalone(t, folder) {
  const files = filesOf(folder)
  assert.deepEqual(readdirSync(folder).sort(), ['.next', 'data', 'node_modules', 'package.json', 'server.js'])
  // The passages are in the compiled route; webpack takes their file along besides.
  assert.deepEqual(readdirSync(join(folder, 'data')).filter((name) => name !== 'passages.json'), ['vectors.f32'])
  const modules = readdirSync(join(folder, 'node_modules'))
  assert.deepEqual(modules.filter((name) => name.startsWith('vecrank')).sort(), [...OURS].sort())
  for (const name of OURS) {
    const packed = tarballs().get(name).files
    for (const [file, content] of packed) {
      const isNeeded = name === 'vecrank' ? /^(index\.js|package\.json|lib\/[^/]+\.js)$/.test(file) && file !== 'lib/elsewhere.js' : !/licen|\.md$|\.d\.ts$/i.test(file)
      if (isNeeded) assert.ok(content.equals(readFileSync(join(folder, 'node_modules', name, file))), `${name}/${file}`)
    }
    const traced = files.filter(({ path }) => path.startsWith(`node_modules/${name}/`)).map(({ path }) => path.slice(`node_modules/${name}/`.length))
    assert.deepEqual(traced.filter((file) => !packed.has(file)), [], `${name} has files of its package only`)
  }
  // Turbopack makes links to external packages: they must not lead out.
  for (const { path, isLink } of files) if (isLink) assert.ok(realpathSync(join(folder, path)).startsWith(folder + sep), path)
  const total = (...names) => files.filter(({ path }) => names.some((name) => path.startsWith(name))).reduce((sum, { size }) => sum + size, 0) / MB
  const sizes = { all: total(''), vecrank: total(...OURS.slice(0, 2).map((name) => `node_modules/${name}/`)), models: total(...MODELS.map((name) => `node_modules/${name}/`)) }
  t.diagnostic(`standalone: ${Object.entries(sizes).map(([name, size]) => `${name} ${size.toFixed(1)} MB`).join(', ')}; images (sharp) ${total('node_modules/@img', 'node_modules/sharp').toFixed(1)} MB`)
}

function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => {
      const file = join(entry.parentPath ?? entry.path, entry.name)
      return { path: relative(folder, file).split(sep).join('/'), size: lstatSync(file).size, isLink: entry.isSymbolicLink() }
    })
}

/** Bytes of what one load reads: models, and ONNX Runtime's library, whose digest is checked. */
export function bytesOfLoad(folder) {
  return filesOf(folder).filter(({ path }) => /node_modules\/vecrank-.*(\.onnx|onnxruntime\.|tokenizer\.json)/.test(path)).reduce((sum, { size }) => sum + size, 0)
}
