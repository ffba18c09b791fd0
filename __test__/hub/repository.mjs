// A repository of the fake Hub: commits, branches, and files under the names that git and Git LFS give them.
//
// A client stores and checks files by these names, so they are the real ones: git's SHA-1 of a small file, SHA-256 of an LFS file. All
// bytes are in memory; the largest file of a test has tens of megabytes.

import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'

const LFS_NAME = /\.(onnx|onnx_data|safetensors|bin)$/
const LFS_SIZE = 10_000_000

export function digest(algorithm, ...parts) {
  const hash = createHash(algorithm)
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

/** The name that git gives to a file's bytes. */
export function gitName(bytes) {
  return digest('sha1', `blob ${bytes.length}\0`, bytes)
}

/** What is in LFS unless a test says otherwise. */
export function inLfs(name, bytes) {
  return LFS_NAME.test(name) || bytes.length > LFS_SIZE
}

function* filesOf(source) {
  if (typeof source !== 'string') {
    for (const [name, content] of Object.entries(source)) yield [name, typeof content === 'string' ? Buffer.from(content) : content]
    return
  }
  for (const name of readdirSync(source, { recursive: true })) {
    const file = path.join(source, name)
    if (statSync(file).isFile()) yield [name.split(path.sep).join('/'), readFileSync(file)]
  }
}

/** A file of a commit. `oid` is git's name of what git holds, which for an LFS file is a pointer; `etag` is the name that clients use. */
function fileOf(name, bytes, isLfs) {
  const file = { path: name, bytes, size: bytes.length }
  if (!isLfs) {
    file.oid = file.etag = gitName(bytes)
    return file
  }
  const sha256 = digest('sha256', bytes)
  const pointer = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${bytes.length}\n`)
  return { ...file, oid: gitName(pointer), etag: sha256, lfs: { sha256, pointerSize: pointer.length } }
}

// By UTF-16 unit, as strings compare: the order is the same in every locale.
const byPath = (a, b) => (a.path < b.path ? -1 : 1)

export class Repository {
  #commits = new Map()
  #branches = new Map()

  /** Set by `add`; see there. */
  isPrivate = false
  gated = false
  accepted = false
  cardData = undefined

  constructor(id) {
    this.id = id
  }

  /** Moves `branch` to a commit of exactly these files and gives the commit. Its name follows from the files alone. */
  commit(source, { branch, lfs = inLfs }) {
    const files = new Map()
    for (const [name, bytes] of filesOf(source)) files.set(name, fileOf(name, bytes, lfs(name, bytes)))
    const sorted = [...files.values()].sort(byPath)
    const commit = digest('sha1', sorted.map((file) => `${file.oid} ${file.path}\n`).join(''))
    this.#commits.set(commit, { commit, files, sorted })
    this.#branches.set(branch, commit)
    return commit
  }

  /** What a branch or a commit's name stands for: `{ commit, files, sorted }`, or undefined. */
  at(revision) {
    return this.#commits.get(this.#branches.get(revision) ?? revision)
  }

  /** The answer of `/api/models/<id>`. */
  info({ commit, sorted }, withBlobs) {
    return {
      _id: digest('sha1', this.id).slice(0, 24),
      id: this.id,
      modelId: this.id,
      author: this.id.includes('/') ? this.id.split('/')[0] : undefined,
      sha: commit,
      lastModified: '2024-01-01T00:00:00.000Z',
      private: this.isPrivate,
      gated: this.gated === true ? 'manual' : this.gated,
      disabled: false,
      tags: [],
      cardData: this.cardData,
      siblings: sorted.map(({ path: rfilename, oid: blobId, size, lfs }) => {
        if (!withBlobs) return { rfilename }
        // Here the digest is called `sha256`, in a tree `oid`. The real Hub differs in the same way.
        return { rfilename, blobId, size, lfs: lfs && { sha256: lfs.sha256, size, pointerSize: lfs.pointerSize } }
      }),
    }
  }

  /** The entries of a folder ('' is the root) for `/api/models/<id>/tree/...`, or undefined if there is no such folder. */
  tree({ sorted }, folder, isRecursive) {
    const prefix = folder && `${folder}/`
    const inside = sorted.filter((file) => file.path.startsWith(prefix))
    if (folder && !inside.length) return undefined
    const entries = new Map()
    for (const { path: name, oid, size, lfs } of inside) {
      for (let slash = name.indexOf('/', prefix.length); slash !== -1; slash = name.indexOf('/', slash + 1)) {
        const parent = name.slice(0, slash)
        entries.set(parent, { type: 'directory', oid: digest('sha1', parent), size: 0, path: parent })
      }
      entries.set(name, { type: 'file', oid, size, path: name, lfs: lfs && { oid: lfs.sha256, size, pointerSize: lfs.pointerSize } })
    }
    const all = [...entries.values()].sort(byPath)
    return isRecursive ? all : all.filter((entry) => !entry.path.slice(prefix.length).includes('/'))
  }
}
