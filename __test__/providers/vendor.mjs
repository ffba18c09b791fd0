// OpenVINO's plugin on a processor that is not Intel's. It computes there as well, but passes over hardware whose vendor is another
// (`OpenVINOEpPluginFactory::GetSupportedDevices`). So that the specs meet the real plugin on every machine, a library of a few lines opens it, and
// answers for ONNX Runtime that all hardware is Intel's.

import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { compiled } from '../stubs.mjs'

/** Whether the plugin takes this machine's processor as it is. */
export const isIntel = cpus()[0].model.includes('Intel')

/** `HardwareDevice_VendorId` is the 309th function of `OrtApi` in onnxruntime_c_api.h, to which functions are only ever added at the end. */
const SOURCE = (plugin) => `
  #define _GNU_SOURCE
  #include <dlfcn.h>
  #include <stddef.h>
  #include <stdint.h>
  #include <sys/mman.h>
  #include <unistd.h>
  typedef struct { void **(*api)(uint32_t version); const char *(*version)(void); } OrtApiBase;
  static void *plugin(const char *name) { return dlsym(dlopen(${JSON.stringify(plugin)}, RTLD_NOW | RTLD_LOCAL), name); }
  static uint32_t intel(const void *device) { (void)device; return 0x8086; }
  void *CreateEpFactories(const char *name, const OrtApiBase *base, const void *logger, void **factories, size_t most, size_t *count) {
    void **vendor = &base->api(22)[308];
    size_t page = sysconf(_SC_PAGESIZE);
    mprotect((void *)((uintptr_t)vendor / page * page), page, PROT_READ | PROT_WRITE);
    *vendor = (void *)intel;
    void *(*create)(const char *, const OrtApiBase *, const void *, void **, size_t, size_t *) = plugin("CreateEpFactories");
    return create(name, base, logger, factories, most, count);
  }
  void *ReleaseEpFactory(void *factory) {
    void *(*release)(void *) = plugin("ReleaseEpFactory");
    return release(factory);
  }`

/** Puts that library before a plugin which was added, with its name and in its description. */
export function onIntel(folder) {
  const description = JSON.parse(readFileSync(join(folder, 'runtime.json'), 'utf8'))
  const { library, files } = description
  renameSync(join(folder, library), join(folder, `theirs-${library}`))
  compiled(folder, library, SOURCE(join(folder, `theirs-${library}`)))
  files[library] = { size: statSync(join(folder, library)).size }
  writeFileSync(join(folder, 'runtime.json'), JSON.stringify(description))
}
