// Bundlers of server code. With vecrank kept outside, as docs/hosts.md says it, a bundle gives the very numbers that the program gave before;
// with vecrank inside it cannot work, and the message names the setting.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { root } from '../fixtures.mjs'
import { ESM, MODELS, QUERY, assertAnswer, assertVector } from '../pack/smoke.mjs'
import { answer, application } from './application.mjs'
import { program } from './programs.mjs'

/** A program that knows Transformers.js. */
const BY_NAME = `import { pipeline } from '@huggingface/transformers'
;(async () => {
  const extract = await pipeline('feature-extraction', '${MODELS[0]}', { dtype: 'q8' })
  console.log(JSON.stringify((await extract('${QUERY}', { pooling: 'mean', normalize: true })).tolist()[0]))
})()`
const adapter = '@huggingface/transformers@npm:vecrank-transformers'
const app = await application({ after }, { files: { 'esm.mjs': ESM, 'by-name.mjs': BY_NAME }, packages: [adapter] })
const reference = await app.node(['esm.mjs'])
assertAnswer(reference)
const expected = answer(reference)
const programs = Object.fromEntries(['esbuild', 'rollup', 'vite'].map((name) => [name, program(name)]))

/** The endings tell Node what a file is. */
const ENDINGS = { esm: 'mjs', cjs: 'cjs' }

let bundles = 0

/**
 * Bundles a program and gives the bundle's path. `settings` are words of esbuild's command line, or what is written into a configuration.
 *
 * @param {'esbuild' | 'rollup' | 'vite'} bundler
 * @param {'esm' | 'cjs'} format
 */
async function bundle(bundler, format, settings, entry = 'esm.mjs') {
  const folder = `dist-${++bundles}`
  const name = `app.${ENDINGS[format]}`
  const run = (args) => app.node([programs[bundler].path, ...args], { env: { NO_COLOR: '1' } })
  const config = join(app.folder, `${bundler}-${bundles}.config.mjs`)
  if (bundler === 'esbuild' && typeof settings === 'string') {
    const common = `entryPoints: ['${entry}'], bundle: true, platform: 'node', format: '${format}', outfile: '${folder}/${name}'`
    const esbuild = JSON.stringify(join(root, 'e2e/node_modules/esbuild/lib/main.js'))
    writeFileSync(config, `import esbuild from ${esbuild}\nawait esbuild.build({ ${common}, ${settings} })\n`)
    await app.node([config])
  } else if (bundler === 'esbuild') {
    await run([entry, '--bundle', '--platform=node', `--format=${format}`, `--outfile=${folder}/${name}`, ...settings])
  } else if (bundler === 'rollup') {
    const plugins = ['node-resolve', 'commonjs', 'json'].map((each) => join(root, 'e2e/node_modules/@rollup', `plugin-${each}`, 'dist/es/index.js'))
    const imports = plugins.map((file, index) => `import plugin${index} from ${JSON.stringify(file)}\n`).join('')
    const output = `{ file: '${folder}/${name}', format: '${format}' }`
    writeFileSync(config, `${imports}export default { input: '${entry}', output: ${output}, plugins: [plugin0(), plugin1(), plugin2()], ${settings} }\n`)
    await run(['--config', config])
  } else {
    const output = `{ format: '${format}', entryFileNames: '${name}' }`
    writeFileSync(config, `export default { build: { outDir: '${folder}', rollupOptions: { output: ${output} } }, ${settings} }\n`)
    await run(['build', '--ssr', entry, '--config', config])
  }
  return join(app.folder, folder, name)
}

/** The settings as docs/hosts.md has them. */
const OUTSIDE = {
  esbuild: {
    '--external:vecrank': ['--external:vecrank'],
    '--packages=external': ['--packages=external'],
    "external: ['vecrank']": "external: ['vecrank']",
    "packages: 'external'": "packages: 'external'",
  },
  rollup: { "external: ['vecrank']": "external: ['vecrank']" },
  vite: {
    'by itself': '',
    'bundling all else': "ssr: { noExternal: true, external: ['vecrank'] }",
  },
}
/** Settings under which a bundler takes vecrank in. */
const INSIDE = {
  esbuild: { 'by itself': [] },
  rollup: { 'with the plugins that find packages': '' },
  vite: { 'with noExternal: true': 'ssr: { noExternal: true }' },
}

for (const [bundler, { skip }] of Object.entries(programs)) {
  describe(bundler, { skip }, () => {
    for (const [name, settings] of Object.entries(OUTSIDE[bundler])) {
      for (const format of ['esm', 'cjs']) {
        test(`${name}, ${format}: the bundle gives the same numbers, in another working folder too`, async () => {
          const path = await bundle(bundler, format, settings)
          const source = readFileSync(path, 'utf8')
          assert.match(source, /(from |require\()["']vecrank["']/)
          assert.ok(source.length < 2000, `${source.length} bytes: more than the program is in the bundle`)
          for (const cwd of [app.folder, app.home]) assert.deepEqual(answer(await app.node([path], { cwd })), expected)
        })
      }
    }

    for (const [name, settings] of Object.entries(INSIDE[bundler])) {
      test(`${name}, esm: vecrank is bundled, and says that it must not be`, async () => {
        await assertRefused(await bundle(bundler, 'esm', settings), /was bundled into an ES module/)
      })

      test(`${name}, cjs: vecrank is bundled, and says that it must not be`, async () => {
        await assertRefused(await bundle(bundler, 'cjs', settings), /A file of the package was left out, by a bundler/)
      })
    }
  })
}

test('esbuild with a banner that brings `require` back: still no place to look for files, and it is said', { skip: programs.esbuild.skip }, async () => {
  const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
  await assertRefused(await bundle('esbuild', 'esm', [`--banner:js=${banner}`]), /was bundled into an ES module/)
})

test('rollup without plugins finds no packages: it warns, leaves vecrank outside, and the bundle runs', { skip: programs.rollup.skip }, async () => {
  const { stderr } = await app.node([programs.rollup.path, 'esm.mjs', '--format=es', '--file=plain/app.mjs'], { env: { NO_COLOR: '1' } })
  assert.match(stderr, /Unresolved dependencies[^]*vecrank/)
  assert.deepEqual(answer(await app.node(['plain/app.mjs'])), expected)
})

/** Settings that keep vecrank outside and take what stands for Transformers.js in. */
const BESIDE = {
  esbuild: ['--external:vecrank'],
  rollup: 'external: [/^vecrank(\\/|$)/]',
  vite: "ssr: { noExternal: true, external: ['vecrank'] }",
}
for (const [bundler, settings] of Object.entries(BESIDE)) {
  for (const format of ['esm', 'cjs']) {
    test(`${bundler}, ${format}: a program that imports @huggingface/transformers by name`, { skip: programs[bundler].skip }, async () => {
      const path = await bundle(bundler, format, settings, 'by-name.mjs')
      const source = readFileSync(path, 'utf8')
      assert.match(source, /(from |require\()["']vecrank\/transformers["']/)
      assert.doesNotMatch(source, /(from |require\()["']@huggingface/)
      assertVector(answer(await app.node([path])))
    })
  }
}

test('esbuild for a browser: the program is bundled and says where it can run', { skip: programs.esbuild.skip }, async () => {
  const path = await bundle('esbuild', 'esm', ['--platform=browser'], 'by-name.mjs')
  const { code, stderr } = await app.failure(process.execPath, [path])
  assert.equal(code, 1)
  assert.match(stderr, /VecrankError.*pipeline\(\).*needs Node[^]*ERR_RUNTIME/)
})

/** A bundle that holds vecrank ends with its error, which names the reason and each bundler's setting. */
async function assertRefused(path, reason) {
  assert.ok(readFileSync(path, 'utf8').length > 50_000, 'vecrank is not in the bundle')
  const { code, stderr } = await app.failure(process.execPath, [path])
  assert.equal(code, 1)
  const [, message] = /VecrankError\]?: ([^]*?)\n {4}at /.exec(stderr) ?? assert.fail(stderr)
  assert.match(message, reason)
  for (const setting of ["esbuild, Rollup: external: ['vecrank']", "Vite: ssr: { external: ['vecrank'] }"]) assert.ok(message.includes(setting), message)
  assert.match(stderr, /ERR_RUNTIME/)
}
