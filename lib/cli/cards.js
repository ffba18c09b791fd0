'use strict'

/**
 * The graphics cards that Linux knows, by vendor. The addon asks NVIDIA's own library and sees no others; a user with an AMD or Intel GPU should
 * read at least that it was seen. What is not a PCI device has no vendor here, and then its driver says most.
 */

const fs = require('node:fs')
const path = require('node:path')

/** By the numbers of the PCI register of vendors. The last ones are those of virtual machines and servers, which compute nothing. */
const VENDORS = {
  '0x10de': 'NVIDIA',
  '0x1002': 'AMD',
  '0x1022': 'AMD',
  '0x8086': 'Intel',
  '0x106b': 'Apple',
  '0x1af4': 'virtio (a virtual machine)',
  '0x1234': 'QEMU (a virtual machine)',
  '0x15ad': 'VMware (a virtual machine)',
  '0x80ee': 'VirtualBox (a virtual machine)',
  '0x1414': 'Microsoft (a virtual machine)',
  '0x1b36': 'QEMU (a virtual machine)',
  '0x1a03': 'ASPEED (a server)',
  '0x102b': 'Matrox (a server)',
}

/** @returns {{ name: string, vendor: string, id: string | null, driver: string | null }[]} `id` is `vendor:device`, as `lspci -n` shows it */
function cards(folder = '/sys/class/drm') {
  let names
  try {
    // `card0-HDMI-A-1` is a connector of it.
    names = fs.readdirSync(folder).filter((name) => /^card\d+$/.test(name))
  } catch {
    return []
  }
  names.sort(new Intl.Collator('en', { numeric: true }).compare)
  return names.map((name) => {
    const device = path.join(folder, name, 'device')
    const [vendor, model] = ['vendor', 'device'].map((file) => word(path.join(device, file)))
    const id = vendor === undefined || model === undefined ? null : `${vendor.slice(2)}:${model.slice(2)}`
    const driver = target(path.join(device, 'driver'))
    return { name, vendor: VENDORS[vendor] ?? (vendor === undefined ? 'unknown' : `unknown (${vendor})`), id, driver }
  })
}

function word(file) {
  try {
    const text = fs.readFileSync(file, 'utf8').trim()
    return /^0x[\da-f]{4}$/i.test(text) ? text.toLowerCase() : undefined
  } catch {
    return undefined
  }
}

function target(link) {
  try {
    return path.basename(fs.readlinkSync(link))
  } catch {
    return null
  }
}

module.exports = { cards }
