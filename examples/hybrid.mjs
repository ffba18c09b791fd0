// Hybrid search: by meaning (dense vectors), by words (BM25), both fused, and the best read by a reranker.
//   node examples/hybrid.mjs

import { readFileSync } from 'node:fs'
import { Bm25, Embedder, Reranker, SparseMatrix, fuse, topK } from 'vecrank'

const { passages } = JSON.parse(readFileSync(new URL('data/passages.json', import.meta.url), 'utf8'))
const texts = passages.map(({ text }) => text)
const embedder = new Embedder()
const reranker = new Reranker()

// Once for all queries.
const dense = await embedder.embedMany(texts)
const bm25 = Bm25.fit(texts)
const sparse = new SparseMatrix(bm25.encodeDocument(texts))

for (const query of ['How many sacks did Kawann Short have?', 'Who sang the anthem at Super Bowl 50?']) {
  const byMeaning = topK(await embedder.embedQuery(query), dense, 10)
  const byWords = topK(bm25.encodeQuery(query), sparse, 10)
  const found = fuse([byMeaning, byWords]).map(({ index }) => texts[index])
  const best = await reranker.rerank(query, found, { topK: 3, returnDocuments: true })

  console.log(`\n${query}`)
  for (const { score, document } of best) console.log(score.toFixed(2).padStart(7), document.slice(0, 70))
}
