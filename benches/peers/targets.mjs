// What vecrank is meant to reach beside its peers, and whether it does.

/** Reading the figures: each is `{ model, row, id, family, dtype, figure }`. */
export class Figures {
  constructor(entries) {
    this.entries = entries
  }

  of(model, row, id, dtype) {
    return this.entries.find((entry) => entry.model === model && entry.row === row && entry.id === id && entry.dtype === dtype)?.figure
  }

  /** vecrank as it answers by default: the encoder, or the graph where the encoder was not measured. */
  own(model, row, dtype) {
    return this.of(model, row, 'encoder', dtype) ?? this.of(model, row, 'graph', dtype)
  }

  /** The fastest of some contenders, `{ speed, name }`; empty where none was measured. */
  fastest(model, row, dtype, belongs) {
    const able = this.entries.filter((entry) => entry.model === model && entry.row === row && entry.dtype === dtype && belongs(entry))
    return able.map(({ name, figure }) => ({ speed: speed(figure), name })).reduce((best, each) => (each.speed > (best.speed ?? 0) ? each : best), {})
  }
}

const speed = (figure) => figure?.perSecond.median
const isTransformers = ({ family }) => family === 'transformers'
const isPeer = ({ family }) => family !== 'vecrank'
const over = (a, b) => (a === undefined || b === undefined ? undefined : a / b)

/** Each gives lines `{ row, dtype, what, value, limit, least }`; `least` says that the value must be at least the limit, not at most. */
const checks = {
  bulk(figures, model) {
    const lines = []
    const add = (row, dtype, what, limit, theirs) =>
      lines.push({ row, dtype, what: `texts/s, times ${what}`, value: over(speed(figures.own(model, row, dtype)), theirs), limit, least: true })
    const addFastest = (row, dtype, what, limit, peer, belongs) => {
      const { speed, name } = figures.fastest(model, row, peer, belongs)
      add(row, dtype, `${what} (${name})`, limit, speed)
    }
    // Peers have no bf16 that Node runs: it stands beside their fp32.
    for (const [dtype, peer, best, batches] of [['fp32', 'fp32', 1.5, 4.5], ['bf16', 'fp32', 2.9], ['q8', 'q8', 2.5, 7.5]]) {
      addFastest('mixed', dtype, `the best mode of Transformers.js`, best, peer, isTransformers)
      if (batches !== undefined) add('mixed', dtype, `Transformers.js in batches of 32`, batches, speed(figures.of(model, 'mixed', 'transformers-32', peer)))
    }
    const own = (dtype) => (figures.of(model, 'mixed', 'encoder', dtype) === undefined ? undefined : speed(figures.of(model, 'mixed', 'graph', dtype)))
    for (const [dtype, limit] of [['fp32', 1.05], ['q8', 1.5]]) add('mixed', dtype, `vecrank's own graph engine`, limit, own(dtype))
    for (const [row, fp32, q8] of [['short', 1.5, 2], ['long', 1.2, 1.6]]) {
      for (const [dtype, limit] of [['fp32', fp32], ['q8', q8]]) addFastest(row, dtype, 'the best peer', limit, dtype, isPeer)
    }
    return lines
  },

  lone(figures, model) {
    const lines = []
    for (const row of ['lone12', 'lone30']) {
      for (const [dtype, limit] of [['fp32', 0.6], ['q8', 0.45]]) {
        for (const [mode, said] of [['paused', 'with pauses'], ['together', 'back to back']]) {
          const p50 = (figure) => figure?.[mode].p50
          const value = over(p50(figures.own(model, row, dtype)), p50(figures.of(model, row, 'transformers-1', dtype)))
          lines.push({ row, dtype, what: `p50 ${said}, times Transformers.js`, value, limit, least: false })
        }
      }
    }
    return lines
  },

  callers(figures, model) {
    return [['fp32', 2], ['q8', 3.3]].flatMap(([dtype, limit]) => {
      const [own, theirs] = [figures.own(model, 'callers', dtype), figures.of(model, 'callers', 'transformers-1', dtype)]
      return [
        { row: 'callers', dtype, what: 'texts/s, times Transformers.js', value: over(speed(own), speed(theirs)), limit, least: true },
        { row: 'callers', dtype, what: 'p99, times Transformers.js', value: over(own?.latency.p99, theirs?.latency.p99), limit: 1 / 3, least: false },
      ]
    })
  },

  rerank(figures, model) {
    return [['fp32', 1.5], ['q8', 2.4]].map(([dtype, limit]) => {
      const best = figures.fastest(model, 'rerank', dtype, isTransformers)
      const value = over(speed(figures.own(model, 'rerank', dtype)), best.speed)
      return { row: 'rerank', dtype, what: `passages/s, times the best of Transformers.js (${best.name})`, value, limit, least: true }
    })
  },

  loop(figures, model) {
    return figures.entries
      .filter((entry) => entry.model === model && entry.family === 'vecrank' && entry.figure.loop !== undefined)
      .filter(({ figure, row, dtype }) => figures.own(model, row, dtype) === figure)
      .map(({ row, dtype, figure }) => ({ row, dtype, what: 'delay of the event loop p99, ms', value: figure.loop, limit: 5, least: false }))
  },

  first(figures, model) {
    const value = over(figures.own(model, 'first', 'q8')?.median, figures.of(model, 'first', 'transformers-1', 'q8')?.median)
    return [{ row: 'first', dtype: 'q8', what: 'time, times Transformers.js', value, limit: 0.25, least: false }]
  },

  memory(figures, model) {
    return ['fp32', 'q8'].map((dtype) => {
      const value = over(figures.own(model, 'memory', dtype)?.mb, figures.of(model, 'memory', 'transformers-32', dtype)?.mb)
      return { row: 'memory', dtype, what: 'peak, times Transformers.js in batches of 32', value, limit: 0.3, least: false }
    })
  },

  linear(figures, model) {
    return ['fp32', 'bf16', 'q8'].flatMap((dtype) => {
      const [least, ...more] = figures.own(model, 'linear', dtype)?.steps ?? []
      return more.map(({ count, perText }) => ({
        row: 'linear',
        dtype,
        what: `time a text at ${count.toLocaleString('en')}, times that at ${least.count.toLocaleString('en')}`,
        value: perText / least.perText,
        limit: 1.1,
        least: false,
      }))
    })
  },
}

/** All lines of which something was measured, with `met`, and the `engine` of vecrank whose figure it is. */
export function reach(entries) {
  const figures = new Figures(entries)
  return [...new Set(entries.map(({ model }) => model))].flatMap((model) =>
    Object.values(checks)
      .flatMap((check) => check(figures, model))
      .filter(({ value }) => value !== undefined)
      .map((line) => ({
        model,
        ...line,
        engine: figures.of(model, line.row, 'encoder', line.dtype) === undefined ? 'graph' : 'encoder',
        met: line.least ? line.value >= line.limit : line.value <= line.limit,
      })),
  )
}
