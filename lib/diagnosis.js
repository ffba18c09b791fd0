'use strict'

/** Why the native addon could not be loaded: every attempt, and the one thing to do about it, by cause. */

const { KEEP_OUT } = require('./bundle.js')
const { VecrankError } = require('./errors.js')
const { PLATFORMS } = require('./platform.js')

const REINSTALL = 'Delete node_modules and install again on the machine (or in the image) that runs the program.'

/** What the systems' loaders say of a file that is none of theirs. glibc says of one for another processor that it cannot open it. */
const UNREADABLE =
  /invalid ELF header|wrong ELF class|file too short|Exec format error|\.node: cannot open shared object file: No such|not a valid Win32|incompatible architecture|not a? ?(valid )?mach-o/i

/**
 * Causes from the most to the least particular: how the failure is known, and what to do. `text` is what all attempts said, `codes` their error
 * codes, `others` the packages of other platforms that are installed.
 */
const CAUSES = [
  {
    holds: ({ node }) => node < 20,
    fix: () => `vecrank needs Node 20 or newer: this is ${process.version}. Install a newer Node.`,
  },
  {
    holds: ({ platform }) => platform === 'darwin-x64',
    fix: () =>
      'There is no build for macOS on Intel: the last ONNX Runtime for it (1.23) is too old. If this Mac has an Apple chip, this Node is the x64 build, ' +
      'run by Rosetta: install the arm64 build of Node.',
  },
  {
    holds: ({ platform }) => !PLATFORMS.includes(platform),
    fix: ({ platform }) => `There is no build for ${platform}. There are builds for ${PLATFORMS.join(', ')}.`,
  },
  {
    holds: ({ codes }) => codes.has('ERR_DLOPEN_DISABLED'),
    fix: () =>
      "This process must not load native addons. Under Node's permission model start it with --allow-addons, and with --allow-fs-read for the package, " +
      'the models and their cache; without the model, drop --no-addons.',
  },
  {
    holds: ({ codes }) => codes.has('ERR_ACCESS_DENIED'),
    fix: () => "Node's permission model forbids to read the package. Add --allow-fs-read for node_modules, the models and their cache, and --allow-addons.",
  },
  {
    holds: ({ text }) => /NotCapable|allow-ffi|allow-read/.test(text),
    fix: () => 'Deno forbids it. Start with --allow-ffi, --allow-read and --allow-env.',
  },
  {
    holds: ({ codes }) => codes.has('VERSION'),
    fix: () => `The packages of vecrank are of different versions. ${REINSTALL} In a clone run \`npm run build\`.`,
  },
  {
    holds: ({ codes }) => codes.has('FILE'),
    fix: () =>
      `A file of the package was left out, by a bundler or by whoever copied node_modules. ${KEEP_OUT} ` +
      'and copy its packages whole, or install again.',
  },
  {
    holds: ({ text }) => /GLIBC_[\d.]+'? not found/.test(text),
    fix: () => 'The C library of this system is too old: glibc 2.28 or newer is needed (Debian 10, Ubuntu 20.04, RHEL 8, Amazon Linux 2023 or newer).',
  },
  {
    holds: ({ text }) => /libc\.musl|ld-musl|ld-linux|libc\.so\.6|Error relocating/.test(text),
    fix: ({ platform }) => `The addon was made for another C library than this one (${platform}): node_modules was copied from another system. ${REINSTALL}`,
  },
  {
    holds: ({ codes, text }) => codes.has('DAMAGED') || UNREADABLE.test(text),
    fix: () => `The addon is damaged or made for another platform. ${REINSTALL}`,
  },
  {
    holds: ({ text }) => /failed to map segment|operation not permitted|permission denied/i.test(text),
    fix: () => 'The system forbids to run code from this folder: it is mounted with noexec, or its rights are too narrow. Install into another folder.',
  },
  {
    holds: ({ text }) => process.platform === 'win32' && /specified module could not be found/i.test(text),
    fix: () => 'A library that the addon needs is missing: install the Microsoft Visual C++ Redistributable (2022).',
  },
  {
    holds: ({ others }) => others.length > 0,
    fix: ({ platform, others }) =>
      `Installed is ${others.join(', ')}, for another platform than this one (${platform}): node_modules was copied, or the lock file knows only the ` +
      `other platform. ${REINSTALL}`,
  },
  {
    // The path of a file, not the name of a package: a bundler has written it down where it ran.
    holds: ({ text }) => /Cannot find module '(?:\/|[A-Z]:)[^']*\.node'/.test(text),
    fix: () => `The program was bundled on another machine. ${KEEP_OUT}, and ship node_modules beside the program.`,
  },
  {
    holds: ({ isMissing }) => isMissing,
    fix: ({ platform }) =>
      `The package vecrank-${platform} is not installed. It is an optional dependency of vecrank: install without --omit=optional and --no-optional, ` +
      `and without optional=false in .npmrc. Or a bundler has moved vecrank. ${KEEP_OUT}. ` +
      'In a clone of the repository run `npm run build`.',
  },
  { holds: () => true, fix: () => REINSTALL },
]

class Diagnosis {
  #platform
  #attempts = []

  /** @param {string} platform as in `platform.js` */
  constructor(platform) {
    this.#platform = platform
  }

  /** Remembers what was tried (a package or a file) and how it failed. */
  tried(what, error) {
    this.#attempts.push({ what, error, line: lineOf(what, error) })
  }

  /** The error for the user: `ERR_RUNTIME`, with all attempts in its text and the last one as its cause. */
  error() {
    const lines = this.#attempts.map(({ line }) => line)
    const seen = {
      platform: this.#platform,
      node: Number.parseInt(process.versions.node, 10),
      codes: new Set(this.#attempts.map(({ error }) => error?.code)),
      text: lines.join('\n'),
      isMissing: this.#attempts.some(({ what, error }) => what === `vecrank-${this.#platform}` && /MODULE_NOT_FOUND|UNDECLARED_DEPENDENCY|MISSING_/.test(error?.code)),
      others: PLATFORMS.filter((name) => name !== this.#platform && isInstalled(`vecrank-${name}`)).map((name) => `vecrank-${name}`),
    }
    const { fix } = CAUSES.find(({ holds }) => holds(seen))
    const tried = lines.map((line) => `\n  - ${line}`).join('') || '\n  - nothing: no package is made for this platform'
    return new VecrankError(
      'ERR_RUNTIME',
      `The native addon of vecrank could not be loaded on ${this.#platform} with Node ${process.version}. Tried:${tried}\n${fix(seen)}`,
      this.#attempts.length === 0 ? undefined : { cause: this.#attempts.at(-1).error },
    )
  }
}

/** One line of an attempt: what was tried, unless the error names it, what it said first, and its code. */
function lineOf(what, error) {
  const first = String(error?.message ?? error).split(/\r?\n/)[0]
  const named = first.includes(what) ? first : `${what}: ${first}`
  return error?.code === undefined || named.includes(error.code) ? named : `${named} (${error.code})`
}

function isInstalled(name) {
  try {
    require.resolve(`${name}/package.json`)
    return true
  } catch {
    return false
  }
}

module.exports = { Diagnosis }
