'use strict'

/** Every failure but a wrong argument. On its own, and free of Node, as `elsewhere.js` throws it where there is no Node. */
class VecrankError extends Error {
  constructor(code, message, options) {
    super(message, options)
    this.code = code
  }
}
// On the prototype, not on each instance: printing an error then shows its code and cause, not a copy of the class's name.
Object.defineProperty(VecrankError.prototype, 'name', { value: 'VecrankError', configurable: true, writable: true })

module.exports = { VecrankError }
