#!/usr/bin/env node
// `npm run test:tsan`: the gang's tests under ThreadSanitizer, on Linux x64. The encoder's threads meet in one file, `kernel/gang.rs`; a crate of that file
// alone is compiled with the sanitizer, which Rust's stable compiler has behind RUSTC_BOOTSTRAP. The standard library is not instrumented: what it does among
// its own threads (scoped threads, reference counts, the test harness) is left out by name.

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const TARGET = 'x86_64-unknown-linux-gnu'
if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.log('skipped: ThreadSanitizer is run on Linux x64 only')
  process.exit(0)
}

const folder = path.join(root, 'target', 'tsan')
mkdirSync(path.join(folder, 'src'), { recursive: true })
writeFileSync(
  path.join(folder, 'Cargo.toml'),
  `[package]\nname = "gang"\nversion = "0.0.0"\nedition = "2024"\n\n[profile.release]\ndebug = 1\n\n[workspace]\n`,
)
writeFileSync(
  path.join(folder, 'src', 'lib.rs'),
  `#![allow(dead_code)]
pub mod scheduler { pub trait Help: Send + Sync { fn help(&self, stay: &dyn Fn() -> bool); } }
pub mod network { pub mod encoder { pub mod kernel {
#[path = ${JSON.stringify(path.join(root, 'src/network/encoder/kernel/gang.rs'))}]
pub mod gang; } } }
`,
)
const suppressions = path.join(folder, 'suppressions.txt')
writeFileSync(suppressions, 'race:std::thread::scoped\nrace:alloc::sync::Arc\nrace:test::\n')

const { status } = spawnSync('cargo', ['test', '--release', '--target', TARGET, '--target-dir', path.join(folder, 'target')], {
  cwd: folder,
  stdio: 'inherit',
  env: {
    ...process.env,
    RUSTC_BOOTSTRAP: '1',
    RUSTFLAGS: '-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer',
    TSAN_OPTIONS: `suppressions=${suppressions}`,
  },
})
process.exit(status ?? 1)
