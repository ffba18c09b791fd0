'use strict'

/** An instance that is a function: `const tokenizer = new Tokenizer(…); tokenizer(text)` calls its method `_call`. */
class Callable {
  constructor() {
    const called = (...values) => called._call(...values)
    return Object.setPrototypeOf(called, new.target.prototype)
  }
}

module.exports = { Callable }
