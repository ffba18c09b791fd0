//! Each heavy dependency is named in one place, and imports only go down (see the drawing in `src/lib.rs`).

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            found.push((name, code(&std::fs::read_to_string(&path).unwrap())));
        }
    }
}

/// The lines without comments.
fn code(source: &str) -> String {
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn all() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// Whether the path `word::…` is used, as a whole word.
fn uses(source: &str, word: &str) -> bool {
    let needle = format!("{word}::");
    source.match_indices(&needle).any(|(at, _)| {
        let before = source[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':')
    })
}

#[test]
fn heavy_dependencies_stay_in_their_module() {
    for (dependency, home) in [
        ("ort", "network/graph/"),
        ("libloading", "network/graph/"),
        ("ort_sys", "network/graph/"),
        ("napi", "node/"),
        ("napi_derive", "node/"),
        ("tokenizers", "tokenizer/"),
        ("safetensors", "head/weights.rs network/encoder/weights/safetensors.rs network/table.rs"),
        ("icu_segmenter", "chunking/boundaries.rs"),
        ("unicode_segmentation", "bm25/words.rs chunking/"),
        ("minijinja", "template/"),
        ("minijinja_contrib", "template/"),
        ("chrono", "template/clock.rs template/tests.rs"),
        ("sha2", "digest.rs"),
        ("sha1", "digest.rs"),
        ("reqwest", "hub/"),
        ("rustls", "hub/trust.rs"),
        ("rustls_platform_verifier", "hub/trust.rs"),
        ("tokio", "hub/"),
        ("fs4", "hub/disk.rs"),
    ] {
        let users: Vec<_> =
            all().into_iter().filter(|(_, source)| uses(source, dependency)).map(|(name, _)| name).collect();
        let at_home = |name: &str| home.split(' ').any(|home| name.starts_with(home));
        let strangers: Vec<_> = users.iter().filter(|name| !at_home(name)).collect();
        assert!(strangers.is_empty(), "{dependency} is used in {strangers:?}, not only in {home}");
    }
}

#[test]
fn imports_only_go_down() {
    // A module may use those after it, and itself.
    let order = [
        "node",
        "registry",
        "pull",
        "products",
        "engine",
        "max_sim",
        "network",
        "head",
        "tokenizer",
        "spec",
        "template",
        "hub",
        "files",
        "scheduler",
        "chunking",
        "bm25",
        "sparse",
        "similarity",
        "reply",
        "loading",
        "digest",
        "options",
        "panic",
        "error",
    ];
    let rank = |module: &str| order.iter().position(|known| *known == module);
    for (name, source) in all() {
        let module = name.trim_end_matches(".rs").split('/').next().unwrap();
        if module == "lib" {
            continue;
        }
        let own = rank(module).unwrap_or_else(|| panic!("{name} is not in the list of modules"));
        for used in order {
            let above = rank(used).unwrap() < own;
            assert!(!(above && source.contains(&format!("crate::{used}"))), "{name} imports {used}, which is above it");
        }
    }
}

#[test]
fn unsafe_code_is_in_the_kernels_and_in_four_files() {
    let found = all().into_iter().filter(|(_, source)| source.contains("unsafe {") || source.contains("unsafe fn"));
    let found: Vec<_> =
        found.map(|(name, _)| name).filter(|name| !name.starts_with("network/encoder/kernel/")).collect();
    let mut found = found;
    found.sort();
    let files = ["driver.rs", "environment.rs", "report.rs", "run.rs"].map(|name| format!("network/graph/{name}"));
    assert_eq!(found, files);
}

#[test]
fn every_synchronous_napi_item_catches_panics() {
    for (name, source) in all().into_iter().filter(|(name, _)| name.starts_with("node/")) {
        let lines: Vec<&str> = source.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let declares = line.trim_start().starts_with("pub fn ");
            if !declares {
                continue;
            }
            let attribute = lines[..at].iter().rev().find(|line| !line.trim().is_empty()).unwrap();
            assert!(
                attribute.contains("#[napi(") && attribute.contains("catch_unwind"),
                "{name}: `{}` does not catch panics",
                line.trim()
            );
        }
    }
}
