// node --require electron.cjs: says that this is Electron. Its file system is not here: a folder stands for the archive.

Object.defineProperty(process.versions, 'electron', { value: '45.4.1', enumerable: true })
