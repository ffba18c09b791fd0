// The events of `onDownload`: a listener that keeps them, and what holds for all of them.

import assert from 'node:assert/strict'
import { NEEDED, contents } from './cli.mjs'

const MEAN = contents('bert-mean')
export const ONNX = 'onnx/model.onnx'
export const SUM = NEEDED.reduce((sum, name) => sum + MEAN[name].length, 0)
export const SIZES = Object.fromEntries(NEEDED.map((name) => [name, MEAN[name].length]))

/** A listener that keeps its events. */
export function recorder() {
  const events = []
  const listener = (event) => events.push(event)
  return { events, listener }
}

/** Those of one file. */
export const of = (events, file) => events.filter((event) => event.file === file)

/** Everything that holds for the events of a load that succeeded, whatever its pace. `sizes` are those of the files that had to come. */
export function assertWhole(events, sizes, model = 'zoo/bert-mean') {
  for (const event of events) {
    assert.deepEqual(Object.keys(event).sort(), ['file', 'loaded', 'model', 'overall', 'status', 'total'])
    assert.deepEqual(Object.keys(event.overall).sort(), ['loaded', 'total'])
    assert.ok(['download', 'progress', 'done'].includes(event.status), event.status)
    assert.equal(event.model, model)
    for (const count of [event.loaded, event.total, event.overall.loaded, event.overall.total]) {
      assert.ok(Number.isSafeInteger(count) && count >= 0, JSON.stringify(event))
    }
    assert.ok(event.loaded <= event.total && event.overall.loaded <= event.overall.total, JSON.stringify(event))
    assert.ok(event.loaded <= event.overall.loaded, JSON.stringify(event))
  }
  assert.deepEqual(
    [...new Set(events.map(({ file }) => file))].sort(),
    Object.keys(sizes).sort(),
    'the files that had to come, and no others',
  )
  for (const [file, size] of Object.entries(sizes)) {
    const own = of(events, file)
    const states = own.map(({ status }) => status)
    assert.match(states.join(' '), /^download( progress)* done$/, `${file}: ${states}`)
    assert.equal(own[0].loaded, 0)
    assert.deepEqual([own.at(-1).loaded, own.at(-1).total], [size, size], file)
    assert.ok(
      own.every(({ total }) => total === size),
      file,
    )
    for (let index = 1; index < own.length; index++) assert.ok(own[index].loaded >= own[index - 1].loaded, `${file} went back`)
  }
  for (let index = 1; index < events.length; index++) {
    assert.ok(events[index].overall.loaded >= events[index - 1].overall.loaded, 'the whole went back')
    assert.ok(events[index].overall.total >= events[index - 1].overall.total, 'the whole shrank')
  }
  const sum = Object.values(sizes).reduce((total, size) => total + size, 0)
  assert.deepEqual(events.at(-1).overall, { loaded: sum, total: sum })
}
