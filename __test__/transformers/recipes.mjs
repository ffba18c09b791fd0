// Programs as people have written them for Transformers.js, run by themselves. `record.mjs` runs them with the real one: nothing but the name in
// the import differs.

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { root } from '../fixtures.mjs'

const folder = path.join(root, '__test__', 'transformers', 'recipes')
export const recipes = readdirSync(folder).map((file) => path.basename(file, '.mjs'))

/** What a recipe prints, run in `home`, where the package `library` can be imported. */
export async function run(recipe, { library = 'vecrank/transformers', home = root, flags = [] } = {}) {
  const place = mkdtempSync(path.join(tmpdir(), 'vecrank-recipe-'))
  const program = path.join(home, `.recipe-${recipe}-${process.pid}.mjs`)
  writeFileSync(program, readFileSync(path.join(folder, `${recipe}.mjs`), 'utf8').replace("'vecrank/transformers'", `'${library}'`))
  try {
    const env = { ...process.env, MODELS: path.join(root, 'tests', 'fixtures', path.sep), OUTPUT: path.join(place, 'embeddings.bin') }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...flags, program], { cwd: home, env })
    return { result: JSON.parse(stdout), stderr }
  } finally {
    rmSync(program)
    rmSync(place, { recursive: true })
  }
}
