// What is asked of both: of Transformers.js when its answers are recorded (`record.mjs`), and of vecrank when they are compared. Each case is a
// function of the library, and what it returns is written as JSON by `plain`.

/** A value as JSON has it. A tensor is its type, dimensions and values; an error only says that there is one. */
export function plain(value) {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number') return Number.isFinite(value) ? Number(value.toPrecision(8)) : String(value)
  if (value === undefined) return 'undefined'
  if (typeof value !== 'object' || value === null) return value
  if (value.ort_tensor !== undefined) return { type: value.type, dims: [...value.dims], data: Array.from(value.data, plain) }
  if (ArrayBuffer.isView(value)) return { array: value.constructor.name, data: Array.from(value, plain) }
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]))
}

export async function answers(cases, library) {
  const found = {}
  for (const [name, ask] of Object.entries(cases)) {
    try {
      found[name] = plain(await ask(library))
    } catch {
      found[name] = { error: true }
    }
  }
  return found
}

const numbers = (count, scale = 1) => Float32Array.from({ length: count }, (_, index) => scale * Math.sin(index * 1.7 + 0.3))
const block = ({ Tensor }, ...dims) =>
  new Tensor(
    'float32',
    numbers(
      dims.reduce((a, b) => a * b, 1),
      3,
    ),
    dims,
  )
const whole = ({ Tensor }, ...dims) => {
  const count = dims.reduce((a, b) => a * b, 1)
  return new Tensor(
    'int64',
    BigInt64Array.from({ length: count }, (_, index) => BigInt((index * 7) % 11) - 4n),
    dims,
  )
}
const parts = (tensor) => [...tensor]

/** Each a call of the same name on a tensor of two or three dimensions. */
const methods = {
  sigmoid: [[]],
  mul: [[2.5], [-1], [0]],
  div: [[4], [-0.5]],
  add: [[1.25], [-3]],
  sub: [[1.25]],
  neg: [[]],
  round: [[]],
  clamp: [
    [-1, 1],
    [0, Infinity],
  ],
  remainder: [[2], [-1.5]],
  gt: [[0], [1.5]],
  lt: [[0]],
  clone: [[]],
  stride: [[]],
  flatten: [[], [1], [0, 1], [1, -1]],
  squeeze: [[], [0], [[0, 1]]],
  unsqueeze: [[0], [1], [-1], [2]],
  view: [[-1], [6, -1], [-1, 1, 2]],
  mean: [[], [0], [1], [-1], [1, true]],
  sum: [[], [0], [1], [-1], [0, true]],
  norm: [[], ['fro', 1], [2, -1], [2, 0, true]],
  normalize: [[], [2, 0], [2, -1]],
  min: [[], [0], [1, true], [-1]],
  max: [[], [0], [1, true], [-1]],
  argmax: [[]],
  argmin: [[]],
  slice: [
    [0],
    [-1],
    [null, 0],
    [null, -1],
    [[0, 1]],
    [
      [-2, null],
      [1, 2],
    ],
    [null, [1, null]],
    [[1, 100]],
    [],
  ],
  repeat: [
    [1, 2, 2],
    [2, 1, 3],
  ],
  tile: [[2], [1, 2]],
  tolist: [[]],
  to: [['float64'], ['int32'], ['int64'], ['uint8'], ['float32'], ['bool']].slice(0, 5),
}

export const cases = {
  'constructor, typed array': ({ Tensor }) => new Tensor('float32', new Float32Array([1, 2]), [2, 1]),
  'constructor, array': ({ Tensor }) => new Tensor('int64', [1, 2n, 3], [3]),
  'constructor, without dimensions': ({ Tensor }) => new Tensor('float32', [1, 2, 3]),
  'constructor, array alone': ({ Tensor }) => new Tensor(new Float32Array([1, 2, 3])),
  'constructor, array alone with dimensions': ({ Tensor }) => new Tensor(new Int32Array([1, 2, 3, 4]), [2, 2]),
  'constructor, booleans': ({ Tensor }) => new Tensor('bool', [true, false], [2]),
  'constructor, strings': ({ Tensor }) => new Tensor('string', ['a', 'b'], [2]),
  'constructor, bytes of a picture': ({ Tensor }) => new Tensor('uint8', new Uint8ClampedArray([1, 255]), [2]),
  'constructor, of a tensor below': (library) => new library.Tensor(block(library, 2, 2).ort_tensor),
  'constructor, scalar': ({ Tensor }) => new Tensor('float32', [4], []),
  'constructor, too few values': ({ Tensor }) => new Tensor('float32', [1, 2, 3], [2, 2]),
  'constructor, wrong array': ({ Tensor }) => new Tensor('float32', new Float64Array(2), [2]),
  'constructor, wrong type': ({ Tensor }) => new Tensor('complex', [1], [1]),
  'constructor, wrong dimensions': ({ Tensor }) => new Tensor('float32', [1], 1),
  'constructor, negative dimension': ({ Tensor }) => new Tensor('float32', [1], [-1]),
  properties: (library) => {
    const tensor = block(library, 2, 3)
    const { dims, type, data, size, location } = tensor
    return { dims, type, data, size, location, below: { ...tensor.ort_tensor }, keys: Object.keys(tensor), json: JSON.stringify(tensor) }
  },
  'is itself': (library) => {
    const tensor = block(library, 2, 3)
    return [tensor instanceof library.Tensor, tensor[0] instanceof library.Tensor, tensor.data === tensor.ort_tensor.data]
  },
  index: (library) => [
    block(library, 2, 3)[0],
    block(library, 2, 3)[1],
    block(library, 2, 3)[-1],
    block(library, 2, 2, 2)[1][0],
    block(library, 3)[2],
  ],
  'index beyond the end': (library) => block(library, 2, 3)[2],
  'index before the start': (library) => block(library, 2, 3)[-3],
  'index shares memory': (library) => {
    const tensor = block(library, 2, 3)
    tensor[1].data[0] = 42
    return tensor
  },
  iteration: (library) => [parts(block(library, 2, 3)), parts(block(library, 3)), parts(whole(library, 2, 2)), Array.from(block(library, 1, 2, 2))],
  destructuring: (library) => {
    const [first, second] = block(library, 2, 3)
    return [first, second]
  },
  item: (library) => [new library.Tensor('float32', [1.5], [1]).item(), new library.Tensor('int64', [7n], []).item()],
  'item of many': (library) => block(library, 2).item(),
  tolist: (library) => [
    block(library, 2, 3).tolist(),
    whole(library, 2, 2).tolist(),
    block(library, 1, 2, 2).tolist(),
    block(library, 4).tolist(),
    new library.Tensor('float32', [2], []).tolist(),
  ],
  'tolist without values': (library) => [new library.Tensor('float32', [], [0]).tolist(), new library.Tensor('float32', [], [0, 3]).tolist()],
  map: (library) => block(library, 2, 3).map((value, index, data) => value * index + data.length),
  'in place': (library) => {
    const tensor = block(library, 2, 3)
    const results = ['sigmoid_', 'neg_', 'round_'].map((name) => tensor[name]() === tensor)
    tensor.mul_(2).add_(1).sub_(3).div_(4).clamp_(-0.9, 0.9)
    return [results, tensor]
  },
  'in place, dimensions': (library) => {
    const tensor = block(library, 1, 2, 3)
    const { data } = tensor
    tensor.squeeze_(0).unsqueeze_(-1).flatten_()
    return [tensor, tensor.data === data]
  },
  'in place, normalize_': (library) => {
    const tensor = block(library, 2, 3)
    return [tensor.normalize_(2, -1) === tensor, tensor]
  },
  map_: (library) => block(library, 2).map_(() => 1),
  'clone has its own memory': (library) => {
    const tensor = block(library, 2)
    const copy = tensor.clone()
    copy.data[0] = 9
    copy.dims[0] = 2
    return [tensor, copy]
  },
  'view shares memory': (library) => {
    const tensor = block(library, 2, 3)
    tensor.view(3, 2).data[0] = 9
    tensor.squeeze().data[1] = 8
    tensor.unsqueeze(0).data[2] = 7
    return tensor
  },
  'dims can be set': (library) => {
    const tensor = block(library, 2, 3)
    tensor.dims = [3, 2]
    return tensor
  },
  'view that does not fit': (library) => block(library, 2, 3).view(4, 2),
  'view with two unknowns': (library) => block(library, 2, 3).view(-1, -1),
  'unsqueeze too far': (library) => block(library, 2, 3).unsqueeze(3),
  'slice beyond a dimension': (library) => block(library, 2, 3).slice(2),
  'slice that ends before it starts': (library) => block(library, 4, 3).slice([3, 1]),
  'slice of the wrong kind': (library) => block(library, 2, 3).slice('a'),
  permute: (library) => [block(library, 2, 3).permute(1, 0), block(library, 2, 3, 2).permute(2, 0, 1), block(library, 2, 3).transpose(1, 0)],
  'permute, function': (library) => library.permute(block(library, 2, 3), [1, 0]),
  'whole numbers': (library) => [
    whole(library, 2, 3).sum(),
    whole(library, 2, 3).sum(0),
    whole(library, 2, 3).max(),
    whole(library, 2, 3).min(),
    whole(library, 2, 3).argmax(),
    whole(library, 2, 3).argmin(),
  ],
  'whole numbers, comparison': (library) => [whole(library, 2, 3).gt(0), whole(library, 2, 3).lt(2)],
  'whole numbers, remainder': (library) => [whole(library, 2, 3).remainder(3), whole(library, 2, 3).remainder(-3n)],
  'whole numbers, remainder by zero': (library) => whole(library, 2).remainder(0),
  'whole numbers, bigint operands': (library) => [whole(library, 2, 3).mul(2n), whole(library, 2, 3).add(1n), whole(library, 2, 3).neg()],
  'whole numbers, mean': (library) => whole(library, 2, 3).mean(),
  'whole numbers, norm': (library) => whole(library, 2, 3).norm(),
  'whole numbers of 32 bits': ({ Tensor }) => {
    const tensor = new Tensor('int32', [5, -7, 9, 4], [2, 2])
    return [tensor.div(2), tensor.mul(3), tensor.sum(1), tensor.max(0), tensor.to('float32').div(2), tensor.to('int64'), tensor.remainder(4)]
  },
  'to, from whole numbers': (library) => [whole(library, 2, 3).to('float32'), whole(library, 2, 3).to('int32'), whole(library, 2, 3).to('uint64')],
  'to the same type': (library) => {
    const tensor = block(library, 2)
    return tensor.to('float32') === tensor
  },
  'to a type that is none': (library) => block(library, 2).to('complex'),
  cat: (library) => [
    library.cat([block(library, 2, 3), block(library, 1, 3)]),
    library.cat([block(library, 2, 3), block(library, 2, 2)], 1),
    library.cat([block(library, 2, 3), block(library, 2, 2)], -1),
    library.cat([whole(library, 2), whole(library, 3)]),
  ],
  'cat, in the middle': (library) => library.cat([block(library, 2, 1, 2), block(library, 2, 3, 2)], 1),
  'cat, too far': (library) => library.cat([block(library, 2, 3)], 2),
  stack: (library) => [
    library.stack([block(library, 2, 3), block(library, 2, 3)]),
    library.stack([block(library, 2, 3), block(library, 2, 3)], 1),
    library.stack([block(library, 2), block(library, 2)], -1),
  ],
  'mean, function': (library) => [
    library.mean(block(library, 2, 3)),
    library.mean(block(library, 2, 3), 1),
    library.mean(block(library, 2, 3), 0, true),
  ],
  std_mean: (library) => [
    library.std_mean(block(library, 2, 3)),
    library.std_mean(block(library, 2, 3), 1),
    library.std_mean(block(library, 2, 3), 0, 0, true),
    library.std_mean(block(library, 2, 3), -1, 0),
  ],
  full: ({ full }) => [full([2, 2], 1.5), full([2], 3n), full([3], true), full([], 7), full([0], 1)],
  'full of the wrong kind': ({ full }) => full([2], 'a'),
  'ones and zeros': (library) => [
    library.ones([2, 2]),
    library.zeros([3]),
    library.ones_like(block(library, 2, 1)),
    library.zeros_like(block(library, 1, 2)),
    library.full_like(block(library, 2), 4),
  ],
  'rand of a seed': ({ rand, random }) => {
    random.seed(42)
    return rand([2, 3])
  },
  'randn of a seed': ({ randn, random }) => {
    random.seed(7)
    return randn([3, 3])
  },
  random: ({ random }) => {
    random.seed(42)
    const list = Array.from({ length: 12 }, (_, index) => index)
    random.shuffle(list)
    return [
      random.random(),
      random.gauss(),
      random.gauss(1, 2),
      random.choices(['a', 'b', 'c'], [1, 2, 3]),
      random.choices(['a', 'b', 'c'], [0, 0, 1]),
      list,
    ]
  },
  'random, one of its own': ({ random }) => {
    const own = new random.Random(2 ** 40 + 3)
    return Array.from({ length: 700 }, () => own.random()).slice(-5)
  },
  quantize_embeddings: (library) => [
    library.quantize_embeddings(block(library, 2, 16), 'binary'),
    library.quantize_embeddings(block(library, 2, 16), 'ubinary'),
  ],
  'quantize_embeddings, of 12': (library) => library.quantize_embeddings(block(library, 2, 12), 'binary'),
  'quantize_embeddings, of another precision': (library) => library.quantize_embeddings(block(library, 2, 16), 'int8'),
  'quantize_embeddings, of three dimensions': (library) => library.quantize_embeddings(block(library, 2, 1, 16), 'binary'),
  mean_pooling: (library) => library.mean_pooling(block(library, 2, 3, 4), new library.Tensor('int64', [1n, 1n, 0n, 1n, 1n, 1n], [2, 3])),
  layer_norm: (library) => [library.layer_norm(block(library, 2, 4), [4]), library.layer_norm(block(library, 2, 4), [4], { eps: 0.1 })],
  'layer_norm of three dimensions': (library) => library.layer_norm(block(library, 2, 2, 2), [2]),
  topk: (library) =>
    Promise.all([
      library.topk(block(library, 2, 5), 2),
      library.topk(block(library, 5)),
      library.topk(block(library, 2, 3), 100),
      library.topk(block(library, 2, 2, 3), 1),
    ]),
  'topk of equal values': (library) => library.topk(new library.Tensor('float32', [1, 2, 2, 1, 2], [5]), 4),
  matmul: (library) =>
    Promise.all([
      library.matmul(block(library, 2, 3), block(library, 3, 2)),
      library.matmul(block(library, 2, 2, 3), block(library, 2, 3, 4)),
      library.matmul(block(library, 2, 2, 3), block(library, 3, 1)),
      library.matmul(block(library, 3), block(library, 3, 2)),
      library.matmul(block(library, 2, 3), block(library, 3)),
      library.matmul(block(library, 3), block(library, 3)),
      library.matmul(block(library, 1, 2, 3), block(library, 4, 3, 2)),
    ]),
  'matmul that does not fit': (library) => library.matmul(block(library, 2, 3), block(library, 2, 3)),
  'slice, function': (library) =>
    Promise.all([
      library.slice(block(library, 2, 5), [1], [4], [1]),
      library.slice(block(library, 2, 5), [0, -3], [1, 100], [0, 1]),
      library.slice(block(library, 2, 5), [0], [5], [1], [2]),
      library.slice(block(library, 2, 5), [4], [-100], [1], [-2]),
      library.slice(block(library, 2, 5), [0], [2], [-1]),
    ]),
  softmax: ({ softmax }) => [softmax([1, 2, 3]), softmax(new Float32Array([1000, 1001])), softmax([-1e9, 0]), softmax([5])],
  'softmax of nothing': ({ softmax }) => softmax([]),
  log_softmax: ({ log_softmax }) => [log_softmax([1, 2, 3]), log_softmax(new Float32Array([-1000, 0]))],
  'dot and cos_sim': ({ dot, cos_sim }) => [
    dot([1, 2, 3], [4, 5, 6]),
    cos_sim([1, 2, 3], [4, 5, 6]),
    cos_sim(numbers(8), numbers(8, -2)),
    cos_sim([0, 0], [1, 1]),
    dot(numbers(8), numbers(8)),
  ],
  LogLevel: ({ LogLevel }) => LogLevel,
}

for (const [name, calls] of Object.entries(methods)) {
  for (const values of calls) {
    cases[`${name}(${JSON.stringify(values, (_, value) => (value === Infinity ? 'Infinity' : value)).slice(1, -1)})`] = (library) => {
      const tensor = block(library, 1, 3, 2)
      const flat = block(library, 3, 4)
      const of = (each) => (values.length <= each.dims.length || name !== 'slice' ? each[name](...values) : each)
      return name === 'repeat' || name === 'tile' || name === 'view' || name === 'squeeze' ? of(tensor) : [attempt(() => of(tensor)), of(flat), flat]
    }
  }
}

function attempt(work) {
  try {
    return work()
  } catch {
    return 'refused'
  }
}
