// Values made in a vm context are passed in; what comes back is of the realm that loaded the package. Prints what the context sees.

const vm = require('node:vm')
const vecrank = require('vecrank')

const code = `(async () => {
  const side = (value) => new Float32Array(384).fill(value)
  const failure = (call) => call.then(() => 'none', ({ name, code }) => name + ' ' + code)
  const rows = await vecrank.embed(['a', 'b'])
  const controller = { aborted: false, addEventListener() {}, removeEventListener() {} }
  const indices = []
  for await (const { index } of new vecrank.Embedder().embedStream((function* () { yield* ['a', 'b'] })())) indices.push(index)
  return {
    rows: rows.length,
    vector: Array.from(await vecrank.embed('How do plants make sugar?', { signal: controller })),
    bytes: (await vecrank.embed('a', { output: 'int8', ranges: { min: side(-1), max: side(1) } })).length,
    similarity: vecrank.cosineSimilarity(new Float32Array([1, 0]), new Float32Array([0, 1])),
    nearest: vecrank.topK(new Float32Array([1, 0]), [new Float32Array([0, 1]), new Float32Array([1, 0])], 1),
    ranked: (await vecrank.rerank('a', [{ text: 'b' }, 'c'], { topK: 1 })).length,
    indices,
    failures: [await failure(vecrank.embed('a', { model: './nothing' })), await failure(vecrank.embed(5))],
  }
})()`

vm.runInContext(code, vm.createContext({ vecrank })).then((seen) => console.log(JSON.stringify(seen)))
