// Puts ONNX Runtime's shared library beside the addon: `node scripts/onnxruntime.mjs [platform]`.
//
// The library is Microsoft's own build, from the Python wheel that onnxruntime.json pins by name and SHA-256. pip only
// downloads the wheel; nothing in it is installed or run. The wheel is checked before it is unpacked, the library is
// checked again after its SONAME is changed (lib/cli/soname.js says why), and it appears under its final name in one step.
// When the right library is already there this does nothing else than hash it.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { replaceSoname } from '../lib/cli/soname.js'
import { SetupError, pinnedWheel, readIfThere, root, runScript, sha256 } from './pypi.mjs'
import { readFromWheel } from './wheel.mjs'

const { platform: currentPlatform } = createRequire(import.meta.url)('../lib/platform.js')
const pinFile = join(root, 'scripts', 'onnxruntime.json')
const notices = ['LICENSE', 'ThirdPartyNotices.txt']

export function readPins() {
  return JSON.parse(readFileSync(pinFile, 'utf8'))
}

/** Writes under a passing name first, so that nobody ever sees half a file. */
function writeWhole(path, content) {
  mkdirSync(dirname(path), { recursive: true })
  const passing = `${path}.${process.pid}.part`
  try {
    writeFileSync(passing, content, { mode: 0o644 })
    renameSync(passing, path)
  } finally {
    rmSync(passing, { force: true })
  }
}

/** The library as we ship it, and the texts that travel with it. */
export function unpack(wheel, pins, pin) {
  const [library, ...texts] = readFromWheel(wheel, [pin.member, ...notices.map((name) => `onnxruntime/${name}`)])
  const shipped = pin.file.includes('.so') ? replaceSoname(library, pins.soname.from, pins.soname.to) : library
  return { library: shipped, texts }
}

/**
 * Makes sure that ONNX Runtime's library lies in `folder`.
 *
 * @param {{ platform?: string, folder?: string }} [options] default: this machine, the repository's root
 * @returns {string} the library's path
 */
export function fetchLibrary({ platform = currentPlatform(), folder = root } = {}) {
  const pins = readPins()
  const pin = pins.platforms[platform]
  if (pin === undefined) {
    throw new SetupError(`There is no ONNX Runtime build for ${platform}. Supported: ${Object.keys(pins.platforms).join(', ')}.`)
  }
  const target = join(folder, pin.file)
  const texts = notices.map((name) => join(folder, 'licenses', `onnxruntime-${name.replace(/\.txt$/, '')}.txt`))
  const present = readIfThere(target)
  if (present?.length === pin.size && sha256(present) === pin.sha256 && texts.every((path) => readIfThere(path) !== undefined)) return target

  const made = unpack(pinnedWheel({ project: 'onnxruntime', version: pins.version, ...pin }).content, pins, pin)
  const digest = sha256(made.library)
  if (digest !== pin.sha256) {
    throw new SetupError(
      `The library made from ${pin.wheel} is not the one that scripts/onnxruntime.json pins, so it was not written.\n` +
        `  expected sha256 ${pin.sha256}\n  got             ${digest}\n` +
        'The wheel was right, so this is a fault of lib/cli/soname.js or of the pin: please report it.',
    )
  }
  made.texts.forEach((text, index) => writeWhole(texts[index], text))
  writeWhole(target, made.library)
  console.log(`ONNX Runtime ${pins.version} is in place: ${pin.file}`)
  return target
}

if (process.argv[1] === fileURLToPath(import.meta.url)) runScript(() => fetchLibrary({ platform: process.argv[2] }))
