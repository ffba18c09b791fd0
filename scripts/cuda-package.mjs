// Makes the package with ONNX Runtime for NVIDIA GPUs: `node scripts/cuda-package.mjs [NAME …] [--out DIR] [--version 1.31.1]`.
//
// NAME is a row of onnxruntime-gpu.json, by default `vecrank-cuda-linux-x64`; the folder DIR/NAME (DIR is `npm/`) is what is published. No package
// of vecrank depends on it, not even optionally: it weighs 314 MB, and npm would bring it to every machine of that system, with a GPU or
// without. Its version is that of ONNX Runtime, since it holds nothing of vecrank's and goes with every vecrank that reads this one.
//
// The libraries are Microsoft's, out of the wheel of `onnxruntime-gpu` that the pin names by SHA-256; only the SONAME of the first is changed, for
// the reason that lib/cli/soname.js gives. `runtime.json` is written last: it says that the folder is whole, and vecrank reads it before it opens anything.
//
// `--pin [--version X]` downloads the wheels of every row and writes the pin anew.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { licences, nativeManifest } from './manifest.mjs'
import { readPins } from './onnxruntime.mjs'
import { SetupError, downloadWheel, pinnedWheel, root, runScript, sha256 } from './pypi.mjs'
import { replaceSoname } from '../lib/cli/soname.js'
import { readFromWheel } from './wheel.mjs'

const project = 'onnxruntime-gpu'
const pinFile = join(root, 'scripts', 'onnxruntime-gpu.json')
const inWheel = (name) => `onnxruntime/capi/${name}`
const notices = ['LICENSE', 'ThirdPartyNotices.txt']

export function readGpuPins() {
  return JSON.parse(readFileSync(pinFile, 'utf8'))
}

/** The library as it is stored: under its own name, and on Linux with the SONAME of the one that vecrank ships. */
function stored(pin, library) {
  const { from, to } = readPins().soname
  return pin.os === 'linux' ? replaceSoname(library, from, to) : library
}

/**
 * Writes the package into `folder`, which is emptied first.
 *
 * @param {{ name: string, version: string, pin: object, wheel: Buffer, folder: string }} which the wheel's digest has been checked
 */
export function stage({ name, version, pin, wheel, folder }) {
  const [library, ...providers] = readFromWheel(wheel, [pin.library, ...pin.providers].map(inWheel))
  const texts = readFromWheel(wheel, notices.map((notice) => `onnxruntime/${notice}`))
  const contents = new Map([[pin.library, stored(pin, library)]])
  pin.providers.forEach((provider, index) => contents.set(provider, providers[index]))
  const files = Object.fromEntries([...contents].map(([file, content]) => [file, { size: content.length, sha256: sha256(content) }]))
  const digest = files[pin.library].sha256
  if (digest !== pin.sha256) {
    throw new SetupError(
      `The library made from ${pin.wheel} is not the one that scripts/onnxruntime-gpu.json pins, so nothing was written.\n` +
        `  expected sha256 ${pin.sha256}\n  got             ${digest}\n` +
        'The wheel was right, so this is a fault of lib/cli/soname.js or of the pin: please report it.',
    )
  }

  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'licenses'), { recursive: true })
  for (const [file, content] of contents) writeFileSync(join(folder, file), content, { mode: 0o644 })
  notices.forEach((notice, index) => writeFileSync(join(folder, 'licenses', `onnxruntime-${notice.replace(/\.txt$/, '')}.txt`), texts[index]))
  for (const licence of licences) copyFileSync(join(root, licence), join(folder, licence))
  writeFileSync(join(folder, 'index.js'), entry(Object.keys(files)))
  writeFileSync(join(folder, 'README.md'), readme(name, version, files))
  writeJson(join(folder, 'package.json'), manifestOf(name, version, pin))
  writeJson(join(folder, 'runtime.json'), {
    format: 1,
    kind: 'onnxruntime',
    name: project,
    version,
    library: pin.library,
    devices: ['cuda', 'tensorrt'],
    source: pin.wheel,
    sha256: digest,
    files,
  })
  return files
}

function manifestOf(name, version, pin) {
  const description = `ONNX Runtime with CUDA and TensorRT for vecrank on ${pin.os}-${pin.cpu}`
  return nativeManifest({ name, version, description }, pin, ['runtime.json', pin.library, ...pin.providers], true)
}

function entry(files) {
  return [
    "'use strict'",
    '',
    "const path = require('node:path')",
    '',
    '// Where runtime.json and the libraries are.',
    'exports.folder = __dirname',
    '// By literal paths, so that bundlers and file tracers take the files along.',
    `exports.files = [${['runtime.json', ...files].map((file) => `path.join(__dirname, '${file}')`).join(', ')}]`,
    '',
  ].join('\n')
}

function readme(name, version, files) {
  const bytes = Object.values(files).reduce((sum, { size }) => sum + size, 0)
  const values = { name, version, size: (bytes / 1e6).toFixed(0) }
  return readFileSync(join(root, 'scripts', 'cuda-package.md'), 'utf8').replace(/\{(name|version|size)\}/g, (_, key) => values[key])
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}

/** Records the wheels of a version, and the libraries as they will be stored. */
function writePins(version) {
  const pins = readGpuPins()
  for (const [name, pin] of Object.entries(pins.packages)) {
    const folder = mkdtempSync(join(tmpdir(), 'vecrank-pin-'))
    try {
      const path = downloadWheel({ project, version, platformTag: pin.platformTag }, folder)
      const wheel = readFileSync(path)
      const library = pin.library.replace(pins.version, version)
      const content = stored(pin, readFromWheel(wheel, [inWheel(library)])[0])
      Object.assign(pin, { wheel: basename(path), wheelSha256: sha256(wheel), library, sha256: sha256(content) })
      console.log(`${name}: ${pin.wheel}`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  pins.version = version
  writeJson(pinFile, pins)
}

function make(name, pins, out) {
  const pin = pins.packages[name]
  if (pin === undefined) throw new SetupError(`There is no package ${name}. There are: ${Object.keys(pins.packages).join(', ')}.`)
  const folder = join(out, name)
  const wheel = pinnedWheel({ project, version: pins.version, ...pin }).content
  const files = stage({ name, version: pins.version, pin, wheel, folder })
  for (const [file, { size }] of Object.entries(files)) console.log(`${(size / 1e6).toFixed(1).padStart(7)} MB  ${file}`)
  console.log(`${name} ${pins.version} is in ${folder}. Its tarball: npm pack ${folder}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runScript(() => {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { out: { type: 'string', default: join(root, 'npm') }, version: { type: 'string' }, pin: { type: 'boolean', default: false } },
    })
    const { version } = readGpuPins()
    if (values.pin) writePins(values.version ?? version)
    else if (values.version !== undefined && values.version !== version) {
      throw new SetupError(`The pin is of ONNX Runtime ${version}. For another one write it first: node scripts/cuda-package.mjs --pin --version ${values.version}`)
    } else {
      for (const name of positionals.length > 0 ? positionals : ['vecrank-cuda-linux-x64']) make(name, readGpuPins(), resolve(values.out))
    }
  })
}
