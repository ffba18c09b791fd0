// The folder that holds the model's files: pass it to `new Embedder`.
exports.path = __dirname
