//! Long text costs what its first tokens cost, and gives the tokens of the whole text all the same.

use super::zoo;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokenizers::TruncationParams;
use vecrank::options::{Product, Truncation};
use vecrank::tokenizer::{Encoding, Part, ShortParts, TokenRow, Tokenizer};
use zoo::Random;

/// One tokenizer of every kind: WordPiece, BPE on bytes and on SentencePiece's words, Unigram, and the two bundled models.
fn tokenizers() -> Vec<(String, Tokenizer, tokenizers::Tokenizer)> {
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

/// The first `units` characters.
fn prefix(text: &str, units: usize) -> Part {
    match text.char_indices().nth(units) {
        Some((at, _)) => Part { text: text[..at].to_owned(), cut: true },
        None => Part::whole(text),
    }
}

/// What the caller does: pass a beginning, and more of it where that was too short. Also how many characters it took.
fn by_parts(tokenizer: &Tokenizer, text: &str, limit: usize, mut units: usize) -> (TokenRow, usize) {
    loop {
        let part = prefix(text, units);
        match tokenizer.encode("", &part, limit, Truncation::Right).unwrap() {
            Encoding::Ready(row) => return (row, units),
            Encoding::Short(_) => {
                assert!(part.cut, "a whole text was called short");
                units *= 4;
            }
        }
    }
}

fn whole(tokenizer: &Tokenizer, text: &str, limit: usize) -> TokenRow {
    match tokenizer.encode("", &Part::whole(text), limit, Truncation::Right).unwrap() {
        Encoding::Ready(row) => row,
        Encoding::Short(_) => panic!("a whole text was called short"),
    }
}

/// The slow way, by the library alone: the whole text is tokenised, then cut.
fn slow(library: &tokenizers::Tokenizer, text: &str, limit: usize) -> (Vec<u32>, bool) {
    let all = library.encode(text, true).unwrap();
    let mut library = library.clone();
    library.with_truncation(Some(TruncationParams { max_length: limit, ..TruncationParams::default() })).unwrap();
    (library.encode(text, true).unwrap().get_ids().to_vec(), all.get_ids().len() > limit)
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

fn text(random: &mut Random) -> String {
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

#[test]
fn prefixes_give_the_tokens_of_the_whole_text() {
    let mut random = Random(0x5EED);
    let tokenizers = tokenizers();
    for round in 0..2000 {
        let text = text(&mut random);
        let (name, tokenizer, library) = &tokenizers[round % tokenizers.len()];
        let limit = 4 + random.below(40);
        let first = 1 + random.below(200);
        let expected = slow(library, &text, limit);
        let (row, _) = by_parts(tokenizer, &text, limit, first);
        assert_eq!((row.ids, row.truncated), expected, "{name}, limit {limit}, first prefix {first}: {text:?}");
        let row = whole(tokenizer, &text, limit);
        assert_eq!((row.ids, row.truncated), expected, "{name}, limit {limit}, passed whole: {text:?}");
    }
}

#[test]
fn pairs_of_prefixes_give_the_tokens_of_the_whole_pair() {
    let mut random = Random(0xFACE);
    let tokenizers = tokenizers();
    let mut odd_tokens = 0;
    for round in 0..200 {
        let (query, document) = (text(&mut random), text(&mut random));
        let (name, tokenizer, _) = &tokenizers[round % tokenizers.len()];
        let limit = 6 + random.below(40);
        let (mut query_units, mut document_units) = (usize::MAX, 1 + random.below(200));
        // A query is mostly short; sometimes it is passed in parts too.
        if round % 3 == 0 {
            query_units = 1 + random.below(200);
        }
        let (found, both_cut) = loop {
            let (first, second) = (prefix(&query, query_units), prefix(&document, document_units));
            match tokenizer.encode_pair(&first, &second, limit, Truncation::Right).unwrap() {
                Encoding::Ready(row) => break (row, first.cut && second.cut),
                Encoding::Short(ShortParts { first: more_query, second: more_document }) => {
                    assert!((!more_query || first.cut) && (!more_document || second.cut));
                    query_units = query_units.saturating_mul(if more_query { 4 } else { 1 });
                    document_units *= if more_document { 4 } else { 1 };
                }
            }
        };
        let (first, second) = (Part::whole(query.as_str()), Part::whole(document.as_str()));
        let Encoding::Ready(expected) = tokenizer.encode_pair(&first, &second, limit, Truncation::Right).unwrap()
        else {
            panic!("a whole pair was called short");
        };
        // Where both texts are cut nobody knows which is the longer one, so the odd token may go to the other.
        if found != expected && both_cut {
            let texts = |row: &TokenRow| row.type_ids.iter().filter(|segment| **segment == 1).count();
            assert_eq!(found.ids.len(), expected.ids.len(), "{name}, limit {limit}");
            assert!(texts(&found).abs_diff(texts(&expected)) <= 1, "{name}, limit {limit}");
            odd_tokens += 1;
            continue;
        }
        assert_eq!(found, expected, "{name}, limit {limit}: {query:?} / {document:?}");
    }
    assert!(odd_tokens < 200, "{odd_tokens} of 1000 pairs differ by the odd token");
}

/// Ordinary text of four kinds, `bytes` long.
fn ordinary(bytes: usize) -> [(&'static str, String); 4] {
    [
        ("words", "The quick brown fox jumps over the lazy dog near the river bank. "),
        ("punctuation", "?!.,;: -- (…) \"'\" [] {} / "),
        ("CJK", "北京是中华人民共和国的首都，位于华北平原的北部边缘。"),
        ("code", "for (let i = 0; i < items.length; i++) { total += items[i].price * 1.19; }\n"),
    ]
    .map(|(kind, piece)| (kind, piece.repeat(bytes / piece.len() + 1)))
}

#[test]
fn a_short_prefix_of_ordinary_text_suffices() {
    for (name, tokenizer, _) in tokenizers() {
        for (kind, text) in ordinary(1 << 20) {
            let start = Instant::now();
            let (row, units) = by_parts(&tokenizer, &text, 256, 256 * 8 + 256);
            assert_eq!(row.ids.len(), 256, "{name}, {kind}");
            assert!(row.truncated);
            assert!(units <= 256 * 8 * 16, "{name}, {kind}: {units} characters were needed for 256 tokens");
            // Loose: the figures are in docs/performance.md. Without prefixes this takes seconds.
            assert!(start.elapsed() < Duration::from_secs(1), "{name}, {kind}: {:?}", start.elapsed());
        }
    }
}

#[test]
fn too_many_tokens_are_an_error_where_that_is_asked_for() {
    let (_, tokenizer, _) = &tokenizers()[0];
    let part = prefix(&"word ".repeat(10_000), 2000);
    let error = tokenizer.encode("", &part, 16, Truncation::Error).unwrap_err();
    assert_eq!(error.code(), "ERR_TOO_LONG");
    assert!(error.to_string().contains("at least"), "{error}");
    assert!(tokenizer.encode("", &Part::whole("word"), 16, Truncation::Error).is_ok());
}

#[test]
fn the_left_side_can_be_cut() {
    let (_, tokenizer, _) = &tokenizers()[0];
    let long = Part::whole("alpha beta gamma delta");
    let Encoding::Ready(all) = tokenizer.encode("", &long, 48, Truncation::Left).unwrap() else { panic!("whole") };
    let Encoding::Ready(cut) = tokenizer.encode("", &long, 6, Truncation::Left).unwrap() else { panic!("whole") };
    assert_eq!(cut.ids.len(), 6);
    assert_eq!(cut.ids[0], all.ids[0]);
    assert_eq!(cut.ids[1..], all.ids[all.ids.len() - 5..]);
}
