// What publint and "Are the types wrong?" say of the tarballs. No finding is by design: each one fails, suggestions included.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { thirdParty } from './programs.mjs'
import { project } from './project.mjs'
import { MODELS } from './smoke.mjs'
import { tarballs } from './tarballs.mjs'

const publint = thirdParty('publint')
const attw = thirdParty('attw')

for (const name of tarballs().keys()) {
  test(`publint finds nothing in ${name}`, { skip: publint.skip }, async (t) => {
    const { stdout } = await project(t).run(publint.program, [...publint.args, 'run', tarballs().get(name).path, '--strict'])
    assert.match(stdout, /Linting/)
    assert.deepEqual(
      stdout.split('\n').filter((line) => /^\d+\. /.test(line)),
      [],
    )
  })
}

/** What attw sees in a package, which has no problems. */
async function analysisOf(t, name) {
  const args = [tarballs().get(name).path, '--profile', 'strict', '--format', 'json']
  const { stdout } = await project(t).run(attw.program, [...attw.args, ...args])
  const { analysis, problems } = JSON.parse(stdout)
  assert.deepEqual(problems, {})
  return analysis
}

test('the types are right for every way in which Node and bundlers resolve vecrank', { skip: attw.skip }, async (t) => {
  const analysis = await analysisOf(t, 'vecrank')
  const resolved = Object.entries(analysis.entrypoints).flatMap(([entry, { resolutions }]) =>
    Object.entries(resolutions).map(([way, { resolution }]) => [entry, way, resolution]),
  )
  assert.deepEqual([...new Set(resolved.map(([entry]) => entry))].sort(), ['.', './package.json', './transformers'])
  for (const way of ['node10', 'node16-cjs', 'node16-esm', 'bundler']) {
    const file = (name) => resolved.find((each) => each[0] === name && each[1] === way)?.[2].fileName ?? 'nothing'
    assert.match(file('.'), /\/vecrank\/index\.d\.ts$/, way)
    assert.match(file('./transformers'), /\/vecrank\/transformers\.d\.ts$/, way)
  }
})

for (const name of [...MODELS, 'vecrank-transformers']) {
  test(`the types of ${name} are right`, { skip: attw.skip }, async (t) => {
    const analysis = await analysisOf(t, name)
    assert.notEqual(analysis.types, false, 'there are no types')
  })
}
