'use strict'

/**
 * Random numbers by the Mersenne Twister (MT19937) as Python's module `random` draws them: one seed gives one sequence, there and here.
 * Formulas: Matsumoto and Nishimura 1998, and CPython's `Lib/random.py`.
 */

const { expected } = require('../errors.js')

const SIZE = 624
const MIDDLE = 397

class Random {
  #state = new Uint32Array(SIZE)
  #next = SIZE
  /** The second of the two numbers that one draw of `gauss` makes. */
  #spare

  constructor(seed) {
    this.seed(seed)
  }

  /** Begins the sequence of a number; without one, of the system's randomness. */
  seed(seed) {
    const given = seed ?? crypto.getRandomValues(new Uint32Array(1))[0]
    if (!Number.isFinite(given) || given < 0) throw expected('a number of at least 0', 'n', seed)
    const key = []
    for (let rest = Math.floor(given); rest > 0; rest = Math.floor(rest / 2 ** 32)) key.push(rest % 2 ** 32)
    if (key.length === 0) key.push(0)

    const state = this.#state
    state[0] = 19650218
    for (let index = 1; index < SIZE; index++) state[index] = Math.imul(1812433253, state[index - 1] ^ (state[index - 1] >>> 30)) + index
    let index = 1
    const mix = (factor, more) => {
      state[index] = (state[index] ^ Math.imul(state[index - 1] ^ (state[index - 1] >>> 30), factor)) + more(index)
      if (++index === SIZE) {
        state[0] = state[SIZE - 1]
        index = 1
      }
    }
    for (let turn = 0; turn < Math.max(SIZE, key.length); turn++) mix(1664525, () => key[turn % key.length] + (turn % key.length))
    for (let turn = 1; turn < SIZE; turn++) mix(1566083941, (place) => -place)
    state[0] = 0x80000000
    this.#next = SIZE
    this.#spare = undefined
  }

  /** 32 random bits. */
  #bits() {
    const state = this.#state
    if (this.#next === SIZE) {
      for (let index = 0; index < SIZE; index++) {
        const pair = (state[index] & 0x80000000) | (state[(index + 1) % SIZE] & 0x7fffffff)
        state[index] = state[(index + MIDDLE) % SIZE] ^ (pair >>> 1) ^ (pair & 1 ? 0x9908b0df : 0)
      }
      this.#next = 0
    }
    let word = state[this.#next++]
    word ^= word >>> 11
    word ^= (word << 7) & 0x9d2c5680
    word ^= (word << 15) & 0xefc60000
    return (word ^ (word >>> 18)) >>> 0
  }

  /** From 0 up to 1, which is never drawn; 53 bits of it are random. */
  random() {
    return ((this.#bits() >>> 5) * 2 ** 26 + (this.#bits() >>> 6)) / 2 ** 53
  }

  /** Normally distributed. */
  gauss(mu = 0, sigma = 1) {
    let drawn = this.#spare
    this.#spare = undefined
    if (drawn === undefined) {
      const angle = this.random() * 2 * Math.PI
      const distance = Math.sqrt(-2 * Math.log(1 - this.random()))
      drawn = Math.cos(angle) * distance
      this.#spare = Math.sin(angle) * distance
    }
    return mu + drawn * sigma
  }

  /** Brings an array into a random order, in place. */
  shuffle(array) {
    for (let index = array.length - 1; index > 0; index--) {
      const width = 32 - Math.clz32(index + 1)
      let other
      // Drawn again rather than divided, so that every order is as likely as every other.
      do other = this.#bits() >>> (32 - width)
      while (other > index)
      const kept = array[index]
      array[index] = array[other]
      array[other] = kept
    }
  }

  /** One of a population, each as likely as its weight says. */
  choices(population, weights) {
    let rest = this.random() * weights.reduce((sum, weight) => sum + weight, 0)
    const chosen = weights.findIndex((weight) => (rest -= weight) < 0)
    // Rounding may leave a little over.
    return population[chosen === -1 ? weights.length - 1 : chosen]
  }
}

const shared = new Random()

/** The generator of the process. `new random.Random(seed)` is one of its own. */
const random = Object.freeze({
  Random,
  seed: (seed) => shared.seed(seed),
  random: () => shared.random(),
  gauss: (mu, sigma) => shared.gauss(mu, sigma),
  shuffle: (array) => shared.shuffle(array),
  choices: (population, weights) => shared.choices(population, weights),
})

module.exports = { random }
