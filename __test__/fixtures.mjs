// Where the models of the tests are, and how their expected values are read and compared. Expected values come from Python; nothing here
// computes one.

import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

const repositories = new Map(
  ['zoo', 'extra', 'beyond'].flatMap((group) => {
    const folder = path.join(root, 'tests', 'fixtures', group)
    const names = readdirSync(folder).filter((name) => existsSync(path.join(folder, name, 'golden.json')))
    return names.map((name) => [`${group}/${name}`, path.join(folder, name)])
  }),
)

/** The folder of a tiny model, such as `zoo/bert-mean`. A missing one is a failure, not a skip. */
export function tiny(name) {
  assert.ok(repositories.has(name), `tests/fixtures/${name} is missing`)
  return repositories.get(name)
}

/** Names of all tiny models of a kind. */
export function tinyOf(kind) {
  return [...repositories.keys()].filter((name) => golden(name).kind === kind)
}

const read = new Map()

export function golden(name) {
  if (!read.has(name)) read.set(name, readJson(path.join(tiny(name), 'golden.json')))
  return read.get(name)
}

export function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** A full-size model beside the repository, for those who have it. CI must have it: there, what is missing fails. */
export function fullSize(name) {
  const folder = path.join(root, '..', 'shared', 'models', name)
  if (existsSync(path.join(folder, 'golden.json'))) return { folder, skip: false }
  assert.notEqual(process.env.CI, 'true', `CI=true and ../shared/models/${name} is missing`)
  return { folder, skip: `../shared/models/${name} is not here: parity with the full-size model is NOT tested` }
}

/** A copy of a model to damage. It goes when the test ends. */
export function copyOf(name, t) {
  const folder = mkdtempSync(path.join(tmpdir(), 'vecrank-test-'))
  cpSync(tiny(name), folder, { recursive: true })
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

// ---------- comparison ---------------------------------------------------------------------------------------------------

export function cosine(a, b) {
  assert.equal(a.length, b.length, 'as many dimensions')
  let product = 0
  let left = 0
  let right = 0
  for (let index = 0; index < a.length; index++) {
    product += a[index] * b[index]
    left += a[index] ** 2
    right += b[index] ** 2
  }
  // Two zero vectors are the same vector.
  return left === 0 && right === 0 ? 1 : product / Math.sqrt(left * right)
}

export function largestDifference(a, b) {
  assert.equal(a.length, b.length, 'as many values')
  let largest = 0
  // Not `Math.max`: it would hide nothing, but a comparison with NaN would.
  for (let index = 0; index < a.length; index++) {
    const difference = Math.abs(a[index] - b[index])
    assert.ok(difference >= 0, `value ${index} is not a number`)
    if (difference > largest) largest = difference
  }
  return largest
}

export function assertNear(actual, expected, tolerance, what) {
  const difference = largestDifference(actual, expected)
  assert.ok(difference <= tolerance, `${what}: differs by ${difference}, more than ${tolerance}`)
}

export function assertSameVector(actual, expected, what) {
  assertNear(actual, expected, 1e-4, what)
  assert.ok(cosine(actual, expected) >= 0.99999, `${what}: cosine ${cosine(actual, expected)}`)
}

/** Checks an error's class and code and that its sentence matches. */
export function failure(code, pattern = /\S/) {
  return (error) => {
    assert.equal(error.code, code, `${error.stack}`)
    assert.match(error.message, pattern)
    if (code === 'ERR_INVALID_ARG') assert.ok(error instanceof TypeError)
    else assert.equal(error.name, 'VecrankError')
    return true
  }
}

// ---------- texts --------------------------------------------------------------------------------------------------------

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
export function seeded(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const WORDS = 'the capital of France is a large city near river where many people live and work in summer museum café north bridge 1984'.split(' ')

/** `count` texts of 1 to `longest` words. */
export function someTexts(count, longest = 30, seed = 1) {
  const random = seeded(seed)
  return Array.from({ length: count }, () => {
    const words = 1 + Math.floor(random() * longest)
    return Array.from({ length: words }, () => WORDS[Math.floor(random() * WORDS.length)]).join(' ')
  })
}
