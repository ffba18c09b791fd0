'use strict'

/**
 * What stands for a name that Transformers.js has and vecrank has not: it can be imported, named in a type check (`value instanceof RawImage` is
 * false) and extended, so that a program which brings it along still starts. Whoever uses it is told. Free of Node, as `elsewhere.js` needs it too.
 */

/** Asked for by `await`, loggers and test runners of any value; they use nothing. */
const HARMLESS = new Set(['then', 'toJSON', 'default', '__esModule', '$$typeof', 'asymmetricMatch', 'nodeType', 'tagName', 'displayName', 'inspect'])

/**
 * @param {string} name what is refused, which is also what it is called
 * @param {(used: string) => Error} error of what was used, such as `RawImage.read`
 * @param {boolean} isAsync whether a call gives a promise, which then is rejected
 */
function refused(name, error, isAsync = false) {
  const later = async (used) => {
    throw error(used)
  }
  // A function with a prototype, so that a class can extend it.
  const stand = Object.defineProperty(function () {}, 'name', { value: name })
  return new Proxy(stand, {
    apply() {
      if (isAsync) return later(`${name}()`)
      throw error(`${name}()`)
    },
    construct() {
      throw error(`new ${name}()`)
    },
    get(target, key) {
      if (typeof key === 'symbol' || key in target) return Reflect.get(target, key)
      if (HARMLESS.has(key)) return undefined
      // A promise as well there; a program may handle its failure and go on.
      if (key === 'from_pretrained') return () => later(`${name}.${key}()`)
      throw error(`${name}.${key}`)
    },
  })
}

/** The name of something that vecrank lacks. */
function lacking(name, isAsync) {
  const error = (used) =>
    Object.assign(
      new TypeError(
        `${used}: vecrank/transformers has no ${name}. It has what works on texts without generating them: the tasks feature-extraction, text-classification, ` +
          'token-classification, zero-shot-classification, fill-mask and text-ranking, their models and tokenizers. ' +
          'For the rest use @huggingface/transformers, which works beside vecrank in one program.',
      ),
      { code: 'ERR_INVALID_ARG' },
    )
  return refused(name, error, isAsync)
}

module.exports = { lacking, refused }
