// Zero-shot routing: each message goes to the team whose description suits it best. Nothing is trained.
//   node examples/route.mjs          by embeddings, with the model beside vecrank
//   node examples/route.mjs MODEL    by inference: a classifier of pairs, such as Xenova/nli-deberta-v3-xsmall

import { Classifier, Embedder, topK } from 'vecrank'

const teams = ['billing', 'delivery', 'technical']
const subjects = ['invoices, payments, refunds', 'parcels, shipping, the way of an order', 'errors, crashes, passwords, settings']
const messages = ['I was charged twice this month', 'When will my package arrive?', 'The app closes when I log in']
const hypotheses = subjects.map((subject) => `This message is about ${subject}.`)

async function byMeaning() {
  const embedder = new Embedder()
  const library = await embedder.embedMany(hypotheses)
  return (await embedder.embed(messages)).map((vector) => topK(vector, library, 1)[0])
}

async function byInference(model) {
  const classifier = new Classifier(model)
  const entails = async (text) => {
    const answers = await classifier.classify(hypotheses.map((pair) => ({ text, pair })))
    const scores = answers.map((labels) => labels.find(({ label }) => /^entail/i.test(label)).score)
    return { index: scores.indexOf(Math.max(...scores)), score: Math.max(...scores) }
  }
  return Promise.all(messages.map(entails))
}

const [, , model] = process.argv
const routed = await (model === undefined ? byMeaning() : byInference(model))
routed.forEach(({ index, score }, at) => console.log(score.toFixed(2), teams[index].padEnd(10), messages[at]))
