'use strict'

/**
 * The words of a command line, and numbers as people read them. Not `util.parseArgs`: it knows no option whose value may be left out.
 */

/** The user named something that there is not: the message is shown with a hint to the help, and nothing was done. */
class UsageError extends Error {}

/**
 * Splits words into options and the rest.
 *
 * @param known by name: 'flag' (true), 'value' (the next word, or after '='), or 'optional' (a value that ends in `.json`, or true)
 * @returns {{ options: Record<string, string | true>, rest: string[] }}
 */
function readArguments(words, known) {
  const options = {}
  const rest = []
  const left = [...words]
  while (left.length > 0) {
    const word = left.shift()
    if (word === '--') return { options, rest: [...rest, ...left] }
    if (!word.startsWith('-') || word === '-') {
      rest.push(word)
      continue
    }
    const [, name, given] = /^--([^=]+)(?:=(.*))?$/s.exec(word === '-h' ? '--help' : word) ?? []
    if (name === undefined || !Object.hasOwn(known, name)) throw new UsageError(`there is no option ${JSON.stringify(word)}`)
    if (Object.hasOwn(options, name)) throw new UsageError(`--${name} is given twice`)
    options[name] = valueOf(name, known[name], given, left)
  }
  return { options, rest }
}

function valueOf(name, kind, given, left) {
  if (kind === 'flag') {
    if (given !== undefined) throw new UsageError(`--${name} takes no value`)
    return true
  }
  // A model may follow: only a name that ends in .json is the option's own.
  if (kind === 'optional' && given === undefined) return /\.json$/i.test(left[0] ?? '') ? left.shift() : true
  const value = given ?? left.shift()
  if (value === undefined || value === '' || (given === undefined && value.startsWith('--')))
    throw new UsageError(`--${name} needs a value`)
  return value
}

/** Throws where two options of which one rules out the other are both set. */
function refuseBoth(options, first, second) {
  if (options[first] !== undefined && options[second] !== undefined) throw new UsageError(`--${first} and --${second} exclude each other`)
}

/** `245 kB`: decimal units, as the Hub shows them. */
function bytes(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  // From 999.5 on it would be shown as 1000.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit > 0 && value < 99.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

const several = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`

/** A word as it is typed into a shell. */
function quoted(word) {
  return /^[\w@%+=:,./\\-]+$/.test(word) ? word : JSON.stringify(word)
}

module.exports = { UsageError, bytes, quoted, readArguments, refuseBoth, several }
