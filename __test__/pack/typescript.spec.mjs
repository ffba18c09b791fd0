// TypeScript: the types of the packed packages, in the ways that programs resolve modules, with the compilers that people have.

import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { root } from '../fixtures.mjs'
import { thirdParty } from './programs.mjs'
import { here, place, project } from './project.mjs'
import { MODELS, OFFLINE, QUERY, TEXTS, assertAnswer } from './smoke.mjs'

const ours = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
/** The repository's own compiler (6), and others. Those in JavaScript take seconds for each way: they get the ways that matter most. */
const compilers = {
  'TypeScript 5': { most: 1, ...thirdParty('typescript 5') },
  'TypeScript 6': { most: 2, skip: false, program: process.execPath, args: [ours] },
  'TypeScript 7': { most: Infinity, ...thirdParty('typescript 7') },
}

const NAMES = `import { path as model } from '${MODELS[0]}'
import { files, path } from '${MODELS[1]}'
import { Embedder, Reranker, embed, rerank, topK, type ModelInfo, type RankedDocument, type Vector } from 'vecrank'`
const PROGRAM = `
async function main(): Promise<void> {
  const embedder = new Embedder(model)
  const vector: Float32Array = await embedder.embed(${JSON.stringify(QUERY)})
  const ranking: RankedDocument[] = await rerank(${JSON.stringify(QUERY)}, ${JSON.stringify(TEXTS)})
  console.log(JSON.stringify({ vector: Array.from(vector), ranking }))
}

export async function types(embedder: Embedder): Promise<void> {
  const info: ModelInfo = await embedder.info()
  const bits: Vector<'binary'> = await embedder.embed('a', { output: 'binary' })
  const pair: Float32Array[] = await embedder.embed([info.model, String(bits.length)])
  const best: number | undefined = topK(pair[0]!, pair, 1)[0]?.index
  await embedder.dispose()

  // Each of these is a fault that the types must find: if they find none, the compiler complains of the comment.
  // @ts-expect-error: a text or a list of texts
  await embed(1)
  // @ts-expect-error: no such output
  await embed('a', { output: 'float64' })
  // @ts-expect-error: a list gives a list
  const wrong: Float32Array = await embed(['a'])
  // @ts-expect-error: no such option
  await rerank('a', ['b'], { top: 1 })
  // @ts-expect-error: a folder is a string
  const folder: number = path
  console.log(best, wrong, new Reranker(path), files.join(), folder)
}

void main()
`
/** The other way of CommonJS: the whole module under one name. */
const WHOLE = `import vecrank = require('vecrank')
const { embed, rerank } = vecrank
const ranking: Promise<vecrank.RankedDocument[]> = rerank(${JSON.stringify(QUERY)}, ${JSON.stringify(TEXTS)})
void ranking.then(async (list) => console.log(JSON.stringify({ vector: Array.from(await embed(${JSON.stringify(QUERY)})), ranking: list })))
`
const inNode = { 'module.mts': NAMES + PROGRAM, 'commonjs.cts': NAMES + PROGRAM, 'whole.cts': WHOLE }

/** Settings that differ between programs: how modules are found, and what the files are. */
const ways = {
  node16: { options: { module: 'node16', moduleResolution: 'node16' }, files: inNode },
  bundler: { options: { module: 'esnext', moduleResolution: 'bundler' }, files: { 'main.ts': NAMES + PROGRAM } },
  nodenext: { options: { module: 'nodenext', moduleResolution: 'nodenext' }, files: inNode },
  'bundler, the types of a browser in place of those of Node': {
    options: { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom'], types: [] },
    files: { 'main.ts': NAMES + PROGRAM },
  },
}

/** One installation for all tests of this file; each has a folder in it. */
let scratch
before((t) => {
  scratch = project(t, { manifest: { type: 'module' } })
  place(scratch, ['vecrank', here.package, ...MODELS])
  // The types of Node, as a program would have them.
  for (const name of ['@types', 'undici-types'])
    symlinkSync(join(root, 'node_modules', name), join(scratch.folder, 'node_modules', name), 'junction')
})

function compile({ program, args }, folder, { options, files }) {
  const settings = {
    target: 'es2022',
    lib: ['es2022'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    outDir: 'out',
  }
  for (const [name, text] of Object.entries(files)) scratch.write(join(folder, name), text)
  scratch.write(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...settings, ...options }, files: Object.keys(files) }))
  return scratch.run(program, [...args, '--project', folder])
}

for (const [name, compiler] of Object.entries(compilers)) {
  for (const [index, way] of Object.keys(ways).slice(0, compiler.most).entries()) {
    test(`${name}, moduleResolution ${way}: it compiles, strictly and with the libraries checked`, { skip: compiler.skip }, async () => {
      const folder = `${name} ${index}`.replaceAll(' ', '-')
      await compile(compiler, folder, ways[way])
      if (name !== 'TypeScript 6') return
      for (const file of Object.keys(ways[way].files)) {
        assertAnswer(await scratch.run(process.execPath, [join(folder, 'out', file.replace(/ts$/, 'js'))], { env: OFFLINE }))
      }
    })
  }
}

test('a program that uses vecrank wrongly does not compile', { skip: compilers['TypeScript 7'].skip }, async () => {
  const files = { 'main.mts': "import { embed } from 'vecrank'\nawait embed(1)\n" }
  await assert.rejects(compile(compilers['TypeScript 7'], 'wrong', { ...ways.nodenext, files }), /main\.mts.*TS2769/)
})
