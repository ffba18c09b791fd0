//! Words that are remembered change no token: against the library, for every kind of tokenizer.

use super::{handover, zoo};

use std::path::PathBuf;

use handover::{right, slow, text};
use serde::Deserialize;
use vecrank::options::Product;
use vecrank::spec::TokenizerSpec;
use vecrank::tokenizer::{Part, Tokenizer};
use zoo::Random;

#[test]
fn remembered_words_have_the_tokens_of_the_whole_text() {
    let folders = [
        "zoo/bert-mean",
        "zoo/mpnet-mean-sentence-embedding",
        "zoo/modernbert-cls",
        "zoo/qwen3-lasttoken",
        "zoo/xlmr-mean-prefix",
        "extra/family-albert",
        "extra/class-llama",
        "beyond/static-plain",
        "beyond/model2vec-potion",
        "beyond/model2vec-plain-fp16",
        "beyond/model2vec-vocabulary",
    ];
    let mut random = Random(0x3E30);
    for folder in folders {
        let spec = zoo::spec(&zoo::root().join(PathBuf::from("tests/fixtures").join(folder)), Product::Embedder);
        let library = tokenizers::Tokenizer::deserialize(&*spec.tokenizer.json).unwrap();
        let remembering = Tokenizer::load(&TokenizerSpec { remembers: true, ..spec.tokenizer }).unwrap();
        // More of each text than the memory has seen, and each word twice.
        for _ in 0..300 {
            let text = text(&mut random);
            for text in [text.as_str(), text.trim(), &text.chars().rev().collect::<String>()] {
                let limit = 4 + random.below(200);
                let row = zoo::row(&remembering, Part::whole(text), right(limit));
                assert_eq!((row.ids, row.truncated), slow(&library, text, limit), "{folder}, limit {limit}: {text:?}");
            }
        }
    }
}

/// More words than are remembered: what was forgotten is read anew.
#[test]
fn words_that_were_forgotten_are_read_anew() {
    let spec = zoo::spec(&zoo::root().join("tests/fixtures/beyond/model2vec-potion"), Product::Embedder);
    let library = tokenizers::Tokenizer::deserialize(&*spec.tokenizer.json).unwrap();
    let tokenizer = Tokenizer::load(&spec.tokenizer).unwrap();
    let mut random = Random(0xF0);
    for round in 0..9_000 {
        let text: String = (0..8).map(|_| format!("{}x{} ", random.below(100_000), random.below(10))).collect();
        let row = zoo::row(&tokenizer, Part::whole(text.as_str()), right(1_000));
        if round % 50 == 0 {
            assert_eq!(row.ids, slow(&library, &text, 1_000).0, "{text:?}");
        }
    }
}
