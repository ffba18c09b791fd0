'use strict'

/**
 * Checks of one value: `(value, path) => the value to use`, or a TypeError that says what was expected; and objects of options, which are tables
 * of checks. An option is read once, so that a getter runs once.
 */

const { expected } = require('./errors.js')
const { isArray, isObject } = require('./shape.js')

const LARGEST = 2 ** 31 - 1

const text = (value, path) => {
  if (typeof value !== 'string') throw expected('a string', path, value)
  return value
}
const nonEmpty = (value, path) => {
  if (typeof value !== 'string' || value === '') throw expected('a non-empty string', path, value)
  return value
}
const flag = (value, path) => {
  if (typeof value !== 'boolean') throw expected('a boolean', path, value)
  return value
}
const callback = (value, path) => {
  if (typeof value !== 'function') throw expected('a function', path, value)
  return value
}
const whole = (least, most) => (value, path) => {
  if (!Number.isInteger(value) || value < least || value > most) throw expected(`a whole number from ${least} to ${most}`, path, value)
  return value
}
/** For what is cut to the number of items anyway. */
const positive = (value, path) => {
  if (!Number.isSafeInteger(value) || value < 1) throw expected('a whole number of at least 1', path, value)
  return value
}
const oneOf = (...names) => (value, path) => {
  if (!names.includes(value)) throw expected(`one of ${names.map((name) => `"${name}"`).join(', ')}`, path, value)
  return value
}
/** Known by its shape: one from another realm, or of a library, is as good as the platform's. */
const signal = (value, path) => {
  const fits =
    isObject(value) &&
    typeof value.aborted === 'boolean' &&
    typeof value.addEventListener === 'function' &&
    typeof value.removeEventListener === 'function'
  if (!fits) throw expected('an AbortSignal', path, value)
  return value
}
const strings = (value, path) => {
  if (!isObject(value) || isArray(value)) throw expected('an object of strings', path, value)
  // In one order, so that equal objects make equal instances.
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, text(value[name], `${path}.${name}`)]))
}
/** An option of the contract that a later version builds. Refused, never ignored: a program must not believe that it had an effect. */
const later = (value, path) => {
  throw expected('nothing (this option is not in this version)', path, value)
}
/** An error message ends up in logs. */
const secret = (value, path) => {
  if (typeof value !== 'string' || value === '') throw expected('a non-empty string', path, '(not shown)')
  return value
}

/** The known options that are set, checked. An option set to `undefined` is absent. */
function read(options, table, path = 'options') {
  if (options === undefined) return {}
  if (!isObject(options) || isArray(options)) throw expected('an object', path, options)
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(table, name) && options[name] !== undefined) {
      const known = Object.keys(table).filter((option) => table[option] !== later)
      throw expected(`a known option (${known.join(', ')})`, path, name)
    }
  }
  const found = {}
  for (const name of Object.keys(table)) {
    const value = options[name]
    if (value !== undefined) found[name] = table[name](value, `${path}.${name}`)
  }
  return found
}

module.exports = { LARGEST, callback, flag, later, nonEmpty, oneOf, positive, read, secret, signal, strings, text, whole }
