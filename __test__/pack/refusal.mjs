// How a program is told that the native code cannot be loaded, and how that message is judged: a code, every attempt, and one thing to do.

import assert from 'node:assert/strict'
import { here } from './project.mjs'

/** A program (CommonJS) that needs the addon and nothing else, twice. It prints what each call gave: a number or an error. */
export const CALLS = `
const { dot } = require('vecrank')
const call = () => {
  try {
    return dot(new Float32Array([1, 2]), new Float32Array([3, 4]))
  } catch (error) {
    const { name, code, message, cause } = error
    return { name, code, message, cause: cause?.message }
  }
}
const first = call()
globalThis.repair?.()
console.log(JSON.stringify([first, call()]))
`
/** What \`dot\` gives. */
export const PRODUCT = 11

/** Each thing that a user may be told to do, by a few words that no other one has. */
export const FIXES = {
  node: /needs Node 20 or newer/,
  intel: /no build for macOS on Intel/,
  'no build': /There is no build for (?!macOS)/,
  'no addons': /must not load native addons.*--allow-addons.*--no-addons/,
  'no reading': /forbids to read the package.*--allow-fs-read/,
  deno: /--allow-ffi/,
  versions: /different versions/,
  'left out': /file of the package was left out/,
  'bundled elsewhere': /was bundled on another machine/,
  'old glibc': /glibc 2\.28 or newer is needed/,
  'other libc': /made for another C library/,
  damaged: /damaged or made for another platform/,
  'no execution': /noexec/,
  redistributable: /Visual C\+\+ Redistributable/,
  'other platform': /for another platform than this one/,
  'not installed': /is not installed\. It is an optional dependency.*--omit=optional/,
  again: /^Delete node_modules and install again/,
}

/** What the calls gave, of a run's output. */
export function calls({ stdout }) {
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

/**
 * Throws unless an error is the message for that cause.
 *
 * @param {{ name: string, code: string, message: string }} error
 * @param {keyof typeof FIXES} cause
 * @param {RegExp[]} tried what each attempt said, in order
 */
export function assertRefused({ name, code, message }, cause, tried, platform = here.name) {
  assert.equal(name, 'VecrankError', message)
  assert.equal(code, 'ERR_RUNTIME', message)
  const [head, ...lines] = message.split('\n')
  assert.match(head, /could not be loaded/)
  assert.ok(head.includes(` ${platform} `), `${head} names ${platform}`)
  const attempts = lines.slice(0, -1)
  assert.equal(attempts.length, tried.length, message)
  attempts.forEach((attempt, index) => assert.match(attempt, tried[index]))
  const fixes = Object.keys(FIXES).filter((each) => FIXES[each].test(lines.at(-1)))
  assert.deepEqual(fixes, [cause], message)
}
