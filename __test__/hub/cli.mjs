// The command line as a user has it: a process of its own, in an application's folder, with a home of its own.

import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesIn, hashes, root, temporary, zoo } from './world.mjs'

export const bin = join(root, 'bin/vecrank.js')

/** The files of a tiny model by path. */
export const contents = (name) => Object.fromEntries(filesIn(zoo(name)).map((file) => [file, readFileSync(join(zoo(name), file))]))

/** Another ONNX file of the same network: a comment (`doc_string`) follows it, so its hash differs. */
export const variant = (onnx, letter) => Buffer.concat([onnx, Buffer.from([0x32, 1]), Buffer.from(letter)])

/** What a load of `zoo/bert-mean` reads. The other files of the folder (vocabulary, golden values) are of no use to it. */
export const NEEDED = [
  '1_Pooling/config.json',
  'config.json',
  'config_sentence_transformers.json',
  'modules.json',
  'onnx/model.onnx',
  'sentence_bert_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
]

/** Files as a lock file pins them: size and SHA-256 of each. */
export function pinned(files, names = Object.keys(files)) {
  return Object.fromEntries(names.map((name) => [name, { size: files[name].length, sha256: hashes(files[name]).sha256 }]))
}

/** A folder with a package.json, and files in it. */
export function application(t, files = {}) {
  const folder = temporary(t)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

/** Runs any program: `{ child, ended }`, `ended` with `{ code, signal, stdout, stderr }`. It is killed with the test, if need be. */
export function start(t, command, args, { cwd, env = {} } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (output[name] += text))
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...output }))
  })
  return { child, ended, output }
}

/** Starts `vecrank` in the folder `cwd`. The developer's own cache and token are out of its sight. */
export function starting(t, args, { cwd, env } = {}) {
  const home = temporary(t)
  return start(t, process.execPath, [bin, ...args], { cwd: cwd ?? home, env: { HF_HOME: home, ...env } })
}

/** Runs `vecrank` to its end. */
export const vecrank = (t, args, options) => starting(t, args, options).ended

/** The environment in which commands need no options: this Hub, this cache. */
export const settings = (hub, cacheDir) => ({ HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir })

/** The files that a Hub has sent. */
export const sent = (hub) => [...new Set(hub.requests.filter(({ file, status }) => file && status < 300).map(({ file }) => file))].sort()
