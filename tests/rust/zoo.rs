//! The tiny repositories of `tests/fixtures`, for the tests in this folder.

use std::path::{Path, PathBuf};

use vecrank::files::ModelFolder;
use vecrank::network::{Network, Placement};
use vecrank::options::{LoadOptions, Product};
use vecrank::spec::ModelSpec;
use vecrank::tokenizer::{Limit, Part, TokenRow, Tokenizer, Turn};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every repository with a golden file of this kind.
pub fn repositories(kind: &str) -> Vec<(PathBuf, serde_json::Value)> {
    repositories_in(&["tests/fixtures/zoo", "tests/fixtures/extra"], kind)
}

/// Those of some folders.
pub fn repositories_in(collections: &[&str], kind: &str) -> Vec<(PathBuf, serde_json::Value)> {
    let mut found = Vec::new();
    for collection in collections {
        for entry in std::fs::read_dir(root().join(collection)).unwrap() {
            let folder = entry.unwrap().path();
            let Ok(bytes) = std::fs::read(folder.join("golden.json")) else { continue };
            let golden: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            if golden["kind"] == kind {
                found.push((folder, golden));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

pub fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

pub fn spec(folder: &Path, product: Product) -> ModelSpec {
    let options = LoadOptions::new(product, folder);
    Network::spec(&ModelFolder::open(folder).unwrap(), &options, &Placement::cpu())
        .unwrap_or_else(|error| panic!("{}: {error}", name(folder)))
}

pub fn tokenizer(spec: &ModelSpec) -> Tokenizer {
    Tokenizer::load(&spec.tokenizer).unwrap()
}

/// The tokens of a text that is all there.
pub fn row(tokenizer: &Tokenizer, text: Part, limit: Limit) -> TokenRow {
    let mut reader = tokenizer.reader(&"".into(), text, limit, false).unwrap();
    loop {
        match tokenizer.read(&mut reader, limit).unwrap() {
            Turn::Ready(row) => return row,
            Turn::Again => {}
            Turn::Short(_) => panic!("a whole text was called short"),
        }
    }
}

/// The tokens of a pair that is all there.
pub fn pair(tokenizer: &Tokenizer, first: Part, second: Part, limit: Limit) -> TokenRow {
    let [mut first, mut second] = [first, second].map(|part| tokenizer.reader(&"".into(), part, limit, true).unwrap());
    loop {
        match tokenizer.read_pair(&mut first, &mut second, limit).unwrap() {
            Turn::Ready(row) => return row,
            Turn::Again => {}
            Turn::Short(_) => panic!("a whole pair was called short"),
        }
    }
}

/// Numbers that look random and are the same every time (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
