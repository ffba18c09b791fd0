// The real huggingface_hub, for tests that share a cache with it: found, or put into a folder of its own where pip can.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './world.mjs'

const VERSION = '2.4.0'
const FOLDER = join(root, 'node_modules/.cache/vecrank-hub-python')

/** Versions before 2.4 do not keep the list of a commit's files. */
const knows = (command) => {
  const code = 'from huggingface_hub import __version__; assert [int(part) for part in __version__.split(".")[:2]] >= [2, 4]'
  return spawnSync(command, ['-c', code], { stdio: 'ignore' }).status === 0
}

/**
 * A Python that can import huggingface_hub: `{ python }`, or `{ reason }` why there is none. The first time it may be made, which takes
 * some seconds and the network; `VECRANK_PYTHON` names one that is there.
 */
export function findPython() {
  const named = process.env.VECRANK_PYTHON
  if (named) return knows(named) ? { python: named } : { reason: `VECRANK_PYTHON=${named} has no huggingface_hub from 2.4 on` }
  const own = ['bin/python', 'Scripts/python.exe'].map((name) => join(FOLDER, name))
  const isReady = join(FOLDER, `ready-${VERSION}`)
  const found = ['python3', 'python', ...(existsSync(isReady) ? own : [])].find(knows)
  if (found) return { python: found }

  const none = (why) => ({ reason: `there is no Python with huggingface_hub, and it could not be installed (${why})` })
  try {
    rmSync(FOLDER, { recursive: true, force: true })
    mkdirSync(FOLDER, { recursive: true })
  } catch (error) {
    return none(error.message)
  }
  const steps = [
    ['python3', '-m', 'venv', FOLDER],
    [own[process.platform === 'win32' ? 1 : 0], '-m', 'pip', 'install', '--quiet', '--retries', '1', `huggingface_hub==${VERSION}`],
  ]
  for (const [command, ...args] of steps) {
    const how = { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', timeout: 180_000 }
    const { status, error, stderr } = spawnSync(command, args, how)
    if (status !== 0) return none(`${args.slice(0, 3).join(' ')}: ${error?.message ?? stderr.trim().split('\n').at(-1)}`)
  }
  writeFileSync(isReady, '')
  return { python: own.find(existsSync) }
}

/** Runs Python: `{ child, said }`. `said` is a promise of what `say(value)` was given there, and rejects where Python fails. */
export function runPython(t, python, code, { hub, cacheDir, env = {} }) {
  const child = spawn(python, ['-c', `import json\ndef say(value): print(json.dumps(value))\n${code}`], {
    env: {
      ...process.env,
      HF_ENDPOINT: hub.url,
      HF_HUB_CACHE: cacheDir,
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
      HF_HUB_DISABLE_TELEMETRY: '1',
      HF_HUB_DISABLE_IMPLICIT_TOKEN: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => child.exitCode === null && child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => (stdout += data))
  child.stderr.on('data', (data) => (stderr += data))
  const said = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => {
      if (status === 0) resolve(stdout ? JSON.parse(stdout) : undefined)
      else reject(new Error(`Python ended with ${status}: ${stderr}`))
    })
  })
  return { child, said }
}
