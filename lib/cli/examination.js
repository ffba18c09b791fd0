'use strict'

/**
 * What only native code can say of this machine, told piece by piece. It runs in a process of its own, which `doctor.js` watches: a library that is
 * cut off or a driver that is out of order can end the process that opens it, or never come back, and just then a diagnosis is wanted.
 */

const { addon } = require('../addon.js')
const { unwrap } = require('../errors.js')
const { hardware } = require('../hardware.js')
const { hubSettings } = require('../hub.js')
const { SelfTest } = require('./selftest.js')

/** What the self-test may take in all. */
const SELF_TEST_MS = 10_000

/**
 * @param {{ quick: boolean }} options
 * @param {(name: string, value: any) => void} tell is called with `doing` (what is begun), `addon`, `cache`, `hardware`, `model`, `skipped`, `run`, `done`
 */
async function examine({ quick }, tell) {
  tell('doing', 'loading the addon')
  try {
    addon()
    tell('addon', { error: null })
  } catch (error) {
    tell('addon', { error: error.message })
    return tell('done')
  }
  tell('doing', 'reading the cache')
  tell('cache', await cache())
  tell('doing', 'trying the devices')
  let devices = []
  try {
    const found = await hardware()
    devices = found.providers.filter(({ available }) => available).map(({ device }) => device)
    tell('hardware', found)
  } catch (error) {
    tell('hardware', { error: error.message })
  }
  if (!quick) {
    const told = (name, value) => tell(name, name === 'doing' ? `the self-test of ${value}` : value)
    await new SelfTest(devices, told, SELF_TEST_MS).run()
  }
  tell('done')
}

/** The cache as the addon knows it. The settings of the Hub are read for that, so what is wrong with them is said here. */
async function cache() {
  try {
    const { folder, models } = JSON.parse(unwrap(await new (addon().StoreJob)().list(hubSettings({}))))
    return { folder, models: models.map(({ model, size }) => ({ model, size })), error: null }
  } catch (error) {
    return { folder: null, models: null, error: error.message }
  }
}

// As a process: the parent has asked for it with a channel.
if (require.main === module) {
  const tell = (name, value) => process.send?.({ name, value })
  examine({ quick: process.argv.includes('--quick') }, tell).then(() => process.disconnect?.())
}

module.exports = { SELF_TEST_MS, examine }
