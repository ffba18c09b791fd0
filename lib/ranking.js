'use strict'

/** Rows by their scores, the best first. */

const { addon } = require('./addon.js')
const { unwrap } = require('./errors.js')

function ranking({ indices, scores }) {
  return Array.from(indices, (index, place) => ({ index, score: scores[place] }))
}

/** The best `topK` of `scores`, or all; ordered on another thread. */
async function ranked(scores, topK) {
  return ranking(unwrap(await addon().order(scores, topK === undefined ? -1 : Math.min(topK, scores.length))))
}

module.exports = { ranked, ranking }
