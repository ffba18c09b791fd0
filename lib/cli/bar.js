'use strict'

/**
 * Progress of downloads on a terminal: one line, drawn anew. Where the output is no terminal (a log of CI) it is a line for each finished
 * file. It takes the events of the option `onDownload`, so a program may use it too.
 */

const { bytes } = require('./arguments.js')

const COLUMNS = 80
const BAR = 20
/** The rate is that of the last seconds: what a network did a minute ago says little about when the download will end. */
const RATE_WINDOW_MS = 3000

class Bar {
  #stream
  #now
  #isDrawn = false
  /** Bytes that came in this run, of each file and in all. What an earlier download left has no rate. */
  #seen = new Map()
  #received = 0
  #samples = []

  /**
   * @param stream what is written to; `isTTY` decides between a bar and lines
   * @param now the time in milliseconds
   */
  constructor(stream, now = () => performance.now()) {
    this.#stream = stream
    this.#now = now
  }

  /** Takes an event of `onDownload`. */
  update({ status, model, file, loaded, total, overall }) {
    const key = `${model}/${file}`
    if (status === 'progress') {
      this.#received += loaded - (this.#seen.get(key) ?? loaded)
      this.#seen.set(key, loaded)
    }
    if (this.#stream.isTTY) this.#draw(file, overall)
    else if (status === 'done') this.#stream.write(`${model}: ${file} (${bytes(total)})\n`)
  }

  /** Ends the line, so that what is printed next has its own. */
  end() {
    if (!this.#isDrawn) return
    this.#stream.write(`\r${' '.repeat(this.#width)}\r`)
    this.#isDrawn = false
  }

  get #width() {
    // The last column stays free: some terminals go to the next line when it is written.
    return Math.max(1, Math.min(COLUMNS, this.#stream.columns || COLUMNS) - 1)
  }

  #draw(file, { loaded, total }) {
    const part = total > 0 ? Math.min(1, loaded / total) : 1
    // Rounded down: a full bar and 100 % mean all.
    const full = Math.floor(part * BAR)
    const percent = `${Math.floor(part * 100)}%`.padStart(4)
    const rate = this.#rate()
    const numbers = `${percent} [${'#'.repeat(full)}${'.'.repeat(BAR - full)}] ${bytes(loaded)} of ${bytes(total)}${rate && `  ${rate}`}`
    const room = this.#width - numbers.length - 2
    // Of a long path the end tells more.
    const name = file.length <= room ? file : `...${file.slice(file.length - room + 3)}`
    const line = room > 6 ? `${numbers}  ${name}` : numbers
    this.#stream.write(`\r${line.slice(0, this.#width).padEnd(this.#width)}`)
    this.#isDrawn = true
  }

  #rate() {
    const now = this.#now()
    this.#samples.push({ at: now, received: this.#received })
    while (this.#samples.length > 2 && now - this.#samples[0].at > RATE_WINDOW_MS) this.#samples.shift()
    const [first] = this.#samples
    const seconds = (now - first.at) / 1000
    const received = this.#received - first.received
    return seconds > 0 && received > 0 ? `${bytes(received / seconds)}/s` : ''
  }
}

module.exports = { Bar }
