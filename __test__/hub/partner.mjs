// Another program that shares a cache with us, in tests: how it is run, and what the specs of both partners ask of requests and files.

import { spawn } from 'node:child_process'
import { endOf, filesIn, zoo } from './world.mjs'

export const GRAPH = 'onnx/model.onnx'
/** Bytes of the graph. */
export const SIZE = 245_292
export const ALL = filesIn(zoo('bert-mean'))

export const asked = (hub) => hub.requests.map(({ server, method, url }) => `${server} ${method} ${url}`)
/** Files whose content was sent; a partner may learn of the CDN by HEAD, we do by GET. */
export const sent = (hub) => hub.requests.filter(({ method, file, status }) => method === 'GET' && file && status < 300).map(({ file }) => file)
export const isTree = (line) => /^hub GET \/api\/models\/zoo\/bert-mean\/tree\/[0-9a-f]{40}\?/.test(line)

/**
 * Runs a partner on the fake Hub and a cache: `{ child, said }`. `said` is a promise of the JSON that it printed, if any, and rejects where it
 * fails; `name` is what it is called then.
 */
export function runPartner(t, name, [command, ...args], { hub, cacheDir, env = {} }) {
  const own = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cacheDir, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }
  const child = spawn(command, args, { env: { ...process.env, ...own, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.exitCode === null && child.kill('SIGKILL'))
  const said = endOf(child).then(({ code, stdout, stderr }) => {
    if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`)
    return stdout ? JSON.parse(stdout) : undefined
  })
  return { child, said }
}
