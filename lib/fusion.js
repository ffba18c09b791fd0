'use strict'

/** Reciprocal rank fusion: many rankings of the same things to one, by the places in them and not by their scores. */

const { listLength } = require('./arguments.js')
const { read } = require('./checks.js')
const { expected } = require('./errors.js')
const { isArray, isObject } = require('./shape.js')

const number = (least) => (value, path) => {
  if (!Number.isFinite(value) || value < least) throw expected(`a finite number of at least ${least}`, path, value)
  return value
}
const notNegative = number(0)
const weights = (value, path) => {
  if (!isArray(value)) throw expected('an array of numbers', path, value)
  return Array.from({ length: listLength(value, path) }, (_, at) => notNegative(value[at], `${path}[${at}]`))
}

function fuse(rankings, options) {
  if (!isArray(rankings)) throw expected('an array of rankings', 'rankings', rankings)
  const { k = 60, weights: given } = read(options, { k: notNegative, weights })
  const count = listLength(rankings, 'rankings')
  if (given !== undefined && given.length !== count) throw expected(`a weight for each ranking (${count})`, 'options.weights.length', given.length)
  // What each ranking gives to an index, in the order in which indices come up.
  const shares = new Map()
  for (let at = 0; at < count; at++) {
    const weight = given === undefined ? 1 : given[at]
    indicesOf(rankings[at], `rankings[${at}]`).forEach((index, place) => {
      const share = weight / (k + place + 1)
      const own = shares.get(index)
      if (own === undefined) shares.set(index, [share])
      else own.push(share)
    })
  }
  const fused = Array.from(shares, ([index, own]) => ({ index, score: total(own) }))
  // Stable: of equal scores the one that came up first.
  return fused.sort((a, b) => b.score - a.score)
}

/** The sum of an index's shares, from the largest to the least: equal shares from other rankings then make an equal sum, to the bit. */
function total(shares) {
  return shares.sort((a, b) => b - a).reduce((sum, share) => sum + share, 0)
}

/** The indices of a ranking, each once. */
function indicesOf(ranking, path) {
  if (!isArray(ranking)) throw expected('an array of {index} objects or of indices', path, ranking)
  const indices = new Set()
  const length = listLength(ranking, path)
  for (let place = 0; place < length; place++) {
    const item = ranking[place]
    const isEntry = isObject(item) && !isArray(item)
    const index = isEntry ? item.index : item
    const where = () => `${path}[${place}]${isEntry ? '.index' : ''}`
    if (!Number.isSafeInteger(index) || index < 0) throw expected('an index (a whole number of at least 0)', where(), index)
    if (indices.has(index)) throw expected('an index that the ranking does not have already', where(), index)
    // Of two zeros a set keeps the one.
    indices.add(index)
  }
  return [...indices]
}

module.exports = { fuse }
