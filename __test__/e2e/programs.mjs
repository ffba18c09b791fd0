// Other people's programs that vecrank is run in: those that the packages are tried with (pack/programs.mjs), and more.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../fixtures.mjs'
import { thirdParty } from '../pack/programs.mjs'
import { here } from '../pack/project.mjs'

const modules = join(root, 'e2e', 'node_modules')

const MORE = {
  // Its binary for linux-x64-gnu, and for nothing else.
  deno: { file: '@deno/linux-x64-glibc/deno', platform: 'linux-x64-gnu' },
  jest: { file: 'jest/bin/jest.js' },
  vitest: { file: 'vitest/vitest.mjs' },
  esbuild: { file: 'esbuild/bin/esbuild' },
  rollup: { file: 'rollup/dist/bin/rollup' },
  vite: { file: 'vite/bin/vite.js' },
  peer: { file: '@huggingface/transformers/package.json' },
}

/**
 * @param {'node 22' | 'node 24' | 'bun' | 'deno' | 'jest' | 'vitest' | 'esbuild' | 'rollup' | 'vite' | 'peer'} name
 * @returns {{ path: string, skip: string | false }} `skip` is why a test cannot run; with CI=true there is no such reason but that
 *   the platform has none
 */
export function program(name) {
  if (MORE[name] === undefined) {
    const { program: path, skip } = thirdParty(name)
    return { path, skip: skip && `${skip} It is NOT tested.` }
  }
  const { file, platform = here.name } = MORE[name]
  const path = join(modules, file)
  if (platform !== here.name) return { path, skip: `e2e/ has ${name} for ${platform} only. It is NOT tested.` }
  if (existsSync(path)) return { path, skip: false }
  const reason = `${name} is not in e2e/node_modules. Run: npm ci --prefix e2e --ignore-scripts`
  if (process.env.CI === 'true') throw new Error(reason)
  return { path, skip: `${reason}. It is NOT tested.` }
}
