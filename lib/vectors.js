'use strict'

/** Comparing vectors, dense ones and sparse ones. */

const { isFloat32Array } = require('node:util/types')
const { addon } = require('./addon.js')
const { block, lengthOf, sameLength, vector } = require('./arguments.js')
const { positive } = require('./checks.js')
const { expected } = require('./errors.js')
const { ranking } = require('./ranking.js')
const { SPARSE, dotOfSparse, isMatrix, isSparse, topKOfSparse } = require('./sparse.js')

function cosineSimilarity(a, b) {
  const [left, right] = sameLength(a, b)
  return addon().cosineSimilarity(left, right)
}

function dot(a, b) {
  if (isSparse(a) && isSparse(b)) return dotOfSparse(a, b)
  if (isSparse(a)) throw expected(`${SPARSE}, as \`a\` is one`, 'b', b)
  if (isFloat32Array(a) && isSparse(b)) throw expected('a Float32Array, as `a` is one', 'b', b)
  const [left, right] = sameLength(a, b)
  return addon().dot(left, right)
}

function topK(query, vectors, k) {
  if (isSparse(query)) return topKOfSparse(query, vectors, k)
  const sought = vector(query, 'query')
  if (isMatrix(vectors)) throw expected(`${SPARSE}, as \`vectors\` are`, 'query', query)
  const width = lengthOf(sought)
  const data = block(vectors, width)
  const wanted = Math.min(positive(k, 'k'), lengthOf(data) / width)
  return wanted === 0 ? [] : ranking(addon().topK(sought, data, wanted))
}

module.exports = { cosineSimilarity, dot, topK }
