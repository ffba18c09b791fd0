// Writes onnxruntime.json anew: `node scripts/pin-onnxruntime.mjs VERSION`.
//
// For whoever moves to another version of ONNX Runtime. It downloads the wheel of every platform, makes the library that
// we ship from each, and records both digests. Read the change before you commit it, and run the whole check.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { readPins, unpack } from './onnxruntime.mjs'
import { downloadWheel, root, runScript, sha256 } from './pypi.mjs'

runScript(() => {
  const pins = readPins()
  const before = pins.version
  pins.version = process.argv[2] ?? before
  for (const [platform, pin] of Object.entries(pins.platforms)) {
    const folder = mkdtempSync(join(tmpdir(), 'vecrank-pin-'))
    try {
      const path = downloadWheel({ project: 'onnxruntime', version: pins.version, platformTag: pin.platformTag }, folder)
      const wheel = readFileSync(path)
      const member = pin.member.replace(before, pins.version)
      const { library } = unpack(wheel, pins, { ...pin, member })
      Object.assign(pin, { wheel: basename(path), wheelSha256: sha256(wheel), member, sha256: sha256(library), size: library.length })
      console.log(`${platform}: ${pin.wheel}`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  writeFileSync(join(root, 'scripts', 'onnxruntime.json'), `${JSON.stringify(pins, null, 2)}\n`)
})
