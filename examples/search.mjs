// Search by meaning: embed once, keep one block of vectors, compare each query with all of them.
//   node examples/search.mjs

import { Embedder, topK } from 'vecrank'

const texts = [
  'Green leaves make sugar from light: photosynthesis.',
  'The train to the coast leaves at nine.',
  'Yeast makes bread dough rise.',
  'Solar panels turn sunlight into electric current.',
  'A sourdough loaf needs a day of patience.',
]

const embedder = new Embedder()
const library = await embedder.embedMany(texts)
for (const query of ['How do plants use the sun?', 'baking at home']) {
  console.log(`\n${query}`)
  const vector = await embedder.embedQuery(query)
  for (const { index, score } of topK(vector, library, 2)) console.log(`  ${score.toFixed(3)} ${texts[index]}`)
}
await embedder.dispose()
