// What is printed: a table for each row as it is done, what was reached, and the table of the README.

import { Figures } from './targets.mjs'
import { rows } from './rows.mjs'

const whole = (number) => Math.round(number).toLocaleString('en')
const near = (number) => (number === undefined ? '–' : number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2))
const delay = (figure) => (figure.loop === undefined ? '–' : figure.loop.toFixed(1))
const lineOf = (cells) => `| ${cells.join(' | ')} |`
const table = (head, body) => [lineOf(head), `|${'---|'.repeat(head.length)}`, ...body.map(lineOf)].join('\n')

const speeds = ({ perSecond: { median, least, most } }) => `${near(median)} (${near(least)}–${near(most)})`
/** Columns of the table of a row: heads, and the cells of a figure. */
const columns = {
  rate: [['a second: median (least–most)', 'loop delay p99 ms'], (figure) => [speeds(figure), delay(figure)]],
  callers: [
    ['texts/s: median (least–most)', 'call p50, p99 ms', 'loop delay p99 ms'],
    (figure) => [speeds(figure), `${near(figure.latency.p50)}, ${near(figure.latency.p99)}`, delay(figure)],
  ],
  lone: [
    ['with pauses: p50, p90 ms', 'back to back: p50, p90 ms', 'loop delay p99 ms'],
    ({ paused, together, ...figure }) => [`${near(paused.p50)}, ${near(paused.p90)}`, `${near(together.p50)}, ${near(together.p90)}`, delay(figure)],
  ],
  idle: [['CPU, % of one core'], ({ share }) => [(share * 100).toFixed(2)]],
  trickle: [
    ['CPU ms a call', 'back to back', 'ratio'],
    ({ perCall, together, ratio }) => [near(perCall), near(together), ratio.toFixed(2)],
  ],
  memory: [['MB'], ({ mb }) => [whole(mb)]],
  linear: [['µs a text'], ({ steps }) => [steps.map(({ count, perText }) => `${whole(count)}: ${near(perText * 1000)}`).join(', ')]],
  first: [['ms: median (least–most)'], ({ median, least, most }) => [`${whole(median)} (${whole(least)}–${whole(most)})`]],
}
const kindOf = (row) => columns[row] ?? (row.startsWith('lone') ? columns.lone : columns.rate)

/** The table of one row of a model, of some dtypes. */
export function rowTable(entries, model, row, dtypes) {
  const chosen = entries.filter((entry) => entry.model === model && entry.row === row && (dtypes?.includes(entry.dtype) ?? true))
  if (chosen.length === 0) return `\n${model}, ${rows[row].title}: nothing was measured`
  const [head, cells] = kindOf(row)
  return `\n${model}, ${rows[row].title}\n\n${table(['', ...head], chosen.map(({ name, dtype, figure }) => [`${name}, ${dtype}`, ...cells(figure)]))}\n`
}

/** What was reached of what is meant to be. */
export function reachTable(lines) {
  const body = lines.map(({ model, row, dtype, engine, what, value, limit, least, met }) => [
    model,
    rows[row].title,
    `${engine}, ${dtype}`,
    what,
    value.toFixed(2),
    `${least ? '≥' : '≤'} ${Number(limit.toFixed(2))}`,
    met ? 'met' : '**missed**',
  ])
  const head = ['model', 'row', 'vecrank', 'what', 'measured', 'target', '']
  return `\nreach\n\n${table(head, body)}\n\n${lines.filter(({ met }) => met).length} of ${lines.length} met`
}

/** Columns of the README: whose figure stands there, and a second one beside it. */
const README = [
  ...['fp32', 'bf16', 'q8'].map((dtype) => ({ head: `**vecrank ${dtype}**`, pick: (figures, model, row) => figures.own(model, row, dtype) })),
  ...['fp32', 'q8'].map((dtype) => ({
    head: `Transformers.js ${dtype}`,
    pick: (figures, model, row) => figures.of(model, row, 'transformers-1', dtype),
    also: (figures, model, row) => figures.of(model, row, 'transformers-32', dtype),
  })),
  { head: 'sentence-transformers fp32', pick: (figures, model, row) => figures.of(model, row, 'sentence-transformers', 'fp32') },
  ...['fp32', 'bf16', 'q8'].map((dtype) => ({ head: `OpenVINO ${dtype}`, pick: (figures, model, row) => figures.of(model, row, 'openvino', dtype) })),
]
const perSecond = ({ perSecond: { median } }) => near(median)
const short = {
  mixed: ['texts/s, mixed', perSecond],
  short: ['texts/s, 10 to 20 tokens', perSecond],
  long: ['texts/s, 256 tokens', perSecond],
  lone12: ['a lone text of 12 tokens: p50, p90 ms', ({ paused }) => `${near(paused.p50)}, ${near(paused.p90)}`],
  lone30: ['a lone text of 30 tokens: p50, p90 ms', ({ paused }) => `${near(paused.p50)}, ${near(paused.p90)}`],
  callers: ['64 callers: texts/s, p99 ms', (figure) => `${perSecond(figure)}, ${near(figure.latency.p99)}`],
  rerank: ['rerank: passages/s', perSecond],
  first: ['import, load, first vector: ms', ({ median }) => whole(median)],
  memory: ['peak memory: MB', ({ mb }) => whole(mb)],
  idle: ['idle: CPU, % of one core', ({ share }) => (share * 100).toFixed(2)],
  trickle: ['20 calls a second: CPU ms a call', ({ perCall }) => near(perCall)],
}

/** The README's table of a model. Two numbers of Transformers.js are one text a call / batches of 32. */
export function readmeTable(entries, model) {
  const figures = new Figures(entries)
  const body = []
  for (const [row, [title, format]] of Object.entries(short)) {
    const cells = README.map(({ pick, also }) => {
      const [figure, second] = [pick(figures, model, row), also?.(figures, model, row)]
      return [figure, second].filter(Boolean).map(format).join(' / ')
    })
    if (cells.some((cell) => cell !== '')) body.push([title, ...cells])
  }
  // The delay while a process is busy in bulk.
  const delays = README.map(({ pick, also }) => {
    const both = [pick(figures, model, 'mixed'), also?.(figures, model, 'mixed')]
    return both.filter((figure) => figure?.loop !== undefined).map(delay).join(' / ')
  })
  if (delays.some((cell) => cell !== '')) body.push(['delay of the event loop in bulk: p99 ms', ...delays])
  const used = README.map((_, index) => index).filter((index) => body.some((cells) => cells[index + 1] !== ''))
  return table([model, ...used.map((index) => README[index].head)], body.map((cells) => [cells[0], ...used.map((index) => cells[index + 1] || '–')]))
}
