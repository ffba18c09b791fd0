// What most specs about the Hub begin with: a fake Hub, a cache of its own, and oracles that look at the cache from outside.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Embedder } from '../../index.js'
import { FakeHub } from './hub.mjs'

/** Full counts instead of CI's smaller ones: `npm run test:soak`. */
export const soak = process.env.VECRANK_SOAK === '1'
export const root = fileURLToPath(new URL('../..', import.meta.url))
export const zoo = (name) => join(root, 'tests/fixtures/zoo', name)

// The developer's own settings must not decide what a test sees.
for (const name of Object.keys(process.env)) {
  if (/^(HF_|HUGGING|TRANSFORMERS_|MODEL_CACHE|XDG_CACHE|VECRANK_(?!SOAK|ONNX|PYTHON)|(HTTPS?|ALL|NO)_PROXY$|REQUESTS_CA|CURL_CA|SSL_CERT|NODE_EXTRA)/i.test(name)) {
    delete process.env[name]
  }
}

/** A folder that goes with the test. */
export function temporary(t) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vecrank-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * A fake Hub with one model, `zoo/bert-mean` (fp32, 245 kB, of which the graph is a large file and all else small ones), and an empty cache.
 * `load(options, id)` gives a loaded embedder, disposed of with the test.
 */
export async function world(t, { hub: hubOptions, model = 'bert-mean' } = {}) {
  const hub = await FakeHub.start(hubOptions)
  t.after(() => hub.close())
  const id = `zoo/${model}`
  const commit = hub.add(id, zoo(model))
  const cacheDir = join(temporary(t), 'hub')
  const options = (more) => ({ endpoint: hub.url, cacheDir, ...more })
  const make = (more, name = id) => {
    const embedder = new Embedder(name, options(more))
    t.after(() => embedder.dispose())
    return embedder
  }
  const load = (more, name) => make(more, name).load()
  const folder = join(cacheDir, `models--${id.replace('/', '--')}`)
  return { hub, id, commit, cacheDir, folder, options, make, load }
}

/** All files below a folder, relative, links not followed. */
export function filesIn(folder, prefix = '') {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(folder, entry.name), `${prefix}${entry.name}/`) : [prefix + entry.name],
  )
}

/** The Hub's hash of some bytes: SHA-256, or git's of a blob. */
export function hashes(bytes) {
  const git = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
  return { sha256: createHash('sha256').update(bytes).digest('hex'), git }
}

/** Every blob is what its name says, every link of a snapshot leads to a blob; partial files only where they may be. */
export function assertSound(cacheDir, { partials = 0 } = {}) {
  const files = filesIn(cacheDir)
  const incomplete = files.filter((file) => file.endsWith('.incomplete') || file.endsWith('.tmp'))
  assert.ok(incomplete.length <= partials, `left behind: ${incomplete}`)
  for (const file of files) {
    const path = join(cacheDir, file)
    const blob = /\/blobs\/([0-9a-f]+)$/.exec(file)
    if (blob) {
      const { sha256, git } = hashes(readFileSync(path))
      assert.ok(blob[1] === sha256 || blob[1] === git, `${file} is not what its name says`)
    } else if (file.includes('/snapshots/')) {
      assert.ok(existsSync(path), `${file} leads nowhere`)
      if (lstatSync(path).isSymbolicLink()) assert.match(realpathSync(path), /\/blobs\/[0-9a-f]{40,64}$/)
    }
  }
  return files
}

/**
 * Runs a program of ES module source in a Node process of its own. `{ code, signal, stdout, stderr }`; `child` can be killed meanwhile. `wrap` is
 * a command that runs Node as its last argument, such as strace.
 */
export function inProcess(source, { env = {}, args = [], cwd = root, command = process.execPath, wrap = [] } = {}) {
  const [program, ...rest] = [...wrap, command, '--input-type=module', ...args, '-e', source]
  const child = spawn(program, rest, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  return { child, ended: endOf(child) }
}

/** The end of a process that was started with pipes, and what it printed: a promise of `{ code, signal, stdout, stderr }`. */
export function endOf(child) {
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => (stdout += data))
  child.stderr.on('data', (data) => (stderr += data))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}
