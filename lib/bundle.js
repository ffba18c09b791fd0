'use strict'

/**
 * What is said where a bundler has taken vecrank into its output. The native files stay behind then, whatever the bundler; an ES module has not even the
 * means to look for them: `require` throws or is not there, and neither is `__dirname`. Without these checks the user would read a
 * `ReferenceError` of a line that is not theirs.
 */

const { VecrankError } = require('./failure.js')

/** What to do, by the words of each bundler. */
const KEEP_OUT =
  "Keep vecrank out of the bundle (esbuild, Rollup: external: ['vecrank']; Vite: ssr: { external: ['vecrank'] }; Next.js: serverExternalPackages: ['vecrank'])"

function refusal(cause) {
  return new VecrankError(
    'ERR_RUNTIME',
    `vecrank was bundled into an ES module, from where its native files cannot be found. ${KEEP_OUT}, and ship node_modules beside the program.`,
    cause && { cause },
  )
}

/** For the beginning of the package: throws where Node's own modules cannot be required. */
function assertRequire() {
  try {
    require('node:path')
  } catch (cause) {
    throw refusal(cause)
  }
}

/** For those who look for files beside themselves: throws where there is no such place. */
function assertFolder() {
  if (typeof __dirname !== 'string') throw refusal()
}

module.exports = { KEEP_OUT, assertFolder, assertRequire }
