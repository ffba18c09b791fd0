// A small npm registry on loopback. It serves the packed packages, knows the platforms that this machine did not build, and passes nothing on: whoever
// asks for anything else gets 404, and is remembered.

import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { platforms } from '../../scripts/platforms.mjs'
import { tarballs } from './tarballs.mjs'

/**
 * Starts it for the time of a test.
 *
 * @param {object[]} [more] packages that it has besides, or instead of packed ones of the same name: `{ name, version, manifest }` with their bytes
 *   as `content` or a function `open` that gives them as a stream. There may be several versions of one
 * @returns {Promise<{ url: string, requests: string[], unknown: string[] }>} what was asked for, and what of it there was not
 */
export async function registry(t, more = []) {
  const packages = withVersions([...tarballs().values()], more)
  const requests = []
  const unknown = []
  let url
  const server = createServer(({ url: path, method }, response) => {
    const name = decodeURIComponent(path.slice(1).split('?')[0])
    requests.push(name)
    const file = [...packages.values()].flat().find((tarball) => name === tarballOf(tarball))
    if (method === 'GET' && file !== undefined) return file.open === undefined ? response.end(file.content) : file.open().pipe(response)
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

/** All versions of each package, by its name. */
function withVersions(packed, more) {
  const packages = new Map(packed.map((tarball) => [tarball.name, [tarball]]))
  for (const { name } of more) packages.set(name, [])
  for (const tarball of more) packages.get(tarball.name).push(tarball)
  return packages
}

/** The path of a package's tarball, which for `@scope/name` has no scope in the file's name. */
function tarballOf({ name, version }) {
  return `${name}/-/${name.split('/').at(-1)}-${version}.tgz`
}

/** What a registry says of a package, in the parts that package managers read. */
function packument(name, packages, url) {
  const versions = packages.get(name)
  if (versions !== undefined) return describe(versions, url)
  // Packages of other platforms: known, as they will be, and nowhere to be had. Who wants to fetch one gets 404 and is found out.
  const platform = platforms.find((row) => row.package === name)
  if (platform === undefined) return undefined
  const [{ version }] = packages.get('vecrank')
  const manifest = { name, version, os: [platform.os], cpu: [platform.cpu], ...(platform.libc && { libc: [platform.libc] }) }
  return describe([{ name, version, manifest, content: Buffer.from(name) }], url)
}

function describe(versions, url) {
  const day = '2026-01-01T00:00:00.000Z'
  return {
    name: versions[0].name,
    'dist-tags': { latest: versions.at(-1).version },
    versions: Object.fromEntries(versions.map((tarball) => [tarball.version, { ...tarball.manifest, dist: distOf(tarball, url) }])),
    time: { created: day, modified: day, ...Object.fromEntries(versions.map(({ version }) => [version, day])) },
  }
}

function distOf(tarball, url) {
  const dist = { tarball: `${url}${tarballOf(tarball)}` }
  // Of what is streamed nobody has seen the bytes.
  if (tarball.content === undefined) return dist
  const digest = (algorithm, encoding) => createHash(algorithm).update(tarball.content).digest(encoding)
  return { ...dist, shasum: digest('sha1', 'hex'), integrity: `sha512-${digest('sha512', 'base64')}` }
}
