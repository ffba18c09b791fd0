// ONNX files for the tests of what may be wrong with one: the bytes of a fixture changed in one place, or a graph of a few nodes. Only the
// wire format of protobuf is known here; numbers of fields are those of onnx.proto.

const MODEL = { irVersion: 1, graph: 7, opsetImport: 8 }
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 }
const TENSOR = { name: 8, data: 9 }
const NODE = { input: 1, output: 2, operator: 4, attribute: 5, domain: 7 }

function varint(number) {
  const bytes = []
  let rest = BigInt.asUintN(64, BigInt(number))
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Buffer.from(bytes)
}

/** A field with a number, a text, or bytes. */
function field(number, value) {
  if (typeof value === 'number') return Buffer.concat([varint(number << 3), varint(value)])
  const bytes = Buffer.from(value)
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
}

/** The fields of a message in their order: `{ number, value }`, with a BigInt or bytes. */
function fieldsOf(message) {
  const fields = []
  let at = 0
  const read = () => {
    let number = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++]
      number |= BigInt(byte & 127) << shift
      if (byte < 128) return number
    }
  }
  while (at < message.length) {
    const start = at
    const tag = Number(read())
    const wire = tag & 7
    let value
    if (wire === 0) value = read()
    else {
      const length = wire === 2 ? Number(read()) : wire === 1 ? 8 : 4
      value = message.subarray(at, at + length)
      at += length
    }
    fields.push({ number: tag >> 3, value, bytes: message.subarray(start, at) })
  }
  return fields
}

/** The message with `change(value)` in place of each field of that number; `undefined` leaves the field as it is. */
function changed(message, number, change) {
  return Buffer.concat(
    fieldsOf(message).map((each) => {
      const value = each.number === number ? change(each.value) : undefined
      return value === undefined ? each.bytes : field(number, value)
    }),
  )
}

const textOf = (message, number) => fieldsOf(message).find((each) => each.number === number)?.value.toString('utf8')

export const withIrVersion = (model, version) => changed(model, MODEL.irVersion, () => version)

export const withOpset = (model, version) => changed(model, MODEL.opsetImport, () => opset('', version))

export const opset = (domain, version) => Buffer.concat([field(1, domain), field(2, version)])

/** The first node of operator `from` is of another, and of another domain if one is given, which the model then imports. */
export function withOperator(model, from, to, domain) {
  let isDone = false
  const node = (bytes) => {
    if (isDone || textOf(bytes, NODE.operator) !== from) return undefined
    isDone = true
    const renamed = changed(bytes, NODE.operator, () => to)
    return domain === undefined ? renamed : Buffer.concat([renamed, field(NODE.domain, domain)])
  }
  const result = changed(model, MODEL.graph, (graph) => changed(graph, GRAPH.node, node))
  return domain === undefined ? result : Buffer.concat([result, field(MODEL.opsetImport, opset(domain, 1))])
}

/** An input, an output or what a node gives gets another name, wherever it stands. */
export function withName(model, from, to) {
  const named = (number) => (message) => changed(message, number, (name) => (name.toString('utf8') === from ? to : undefined))
  return changed(model, MODEL.graph, (graph) => {
    let result = changed(graph, GRAPH.node, (node) => named(NODE.output)(named(NODE.input)(node)))
    for (const number of [GRAPH.input, GRAPH.output]) result = changed(result, number, named(1))
    return result
  })
}

/** The numbers of the initializer whose name ends so, after `change(bytes)` has worked on a copy of them. */
export function withNumbers(model, ending, change) {
  let isDone = false
  const result = changed(model, MODEL.graph, (graph) =>
    changed(graph, GRAPH.initializer, (initializer) => {
      if (!textOf(initializer, TENSOR.name).endsWith(ending)) return undefined
      isDone = true
      return changed(initializer, TENSOR.data, (data) => {
        const numbers = Buffer.from(data)
        change(numbers)
        return numbers
      })
    }),
  )
  if (!isDone) throw new Error(`No initializer's name ends with ${ending}`)
  return result
}

/** Declares other shapes of inputs: `{ input_ids: [1, 16] }`; a text is an open axis. */
export function withShapes(model, shapes) {
  return changed(model, MODEL.graph, (graph) =>
    changed(graph, GRAPH.input, (input) => {
      const shape = shapes[textOf(input, 1)]
      return shape && value(textOf(input, 1), typeOf(input), shape)
    }),
  )
}

/** The number of an input's element type: of `type.tensor_type.elem_type`. */
function typeOf(input) {
  const inside = (message, number) => fieldsOf(message).find((each) => each.number === number).value
  return Number(inside(inside(inside(input, 2), 1), 1))
}

/** A `ValueInfoProto`; type 1 is float, 7 is int64. */
function value(name, type, shape) {
  const dimensions = shape.map((size) => field(1, typeof size === 'number' ? field(1, size) : field(2, size)))
  const tensor = Buffer.concat([field(1, type), field(2, Buffer.concat(dimensions))])
  return Buffer.concat([field(1, name), field(2, field(1, tensor))])
}

function node(operator, inputs, outputs, ...attributes) {
  return Buffer.concat([
    ...inputs.map((name) => field(NODE.input, name)),
    ...outputs.map((name) => field(NODE.output, name)),
    field(NODE.operator, operator),
    ...attributes.map((attribute) => field(NODE.attribute, attribute)),
  ])
}

function tensor(name, type, dimensions, data) {
  return Buffer.concat([...dimensions.map((size) => field(1, size)), field(2, type), field(TENSOR.name, name), field(TENSOR.data, data)])
}

/**
 * A graph of three nodes that reads `input_ids` and no mask: each token's vector, plus the mean over all tokens, so that padding would show.
 * `shape`, if it is given, is what the result is reshaped to inside the graph, as a careless export does. `own` nodes that change nothing follow,
 * which ONNX Runtime's own CPU provider has and others do not (com.microsoft:SampleOp).
 */
export function maskless({ vocabulary = 2000, hidden = 32, shape, own = 0 } = {}) {
  const table = Float32Array.from({ length: vocabulary * hidden }, (_, at) => Math.sin(at))
  const integers = (...numbers) => Buffer.from(BigInt64Array.from(numbers, BigInt).buffer)
  const axes = Buffer.concat([field(1, 'axes'), field(8, 1), field(20, 7)])
  const last = shape === undefined && own === 0 ? 'last_hidden_state' : 'sum'
  const nodes = [node('Gather', ['table', 'input_ids'], ['tokens']), node('ReduceMean', ['tokens'], ['mean'], axes), node('Add', ['tokens', 'mean'], [last])]
  const initializers = [tensor('table', 1, [vocabulary, hidden], Buffer.from(table.buffer))]
  if (shape !== undefined) {
    nodes.push(node('Reshape', ['sum', 'shape'], ['last_hidden_state']))
    initializers.push(tensor('shape', 7, [shape.length], integers(...shape)))
  }
  for (let number = 1; number <= own; number++) {
    const names = [number === 1 ? 'sum' : `own_${number - 1}`, number === own ? 'last_hidden_state' : `own_${number}`]
    nodes.push(Buffer.concat([node('SampleOp', [names[0]], [names[1]]), field(NODE.domain, 'com.microsoft')]))
  }
  const graph = Buffer.concat([
    ...nodes.map((each) => field(GRAPH.node, each)),
    field(GRAPH.name, 'tiny'),
    ...initializers.map((each) => field(GRAPH.initializer, each)),
    field(GRAPH.input, value('input_ids', 7, ['rows', 'tokens'])),
    field(GRAPH.output, value('last_hidden_state', 1, ['rows', 'tokens', hidden])),
  ])
  return Buffer.concat([field(MODEL.irVersion, 8), field(MODEL.graph, graph), field(MODEL.opsetImport, opset('', 13)), field(MODEL.opsetImport, opset('com.microsoft', 1))])
}
