// QEMU, which runs programs for other processors: unpacked into the cache folder and not installed.

import { delimiter, join } from 'node:path'
import { unpacked } from './debian.mjs'

/**
 * How to start a program on a processor as QEMU imitates it: the command, its first words, and its environment.
 *
 * @param {{ architecture: 'aarch64' | 'x86_64', script: string }} which `script` is who asks, for the advice
 */
export function emulator({ architecture, script }) {
  const advice = `On a system whose packages have other names, mend scripts/qemu.mjs, for ${script}: apt-cache search qemu-user`
  const home = unpacked({ name: 'qemu', packages: ['qemu-user', 'libc6-arm64-cross'], advice })
  const usr = join(home, 'usr')
  const libraries = [home, usr].map((folder) => join(folder, 'lib', 'x86_64-linux-gnu'))
  const path = [...libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter)
  const system = architecture === 'aarch64' ? ['-L', join(usr, 'aarch64-linux-gnu')] : []
  // The path is for QEMU and not for the program in it.
  return { command: join(usr, 'bin', `qemu-${architecture}`), first: [...system, '-U', 'LD_LIBRARY_PATH'], env: { ...process.env, LD_LIBRARY_PATH: path } }
}
