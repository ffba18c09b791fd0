'use strict'

/**
 * The command line: which command was meant, its help, and how an error ends it. 0 is success, 1 a failure, 2 a command that nobody could
 * run, 130 and 143 one that was stopped.
 */

const { version } = require('../../package.json')
const { UsageError, readArguments } = require('./arguments.js')

const CACHE_DIR = ['--cache-dir DIR', 'the folder of the cache (default: HF_HUB_CACHE, else hub/ in HF_HOME)']
const JSON_OUTPUT = ['--json', 'print JSON for programs']

/** By name: what the command is called with, what it does, its options, and the function that runs it (loaded when it is called). */
const COMMANDS = {
  pull: {
    synopsis: 'vecrank pull [owner/name]... [options]',
    summary: 'download models ahead, or those of the lock file',
    text:
      'Downloads and verifies the files that a load of the models would read. A branch is looked up anew.\n' +
      'Without a name, everything that vecrank.lock.json pins is downloaded, at its commits: the step for CI.\n' +
      'A token for private models is read from HF_TOKEN or the token file of `hf auth login`; there is no option\n' +
      'for it, as other users of the machine can read the arguments of a command.',
    flags: {
      revision: 'value',
      dtype: 'value',
      file: 'value',
      embedder: 'flag',
      reranker: 'flag',
      lock: 'optional',
      endpoint: 'value',
      offline: 'flag',
    },
    more: { quiet: 'flag', json: 'flag', 'cache-dir': 'value' },
    options: [
      ['--revision REV', 'a branch, a tag or a commit (default: main)'],
      ['--dtype DTYPE', 'which weights: auto, fp32, fp16, q8, int8, uint8, q4, q4f16, bnb4 (default: auto)'],
      ['--file FILE', 'an ONNX file inside the repository, instead of a dtype'],
      ['--embedder, --reranker', 'what the model is (default: what its files say)'],
      ['--lock [FILE.json]', 'pin the newest commit, with the SHA-256 of every file, in vecrank.lock.json beside package.json'],
      CACHE_DIR,
      ['--endpoint URL', 'a mirror of the Hub (default: HF_ENDPOINT)'],
      ['--offline', 'use no network; fails where a file is missing'],
      ['--quiet', 'print only errors and warnings'],
      JSON_OUTPUT,
    ],
    run: () => require('./pull.js').pull,
  },
  'cache ls': {
    synopsis: 'vecrank cache ls [options]',
    summary: 'list the models in the cache',
    flags: { json: 'flag', 'cache-dir': 'value' },
    options: [CACHE_DIR, JSON_OUTPUT],
    run: () => require('./cache.js').list,
  },
  'cache verify': {
    synopsis: 'vecrank cache verify [owner/name] [options]',
    summary: 'hash every file of the cache',
    text: 'Ends with 1 where a file is damaged, and names the command that heals it.',
    flags: { json: 'flag', 'cache-dir': 'value' },
    options: [CACHE_DIR, JSON_OUTPUT],
    run: () => require('./cache.js').verify,
  },
  'cache rm': {
    synopsis: 'vecrank cache rm <owner/name>... [options]',
    summary: 'take models out of the cache',
    flags: { 'cache-dir': 'value' },
    options: [CACHE_DIR],
    run: () => require('./cache.js').remove,
  },
  'runtime add': {
    synopsis: 'vecrank runtime add <file or folder>...',
    summary: 'add an ONNX Runtime for GPUs, or a plugin for one',
    text:
      'Takes a wheel (onnxruntime_gpu, onnxruntime_directml, onnxruntime_ep_openvino, onnxruntime_ep_webgpu), a NuGet\n' +
      'package, a release (.tgz, .zip), a tarball of npm, or a folder that holds the libraries. It is checked and put\n' +
      'into the data folder: VECRANK_DATA, else the usual one of the system. Nothing is downloaded.',
    flags: {},
    options: [],
    run: () => require('./runtime.js').add,
  },
  'runtime ls': {
    synopsis: 'vecrank runtime ls [options]',
    summary: 'list the runtimes that were added',
    text: 'Of two versions of one name the newest counts. Ends with 1 where one is damaged: add it again.',
    flags: { json: 'flag' },
    options: [JSON_OUTPUT],
    run: () => require('./runtime.js').list,
  },
  'runtime rm': {
    synopsis: 'vecrank runtime rm <name>...',
    summary: 'take runtimes away',
    text: 'A name with its version (onnxruntime-gpu-1.31.1) is one, a name alone (onnxruntime-gpu) all of its versions.',
    flags: {},
    options: [],
    run: () => require('./runtime.js').remove,
  },
  doctor: {
    synopsis: 'vecrank doctor [options]',
    summary: 'show what this machine has, what of it works, and why the rest does not',
    text:
      'Looks at the addon, ONNX Runtime, GPUs and other devices, added runtimes, the cache and the environment, then embeds\n' +
      'a few texts on every device that works and compares the vectors. That takes ten seconds at most. Nothing is\n' +
      'downloaded, and no secret is printed. Ends with 1 where something that is there does not work; that there is no\n' +
      'GPU is no fault.',
    flags: { json: 'flag', quick: 'flag' },
    options: [['--quick', 'leave out the self-test'], JSON_OUTPUT],
    run: () => require('./doctor.js').doctor,
  },
}

/** Words that stand before a command, with the commands that they have. */
const GROUPS = { cache: 'ls, verify or rm', runtime: 'add, ls or rm' }

/** Runs a command line. Sets the exit code and leaves the ending to Node, so that what was printed is written. */
async function main(words) {
  process.stdout.on('error', (error) => {
    // `vecrank cache ls | head` is no error.
    if (error.code === 'EPIPE') process.exit()
    process.stderr.write(`vecrank: the output could not be written: ${error.message}\n`)
    process.exit(1)
  })
  let name
  try {
    name = commandOf(words)
    if (name === undefined) return
    const { flags, more, run } = COMMANDS[name]
    const { options, rest } = readArguments(words.slice(name.split(' ').length), { ...flags, ...more, help: 'flag' })
    if (options.help) return void process.stdout.write(helpOf(name))
    process.exitCode = await run()(rest, options)
  } catch (error) {
    process.exitCode = error instanceof UsageError ? 2 : 1
    process.stderr.write(`vecrank: ${sentence(error)}\n`)
    if (error instanceof UsageError)
      process.stderr.write(`Run \`vecrank ${name === undefined ? '' : `${name} `}--help\` for what there is.\n`)
  }
}

/** The command that was meant; undefined where help or the version was all. */
function commandOf([first, second]) {
  if (first === '--version' || first === '-v') return void process.stdout.write(`${version}\n`)
  if (first === '--help' || first === '-h') return void process.stdout.write(help())
  if (first === undefined) throw new UsageError('a command is missing')
  const isGroup = Object.hasOwn(GROUPS, first)
  if (isGroup && (second === '--help' || second === '-h')) return void process.stdout.write(help(`${first} `))
  const given = isGroup ? `${first} ${second ?? ''}`.trim() : first
  if (Object.hasOwn(COMMANDS, given)) return given
  if (given.startsWith('-')) throw new UsageError(`there is no option ${JSON.stringify(given)}`)
  throw new UsageError(
    Object.hasOwn(GROUPS, given) ? `a command is missing after ${given}: ${GROUPS[given]}` : `there is no command ${JSON.stringify(given)}`,
  )
}

function table(rows) {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}

function help(prefix = '') {
  const rows = Object.values(COMMANDS).map(({ synopsis, summary }) => [synopsis, summary])
  const shown = rows.filter(([synopsis]) => synopsis.startsWith(`vecrank ${prefix}`))
  const rest = prefix ? '' : `  vecrank <command> --help\n  vecrank --version\n`
  return `Models of vecrank: text embeddings and reranking in Node.\n\n${table(shown)}${rest}`
}

function helpOf(name) {
  const { synopsis, summary, text, options } = COMMANDS[name]
  const first = `${summary[0].toUpperCase()}${summary.slice(1)}.`
  return `${synopsis}\n\n${first}\n${text === undefined ? '' : `${text}\n`}${options.length === 0 ? '' : `\n${table(options)}`}`
}

/** An error in one line, with what the system or the network said below it. No stack: it would show nothing that the user can mend. */
function sentence(error) {
  if (error instanceof UsageError) return error.message
  const causes = []
  for (let cause = error.cause; cause instanceof Error && causes.length < 4; cause = cause.cause) causes.push(cause.message)
  const text = [error.message, ...causes].join('. Cause: ').replace(/\s*\n\s*/g, ' ')
  return `${text} (${error.code ?? 'ERR_INTERNAL'})`
}

module.exports = { main }
