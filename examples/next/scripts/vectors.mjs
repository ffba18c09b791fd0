// Embeds the passages, once, before the build. data/vectors.f32 holds one row of 32-bit floats for each of them.

import { readFile, writeFile } from 'node:fs/promises'
import { Embedder } from 'vecrank'

const file = (name) => new URL(`../data/${name}`, import.meta.url)

const { passages } = JSON.parse(await readFile(file('passages.json'), 'utf8'))
const embedder = await Embedder.load()
const { data, rows, dimensions } = await embedder.embedMany(passages.map(({ text }) => text))
await writeFile(file('vectors.f32'), data)
console.log(`data/vectors.f32: ${rows} passages, ${dimensions} values each`)
await embedder.dispose()
