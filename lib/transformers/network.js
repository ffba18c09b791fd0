'use strict'

/**
 * Rows of token ids through the network of a loaded model. A model takes padded tensors, as Transformers.js' do; the native side takes rows without
 * padding and computes nothing for it. What stands for padded places in the result is the mean of the row's tokens where they are states of a network,
 * and 0 where they are logits: programs that take the mean or the maximum of a whole row, padding and all, then get what the lone text gives.
 */

const { underSignal } = require('../call.js')
const { LARGEST } = require('../checks.js')
const { argumentError, expected, unwrap } = require('../errors.js')
const { KIND, Model, infoOf, opened } = require('../model.js')
const { isTensor, Tensor } = require('./tensor.js')

/** A handle for each kind of network that no class of vecrank's own is for. */
class Backbone extends Model {}
class TokenLabels extends Model {}
class MaskedLm extends Model {}
for (const [Class, kind] of [
  [Backbone, 'backbone'],
  [TokenLabels, 'token-classifier'],
  [MaskedLm, 'masked-lm'],
]) {
  Object.defineProperty(Class.prototype, KIND, { value: kind })
  // As its user knows it.
  Object.defineProperty(Class, 'name', { value: 'model' })
}

/** The tensors that a network reads; others would change a result that is computed without them. */
const READ = ['input_ids', 'attention_mask', 'token_type_ids']

/**
 * What the network of `handle` gives for `inputs`.
 * @param form `isPerToken`: whether it gives numbers for each token, or for each row; `isState`: whether these are states of the network
 * @returns {Promise<Tensor>} `[rows, length, width]` or `[rows, width]`
 */
async function forward(handle, inputs, { isPerToken, isState }) {
  const [count, length] = dimsOf(inputs)
  const { rows, ids, typeIds, lengths } = rowsOf(inputs, count, length)
  const { values, widths } = await underSignal(undefined, async (call) => {
    const native = await opened(handle, call)
    const request = { ids, typeIds, lengths, rows: { list: 'input_ids', first: count === 1 ? undefined : 0 } }
    const reply = unwrap(await native.forward(request, call.ticket))
    return { values: reply.values, widths: reply.lengths }
  })
  if (!isPerToken) return inRows(values, widths)
  const tensor = scattered(values, widths, rows, length)
  if (isState) fillPadding(tensor, rows)
  return tensor
}

function dimsOf(inputs) {
  const { input_ids } = inputs ?? {}
  if (!isTensor(input_ids)) throw expected('a Tensor of token ids, as a tokenizer gives', 'inputs.input_ids', input_ids)
  for (const [name, value] of Object.entries(inputs)) {
    if (!READ.includes(name) && isTensor(value)) throw argumentError(`The input ${name} is not in vecrank: its networks read ${READ.join(', ')}.`)
    if (READ.includes(name) && value !== undefined && value !== null && !isTensor(value)) throw expected('a Tensor', `inputs.${name}`, value)
  }
  const dims = input_ids.dims
  if (dims.length !== 2)
    throw argumentError(`Expected a tensor of two dimensions (texts, tokens) for \`inputs.input_ids\` but received one of [${dims.join(', ')}].`)
  for (const name of ['attention_mask', 'token_type_ids']) {
    const other = inputs[name]?.dims
    if (other !== undefined && (other.length !== 2 || other[0] !== dims[0] || other[1] !== dims[1])) {
      throw argumentError(
        `Expected the dimensions of \`input_ids\`, [${dims.join(', ')}], for \`inputs.${name}\` but received [${other.join(', ')}].`,
      )
    }
  }
  return dims
}

/** The rows without what the mask hides: `rows` says for each where in the tensor it begins and ends. */
function rowsOf({ input_ids, attention_mask, token_type_ids }, count, length) {
  const rows = Array.from({ length: count }, (_, row) => span(attention_mask, row, length))
  const total = rows.reduce((sum, { from, to }) => sum + to - from, 0)
  const taken = (tensor, path) => {
    const result = new Uint32Array(total)
    let at = 0
    rows.forEach(({ from, to }, row) => {
      for (let place = from; place < to; place++) result[at++] = idOf(tensor.data[row * length + place], `${path}[${row}][${place}]`)
    })
    return result
  }
  return {
    rows,
    ids: taken(input_ids, 'inputs.input_ids'),
    typeIds: token_type_ids && taken(token_type_ids, 'inputs.token_type_ids'),
    lengths: Uint32Array.from(rows, ({ from, to }) => to - from),
  }
}

function idOf(value, path) {
  const id = Number(value)
  if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) throw expected('a token id, which is a whole number of at least 0', path, value)
  return id
}

/** What of a row is not padding: one stretch, at either end or anywhere. */
function span(mask, row, length) {
  if (mask === undefined || mask === null) return { from: 0, to: length }
  const isToken = (place) => Number(mask.data[row * length + place]) !== 0
  let from = 0
  while (from < length && !isToken(from)) from++
  let to = from
  while (to < length && isToken(to)) to++
  for (let place = to; place < length; place++) {
    if (!isToken(place)) continue
    throw argumentError(
      `\`inputs.attention_mask[${row}]\` hides the place ${to} between places that it shows. vecrank's networks read a row without gaps.`,
    )
  }
  return { from, to }
}

/** Numbers of each token, back at its place. */
function scattered(values, widths, rows, length) {
  const first = rows.findIndex(({ from, to }) => to > from)
  const width = first === -1 ? 0 : widths[first] / (rows[first].to - rows[first].from)
  const data = new Float32Array(rows.length * length * width)
  let at = 0
  rows.forEach(({ from }, row) => {
    data.set(values.subarray(at, at + widths[row]), (row * length + from) * width)
    at += widths[row]
  })
  return new Tensor('float32', data, [rows.length, length, width])
}

/** Writes the mean of each row's tokens into its padded places. */
function fillPadding({ data, dims: [, length, width] }, rows) {
  rows.forEach(({ from, to }, row) => {
    if (to === from || to - from === length) return
    const start = row * length * width
    const mean = new Float64Array(width)
    for (let at = from * width; at < to * width; at++) mean[at % width] += data[start + at] / (to - from)
    for (let place = 0; place < length; place++) if (place < from || place >= to) data.set(mean, start + place * width)
  })
}

function inRows(values, widths) {
  const width = widths.reduce((most, count) => Math.max(most, count), 0)
  const data = new Float32Array(widths.length * width)
  let at = 0
  widths.forEach((count, row) => {
    data.set(values.subarray(at, at + count), row * width)
    at += count
  })
  return new Tensor('float32', data, [widths.length, width])
}

/** How many tokens a row may have: what the tokenizer says, as far as the network has positions; where that is no limit, what the model's files say. */
async function limitOf(handle, wanted) {
  const native = await opened(handle)
  return wanted <= LARGEST ? native.within(wanted) : infoOf(handle, native).maxLength
}

module.exports = { Backbone, MaskedLm, TokenLabels, forward, limitOf }
