'use strict'

/**
 * How many cores this process may use, and which of two bounds is the narrower: the cores that it may run on (affinity), and the time that its
 * group may take of them (the quota of a container). Node counts the first and, before version 22, not the second.
 */

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

/** @returns {{ affinity: number, quota: number | null }} the quota in cores, such as 1.5; null where there is none or it cannot be known */
function cores(root = '/') {
  return { affinity: affinity(root) ?? os.availableParallelism(), quota: process.platform === 'linux' ? quota(root) : null }
}

function affinity(root) {
  const [, list] = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(read(path.join(root, 'proc/self/status')) ?? '') ?? []
  if (list === undefined) return undefined
  const count = list.split(',').reduce((sum, part) => {
    const [first, last = first] = part.split('-').map(Number)
    return sum + last - first + 1
  }, 0)
  // Cores that could be added while the machine runs are in the list too.
  return Math.min(count, os.cpus().length || count)
}

/** The least quota of the process's group and of those above it. */
function quota(root) {
  const found = []
  for (const line of (read(path.join(root, 'proc/self/cgroup')) ?? '').split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === '') found.push(...above(group).map((place) => unified(path.join(root, 'sys/fs/cgroup', place))))
    // Version 1. In a container the path may be the host's, of which only the root is seen.
    else if (controllers?.split(',').includes('cpu')) found.push(...above(group).map((place) => separate(path.join(root, 'sys/fs/cgroup', controllers, place))))
  }
  const quotas = found.filter((value) => value !== undefined)
  return quotas.length === 0 ? null : Math.min(...quotas)
}

/** A group's path and those above it, to the root. */
function above(group) {
  const parts = group.split('/').filter((part) => part !== '' && part !== '..')
  return Array.from({ length: parts.length + 1 }, (_, length) => path.join('/', ...parts.slice(0, length)))
}

function unified(folder) {
  const [, time, period] = /^(\d+) (\d+)/.exec(read(path.join(folder, 'cpu.max')) ?? '') ?? []
  return time === undefined ? undefined : Number(time) / Number(period)
}

function separate(folder) {
  const [time, period] = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => Number(read(path.join(folder, name)) ?? -1))
  return time > 0 && period > 0 ? time / period : undefined
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

module.exports = { cores }
