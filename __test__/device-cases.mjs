// What the specs of failing devices share: when they cannot run, a GPU build of stubs with all that it needs, and a load that ended on the CPU.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { assertNear, golden } from './fixtures.mjs'
import { temporary } from './hub/world.mjs'
import { cudaFolder, driverFolder, gpuBuild, noBareMachine, noStubs } from './stubs.mjs'

export const bare = { skip: noBareMachine }
export const stubbed = { skip: noStubs }
export const stubbedAndBare = { skip: noStubs || noBareMachine }

/** What a GPU build of the stubs ends with when all that it needs is there: the words of ONNX Runtime's build for the CPU. */
export const AT_THE_END = /CUDA execution provider is not enabled in this build/
export const WAYS = [/vecrank runtime add/, /VECRANK_ORT_DIR/]

/** The vector that Python's sentence-transformers gives for `hello world`. */
export const EXPECTED = (() => {
  const { texts, runs } = golden('zoo/bert-mean')
  return runs.find(({ id }) => id === 'encode').batch[texts.findIndex(({ text }) => text === 'hello world')]
})()

/** A load came to its end on the CPU, with the right numbers. */
export function assertOnCpu({ error, value }, requested) {
  assert.equal(error, undefined, error?.message)
  assert.deepEqual({ device: value.info.device, requested: value.info.requested }, { device: 'cpu', requested })
  assertNear(value.vector, EXPECTED, 1e-4, 'the vector')
  return value.info
}

/** A GPU build with all that it needs: `{ drivers, env }` for a process, and the folders. */
export function everything(t, { without = [], providers } = {}) {
  const folder = temporary(t)
  const ort = gpuBuild(join(folder, 'ort'), { providers })
  const cuda = join(folder, 'cuda')
  const libraries = cudaFolder(join(cuda, 'lib64'), without)
  return { folder, ort, cuda, libraries, drivers: driverFolder(t), env: { VECRANK_ORT_DIR: ort, CUDA_PATH: cuda } }
}
