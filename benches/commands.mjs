// What the benchmarks' processes in Node have in common; commands.py is the same for Python. They are started with a description, say what they are, and
// then answer a command a line. Every answer is a line of JSON; a failure is one with "error".

import { createInterface } from 'node:readline'

/** `prepare(description)` gives the work, which says `about` itself; `perform(work, command)` gives the answer to a command. Ends the process. */
export async function serve(prepare, perform) {
  const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)
  let work
  try {
    work = await prepare(JSON.parse(process.argv[2]))
  } catch (error) {
    say({ error: error.message })
    process.exit(1)
  }
  say({ ready: work.about })
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      say(await perform(work, JSON.parse(line)))
    } catch (error) {
      say({ error: error.message })
    }
  }
  process.exit(0)
}
