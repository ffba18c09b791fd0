// What is measured: how it is asked for, and what becomes of the answers.

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
const ordered = (numbers) => [...numbers].sort((a, b) => a - b)
/** Of an even number of values the mean of the two in the middle. */
export function median(numbers) {
  const sorted = ordered(numbers)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/** Percentiles of latencies, ms. */
const spread = (times) => {
  const sorted = ordered(times)
  return { p50: at(sorted, 0.5), p90: at(sorted, 0.9), p99: at(sorted, 0.99), calls: sorted.length }
}
/** The worst of the rounds; nothing where nobody has an event loop. */
const worst = (answers) => {
  const delays = answers.map(({ loop }) => loop).filter((loop) => loop !== undefined)
  return delays.length > 0 ? Math.max(...delays) : undefined
}

/** Items a second: median, least, most; latencies where there are some. */
function rate(answers) {
  const speeds = ordered(answers.map(({ count, ms }) => (count / ms) * 1000))
  const times = answers.flatMap((answer) => answer.times ?? [])
  return {
    perSecond: { median: median(speeds), least: speeds[0], most: speeds.at(-1) },
    ...(times.length > 0 ? { latency: spread(times) } : {}),
    loop: worst(answers),
    rounds: answers.length,
  }
}
const lone = (answers) => ({
  paused: spread(answers.flatMap(({ paused }) => paused)),
  together: spread(answers.flatMap(({ together }) => together)),
  loop: worst(answers),
})
const once = (key) => ([answer]) => ({ [key]: answer[key] })

/**
 * `needs`: what a contender must do to take part. `set`: the texts whose vectors are compared first. `ask(counts, round)`: the command. `figure`: what
 * the answers of all rounds come to. `times`: rounds, where it is not the number that was asked for. `main`: only the main models.
 */
export const rows = {
  mixed: { title: 'bulk, mixed', needs: 'bulk', set: 'mixed', do: 'bulk', ask: ({ mixed }) => ({ set: 'mixed', count: mixed }), figure: rate },
  short: { title: 'bulk, 10 to 20 tokens', needs: 'bulk', set: 'short', do: 'bulk', ask: ({ short }) => ({ set: 'short', count: short }), figure: rate },
  long: { title: 'bulk, 256 tokens', needs: 'bulk', set: 'long', do: 'bulk', ask: ({ long }) => ({ set: 'long', count: long }), figure: rate },
  lone12: {
    title: 'a lone text of 12 tokens',
    needs: 'lone',
    set: 'lone12',
    do: 'lone',
    ask: ({ lone: count }, round) => ({ set: 'lone12', count, from: round * count, pause: 25 }),
    figure: lone,
  },
  lone30: {
    title: 'a lone text of 30 tokens',
    needs: 'lone',
    set: 'lone30',
    do: 'lone',
    ask: ({ lone: count }, round) => ({ set: 'lone30', count, from: round * count, pause: 25 }),
    figure: lone,
  },
  callers: {
    title: '64 callers of a short text each',
    needs: 'callers',
    set: 'short',
    do: 'callers',
    ask: ({ each }) => ({ set: 'short', callers: 64, each }),
    figure: rate,
    main: true,
  },
  idle: { title: 'idle with a loaded model', needs: 'idle', do: 'idle', ask: ({ seconds }) => ({ seconds }), figure: once('share'), times: 1, main: true },
  trickle: {
    title: '20 calls a second',
    needs: 'trickle',
    set: 'lone12',
    do: 'trickle',
    ask: ({ trickle }) => ({ count: trickle, perSecond: 20 }),
    figure: ([{ spread: apart, together, count }]) => ({ perCall: apart / count, together: together / count, ratio: apart / together }),
    times: 1,
    main: true,
  },
  rerank: {
    title: 'rerank, one query with passages of 100 tokens',
    task: 'rerank',
    needs: 'rerank',
    set: 'passages',
    do: 'rerank',
    ask: ({ passages }) => ({ count: passages }),
    figure: rate,
    main: true,
  },
  // These three start processes of their own; peers.mjs knows how.
  memory: { title: 'peak memory of a process that does bulk, mixed', needs: 'memory', own: true, main: true },
  linear: { title: 'many short texts in one call', needs: 'linear', own: true, main: true },
  first: { title: 'import, load and first vector (bundled model, q8)', needs: 'first', own: true, main: true },
}

/** How many texts a model of a cost is asked for, so that a round takes seconds. */
export const COUNTS = {
  minilm: { mixed: 300, short: 512, long: 64, lone: 20, each: 6, seconds: 5, trickle: 100, passages: 100, linear: [1000, 10_000] },
  'bge-small': { mixed: 160, short: 256, long: 32, lone: 12 },
  'bge-base': { mixed: 64, short: 128, long: 32, lone: 8 },
  quick: { mixed: 64, short: 192, long: 32, lone: 12, each: 2, seconds: 1, trickle: 20, passages: 32, linear: [250, 1000] },
}

/** How near vectors must be to the fp32 reference, by cosine. Dynamic int8 scales to its batch: rows of other batches are only near. */
export const NEAR = { fp32: 0.99999, bf16: 0.999, q8: 0.95 }
