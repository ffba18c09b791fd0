// Others write to the cache while we do, and not as they should. What comes out is right or an error; what is wrong does not stay.

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertMends, assertRight, loadApart, preload } from './hub/apart.mjs'
import { filesIn, hashes, inProcess, soak, world, zoo } from './hub/world.mjs'

/** Loads again and again for some time, and counts: right vectors, errors by code, anything else. */
const loader = ({ id, options }, milliseconds) => `
  import { Embedder } from './index.js'
  import { assertRight, texts } from './__test__/hub/apart.mjs'
  const counts = {}
  const count = (what) => (counts[what] = (counts[what] ?? 0) + 1)
  for (const end = performance.now() + ${milliseconds}; performance.now() < end; ) {
    const embedder = new Embedder(${JSON.stringify(id)}, ${JSON.stringify(options())})
    const vectors = await embedder.embed(texts).catch((error) => count(error.code ?? error.stack))
    try {
      if (Array.isArray(vectors)) assertRight(vectors)
      if (Array.isArray(vectors)) count('right')
    } catch (error) {
      count('WRONG: ' + error.message)
    }
    await embedder.dispose()
  }
  console.log(JSON.stringify(counts))`

const VANDALISM = {
  removed: (file) => rmSync(file),
  truncated: (file) => truncateSync(file, Math.floor(Math.random() * statSync(file).size)),
  overwritten: (file) => writeFileSync(file, 'something else'),
  'replaced by a folder': (file) => {
    rmSync(file)
    mkdirSync(file)
  },
  'the blobs removed': (_, folder) => rmSync(join(folder, 'blobs'), { recursive: true }),
  'the snapshots removed': (_, folder) => rmSync(join(folder, 'snapshots'), { recursive: true }),
  'the model removed': (_, folder) => rmSync(folder, { recursive: true }),
}

test('whatever is done to a cache while others load from it: the right vectors or an error, and the next load mends it', async (t) => {
  const place = await world(t)
  const { folder } = place
  const started = performance.now()
  await assertMends(place)
  // As fast as loads are here: some are disturbed and some are not.
  const pace = performance.now() - started
  const processes = [0, 1].map(() => inProcess(loader(place, soak ? 60_000 : 4000)))
  for (const { child } of processes) t.after(() => child.kill('SIGKILL'))
  let over = false
  const pick = (list) => list[Math.floor(Math.random() * list.length)]
  const vandal = (async () => {
    while (!over) {
      await sleep((Math.random() * pace) / 2)
      const all = filesIn(folder).filter((file) => !file.startsWith('refs/'))
      try {
        if (all.length > 0) VANDALISM[pick(Object.keys(VANDALISM))](join(folder, pick(all)), folder)
      } catch {
        // A loader was there in the same moment.
      }
    }
  })()
  const ended = await Promise.all(processes.map(({ ended }) => ended))
  over = true
  await vandal
  for (const { code, stdout, stderr } of ended) {
    assert.equal(code, 0, stderr)
    const { right, ...errors } = JSON.parse(stdout)
    assert.ok(right > 0, stdout)
    for (const what of Object.keys(errors)) assert.match(what, /^ERR_(DISK|CORRUPT|DOWNLOAD|FILE_NOT_FOUND|MODEL_(INVALID|UNSUPPORTED))$/)
    t.diagnostic(stdout.trim())
  }
  await assertMends(place)
})

/** Calls of the system that damage the graph in passing: by 4 bytes of its weights, or by its end. It is named by its hash. */
const damaging = (etag) => `
  #define _GNU_SOURCE
  #include <fcntl.h>
  #include <stdio.h>
  #include <stdlib.h>
  #include <string.h>
  #include <sys/syscall.h>
  #include <unistd.h>
  static void damage(const char *call, const char *path) {
    const char *wanted = getenv("DAMAGE");
    const char *name = strrchr(path, '/');
    if (!wanted || strncmp(wanted, call, strlen(call)) || !name || strncmp(name + 1, "${etag}", 64)) return;
    unsetenv("DAMAGE");
    // Times of files have a grain of some milliseconds.
    usleep(50000);
    int file = open(path, O_WRONLY);
    if (strstr(wanted, "cut")) { if (ftruncate(file, 1000)) abort(); }
    else if (pwrite(file, "damage", 4, 200000) != 4) abort();
    close(file);
    fprintf(stderr, "damaged\\n");
  }
  int fdatasync(int file) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (readlink(link, path, sizeof path - 1) > 0) damage("fdatasync", path);
    return 0;
  }
  int rename(const char *from, const char *to) {
    damage("before rename", from);
    int result = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0) damage("after rename", to);
    return result;
  }`

test('bytes that change between the last write and the first look are noticed', async (t) => {
  const object = preload(t, damaging(hashes(readFileSync(join(zoo('bert-mean'), 'onnx/model.onnx'))).sha256))
  if (object === undefined) return
  for (const call of ['fdatasync', 'before rename', 'after rename']) {
    for (const how of ['flip', 'cut']) {
      const place = await world(t)
      const env = { LD_PRELOAD: object, DAMAGE: `${call} ${how}` }
      const said = await loadApart(t, place.id, place.options(), { env }).said
      const what = `${call}, ${how}: ${said.stderr}`
      assert.match(said.stderr, /damaged/, `${what}: nothing was`)
      if (said.vectors) assertRight(said.vectors)
      else assert.equal(said.error?.code, 'ERR_CORRUPT', what)
      await assertMends(place)
    }
  }
})
