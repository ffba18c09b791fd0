import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

/** Milliseconds that `work` takes, and the delay of the event loop meanwhile: p99 and the most, milliseconds. */
export async function timed(work) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  await work()
  const ms = performance.now() - start
  delay.disable()
  return { ms, p99: delay.percentile(99) / 1e6, most: delay.max / 1e6 }
}
