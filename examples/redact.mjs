// Redacts a stream while it comes: each span that the model finds becomes its label.
//   node examples/redact.mjs Xenova/bert-base-NER < letter.txt
// Without a model: a tiny one with random weights, which hides nonsense and needs no network.

import { TokenClassifier } from 'vecrank'

const [, , model] = process.argv
const tiny = new URL('../tests/fixtures/beyond/token-classifier-uncased', import.meta.url)
const letter = 'Dear Maria Garcia,\nJohn Smith will be in Prague on Monday.\n'.repeat(5)
const source = model ? process.stdin.setEncoding('utf8') : letter.match(/.{1,20}/gs)
const classifier = new TokenClassifier(model ?? tiny)
const find = (text) => classifier.classify(text, { aggregation: 'first' })
const hide = (text, spans) => spans.reduceRight((rest, { start, end, label }) => `${rest.slice(0, start)}[${label}]${rest.slice(end)}`, text)

/** What goes out ends with a line, in no span and with text behind it. The rest waits, so that no chunk's edge cuts a span. */
async function* redact(chunks, context = 100) {
  let [text, wanted] = ['', 2 * context]
  for await (const chunk of chunks) {
    if ((text += chunk).length < wanted) continue
    const spans = await find(text)
    const lines = [...text.slice(0, -context).matchAll(/\n/g)].map(({ index }) => index + 1)
    const to = lines.findLast((at) => !spans.some(({ start, end }) => start < at && at < end)) ?? 0
    yield hide(text.slice(0, to), spans.filter(({ end }) => end <= to))
    text = text.slice(to)
    wanted = text.length + context
  }
  yield hide(text, await find(text))
}
for await (const piece of redact(source)) process.stdout.write(piece)
await classifier.dispose()
