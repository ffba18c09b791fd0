// The environment that a load sees, all that its errors tell, and many loads at the same time.

import { inspect } from 'node:util'

/**
 * Sets variables while `work` begins; what it gives is given. The environment is read when a load begins and not later, so several loads
 * can go on at the same time, each with its own.
 */
export function withEnvironment(variables, work) {
  const before = Object.keys(variables).map((name) => [name, process.env[name]])
  try {
    Object.assign(process.env, variables)
    return work()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

/** The error of a promise that must not be kept. */
export const errorOf = (promise) =>
  promise.then(
    () => {
      throw new Error('it was no error')
    },
    (error) => error,
  )

/** The sentences of an error and of what caused it. */
export function told(error) {
  const messages = []
  for (let one = error; one instanceof Error; one = one.cause) messages.push(one.message)
  return messages.join('\n')
}

/** Everything that an error could tell somebody: its sentences, stacks, hidden properties, and those of its causes. */
export function everything(error) {
  const parts = []
  for (let one = error; one !== undefined && one !== null; one = one.cause) {
    parts.push(
      String(one),
      one.message,
      one.stack,
      inspect(one, { depth: 10, showHidden: true }),
      JSON.stringify(one, Object.getOwnPropertyNames(one)),
    )
  }
  return parts.join('\n')
}

/** Does `work(item, index)` for every item, a few at the same time: most of a load is waiting. */
export async function fewAtOnce(count, items, work) {
  const waiting = [...items.entries()]
  const next = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await work(one[1], one[0])
  }
  await Promise.all(Array.from({ length: count }, next))
}
