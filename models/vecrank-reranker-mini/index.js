// The folder that holds the model's files: pass it to `new Reranker`.
exports.path = __dirname
