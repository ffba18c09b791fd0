// The worker of libraries.mjs, for the library that runs in one.

const { folder } = JSON.parse(process.env.LIBRARY)
if (folder !== undefined) {
  const { env } = await import('@huggingface/transformers')
  env.localModelPath = folder
  env.allowRemoteModels = false
}
await import('@xsai-transformers/embed/worker')
