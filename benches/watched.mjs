import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Milliseconds that `work` takes, and the delay of the event loop meanwhile: p99 and the most, milliseconds.
 *
 * The monitor counts from one of its ticks to the next. So it has ticked before the work begins, and once more after it ends: else work that
 * never lets the loop turn, as one long synchronous run, would show no delay at all.
 */
export async function watched(work) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await sleep(3)
  delay.reset()
  await sleep(3)
  const start = performance.now()
  const result = await work()
  const ms = performance.now() - start
  await sleep(2)
  delay.disable()
  return { result, ms, p99: delay.percentile(99) / 1e6, most: delay.max / 1e6 }
}
