// The texts of every row, cut to the number of tokens that the row is about.

import { readFileSync, writeFileSync } from 'node:fs'
import { Embedder } from 'vecrank'

/** The first words of each text that make at most `tokens` tokens, special ones included. A text that is too short is left out. */
async function cut(embedder, texts, tokens) {
  const words = texts.map((text) => text.split(' '))
  const of = (index, count) => words[index].slice(0, count).join(' ')
  // Every step halves the range in which the number of words lies, for all texts in one call.
  const bounds = words.map(({ length }) => ({ least: 1, most: length }))
  while (bounds.some(({ least, most }) => least < most)) {
    const tries = bounds.map(({ least, most }) => Math.ceil((least + most) / 2))
    const counts = await embedder.tokenCounts(tries.map((count, index) => of(index, count)))
    bounds.forEach((bound, index) => {
      if (counts[index] <= tokens) bound.least = tries[index]
      else bound.most = tries[index] - 1
    })
  }
  const parts = bounds.map(({ least }, index) => of(index, least))
  const counts = await embedder.tokenCounts(parts)
  return parts.map((text, index) => ({ text, tokens: counts[index] }))
}

/**
 * Writes the sets to `file` and gives them back: each a list of texts, with the number of tokens of each text in `tokens`.
 * `folder` is a model whose tokenizer counts; all models of this benchmark have the same.
 */
export async function writeTexts(folder, data, file) {
  const { mixed, short, long } = JSON.parse(readFileSync(data, 'utf8'))
  const embedder = new Embedder(folder)
  const counts = await embedder.tokenCounts(short)
  const exactly = async (texts, tokens) =>
    (await cut(embedder, texts, tokens)).filter((each) => each.tokens === tokens).map(({ text }) => text)
  const sets = {
    mixed,
    short: short.filter((_, index) => counts[index] >= 10 && counts[index] <= 20),
    long: (await cut(embedder, long, 256)).filter(({ tokens }) => tokens > 250).map(({ text }) => text),
    lone12: (await exactly(mixed, 12)).slice(0, 60),
    lone30: (await exactly(mixed, 30)).slice(0, 60),
    passages: (await cut(embedder, long.slice(0, 110), 100)).filter(({ tokens }) => tokens > 95).map(({ text }) => text).slice(0, 100),
    query: short.slice(0, 1),
  }
  const tokens = {}
  for (const [name, texts] of Object.entries(sets)) tokens[name] = Array.from(await embedder.tokenCounts(texts))
  await embedder.dispose()
  writeFileSync(file, JSON.stringify(sets))
  return { sets, tokens }
}
