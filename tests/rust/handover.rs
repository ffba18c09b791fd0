//! Texts that are handed over in parts, and what must come of them: by the library alone, from the whole text.

use super::zoo;

use std::path::PathBuf;

use serde::Deserialize;
use tokenizers::TruncationParams;
use vecrank::options::{Product, Truncation};
use vecrank::tokenizer::{Limit, Part, TokenRow, Tokenizer, Turn};
use zoo::Random;

/// One tokenizer of every kind: WordPiece, BPE on bytes and on SentencePiece's words, Unigram, and the two bundled models.
pub fn tokenizers() -> Vec<(String, Tokenizer, tokenizers::Tokenizer)> {
    let folders: [(&str, Product); 13] = [
        ("tests/fixtures/zoo/bert-mean", Product::Embedder),
        ("tests/fixtures/zoo/mpnet-mean-sentence-embedding", Product::Embedder),
        ("tests/fixtures/zoo/modernbert-cls", Product::Embedder),
        ("tests/fixtures/zoo/qwen3-lasttoken", Product::Embedder),
        ("tests/fixtures/zoo/xlmr-mean-prefix", Product::Embedder),
        ("tests/fixtures/zoo/xlmr-ranker-1-undeclared", Product::Reranker),
        ("tests/fixtures/extra/family-albert", Product::Embedder),
        ("tests/fixtures/extra/family-gemma", Product::Embedder),
        ("tests/fixtures/extra/family-mistral", Product::Embedder),
        ("tests/fixtures/extra/class-llama", Product::Embedder),
        ("tests/fixtures/extra/ranker-deberta-v2", Product::Reranker),
        ("models/all-MiniLM-L6-v2", Product::Embedder),
        ("models/vecrank-reranker-mini", Product::Reranker),
    ];
    folders
        .into_iter()
        .map(|(folder, product)| {
            let spec = zoo::spec(&zoo::root().join(PathBuf::from(folder)), product);
            assert!(!spec.tokenizer.lower_case, "{folder}: the library alone would not lower case");
            let library = tokenizers::Tokenizer::deserialize(&*spec.tokenizer.json).unwrap();
            (folder.to_owned(), zoo::tokenizer(&spec), library)
        })
        .collect()
}

/// A text that is handed over in parts of a few characters.
pub struct Parts<'text> {
    pub rest: &'text str,
    pub units: usize,
}

impl Parts<'_> {
    /// The next part; each is larger than the one before.
    pub fn next(&mut self) -> Part {
        let at = self.rest.char_indices().nth(self.units).map_or(self.rest.len(), |(at, _)| at);
        let (text, rest) = self.rest.split_at(at);
        (self.rest, self.units) = (rest, self.units.saturating_mul(4));
        Part { text: text.to_owned(), cut: !rest.is_empty() }
    }
}

/// What the caller does: pass a beginning, and what follows it where that was too short. Also how many characters it took.
pub fn by_parts(tokenizer: &Tokenizer, text: &str, limit: Limit, units: usize) -> vecrank::Result<(TokenRow, usize)> {
    let mut parts = Parts { rest: text, units };
    let mut reader = tokenizer.reader(&"".into(), parts.next(), limit, false)?;
    loop {
        match tokenizer.read(&mut reader, limit)? {
            Turn::Ready(row) => return Ok((row, text[..text.len() - parts.rest.len()].chars().count())),
            Turn::Again => {}
            Turn::Short(_) => {
                assert!(!parts.rest.is_empty(), "a whole text was called short");
                reader.resume(&parts.next());
            }
        }
    }
}

pub fn right(tokens: usize) -> Limit {
    Limit { tokens, truncation: Truncation::Right }
}

/// The slow way, by the library alone: the whole text is tokenised, then cut.
pub fn slow(library: &tokenizers::Tokenizer, text: &str, limit: usize) -> (Vec<u32>, bool) {
    let all = library.encode(text, true).unwrap();
    let mut library = library.clone();
    library.with_truncation(Some(TruncationParams { max_length: limit, ..TruncationParams::default() })).unwrap();
    (library.encode(text, true).unwrap().get_ids().to_vec(), all.get_ids().len() > limit)
}

/// A tokenizer of the fixtures with another part.
pub fn altered(folder: &str, alter: impl Fn(&mut serde_json::Value)) -> (Tokenizer, tokenizers::Tokenizer) {
    let mut spec = zoo::spec(&zoo::root().join("tests/fixtures").join(folder), Product::Embedder);
    let mut json = (*spec.tokenizer.json).clone();
    alter(&mut json);
    spec.tokenizer.json = std::sync::Arc::new(json);
    (zoo::tokenizer(&spec), tokenizers::Tokenizer::deserialize(&*spec.tokenizer.json).unwrap())
}

const PIECES: [&str; 24] = [
    "the quick brown fox",
    "Hello",
    ", ",
    ". ",
    "don't",
    " ",
    "  ",
    "\n\n",
    "\t",
    "北京是中国的首都",
    "日本語のテキスト",
    "한국어 문장",
    "fn main() { let x = 1_000; }",
    "</s>",
    "[SEP]",
    "<|endoftext|>",
    "e\u{301}\u{302}",
    "👩‍👩‍👧‍👦",
    "12345678901234567890",
    "!?!?…",
    "ﬁﬂ①",
    "İstanbul",
    "مرحبا بالعالم",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

pub fn text(random: &mut Random) -> String {
    let pieces = random.below(60);
    let mut text = String::new();
    for _ in 0..pieces {
        let piece = random.pick(&PIECES);
        // Runs of one piece make the shapes that are hard to cut: endless words, spaces, repeated marks.
        for _ in 0..=(if random.below(8) == 0 { random.below(12) } else { 0 }) {
            text.push_str(piece);
        }
        if random.below(2) == 0 {
            text.push(' ');
        }
    }
    text
}
