// The real huggingface_hub, for tests that share a cache with it: found, or put into a folder of its own where pip can.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runPartner } from './partner.mjs'
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

/** Runs Python; `said` is what `say(value)` was given there. See `runPartner`. */
export function runPython(t, python, code, { env, ...place }) {
  const quiet = { HF_HUB_DISABLE_PROGRESS_BARS: '1', HF_HUB_DISABLE_TELEMETRY: '1' }
  const source = `import json\ndef say(value): print(json.dumps(value))\n${code}`
  return runPartner(t, 'Python', [python, '-c', source], { ...place, env: { ...quiet, ...env } })
}
