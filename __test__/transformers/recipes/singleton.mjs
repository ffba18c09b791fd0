// The pipeline of the Next.js tutorial of Transformers.js: a promise that is kept, shared by requests and, in development, by reloads.

import { env, pipeline } from 'vecrank/transformers'

env.localModelPath = process.env.MODELS
env.allowRemoteModels = false

const P = () =>
  class PipelineSingleton {
    static task = 'text-classification'
    static model = 'zoo/distilbert-classifier-2'
    static instance = null

    static async getInstance(progress_callback = null) {
      this.instance ??= pipeline(this.task, this.model, { progress_callback })
      return this.instance
    }
  }

let PipelineSingleton
if (process.env.NODE_ENV !== 'production') {
  // When running in development mode, attach the pipeline to the global object, so that it is preserved between hot reloads.
  if (!global.PipelineSingleton) global.PipelineSingleton = P()
  PipelineSingleton = global.PipelineSingleton
} else {
  PipelineSingleton = P()
}

async function GET(text) {
  if (!text) return { status: 400, body: { error: 'Missing text parameter' } }
  const classifier = await PipelineSingleton.getInstance()
  const result = await classifier(text)
  return { status: 200, body: result }
}

const [missing, ...answers] = await Promise.all([GET(undefined), GET('I love transformers!'), GET('I hate this.')])
console.log(JSON.stringify({ missing, answers, same: (await PipelineSingleton.getInstance()) === (await PipelineSingleton.getInstance()) }))
