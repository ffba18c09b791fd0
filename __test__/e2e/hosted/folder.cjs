// A model that lies in the application's own folder, given by its path. Prints where it was found and a vector.

const { join } = require('node:path')
const { Embedder } = require('vecrank')

const main = async () => {
  const embedder = new Embedder(join(__dirname, 'models', 'own'))
  const { path } = await embedder.info()
  console.log(JSON.stringify({ path, vector: Array.from(await embedder.embed('How do plants make sugar?')) }))
}
main()
