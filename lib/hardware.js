'use strict'

/** What this machine has to run models with. The addon knows the devices; the processor and the memory Node knows. */

const os = require('node:os')
const { addon } = require('./addon.js')
const { unwrap } = require('./errors.js')

async function hardware() {
  const { features, instructions, gpus, providers, onnxruntime } = JSON.parse(unwrap(await addon().hardware()))
  const processors = os.cpus()
  return {
    cpu: {
      model: processors[0]?.model.trim() || 'unknown',
      cores: processors.length,
      allowed: os.availableParallelism(),
      features,
      instructions,
    },
    memory: { total: os.totalmem(), limit: memoryLimit() },
    gpus,
    providers,
    onnxruntime,
  }
}

/** Bytes that a container may use, or null where it may use all. Node 20 gives a number that no machine has for "all". */
function memoryLimit() {
  const limit = process.constrainedMemory?.() ?? 0
  return limit > 0 && limit < os.totalmem() ? limit : null
}

module.exports = { hardware }
