'use strict'

/**
 * What `progress_callback` is told, in the words of Transformers.js: for each file `initiate`, `download`, `progress` and `done`, with a
 * `progress_total` over all files before each `progress`, and `ready` in the end. Files that are here already are told of as well, when they are
 * loaded, so that a program which counts files comes to its end.
 */

const fs = require('node:fs')
const path = require('node:path')

class Events {
  #callback
  #name
  #withTotal
  /** Bytes of each file: `{ loaded, total }`. */
  #files = {}
  #done = new Set()

  /** @param withTotal whether all files together are told of; without a callback nothing is */
  constructor(callback, name, withTotal) {
    this.#callback = callback
    this.#name = name
    this.#withTotal = withTotal
  }

  /** What vecrank's option `onDownload` is, or undefined where nobody listens. */
  get onDownload() {
    return this.#callback && ((event) => this.download(event))
  }

  /** An event of vecrank's. */
  download({ status, file, loaded, total }) {
    if (status === 'download') this.#begin(file)
    if (status === 'progress') this.#progress(file, loaded, total)
    if (status === 'done') this.#end(file)
  }

  /** Tells of those files of a folder that were loaded without a download. */
  loaded(folder, files) {
    if (this.#callback === undefined) return
    for (const file of files) {
      if (file in this.#files || this.#done.has(file)) continue
      const size = sizeOf(path.join(folder, file))
      if (size === undefined) continue
      this.#begin(file)
      this.#progress(file, size, size)
      this.#end(file)
    }
  }

  ready(task, model) {
    this.#callback?.({ status: 'ready', task, model })
  }

  #begin(file) {
    this.#callback({ status: 'initiate', name: this.#name, file })
    this.#callback({ status: 'download', name: this.#name, file })
  }

  #progress(file, loaded, total) {
    this.#files[file] = { loaded, total }
    if (this.#withTotal) {
      const files = structuredClone(this.#files)
      const sum = (part) => Object.values(files).reduce((bytes, each) => bytes + each[part], 0)
      const all = { loaded: sum('loaded'), total: sum('total') }
      this.#callback({ status: 'progress_total', name: this.#name, progress: percent(all), ...all, files })
    }
    this.#callback({ status: 'progress', name: this.#name, file, progress: percent({ loaded, total }), loaded, total })
  }

  #end(file) {
    this.#done.add(file)
    this.#callback({ status: 'done', name: this.#name, file })
  }
}

function percent({ loaded, total }) {
  return total > 0 ? (loaded / total) * 100 : 0
}

function sizeOf(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.size
}

module.exports = { Events }
