'use strict'

/** Is it an object, is it an array: answered for any value. A revoked proxy throws whatever one asks of it, so here it is neither. */

function isObject(value) {
  return typeof value === 'object' && value !== null && !isRevoked(value)
}

/** What the language calls an object: functions as well. */
function isObjectOrFunction(value) {
  return isObject(value) || (typeof value === 'function' && !isRevoked(value))
}

function isArray(value) {
  return isObject(value) && Array.isArray(value)
}

function isRevoked(value) {
  try {
    // A question that calls no trap.
    Array.isArray(value)
    return false
  } catch {
    return true
  }
}

module.exports = { isArray, isObject, isObjectOrFunction }
