'use strict'

/**
 * Progress of downloads. The addon keeps the state of every file; it is looked at ten times a second and told as events, so that a fast
 * network does not keep the event loop busy, and no event is older than what it tells.
 */

const INTERVAL_MS = 100

/** Tells what has changed in a list of downloads since the last look. */
class Reporter {
  #told = new Map()

  /** @param downloads the addon's list; @param tell called with each event */
  report(downloads, tell) {
    const overall = { loaded: 0, total: 0 }
    for (const { loaded, total } of downloads) {
      overall.loaded += loaded
      overall.total += total
    }
    for (const { model, file, loaded, total, done } of downloads) {
      const key = `${model}/${file}`
      const before = this.#told.get(key)
      if (before === undefined) tell({ status: 'download', model, file, loaded: 0, total, overall: { ...overall } })
      if (loaded !== (before?.loaded ?? 0)) tell({ status: 'progress', model, file, loaded, total, overall: { ...overall } })
      if (done && !before?.done) tell({ status: 'done', model, file, loaded, total, overall: { ...overall } })
      this.#told.set(key, { loaded, done })
    }
  }
}

/**
 * Runs `work` while telling `listeners` (a live set of functions) about the downloads that `look` gives. A listener that throws is not called
 * again; `onFailure(error, listener)` hears of it.
 */
async function whileReporting(look, listeners, onFailure, work) {
  const reporters = new Map()
  const report = () => {
    if (listeners.size === 0) return
    const downloads = look()
    for (const listener of [...listeners]) {
      if (!reporters.has(listener)) reporters.set(listener, new Reporter())
      try {
        reporters.get(listener).report(downloads, listener)
      } catch (error) {
        listeners.delete(listener)
        onFailure(error, listener)
      }
    }
  }
  const timer = setInterval(report, INTERVAL_MS)
  timer.unref?.()
  try {
    return await work()
  } finally {
    clearInterval(timer)
    report()
  }
}

module.exports = { Reporter, whileReporting }
