// A Hugging Face Hub on loopback, for tests of downloading: true enough for the Python library huggingface_hub, and breakable on request.
//
// There are two servers, as in reality: the Hub knows repositories and gives small files itself, and LFS files lie on a CDN of another
// origin, under signed addresses. What goes wrong between the two (a token sent on, a digest that only the redirect tells) shows only so.

import { encodePath, placeOf } from './address.mjs'
import { checkFault, json, needsBody, send, text } from './answer.mjs'
import { Repository, digest } from './repository.mjs'
import { listen } from './server.mjs'

/** Whether a request has all the properties that `match` names. A value is compared, or tested if it is a RegExp. */
function matches(entry, match) {
  return Object.entries(match).every(([name, value]) => {
    if (value === undefined) return true
    if (value instanceof RegExp) return entry[name] != null && value.test(entry[name])
    return entry[name] === value
  })
}

/** An error as the Hub words it: the code in a header, the sentence in a header and in the body. */
function problem(place, status, code, message, headers) {
  const all = { 'x-error-message': message.replace(/[^ -~]/g, '?'), ...headers }
  if (code) all['x-error-code'] = code
  if (status === 401) all['www-authenticate'] = 'Bearer realm="Authentication required", charset="UTF-8"'
  return place.kind === 'info' || place.kind === 'tree' ? json(status, { error: message }, all) : text(status, message, all)
}

export class FakeHub {
  /** All requests in order: `{ server, method, url, path, id, file, headers, range, time, status, sent }`, `status` null until answered. */
  requests = []

  /** When set, `Authorization: Bearer <token>` opens private repositories, and any other token is refused everywhere. */
  token = undefined

  /** Where addresses of LFS files point, or null. May be set, for a CDN behind a name that only a proxy knows. */
  cdn = null

  #options
  #hub
  #cdnServer
  #repositories = new Map()
  #renamed = new Map()
  #objects = new Map()
  #faults = []
  #signatures = 0

  /**
   * Starts on 127.0.0.1.
   *
   * - `tls`: `{ key, certificate }` (or `cert`) in PEM makes both servers speak HTTPS.
   * - `cdn`: false answers LFS files with 200 from the Hub itself.
   * - `pageSize`: entries on a page of a tree; the default is the real Hub's 1000.
   * - `resolveCache`: true answers small files with a relative 307 to `/api/resolve-cache/...` first, as the real Hub has done since 2025.
   */
  static async start({ tls, cdn = true, pageSize = 1000, resolveCache = false } = {}) {
    const hub = new FakeHub()
    hub.#options = { pageSize, resolveCache }
    const open = (server, answer) => listen((...both) => hub.#handle(server, answer, ...both), { tls, hold: () => hub.#holds(server) })
    hub.#hub = await open('hub', (...both) => hub.#answer(...both))
    if (cdn) hub.#cdnServer = await open('cdn', (...both) => hub.#object(...both))
    hub.cdn = hub.#cdnServer?.url ?? null
    return hub
  }

  /** The endpoint, `http://127.0.0.1:PORT`. */
  get url() {
    return this.#hub.url
  }

  get port() {
    return this.#hub.port
  }

  get cdnPort() {
    return this.#cdnServer?.port
  }

  /** How many connections were accepted so far, over both servers. */
  get connections() {
    return this.#hub.connections + (this.#cdnServer?.connections ?? 0)
  }

  /**
   * Puts a commit of exactly `files` on `branch` and gives its name, 40 hexadecimal digits that follow from the files. Older commits stay.
   *
   * - `files`: a folder's path, or an object of path and content.
   * - `lfs(path, bytes)`: whether a file is in LFS; by default those with weights' names and those over 10 MB.
   * - `isPrivate`: hidden from all who lack `token`.
   * - `gated`: true, 'auto' or 'manual': files are refused, with `accepted` only to those who lack `token`; what the API says stays public.
   * - `cardData`: the model card's metadata.
   */
  add(id, files, { branch = 'main', lfs, ...properties } = {}) {
    if (!this.#repositories.has(id)) this.#repositories.set(id, new Repository(id))
    const repository = this.#repositories.get(id)
    for (const [name, value] of Object.entries(properties)) {
      if (!['isPrivate', 'gated', 'accepted', 'cardData'].includes(name)) throw new TypeError(`add: there is no option ${name}`)
      repository[name] = value
    }
    return repository.commit(files, { branch, lfs })
  }

  /** Gives a repository another name. The old one answers with a redirect that has a path and no host. */
  rename(from, to) {
    const repository = this.#repositories.get(from)
    this.#repositories.delete(from)
    repository.id = to
    this.#repositories.set(to, repository)
    this.#renamed.set(from, to)
  }

  /** How many requests match, for instance `{ method: 'GET', file: /onnx$/, server: 'cdn' }`. */
  count(match = {}) {
    return this.requests.filter((entry) => matches(entry, match)).length
  }

  /** Bytes of a file's content that GETs were sent, over both servers. Bodies of redirects and errors are not among them. */
  bytes(file) {
    const gets = this.requests.filter((entry) => matches(entry, { method: 'GET', file }) && (entry.status === 200 || entry.status === 206))
    return gets.reduce((sum, { sent }) => sum + sent, 0)
  }

  /** Forgets the requests so far. */
  clear() {
    this.requests = []
  }

  /**
   * Breaks the next `times` answers to requests that match (see `count`; without `match`, all). Several faults on one request are joined.
   * Gives a function that ends the fault. A fault of a body waits for a GET that has one; the others take any answer, so name the `method`.
   *
   * Instead of the answer: `{ status, headers?, body? }`, `{ redirect: url | 'self' }`, `{ html: true }`.
   * Headers: `{ etag }` (as it is to be sent, with quotes) and `{ headers: { name: value | null } }`.
   * Time: `{ delay: ms }`, `{ rate }` and `{ trickle }` in bytes a second, the second in few and small pieces,
   * `{ stall: 'accept' | 'headers' | 'first' | 'body', at? }`: nothing more after the connection, the request, the headers, `at` bytes.
   * 'accept' is of new connections and comes before any request, so only `server` of `match` counts.
   * Wrong, but consistent: `{ short: n }`, `{ long: n }`, `{ flip: bit }`, `{ gzip: true }`, `{ ignoreRange: true }`.
   * Ended early: `{ cut: n, reset? }` and `{ cutEvery: n }` with a true length, `{ closed: n }` without one, `{ chunkedWithoutEnd: n }`.
   */
  fault(match, fault, { times = Infinity } = {}) {
    checkFault(fault)
    const one = { match: match ?? {}, fault, times }
    this.#faults.push(one)
    return () => {
      this.#faults = this.#faults.filter((other) => other !== one)
    }
  }

  /** Ends all connections and both servers. */
  async close() {
    await Promise.all([this.#hub.close(), this.#cdnServer?.close()])
  }

  // ---------- requests ---------------------------------------------------------------------------------------------------

  /** The faults due, each used once, as one. */
  #take(isDue) {
    const due = this.#faults.filter((one) => one.times > 0 && isDue(one))
    for (const one of due) one.times--
    return Object.assign({}, ...due.map(({ fault }) => fault))
  }

  #holds(server) {
    return this.#take(({ match, fault }) => fault.stall === 'accept' && matches({ server }, { server: match.server })).stall === 'accept'
  }

  async #handle(server, answerOf, request, response) {
    const { method, url, headers } = request
    const entry = { server, method, url, path: url.split('?')[0], headers, range: headers.range, time: Date.now(), status: null, sent: 0 }
    this.requests.push(entry)
    let answer
    try {
      entry.path = decodeURIComponent(entry.path)
      answer = method === 'GET' || method === 'HEAD' ? answerOf(request, entry) : text(405, 'Method Not Allowed', { allow: 'GET, HEAD' })
    } catch (error) {
      // Only an address that is not one gets here. Anything else is a mistake of this file, and hiding it would fail the wrong test.
      if (!(error instanceof URIError)) throw error
      answer = text(400, 'Bad Request')
    }
    const hasBody = method === 'GET' && answer.status === 200
    const isDue = ({ match, fault }) => fault.stall !== 'accept' && (hasBody || !needsBody(fault)) && matches(entry, match)
    await send(request, response, answer, this.#take(isDue), entry)
  }

  #answer(request, entry) {
    const url = new URL(`http://hub${request.url}`)
    const place = placeOf(url)
    if (!place) return text(404, 'Not Found')
    const isFile = place.kind === 'resolve' || place.kind === 'resolve-cache'
    entry.id = place.id
    if (isFile) entry.file = place.path
    if (this.#renamed.has(place.id) && !this.#repositories.has(place.id)) {
      const location = place.at(this.#renamed.get(place.id))
      return text(307, `Temporary Redirect. Redirecting to ${location}`, { location })
    }
    const repository = this.#repositories.get(place.id)
    const refusal = this.#refusal(repository, place, isFile, request.headers.authorization)
    if (refusal) return refusal
    const snapshot = repository.at(place.revision)
    if (!snapshot) return problem(place, 404, 'RevisionNotFound', `Invalid rev id: ${place.revision}`)
    if (isFile) return this.#file(place, repository, snapshot)
    if (place.kind === 'info') return json(200, repository.info(snapshot, /^(true|1)$/i.test(url.searchParams.get('blobs'))))
    return this.#tree(place, repository, snapshot, url, request)
  }

  /** Why a request is refused, or undefined. The real Hub does not tell strangers whether a repository exists. */
  #refusal(repository, place, isFile, authorization) {
    const isKnown = this.token !== undefined && authorization === `Bearer ${this.token}`
    if (this.token !== undefined && authorization && !isKnown) {
      return problem(place, 401, undefined, 'Invalid credentials in Authorization header')
    }
    if (!repository || (repository.isPrivate && !isKnown)) {
      if (authorization) return problem(place, 404, 'RepoNotFound', 'Repository not found')
      return problem(place, 401, 'RepoNotFound', 'Invalid username or password.')
    }
    if (!repository.gated || !isFile || (repository.accepted && isKnown)) return undefined
    const restricted = `Access to model ${repository.id} is restricted`
    if (authorization) return problem(place, 403, 'GatedRepo', `${restricted} and you are not in the authorized list.`)
    return problem(place, 401, 'GatedRepo', `${restricted}. You must have access to it and be authenticated to access it. Please log in.`)
  }

  #file(place, repository, { commit, files }) {
    const file = files.get(place.path)
    if (!file) return problem(place, 404, 'EntryNotFound', 'Entry not found', { 'x-repo-commit': commit })
    const name = encodeURIComponent(place.path.split('/').at(-1))
    const headers = {
      'x-repo-commit': commit,
      'accept-ranges': 'bytes',
      'content-disposition': `inline; filename*=UTF-8''${name}; filename="${name}";`,
    }
    const etag = `"${file.etag}"`
    if (file.lfs) {
      Object.assign(headers, { 'x-linked-etag': etag, 'x-linked-size': file.size })
      if (this.#cdnServer) {
        const location = this.#sign(repository, file)
        return text(302, `Found. Redirecting to ${location}`, { ...headers, location })
      }
    } else if (this.#options.resolveCache && place.kind === 'resolve') {
      const folder = `/api/resolve-cache/models/${encodePath(repository.id)}/${commit}`
      const location = `${folder}/${encodePath(place.path)}?etag=${encodeURIComponent(etag)}`
      return text(307, `Temporary Redirect. Redirecting to ${location}`, { ...headers, 'x-linked-etag': etag, location })
    }
    const type = file.lfs ? 'application/octet-stream' : 'text/plain; charset=utf-8'
    return { status: 200, headers: { ...headers, etag, 'content-type': type }, body: file.bytes, ranges: true }
  }

  #tree(place, repository, snapshot, url, request) {
    const query = url.searchParams
    const entries = repository.tree(snapshot, place.path, /^(true|1)$/i.test(query.get('recursive')))
    if (!entries) return problem(place, 404, 'EntryNotFound', `${place.path} does not exist on "${place.revision}"`)
    const size = Math.min(this.#options.pageSize, Number(query.get('limit')) || Infinity)
    // A cursor is the last path of a page. Clients are not to read it.
    const after = query.has('cursor') ? Buffer.from(query.get('cursor'), 'base64url').toString() : ''
    const rest = entries.filter((entry) => entry.path > after)
    const page = rest.slice(0, size)
    if (page.length === rest.length) return json(200, page)
    query.set('cursor', Buffer.from(page.at(-1).path).toString('base64url'))
    const next = `${new URL(this.url).protocol}//${request.headers.host}${url.pathname}?${query}`
    return json(200, page, { link: `<${next}>; rel="next"` })
  }

  // ---------- the CDN ----------------------------------------------------------------------------------------------------

  /** A new address of an LFS file, each time another. Equal bytes at two places have two names, so that `requests` can tell them apart. */
  #sign({ id }, file) {
    const name = digest('sha256', `${id}\n${file.path}\n${file.etag}`)
    this.#objects.set(name, { id, file })
    return `${this.cdn}/objects/${name}?X-Expires=3600&X-Signature=secret${++this.#signatures}`
  }

  #object(request, entry) {
    const url = new URL(`http://cdn${request.url}`)
    const object = this.#objects.get(url.pathname.split('/')[2])
    if (object) Object.assign(entry, { id: object.id, file: object.file.path })
    // Storage takes a signature or a token and not both, so a token that is sent on to another origin does not go unseen.
    const xml = { 'content-type': 'application/xml' }
    if (request.headers.authorization) return text(400, '<Error><Code>InvalidArgument</Code></Error>', xml)
    const isSigned = /^secret\d+$/.test(url.searchParams.get('X-Signature'))
    if (!object || !isSigned) return text(403, '<Error><Code>AccessDenied</Code></Error>', xml)
    const etag = `"${digest('md5', object.file.etag)}-2"`
    const headers = { 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream', etag }
    return { status: 200, headers, body: object.file.bytes, ranges: true }
  }
}
