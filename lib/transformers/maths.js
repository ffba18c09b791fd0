'use strict'

/** Numbers of plain and typed arrays: softmax, dot product, cosine, the largest. Sums are in double precision, whatever the array holds. */

const { argumentError, expected } = require('../errors.js')
const { isArray } = require('../shape.js')

/** Probabilities of logits: of the class of the array that came in. */
function softmax(logits) {
  const highest = max(logits)[0]
  // Behind the subtraction nothing is above 0, so nothing overflows.
  const weights = Array.from(logits, (logit) => Math.exp(logit - highest))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return logits.map((_, index) => weights[index] / total)
}

/** Logarithms of these probabilities, exact also where the probability itself is 0. */
function log_softmax(logits) {
  const highest = max(logits)[0]
  let total = 0
  for (const logit of logits) total += Math.exp(logit - highest)
  const level = highest + Math.log(total)
  return logits.map((logit) => logit - level)
}

/** The probability of a single logit. */
function sigmoid(logit) {
  return 1 / (1 + Math.exp(-logit))
}

/** Sum of products. */
function dot(left, right) {
  numbers(left, 'arr1')
  numbers(right, 'arr2')
  if (left.length !== right.length) throw expected(`as many values as \`arr1\` has (${left.length})`, 'arr2.length', right.length)
  let sum = 0
  for (let index = 0; index < left.length; index++) sum += left[index] * right[index]
  return sum
}

/** Cosine of the angle between two vectors; NaN where one of them is zero and has no direction. */
function cos_sim(left, right) {
  return dot(left, right) / (magnitude(left) * magnitude(right))
}

/** Length of a vector. */
function magnitude(vector) {
  return Math.sqrt(dot(vector, vector))
}

/** The smallest value and its place, the first of equal ones. */
function min(values) {
  return extreme(values, (value, best) => value < best)
}

/** The largest value and its place, the first of equal ones. */
function max(values) {
  return extreme(values, (value, best) => value > best)
}

function extreme(values, isBetter) {
  numbers(values, 'arr')
  if (values.length === 0) throw argumentError('Expected an array with at least one value for `arr` but received an empty one.')
  let place = 0
  for (let index = 1; index < values.length; index++) {
    if (isBetter(values[index], values[place])) place = index
  }
  return [values[place], place]
}

function numbers(values, path) {
  if (!isArray(values) && !ArrayBuffer.isView(values)) throw expected('an array of numbers or a typed array', path, values)
}

module.exports = { cos_sim, dot, log_softmax, max, min, sigmoid, softmax }
