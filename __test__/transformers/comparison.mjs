// Whether an answer is the recorded one: the same structure, text and whole numbers, and fractions within rounding.

import assert from 'node:assert/strict'

/** Float32 has 24 bits: some roundings of them, for numbers of any size. */
export const ROUNDING = 2e-6

export function assertSame(actual, expected, tolerance = ROUNDING, where = 'answer') {
  if (typeof expected === 'number' && typeof actual === 'number') {
    const difference = Math.abs(actual - expected)
    assert.ok(difference <= tolerance * Math.max(1, Math.abs(expected)), `${where}: ${actual} instead of ${expected}`)
  } else if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${where}: ${JSON.stringify(actual)} instead of an array`)
    assert.equal(actual.length, expected.length, `${where}: as many values`)
    expected.forEach((each, index) => assertSame(actual[index], each, tolerance, `${where}[${index}]`))
  } else if (typeof expected === 'object' && expected !== null) {
    assert.ok(typeof actual === 'object' && actual !== null, `${where}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`)
    assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), `${where}: the same keys`)
    for (const key of Object.keys(expected)) assertSame(actual[key], expected[key], tolerance, `${where}.${key}`)
  } else {
    assert.deepEqual(actual, expected, where)
  }
}
