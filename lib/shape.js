'use strict'

/** Is it an object, is it an array: answered for any value. A revoked proxy throws whatever one asks of it, so here it is neither. */

function isObject(value) {
  if (typeof value !== 'object' || value === null) return false
  try {
    Array.isArray(value)
    return true
  } catch {
    return false
  }
}

function isArray(value) {
  return isObject(value) && Array.isArray(value)
}

module.exports = { isArray, isObject }
