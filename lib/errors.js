'use strict'

/**
 * The errors that leave this package. Two classes only: `TypeError` for a wrong argument (the program has to change) and `VecrankError` for
 * everything else (the world has to). Both carry a `code` that stays the same between versions; messages may be reworded.
 */

const { inspect } = require('node:util')
const { VecrankError } = require('./failure.js')

/** @returns {TypeError} with the code of a wrong argument. */
function argumentError(message, cause) {
  const error = new TypeError(message, cause === undefined ? undefined : { cause })
  error.code = 'ERR_INVALID_ARG'
  return error
}

/** The one sentence for a wrong argument: what was expected, where, and what came in. */
function expected(what, path, value) {
  return argumentError(`Expected ${what} for \`${path}\` but received ${describe(value)} of type ${typeof value}.`)
}

/** What JSON leaves as it is, and a terminal or an editor does not: control characters, line separators, changes of direction. */
const UNPRINTABLE = /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** A short text for any value. It looks at no property and calls no trap, and what still throws is swallowed: an error message must not fail. */
function describe(value) {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(shorten(value)).replace(UNPRINTABLE, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
    case 'bigint':
      return `${shorten(String(value))}n`
    case 'symbol':
      return shorten(String(value))
    case 'function':
      return 'a function'
    case 'object':
      if (value === null) return 'null'
      try {
        // Depth -1 names the class and looks at no property.
        return shorten(inspect(value, { depth: -1, customInspect: false, showProxy: true }).split('\n')[0])
      } catch {
        return 'an object'
      }
    default:
      return String(value)
  }
}

function shorten(text) {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}

/** The value of a native call's outcome, or its error thrown as one of ours. Native calls never reject: see `binding.d.ts`. */
function unwrap(outcome) {
  if (!outcome.error) return outcome.value
  const { code, message, causes } = outcome.error
  // Causes come nearest first; the last one has no cause of its own.
  const cause = (causes ?? []).reduceRight((inner, text) => new Error(text, inner && { cause: inner }), undefined)
  throw code === 'ERR_INVALID_ARG' ? argumentError(message, cause) : new VecrankError(code, message, cause && { cause })
}

module.exports = { VecrankError, argumentError, describe, expected, unwrap }
