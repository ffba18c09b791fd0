// A small npm registry on loopback. It serves the packed packages, knows the platforms that this machine did not build, and passes nothing on: whoever
// asks for anything else gets 404, and is remembered.

import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { platforms } from '../../scripts/platforms.mjs'
import { tarballs } from './tarballs.mjs'

/**
 * Starts it for the time of a test.
 *
 * @param {ReturnType<import('./tarballs.mjs').made>[]} [more] packages that it has besides, or instead of those of the same name
 * @returns {Promise<{ url: string, requests: string[], unknown: string[] }>} what was asked for, and what of it there was not
 */
export async function registry(t, more = []) {
  const packages = new Map([...tarballs(), ...more.map((each) => [each.name, each])])
  const requests = []
  const unknown = []
  let url
  const server = createServer(({ url: path, method }, response) => {
    const name = decodeURIComponent(path.slice(1).split('?')[0])
    requests.push(name)
    const file = [...packages.values()].find((tarball) => name === `${tarball.name}/-/${tarball.name}-${tarball.version}.tgz`)
    if (method === 'GET' && file !== undefined) return response.end(file.content)
    const found = method === 'GET' ? packument(name, packages, url) : undefined
    if (found === undefined) unknown.push(`${method} ${name}`)
    response
      .writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' })
      .end(JSON.stringify(found ?? { error: 'not found' }))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${server.address().port}/`
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url, requests, unknown }
}

/** What a registry says of a package, in the parts that package managers read. */
function packument(name, packages, url) {
  const tarball = packages.get(name)
  if (tarball !== undefined) return describe(tarball.manifest, url, tarball.content)
  // Packages of other platforms: known, as they will be, and nowhere to be had. Who wants to fetch one gets 404 and is found out.
  const platform = platforms.find((row) => row.package === name)
  if (platform === undefined) return undefined
  const { version } = packages.get('vecrank')
  const manifest = { name, version, os: [platform.os], cpu: [platform.cpu], ...(platform.libc && { libc: [platform.libc] }) }
  return describe(manifest, url, Buffer.from(name))
}

function describe(manifest, url, content) {
  const { name, version } = manifest
  const dist = {
    tarball: `${url}${name}/-/${name}-${version}.tgz`,
    shasum: createHash('sha1').update(content).digest('hex'),
    integrity: `sha512-${createHash('sha512').update(content).digest('base64')}`,
  }
  const day = '2026-01-01T00:00:00.000Z'
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, dist } },
    time: { created: day, modified: day, [version]: day },
  }
}
