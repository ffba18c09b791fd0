// Headless Chromium, the distribution's: playwright-core drives it and brings none along.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../fixtures.mjs'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) => existsSync(file))
// No sandbox: tests run as root in containers. Nothing that makes the browser ask the network for anything.
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Why there is no browser here, or false. In CI that is no excuse. */
export function skipped() {
  if (executablePath !== undefined) return false
  assert.notEqual(process.env.CI, 'true', 'CI=true and there is no Chromium: apt-get install chromium')
  return 'there is no Chromium, so the page is NOT tested. Run: apt-get install chromium'
}

/** A page, closed when the test ends; `errors` is what went wrong in it. */
export async function openPage(t) {
  const { chromium } = createRequire(join(root, 'e2e', 'package.json'))('playwright-core')
  const browser = await chromium.launch({ executablePath, args })
  t.after(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 860, height: 900 }, deviceScaleFactor: 1.5, colorScheme: 'light' })
  page.setDefaultTimeout(30_000)
  const errors = []
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('requestfailed', (request) => {
    const { errorText } = request.failure()
    // Chromium says so now and then of a streamed answer that was read to its end.
    if (errorText !== 'net::ERR_ABORTED') errors.push(`${request.url()}: ${errorText}`)
  })
  return { page, errors }
}
