// Texts become vectors; texts that mean the same point the same way.
//   node examples/embed.mjs

import { cosineSimilarity, embed } from 'vecrank'

const texts = ['The cat sleeps on the sofa.', 'A kitten naps on the couch.', 'The central bank raised its rates.']
const vectors = await embed(texts)

console.log(`${vectors.length} vectors of ${vectors[0].length} numbers\n`)
for (let one = 0; one < texts.length; one++) {
  for (let other = one + 1; other < texts.length; other++) {
    const likeness = cosineSimilarity(vectors[one], vectors[other])
    console.log(likeness.toFixed(3), texts[one], '/', texts[other])
  }
}
