'use strict'

/** What stands in for `vecrank/transformers` where native code cannot run, as `lib/elsewhere.js` does for vecrank. */

module.exports = {
  ...require('./lacking.js'),
  ...require('./absent.js'),
  // Settings are made before anything is loaded, also by programs that load nothing here.
  env: { backends: { onnx: { wasm: {}, webgl: {}, webgpu: {} } } },
  LogLevel: Object.freeze({ DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, NONE: 50 }),
}
