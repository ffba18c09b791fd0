// A reranker reads the question and a document together, and scores how well the one answers the other.
//   node examples/rerank.mjs

import { rerank } from 'vecrank'

const question = 'How many people live in Berlin?'
const documents = [
  'Berlin is well known for its museums.',
  'New York has eight million inhabitants.',
  'Berlin has 3.5 million registered inhabitants.',
  'The Berlin Wall fell in 1989.',
]

console.log(question)
for (const { score, document } of await rerank(question, documents, { returnDocuments: true })) {
  console.log(score.toFixed(2).padStart(7), document)
}
