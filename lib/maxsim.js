'use strict'

/** Late interaction: how well a query's vectors find theirs in a document's. */

const { isFloat32Array } = require('node:util/types')
const { addon } = require('./addon.js')
const { isDetached, items, lengthOf, vector } = require('./arguments.js')
const { LARGEST, whole } = require('./checks.js')
const { expected, unwrap } = require('./errors.js')
const { isArray, isObject } = require('./shape.js')

const WHAT = 'a matrix {data, rows, dimensions}'
const rowCount = whole(0, LARGEST)
const width = whole(1, LARGEST)

/** A checked matrix. */
function matrix(value, path) {
  if (!isObject(value) || isArray(value)) throw expected(WHAT, path, value)
  const { data, rows, dimensions } = value
  rowCount(rows, `${path}.rows`)
  width(dimensions, `${path}.dimensions`)
  if (!isFloat32Array(data)) throw expected('a Float32Array', `${path}.data`, data)
  if (lengthOf(data) !== rows * dimensions) throw expected(`rows times dimensions (${rows * dimensions})`, `${path}.data.length`, lengthOf(data))
  // Without rows there is nothing that `vector` would take.
  if (rows === 0 && isDetached(data)) throw expected('a Float32Array that was not transferred', `${path}.data`, data)
  return { data: rows === 0 ? new Float32Array(0) : vector(data, `${path}.data`), dimensions }
}

function maxSim(query, document) {
  const sought = matrix(query, 'query')
  const alike = (value, path) => {
    const { data, dimensions } = matrix(value, path)
    if (dimensions !== sought.dimensions) throw expected(`as many as the query has (${sought.dimensions})`, `${path}.dimensions`, dimensions)
    return data
  }
  if (!isArray(document)) return scores(sought, [alike(document, 'document')])[0]
  return scores(sought, items(document, 'document', `${WHAT} or an array of these`, alike))
}

function scores(query, documents) {
  // A copy in JavaScript's own memory, as everywhere: see `lib/request.js`.
  return new Float32Array(unwrap(addon().maxSim(query.data, documents, query.dimensions)))
}

module.exports = { maxSim }
