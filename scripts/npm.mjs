// npm itself, run by this Node: on Windows `npm` is a script, which only a shell can start.

/** The program and its first arguments. */
export const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm']
