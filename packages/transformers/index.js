'use strict'

// By a literal name, which Node's scanner for named imports and bundlers follow: in a browser or an edge runtime they find there what refuses.
module.exports = require('vecrank/transformers')
