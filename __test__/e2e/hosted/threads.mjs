// What a process has of vecrank at the moment, as the system tells it (Linux).

import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** Names of the addon's threads. A loaded model has `vecrank-0`, `vecrank-1` and so on. */
export function threads() {
  const names = readdirSync('/proc/self/task').map((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
    } catch {
      // It has just ended.
      return ''
    }
  })
  return names.filter((name) => name.startsWith('vecrank'))
}

/** How many models are loaded. */
export function sessions() {
  return threads().filter((name) => name === 'vecrank-0').length
}

/** Waits until no thread of the addon is left, 20 s at most; those that are. */
export async function threadsLeft() {
  for (const start = performance.now(); threads().length > 0 && performance.now() - start < 20_000; ) await pause(10)
  return threads()
}

/** MB in memory once everything is over that a terminated worker leaves to others to end. */
export async function settledMemory() {
  await threadsLeft()
  globalThis.gc()
  return process.memoryUsage.rss() / 1e6
}

/** Paths of the mapped files that match, each once. */
export function mapped(pattern) {
  const paths = readFileSync('/proc/self/maps', 'utf8').split('\n').map((line) => line.split(/\s+/).slice(5).join(' '))
  return [...new Set(paths.filter((path) => pattern.test(path)))].sort()
}
