'use strict'

const path = require('node:path')

/** The folder that holds the model's files: pass it to `new Embedder`. */
exports.path = __dirname

/** Every file of the model, each by a literal path, so that bundlers and file tracers take it along. */
exports.files = [
  path.join(__dirname, '1_Pooling/config.json'),
  path.join(__dirname, 'config.json'),
  path.join(__dirname, 'config_sentence_transformers.json'),
  path.join(__dirname, 'modules.json'),
  path.join(__dirname, 'onnx/model_quantized.onnx'),
  path.join(__dirname, 'sentence_bert_config.json'),
  path.join(__dirname, 'special_tokens_map.json'),
  path.join(__dirname, 'tokenizer.json'),
  path.join(__dirname, 'tokenizer_config.json'),
]
