'use strict'

const fs = require('node:fs')

/** Whether a path can be seen. Not `existsSync` alone: under Node's permission model, and in Deno, that throws where reading is not allowed. */
function exists(path) {
  try {
    return fs.existsSync(path)
  } catch {
    return false
  }
}

module.exports = { exists }
