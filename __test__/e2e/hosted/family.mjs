// child_process.fork: four children embed at once; one is killed while it works. Prints what each sent, and how each ended.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Embedder, embed } from 'vecrank'

if (process.send === undefined) {
  const own = embed('How do plants make sugar?')
  const children = Array.from({ length: 4 }, () => fork(fileURLToPath(import.meta.url)))
  const vectors = (await Promise.all(children.map((child) => once(child, 'message')))).map(([vector]) => vector)
  const ends = children.map((child) => once(child, 'exit'))
  const [killed, ...others] = children
  killed.kill('SIGKILL')
  for (const child of others) child.send('again')
  vectors.push(...(await Promise.all(others.map((child) => once(child, 'message')))).map(([vector]) => vector))
  for (const child of others) child.disconnect()
  console.log(JSON.stringify({ vectors: [...vectors, Array.from(await own)], ends: await Promise.all(ends) }))
} else {
  const embedder = new Embedder()
  const answer = async () => process.send(Array.from(await embedder.embed('How do plants make sugar?')))
  await answer()
  embedder.embedMany(Array.from({ length: 50 }, (_, index) => `${'word '.repeat(50)}${index}`))
  process.on('message', answer)
}
