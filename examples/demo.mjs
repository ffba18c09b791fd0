// Embeds 240 paragraphs of Wikipedia, answers three questions by cosine search, reranks what was found, and shows both rankings side by side.
//   npm run demo
//
// The texts are from XQuAD (CC BY-SA 4.0), see examples/data/passages.json.

import { readFileSync } from 'node:fs'
import { Embedder, Reranker, topK } from 'vecrank'

const CANDIDATES = 10
const SHOWN = 5
const WIDTH = 80

const read = (name) => JSON.parse(readFileSync(new URL(`./data/${name}.json`, import.meta.url), 'utf8'))
const { passages } = read('passages')
const { questions } = read('questions')

// ---------- what is printed --------------------------------------------------------------------------------------------

const isTerminal = process.stdout.isTTY === true
const isColoured = isTerminal && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
const paint = (code) => (text) => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text)
const bold = paint(1)
const dim = paint(2)
const green = paint(32)

const print = (line = '') => process.stdout.write(`${line}\n`)
const seconds = (ms) => (ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`)

/** Exactly `width` characters of a text. */
function fit(text, width) {
  const characters = [...text]
  return characters.length <= width ? characters.join('') + ' '.repeat(width - characters.length) : `${characters.slice(0, width - 1).join('')}…`
}

/** A bar that moves on a terminal. Elsewhere nothing is printed until the end. */
function progress(label, start) {
  const columns = Math.min(WIDTH, process.stdout.columns || WIDTH) - 1
  return (done, total) => {
    if (!isTerminal) return
    const speed = done / ((performance.now() - start) / 1000)
    const counts = ` ${String(done).padStart(String(total).length)}/${total}  ${speed.toFixed(0).padStart(4)} passages/s`
    const room = Math.max(0, columns - label.length - 1 - counts.length)
    const filled = Math.round((room * done) / total)
    process.stdout.write(`\r${label} ${green('█'.repeat(filled))}${dim('░'.repeat(room - filled))}${counts}`)
    if (done === total) process.stdout.write('\r\x1b[K')
  }
}

/** One place of a ranking: rank, score, where the text is from and how it begins. A star marks the paragraph that holds the answer. */
function entry(place, found, answer, width) {
  if (found === undefined) return ' '.repeat(width)
  const { title, text } = passages[found.index]
  const isAnswer = found.index === answer
  const line = fit(`${place}. ${found.score.toFixed(2).padStart(5)} ${isAnswer ? '*' : ' '} ${title}: ${text.replace(/\s+/g, ' ')}`, width)
  return isAnswer ? green(line) : line
}

// ---------- the work ----------------------------------------------------------------------------------------------------

const started = performance.now()
const embedder = new Embedder()
const reranker = new Reranker()
await Promise.all([embedder.load(), reranker.load()])
const [embedding, ranking] = await Promise.all([embedder.info(), reranker.info()])
print(`${bold('vecrank')} on ${embedding.engine === 'encoder' ? embedding.instructions : `ONNX Runtime ${embedding.onnxruntime}`}; both models loaded in ${seconds(performance.now() - started)}`)
print(`  embeds    ${embedding.model} (${embedding.dtype}, ${embedding.dimensions} dimensions)`)
print(`  reranks   ${ranking.model} (${ranking.dtype})`)
print()

const embeddingStarted = performance.now()
const library = await embedder.embedMany(passages.map(({ text }) => text), { onProgress: progress('Embedding', embeddingStarted) })
const embeddingTime = performance.now() - embeddingStarted
print(
  `Embedded ${library.rows} passages (${library.tokens.toLocaleString('en')} tokens) in ${seconds(embeddingTime)}: ` +
    `${(library.rows / (embeddingTime / 1000)).toFixed(0)} passages/s`,
)

const times = { search: 0, rerank: 0 }
const first = { search: 0, rerank: 0 }
for (const { question, passage: answer, answer: words } of questions) {
  const searchStarted = performance.now()
  const found = topK(await embedder.embedQuery(question), library, CANDIDATES)
  const searchTime = performance.now() - searchStarted

  const rerankStarted = performance.now()
  const scored = await reranker.rerank(question, found.map(({ index }) => passages[index].text))
  const rerankTime = performance.now() - rerankStarted
  const reranked = scored.map(({ index, score }) => ({ index: found[index].index, score }))

  times.search += searchTime
  times.rerank += rerankTime
  if (found[0].index === answer) first.search++
  if (reranked[0].index === answer) first.rerank++

  const half = (WIDTH - 2) / 2
  print()
  print(bold(fit(question, WIDTH).trimEnd()))
  print(dim(`${fit(`By cosine, ${passages.length} passages, ${seconds(searchTime)}`, half)}  ${fit(`Reranked, best ${found.length}, ${seconds(rerankTime)}`, half)}`))
  for (let place = 0; place < SHOWN; place++) {
    print(`${entry(place + 1, found[place], answer, half)}  ${entry(place + 1, reranked[place], answer, half)}`.trimEnd())
  }
  print(dim(`* holds the answer: ${words}`))
}

print()
print(`The answer came first for ${first.search} of ${questions.length} questions by cosine, for ${first.rerank} after reranking.`)
print(dim('(The questions are ones for which cosine search alone is not enough.)'))
print(
  `Search took ${seconds(times.search / questions.length)} and reranking ${seconds(times.rerank / questions.length)} a question; ` +
    `all of it ${seconds(performance.now() - started)}.`,
)
await Promise.all([embedder.dispose(), reranker.dispose()])
