// Real libraries that import @huggingface/transformers by name, unmodified, on vecrank: installed by npm with nothing but an override, they give the
// vectors that they give on Transformers.js, which is not there any more, nor is its ONNX Runtime, nor sharp; and the event loop is free meanwhile.

import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join, sep } from 'node:path'
import { after, before, test } from 'node:test'
import { cosine, largestDifference, root, someTexts, tiny } from '../fixtures.mjs'
import { npmInstall, project } from '../pack/project.mjs'
import { registry } from '../pack/registry.mjs'
import { OFFLINE, QUERY, assertVector } from '../pack/smoke.mjs'
import { tarballs } from '../pack/tarballs.mjs'
import { answer } from './application.mjs'
import { program } from './programs.mjs'
import { shelf } from './shelf.mjs'

const peer = program('peer')
const PEER = '@huggingface/transformers'
const { devDependencies: versions } = JSON.parse(readFileSync(join(root, 'e2e', 'package.json'), 'utf8'))
const alias = `npm:vecrank-transformers@^${tarballs().get('vecrank').version}`
/** What comes with Transformers.js. */
const HEAVY = [PEER, 'onnxruntime-node', 'onnxruntime-web', 'sharp']

/**
 * `beside`: what else an application installs. `isPeer`: whether the library leaves Transformers.js to the application, which then names it. `options`:
 * what the library needs to run on Transformers.js in Node at all, and not on vecrank.
 */
const LIBRARIES = {
  '@langchain/community': { beside: ['@langchain/core'], isPeer: true },
  '@chroma-core/default-embed': {},
  '@lancedb/lancedb': { beside: ['apache-arrow'] },
  '@browser-ai/transformers-js': { beside: ['ai'], isPeer: true },
  // It asks for `wasm`.
  '@xsai-transformers/embed': { beside: ['@xsai/embed', 'web-worker'], options: { device: 'cpu' } },
}
const PROGRAMS = ['libraries.mjs', 'libraries-worker.mjs']
const files = Object.fromEntries(PROGRAMS.map((name) => [name, readFileSync(join(root, '__test__', 'e2e', 'hosted', name), 'utf8')]))

const TEXTS = ['A text.', 'Another one, which is longer than the first one.', 'café', 'The train leaves at nine.']
const many = someTexts(150, 60)
/** The largest gap of the event loop, in ms. It is loose, for shared machines; on Transformers.js gaps are as long as a batch takes. */
const LIMIT_MS = 200

/** Models of one's own, by the names that libraries have for them. */
let folder
/** The same libraries on Transformers.js: as they lie in e2e/node_modules. */
let other
before((t) => {
  other = project(t, { manifest: { type: 'module' }, files })
  symlinkSync(join(root, 'e2e', 'node_modules'), join(other.folder, 'node_modules'), 'junction')
  folder = join(other.base, 'models') + sep
  cpSync(tiny('zoo/bert-mean'), join(folder, 'tiny', 'bert-mean'), { recursive: true })
  const bundled = join(folder, 'Xenova', 'all-MiniLM-L6-v2')
  cpSync(join(root, 'models', 'all-MiniLM-L6-v2'), bundled, { recursive: true })
  // They ask for fp32 by default; of this model there are weights in int8.
  symlinkSync('model_quantized.onnx', join(bundled, 'onnx', 'model.onnx'))
})

async function run(scratch, settings) {
  return answer(await scratch.run(process.execPath, ['libraries.mjs'], { env: { ...OFFLINE, LIBRARY: JSON.stringify(settings) }, timeout: 300_000 }))
}

/** An application that has the library, installed. */
async function application(t, library, { beside = [], isPeer }) {
  const dependencies = Object.fromEntries([library, ...beside].map((name) => [name, versions[name] ?? '*']))
  if (isPeer) dependencies[PEER] = alias
  const scratch = project(t, { manifest: { type: 'module', dependencies, overrides: { [PEER]: alias } }, files })
  const served = await registry(t, shelf(HEAVY))
  await npmInstall(scratch, served)
  const { packages } = JSON.parse(readFileSync(join(scratch.folder, 'node_modules', '.package-lock.json'), 'utf8'))
  const names = Object.entries(packages).map(([path, { name = path.slice(path.lastIndexOf('node_modules/') + 13) }]) => name)
  assert.ok(names.includes('vecrank-transformers') && names.includes(library), names.join())
  assert.deepEqual([...names, ...served.requests].filter((name) => HEAVY.includes(name)), [])
  return scratch
}

for (const [library, needs] of Object.entries(LIBRARIES)) {
  test(`${library} ${versions[library]}`, { skip: peer.skip }, async (t) => {
    const scratch = await application(t, library, needs)
    const exact = { library, folder, model: 'tiny/bert-mean', texts: TEXTS }
    const ours = await run(scratch, exact)
    const theirs = await run(other, { ...exact, options: needs.options })
    assert.match(ours.main, /vecrank-transformers|node_modules.@huggingface.transformers.index\.js$/)
    assert.match(theirs.main, /transformers\.node\.cjs$/)
    const cases = [['alone', ours.alone, theirs.alone]]
    // LanceDB's mean of a batch is over padding too. On Transformers.js it moves with the others; here it is the lone text's.
    if (library === '@lancedb/lancedb') cases.push(['together', ours.together, theirs.alone])
    else cases.push(['together', ours.together, theirs.together])
    for (const [what, vectors, expected] of cases) {
      const likeness = Math.min(...vectors.map((vector, index) => cosine(vector, expected[index])))
      const difference = Math.max(...vectors.map((vector, index) => largestDifference(vector, expected[index])))
      t.diagnostic(`${what}: cosine ${likeness.toFixed(7)} at least, largest difference ${difference.toExponential(1)}`)
      assert.ok(likeness > 0.999999 && difference < 1e-4, `${what}: ${likeness}, ${difference}`)
    }

    const busy = { library, folder, model: 'Xenova/all-MiniLM-L6-v2', texts: [QUERY], many }
    const [free, waiting] = [await run(scratch, busy), await run(other, { ...busy, options: needs.options })]
    if (library !== '@lancedb/lancedb') assertVector(free.alone[0])
    for (const [what, { gap, milliseconds }] of [['vecrank', free], ['Transformers.js', waiting]]) {
      t.diagnostic(`${what}: ${many.length} texts in ${milliseconds.toFixed(0)} ms, the longest gap of the event loop ${gap.toFixed(1)} ms`)
    }
    assert.ok(free.gap < LIMIT_MS, `the event loop waited ${free.gap} ms`)
  })
}

test('what a library uses and vecrank has not is an error that names it', { skip: peer.skip }, async (t) => {
  const scratch = await application(t, '@browser-ai/transformers-js', LIBRARIES['@browser-ai/transformers-js'])
  scratch.write(
    'writing.mjs',
    `import { generateText } from 'ai'
    import { transformersJS } from '@browser-ai/transformers-js'
    const write = async () => generateText({ model: transformersJS('tiny/model'), prompt: 'Once', maxRetries: 0 })
    console.log(JSON.stringify(await write().catch(({ code, message }) => ({ code, message }))))`,
  )
  const { code, message } = answer(await scratch.run(process.execPath, ['writing.mjs'], { env: OFFLINE }))
  assert.equal(code, 'ERR_INVALID_ARG')
  assert.match(message, /^new StoppingCriteria\(\): vecrank\/transformers has no StoppingCriteria/)
})
