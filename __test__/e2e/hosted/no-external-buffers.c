/* LD_PRELOAD: Node-API as Electron has it, where memory of native code cannot be an ArrayBuffer's. The addon looks its functions up by name
 * with dlsym, so that is what is replaced; a function of the same name would not do, as the program's own come first. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { NO_EXTERNAL_BUFFERS_ALLOWED = 22 };

static int refusals;

static int refuse(void) {
  __atomic_add_fetch(&refusals, 1, __ATOMIC_RELAXED);
  return NO_EXTERNAL_BUFFERS_ALLOWED;
}

void *dlsym(void *handle, const char *name) {
  static void *(*real)(void *, const char *);
  /* Versions of the x64 and the arm64 library, and of those since 2.34. */
  const char *versions[] = {"GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.34"};
  for (int index = 0; real == NULL && index < 3; index++) real = dlvsym(RTLD_NEXT, "dlsym", versions[index]);
  if (strcmp(name, "napi_create_external_arraybuffer") == 0 || strcmp(name, "napi_create_external_buffer") == 0) return (void *)refuse;
  return real(handle, name);
}

__attribute__((destructor)) static void report(void) { fprintf(stderr, "refused %d external buffers\n", refusals); }
