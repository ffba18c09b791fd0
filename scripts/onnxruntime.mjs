// Puts ONNX Runtime's shared library beside the addon: `node scripts/onnxruntime.mjs [platform]`.
//
// The library is Microsoft's own build, from the Python wheel that onnxruntime.json pins by name and SHA-256. pip only
// downloads the wheel; nothing in it is installed or run. The wheel is checked before it is unpacked, the library is
// checked again after its SONAME is changed (soname.mjs says why), and it appears under its final name in one step.
// When the right library is already there this does nothing else than hash it.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { replaceSoname } from './soname.mjs'
import { readFromWheel } from './wheel.mjs'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const pinFile = join(root, 'scripts', 'onnxruntime.json')
const notices = ['LICENSE', 'ThirdPartyNotices.txt']

/** An error whose message is all that the reader needs. */
class SetupError extends Error {}

export function readPins() {
  return JSON.parse(readFileSync(pinFile, 'utf8'))
}

export function sha256(content) {
  return createHash('sha256').update(content).digest('hex')
}

/** The content of a file, or undefined where there is none. */
function readIfThere(path) {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  }
}

/** This machine's platform, in the words that napi uses. */
export function currentPlatform() {
  const base = `${process.platform}-${process.arch}`
  if (process.platform === 'win32') return `${base}-msvc`
  if (process.platform !== 'linux') return base
  return `${base}-${process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'gnu'}`
}

function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vecrank')
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

/** The command that runs Python 3 with pip: `PYTHON` if it is set, else what is on the path. */
function findPip() {
  const usual = process.platform === 'win32' ? [['py', '-3'], ['python'], ['python3']] : [['python3'], ['python']]
  const candidates = process.env.PYTHON ? [[process.env.PYTHON]] : usual
  let pythonWithoutPip
  for (const [command, ...args] of candidates) {
    const { status, stdout } = spawnSync(command, [...args, '-c', 'import sys; print(sys.version_info[0])'], { encoding: 'utf8' })
    if (status !== 0 || stdout.trim() !== '3') continue
    if (spawnSync(command, [...args, '-m', 'pip', '--version']).status === 0) return [command, ...args, '-m', 'pip']
    pythonWithoutPip ??= command
  }
  if (pythonWithoutPip !== undefined) {
    throw new SetupError(
      `${pythonWithoutPip} has no pip, which downloads ONNX Runtime. Install it (Debian and Ubuntu: the package python3-pip; ` +
        `elsewhere: ${pythonWithoutPip} -m ensurepip) and run this again.`,
    )
  }
  throw new SetupError(
    `Python 3 was not found (tried ${candidates.map((words) => words.join(' ')).join(', ')}). It is needed once, with pip, ` +
      'to download ONNX Runtime. Install it, or set PYTHON to its path, and run this again.',
  )
}

/**
 * Downloads one wheel into `folder` and returns its path. The tags name the wheel, so the local Python's own version and
 * platform do not matter.
 */
export function downloadWheel(version, platformTag, folder) {
  const [command, ...args] = findPip()
  const options = ['--no-deps', '--only-binary=:all:', '--implementation', 'cp', '--python-version', '3.12', '--abi', 'cp312']
  const run = spawnSync(
    command,
    [...args, 'download', '--disable-pip-version-check', '--quiet', ...options, '--platform', platformTag, '--dest', folder, `onnxruntime==${version}`],
    { encoding: 'utf8', env: { ...process.env, PIP_REQUIRE_VIRTUALENV: '0', PIP_NO_INPUT: '1' } },
  )
  const wheels = run.status === 0 ? readdirSync(folder).filter((name) => name.endsWith('.whl')) : []
  if (wheels.length !== 1) {
    throw new SetupError(
      `pip could not download onnxruntime ${version} for ${platformTag}. It said:\n\n${(run.stderr || run.error?.message || 'nothing').trim()}\n\n` +
        'Check that this machine reaches a Python package index (pip uses its usual settings, such as PIP_INDEX_URL and PIP_CERT).\n' +
        `On a machine that has no network: put the wheel that scripts/onnxruntime.json names into ${cacheFolder()}`,
    )
  }
  return join(folder, wheels[0])
}

/** A fresh folder inside the cache, so that the wheel can be moved from one to the other in one step. */
function makeDownloadFolder() {
  try {
    mkdirSync(cacheFolder(), { recursive: true })
    return mkdtempSync(join(cacheFolder(), 'download-'))
  } catch (error) {
    throw new SetupError(`Cannot write to the cache folder ${cacheFolder()} (${error.message}). Set XDG_CACHE_HOME to another one.`)
  }
}

/** The pinned wheel's content, from the cache or from pip, with the pinned digest. */
function readWheel(version, pin) {
  const cached = join(cacheFolder(), pin.wheel)
  const known = readIfThere(cached)
  if (known !== undefined && sha256(known) === pin.wheelSha256) return known

  console.log(`Downloading ONNX Runtime ${version} (${pin.wheel}) ...`)
  const passing = makeDownloadFolder()
  try {
    const path = downloadWheel(version, pin.platformTag, passing)
    const content = readFileSync(path)
    const digest = sha256(content)
    if (digest !== pin.wheelSha256) {
      throw new SetupError(
        `The wheel ${pin.wheel} is not the one that scripts/onnxruntime.json pins, so it was thrown away.\n` +
          `  expected sha256 ${pin.wheelSha256}\n  got             ${digest} (${content.length} bytes)\n` +
          'Run this again. If the digest stays the same, find out what stands between this machine and the package index: ' +
          'a proxy or a mirror that rewrites files.',
      )
    }
    renameSync(path, cached)
    return content
  } finally {
    rmSync(passing, { recursive: true, force: true })
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

  const made = unpack(readWheel(pins.version, pin), pins, pin)
  const digest = sha256(made.library)
  if (digest !== pin.sha256) {
    throw new SetupError(
      `The library made from ${pin.wheel} is not the one that scripts/onnxruntime.json pins, so it was not written.\n` +
        `  expected sha256 ${pin.sha256}\n  got             ${digest}\n` +
        'The wheel was right, so this is a fault of scripts/soname.mjs or of the pin: please report it.',
    )
  }
  made.texts.forEach((text, index) => writeWhole(texts[index], text))
  writeWhole(target, made.library)
  console.log(`ONNX Runtime ${pins.version} is in place: ${pin.file}`)
  return target
}

/** Runs `main` and ends the process with a plain message where it fails for a reason that the reader can mend. */
export function runScript(main) {
  try {
    main()
  } catch (error) {
    console.error(error instanceof SetupError ? `\n${error.message}\n` : error)
    process.exitCode = 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) runScript(() => fetchLibrary({ platform: process.argv[2] }))
