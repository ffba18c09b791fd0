// OpenVINO's plugin as it is, on a processor that it passes over.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { addPlugins } from '../../scripts/providers.mjs'
import { tiny } from '../fixtures.mjs'
import { inChild, unavailable } from './plugins.mjs'
import { isIntel } from './vendor.mjs'

const skip = unavailable || (isIntel && "this processor is Intel's: that OpenVINO passes over another's is NOT tested")

test("on a processor that is not Intel's OpenVINO is an error that says so, and what it is", { skip }, (t) => {
  const data = mkdtempSync(join(tmpdir(), 'vecrank-providers-'))
  t.after(() => rmSync(data, { recursive: true, force: true }))
  addPlugins(data, ['openvino'])
  const load = `Embedder.load(${JSON.stringify(tiny('zoo/bert-mean'))}, { device: 'openvino' }).then(() => 'loaded', (error) => error.code + ' ' + error.message)`
  const { status, stdout } = inChild(data, `console.log(await ${load})`)
  assert.equal(status, 0)
  assert.match(stdout, /^ERR_DEVICE .*OpenVINO takes processors and GPUs of Intel only; the processor here is of \w+/)
})
