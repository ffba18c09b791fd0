// Somebody's package between the application and vecrank. Package managers that hide what is not declared must still show vecrank the models.

import { COMMONJS, MODELS } from './smoke.mjs'
import { made, tarballs } from './tarballs.mjs'

const { version } = tarballs().get('vecrank')
const source = { 'index.js': "module.exports = require('vecrank')" }

/** It leaves the models to the application. */
export const library = made(
  { name: 'search-library', version: '1.0.0', main: 'index.js', dependencies: { vecrank: `^${version}` } },
  source,
)

/** It brings the models along; the application knows nothing of them. */
export const equipped = made(
  {
    name: 'search-equipped',
    version: '1.0.0',
    main: 'index.js',
    dependencies: Object.fromEntries(['vecrank', ...MODELS].map((name) => [name, `^${version}`])),
  },
  source,
)

/** The program of an application that only knows the library. */
export function through({ name }) {
  return COMMONJS.replace("require('vecrank')", `require('${name}')`)
}

/** Dependencies of an application, for its package.json. */
export function dependencies(...names) {
  const versions = new Map([library, equipped].map((each) => [each.name, each.version]))
  return Object.fromEntries(names.map((name) => [name, versions.get(name) ?? version]))
}
