// What the path of a request to the fake Hub asks for.
//
// An id has two parts or, as old ones do, one. A branch's name may hold slashes, and a folder may be called 'resolve'. So the word that
// follows the id is looked for only where it can be, and each part is decoded after the path is split.

// Where an id starts in each kind of address, and what follows the id.
const ADDRESSES = {
  resolve: { start: 0, mark: /^resolve$/ },
  models: { start: 2, mark: /^(revision|tree)$/ },
  'resolve-cache': { start: 3, mark: /^[0-9a-f]{40}$/ },
}

/** A path with each of its parts encoded. */
export const encodePath = (name) => name.split('/').map(encodeURIComponent).join('/')

/** What an address asks for, or undefined. `at(id)` is the same address in another repository. */
export function placeOf({ pathname, search }) {
  const raw = pathname.slice(1).split('/')
  const parts = raw.map(decodeURIComponent)
  const kind = parts[0] === 'api' ? parts[1] : 'resolve'
  if (!Object.hasOwn(ADDRESSES, kind)) return undefined
  const { start, mark } = ADDRESSES[kind]
  const found = [start + 2, start + 1].find((index) => index < parts.length && mark.test(parts[index]))
  if (found === undefined && kind !== 'models') return undefined
  const end = found ?? parts.length
  const rest = parts.slice(kind === 'resolve-cache' ? end : end + 1)
  // A slash in a branch's name is sent as %2F. Written by hand it is often a slash, and the real Hub takes these.
  const revision = rest.splice(0, rest[0] === 'refs' ? 3 : 1).join('/')
  return {
    kind: kind !== 'models' ? kind : parts[end] === 'tree' ? 'tree' : 'info',
    id: parts.slice(start, end).join('/'),
    revision: revision || 'main',
    path: rest.join('/'),
    at: (id) => `/${[...raw.slice(0, start), encodePath(id), ...raw.slice(end)].join('/')}${search}`,
  }
}
