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
      if (isNeeded(name, file)) assert.ok(content.equals(readFileSync(join(folder, 'node_modules', name, file))), `${name}/${file}`)
    }
    const inside = `node_modules/${name}/`
    const traced = files.filter(({ path }) => path.startsWith(inside)).map(({ path }) => path.slice(inside.length))
    assert.deepEqual(traced.filter((file) => !packed.has(file)), [], `${name} has files of its package only`)
  }
  // Turbopack makes links to external packages: they must not lead out.
  for (const { path, isLink } of files) if (isLink) assert.ok(realpathSync(join(folder, path)).startsWith(folder + sep), path)
  const total = (pattern) => (sum(files.filter(({ path }) => pattern.test(path))) / MB).toFixed(1)
  const parts = {
    all: /^/,
    vecrank: /^node_modules\/vecrank(?!-model)/,
    models: /^node_modules\/vecrank-model/,
    'sharp (of Next.js)': /^node_modules\/(@img|sharp)\//,
  }
  t.diagnostic(`standalone: ${Object.entries(parts).map(([name, pattern]) => `${name} ${total(pattern)} MB`).join(', ')}`)
}

/** What runs on the server: no documents, no types, no command line, and not what edge runtimes get. */
function isNeeded(name, file) {
  if (name === 'vecrank') return /^(index\.js|package\.json|lib\/[^/]+\.js)$/.test(file) && file !== 'lib/elsewhere.js'
  return !/licen|\.md$|\.d\.ts$/i.test(file)
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
  return sum(filesOf(folder).filter(({ path }) => /node_modules\/vecrank-.*(\.onnx|onnxruntime\.|tokenizer\.json)/.test(path)))
}

function sum(files) {
  return files.reduce((total, { size }) => total + size, 0)
}
