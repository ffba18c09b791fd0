// Test runners, which load the package once for each suite and run it in a realm of its own: values go in and come out as in a plain
// program.

import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { root } from '../fixtures.mjs'
import { ESM, QUERY, TEXTS, assertAnswer } from '../pack/smoke.mjs'
import { answer, application } from './application.mjs'
import { program } from './programs.mjs'

const SUITES = 10
const body = readFileSync(join(root, '__test__', 'e2e', 'hosted', 'realm.js'), 'utf8')
const suites = (folder, extension, head) =>
  Object.fromEntries(Array.from({ length: SUITES }, (_, index) => [`${folder}/suite-${index}.test.${extension}`, `${head}\n${body}`]))
const app = await application(
  { after },
  {
    programs: ['context.cjs'],
    files: {
      'esm.mjs': ESM,
      ...suites('jest', 'cjs', "const vecrank = require('vecrank')"),
      ...suites('vitest', 'mjs', "import * as vecrank from 'vecrank'"),
    },
  },
)
const smoke = await app.node(['esm.mjs'])
assertAnswer(smoke)
const expected = answer(smoke)
app.write('expected.json', JSON.stringify({ ...expected, texts: [QUERY, ...TEXTS] }))

/** Runs all suites and gives what each process had in the end: memory in MB, and models that were loaded. */
async function run(t, name, path, args) {
  const seen = join(app.base, 'seen')
  rmSync(seen, { force: true })
  const { stdout, stderr } = await app.run(path, args, { env: { SEEN: seen, NO_COLOR: '1' } })
  const output = `${stdout}${stderr}`
  assert.match(output, new RegExp(`${SUITES} passed`), output)
  // What a runner says of a process that something keeps alive.
  assert.doesNotMatch(output, /did not exit|failed to exit|open handle|close timed out/i)
  if (process.platform !== 'linux') return
  const ends = readFileSync(seen, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  assert.equal(ends.length, SUITES)
  const most = (key) => Math.max(...ends.map((end) => end[key]))
  t.diagnostic(`${name}: at most ${most('memory').toFixed(0)} MB and ${most('sessions')} models in a process`)
  assert.ok(most('memory') < 800, `${most('memory')} MB`)
}

const jest = program('jest')
const vitest = program('vitest')
const node = Number.parseInt(process.versions.node, 10) >= 22 ? { path: process.execPath, skip: false } : program('node 22')

const jestArgs = [jest.path, '--rootDir=jest', '--testEnvironment=node']
const WAYS = {
  'one after the other': ['--runInBand', '--detectOpenHandles'],
  'in two processes': ['--maxWorkers=2'],
  'in two threads': ['--maxWorkers=2', '--workerThreads'],
}

for (const [name, flags] of Object.entries(WAYS)) {
  test(`Jest, ${SUITES} suites ${name}`, { skip: jest.skip }, async (t) => {
    await run(t, name, process.execPath, [...jestArgs, '--testMatch=**/*.test.cjs', ...flags])
  })
}

test('Jest with the conditions of a browser: the message names the environment to choose', { skip: jest.skip }, async () => {
  const conditions = '--testEnvironmentOptions={"customExportConditions":["browser"]}'
  const args = [...jestArgs, conditions, '--testMatch=**/suite-0.test.cjs']
  const { code, stderr } = await app.failure(process.execPath, args, { env: { SEEN: join(app.base, 'unused') } })
  assert.equal(code, 1)
  assert.match(stderr, /VecrankError: .*In Jest.*@jest-environment node/)
})

for (const pool of ['threads', 'forks', 'vmThreads', 'vmForks']) {
  test(`Vitest, ${SUITES} suites, pool ${pool}`, { skip: vitest.skip || node.skip }, async (t) => {
    await run(t, pool, node.path, [vitest.path, 'run', '--globals', '--dir=vitest', `--pool=${pool}`, '--maxWorkers=2'])
  })
}

test('a vm context: its values are taken, and errors are known by their codes', async () => {
  const { vector, ...rest } = answer(await app.node(['context.cjs']))
  assert.deepEqual(vector, expected.vector)
  assert.deepEqual(rest, {
    rows: 2,
    bytes: 384,
    similarity: 0,
    nearest: [{ index: 1, score: 1 }],
    ranked: 1,
    indices: [0, 1],
    failures: ['VecrankError ERR_MODEL_NOT_FOUND', 'TypeError ERR_INVALID_ARG'],
  })
})
