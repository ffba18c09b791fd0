// The specs about the Hub and the command line with the full counts of what they promise: `npm run test:soak`. It takes much longer than
// `npm test`, which runs the same specs with smaller counts.

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './pypi.mjs'

const files = readdirSync(join(root, '__test__'))
  .filter((name) => /^(hub-.*|cli.*)\.spec\.mjs$/.test(name))
  .sort()
if (files.length === 0) throw new Error('no spec about the Hub')

// One file at a time: some measure how long something takes, and the processes of others would count.
const args = ['--test', '--test-reporter=spec', '--test-concurrency=1', ...files.map((name) => join('__test__', name))]
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env: { ...process.env, VECRANK_SOAK: '1' } })
process.exitCode = status ?? 1
