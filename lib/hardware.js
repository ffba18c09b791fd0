'use strict'

/** What this machine has to run models with. The addon knows the devices; the processor and the memory Node knows. */

const os = require('node:os')
const { addon } = require('./addon.js')
const { unwrap } = require('./errors.js')

async function hardware() {
  const { allowed, features, instructions, gpus, providers, onnxruntime } = JSON.parse(unwrap(await addon().hardware()))
  // The addon knows a container's quota too, which Node 20 does not count; it is what `threads` is by default.
  return { cpu: { ...processor(), allowed, features, instructions }, memory: memory(), gpus, providers, onnxruntime }
}

/** What Node knows of the processor. */
function processor() {
  const processors = os.cpus()
  return { model: processors[0]?.model.trim() || 'unknown', cores: processors.length, allowed: os.availableParallelism() }
}

/** What Node knows of the memory. The limit is bytes that a container may use, or null where it may use all. */
function memory() {
  // Node 20 gives a number that no machine has for "all".
  const limit = process.constrainedMemory?.() ?? 0
  return { total: os.totalmem(), limit: limit > 0 && limit < os.totalmem() ? limit : null }
}

module.exports = { hardware, memory, processor }
