//! Long text costs what its first tokens cost, and gives the tokens of the whole text all the same.

use super::zoo;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokenizers::utils::truncation::truncate_encodings;
use tokenizers::{Encoding as Tokens, PostProcessor, TruncationDirection, TruncationParams, TruncationStrategy};
use vecrank::options::{Product, Truncation};
use vecrank::tokenizer::{Limit, Part, TokenRow, Tokenizer, Turn};
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

/// A text that is handed over in parts of a few characters.
struct Parts<'text> {
    rest: &'text str,
    units: usize,
}

impl Parts<'_> {
    /// The next part; each is larger than the one before.
    fn next(&mut self) -> Part {
        let at = self.rest.char_indices().nth(self.units).map_or(self.rest.len(), |(at, _)| at);
        let (text, rest) = self.rest.split_at(at);
        (self.rest, self.units) = (rest, self.units.saturating_mul(4));
        Part { text: text.to_owned(), cut: !rest.is_empty() }
    }
}

/// What the caller does: pass a beginning, and what follows it where that was too short. Also how many characters it took.
fn by_parts(tokenizer: &Tokenizer, text: &str, limit: Limit, units: usize) -> vecrank::Result<(TokenRow, usize)> {
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

fn pair_by_parts(tokenizer: &Tokenizer, texts: [&str; 2], limit: Limit, units: [usize; 2]) -> TokenRow {
    let mut parts = [0, 1].map(|at| Parts { rest: texts[at], units: units[at] });
    let [mut first, mut second] =
        parts.each_mut().map(|part| tokenizer.reader(&"".into(), part.next(), limit, true).unwrap());
    loop {
        match tokenizer.read_pair(&mut first, &mut second, limit).unwrap() {
            Turn::Ready(row) => return row,
            Turn::Again => {}
            Turn::Short(short) => {
                for (wanted, reader, part) in [(short.first, &mut first, 0), (short.second, &mut second, 1)] {
                    if wanted {
                        assert!(!parts[part].rest.is_empty(), "a whole text was called short");
                        reader.resume(&parts[part].next());
                    }
                }
            }
        }
    }
}

fn right(tokens: usize) -> Limit {
    Limit { tokens, truncation: Truncation::Right }
}

/// The slow way, by the library alone: the whole text is tokenised, then cut.
fn slow(library: &tokenizers::Tokenizer, text: &str, limit: usize) -> (Vec<u32>, bool) {
    let all = library.encode(text, true).unwrap();
    let mut library = library.clone();
    library.with_truncation(Some(TruncationParams { max_length: limit, ..TruncationParams::default() })).unwrap();
    (library.encode(text, true).unwrap().get_ids().to_vec(), all.get_ids().len() > limit)
}

/// The slow way for a pair, by the library alone: both whole texts are tokenised, then cut, as Python's tokenizers 0.22 and
/// 0.23.3 do. Not by the library's truncation while it encodes: 0.23.1 and 0.23.2 stop each text at the limit, and then take
/// the one whose last word goes beyond it for the longer one.
fn slow_pair(library: &tokenizers::Tokenizer, first: &str, second: &str, limit: usize, left: bool) -> Vec<u32> {
    let whole = |text: &str| library.encode(text, false).unwrap();
    cut_pair(library, [whole(first), whole(second)], limit, left)
}

fn cut_pair(library: &tokenizers::Tokenizer, [first, second]: [Tokens; 2], limit: usize, left: bool) -> Vec<u32> {
    let special = library.get_post_processor().map_or(0, |processor| processor.added_tokens(true));
    let params = TruncationParams {
        max_length: limit - special,
        strategy: TruncationStrategy::LongestFirst,
        stride: 0,
        direction: if left { TruncationDirection::Left } else { TruncationDirection::Right },
    };
    let (mut first, mut second) = truncate_encodings(first, Some(second), &params).unwrap();
    // What was cut off is not wanted; with it the library makes every combination.
    drop((first.take_overflowing(), second.as_mut().map(Tokens::take_overflowing)));
    library.post_process(first, second, true).unwrap().get_ids().to_vec()
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
        let (row, _) = by_parts(tokenizer, &text, right(limit), first).unwrap();
        assert_eq!((row.ids, row.truncated), expected, "{name}, limit {limit}, first prefix {first}: {text:?}");
        let row = zoo::row(tokenizer, Part::whole(text.as_str()), right(limit));
        assert_eq!((row.ids, row.truncated), expected, "{name}, limit {limit}, passed whole: {text:?}");
    }
}

/// Texts of some hundred thousand characters, in which every kind of long stretch occurs.
fn long_text(random: &mut Random) -> String {
    let mut long = String::new();
    while long.len() < 60_000 {
        match random.below(6) {
            0 => long.push_str(&" ".repeat(random.below(20_000))),
            1 => long.push_str(
                &random.pick(&["a", "x1", "\n", "\u{301}", "ก", "\0", "ภาษาไทย", "9"]).repeat(random.below(9_000)),
            ),
            _ => (0..20).for_each(|_| long.push_str(&text(random))),
        }
    }
    long
}

#[test]
fn long_texts_are_read_in_steps_and_have_the_tokens_of_the_whole() {
    let mut random = Random(0x10A6);
    let tokenizers = tokenizers();
    for round in 0..3 * tokenizers.len() {
        let text = long_text(&mut random);
        let (name, tokenizer, library) = &tokenizers[round % tokenizers.len()];
        let all = library.encode(text.as_str(), true).unwrap().get_ids().to_vec();
        let mut reader = tokenizer.counter(text.clone());
        let count = loop {
            match tokenizer.read_count(&mut reader).unwrap() {
                Turn::Ready(count) => break count,
                Turn::Again => {}
                Turn::Short(_) => panic!("a whole text was called short"),
            }
        };
        assert_eq!(count, all.len(), "{name}, round {round}");
        for truncation in [Truncation::Right, Truncation::Left] {
            let limit = Limit { tokens: 8 + random.below(1000), truncation };
            let (row, _) = by_parts(tokenizer, &text, limit, 1 + random.below(3000)).unwrap();
            let mut library = library.clone();
            let direction =
                if truncation == Truncation::Left { TruncationDirection::Left } else { TruncationDirection::Right };
            let params = TruncationParams { max_length: limit.tokens, direction, ..TruncationParams::default() };
            library.with_truncation(Some(params)).unwrap();
            let expected = library.encode(text.as_str(), true).unwrap().get_ids().to_vec();
            assert_eq!(row.ids, expected, "{name}, round {round}, {limit:?}");
            assert_eq!(row.truncated, all.len() > limit.tokens, "{name}, round {round}, {limit:?}");
        }
    }
}

#[test]
fn pairs_of_prefixes_give_the_tokens_of_the_whole_pair() {
    let mut random = Random(0xFACE);
    let tokenizers = tokenizers();
    for round in 0..600 {
        let (query, document) = (text(&mut random), text(&mut random));
        let (name, tokenizer, library) = &tokenizers[round % tokenizers.len()];
        let limit = 6 + random.below(40);
        // A query is mostly short; sometimes it is passed in parts too.
        let query_units = if round % 3 == 0 { 1 + random.below(200) } else { usize::MAX };
        let units = [query_units, 1 + random.below(200)];
        for truncation in [Truncation::Right, Truncation::Left] {
            let found = pair_by_parts(tokenizer, [&query, &document], Limit { tokens: limit, truncation }, units);
            let expected = slow_pair(library, &query, &document, limit, truncation == Truncation::Left);
            assert_eq!(found.ids, expected, "{name}, {truncation:?} of {limit}: {query:?} / {document:?}");
        }
    }
}

/// Which of two long texts is the longer one in tokens cannot be seen from their beginnings, where their scripts differ: it
/// decides who has the odd token.
#[test]
fn long_pairs_of_different_scripts_lose_the_token_that_the_whole_pair_loses() {
    let scripts = [
        ("Chinese", "北京是中国的首都，", 200),
        ("English", "The quick brown fox jumps over the lazy dog near the river bank. ", 50),
        ("Thai", "ภาษาไทยเป็นภาษาที่ ", 100),
        ("numbers", "12 345 6,789.0 ", 150),
    ];
    for (name, tokenizer, library) in tokenizers() {
        let texts = scripts.map(|(script, piece, times)| {
            let text = piece.repeat(times);
            let whole = library.encode(text.as_str(), false).unwrap();
            (script, text, whole)
        });
        for (one, first, first_whole) in &texts {
            for (other, second, second_whole) in &texts {
                for limit in [47, 48, 127, 128] {
                    let found = pair_by_parts(&tokenizer, [first, second], right(limit), [limit * 8 + 256; 2]);
                    let expected = cut_pair(&library, [first_whole.clone(), second_whole.clone()], limit, false);
                    assert_eq!(found.ids, expected, "{name}, {one} and {other} of {limit}");
                }
            }
        }
    }
}

/// A tokenizer of the fixtures with another part.
fn altered(folder: &str, alter: impl Fn(&mut serde_json::Value)) -> (Tokenizer, tokenizers::Tokenizer) {
    let mut spec = zoo::spec(&zoo::root().join("tests/fixtures").join(folder), Product::Embedder);
    let mut json = (*spec.tokenizer.json).clone();
    alter(&mut json);
    spec.tokenizer.json = std::sync::Arc::new(json);
    (zoo::tokenizer(&spec), tokenizers::Tokenizer::deserialize(&*spec.tokenizer.json).unwrap())
}

#[test]
fn blanks_before_a_token_that_swallows_them_are_read_to_their_end() {
    let mut checked = 0;
    for folder in
        ["extra/family-roberta", "zoo/modernbert-cls", "zoo/xlmr-mean-prefix", "zoo/qwen3-lasttoken", "zoo/bert-mean"]
    {
        let (tokenizer, library) = altered(folder, |json| {
            let tokens = json["added_tokens"].as_array_mut().unwrap();
            let at = tokens.iter().position(|token| token["content"].as_str().unwrap().to_lowercase().contains("mask"));
            let at = at.unwrap_or(0);
            (tokens[at]["lstrip"], tokens[at]["rstrip"]) = (true.into(), true.into());
        });
        let name = library.get_added_tokens_decoder().values().find(|token| token.lstrip).unwrap().content.clone();
        for blanks in [1, 30, 742, 5_000, 40_000] {
            let text = format!("river{0}{name}{0}bridge", " ".repeat(blanks));
            for limit in [8, 12, 32] {
                let expected = slow(&library, &text, limit);
                let (row, _) = by_parts(&tokenizer, &text, right(limit), limit * 8 + 256).unwrap();
                assert_eq!((row.ids, row.truncated), expected, "{folder}, {blanks} blanks, limit {limit}");
                let row = zoo::row(&tokenizer, Part::whole(text.as_str()), right(limit));
                assert_eq!(
                    (row.ids, row.truncated),
                    expected,
                    "{folder}, {blanks} blanks, limit {limit}, passed whole"
                );
                checked += usize::from(!expected.1);
            }
            let error = Limit { tokens: 32, truncation: Truncation::Error };
            let whole = slow(&library, &text, 32);
            assert_eq!(by_parts(&tokenizer, &text, error, 100).is_err(), whole.1, "{folder}, {blanks} blanks");
        }
    }
    assert!(checked > 20, "only {checked} texts fit");
}

#[test]
fn a_number_that_is_grouped_from_its_end_is_read_to_its_end() {
    let (tokenizer, library) = altered("zoo/qwen3-lasttoken", |json| {
        json["pre_tokenizer"] = serde_json::json!({ "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": r"\d{1,3}(?=(?:\d{3})*(?!\d))" }, "behavior": "Isolated", "invert": false },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false },
        ] });
    });
    for digits in [10, 500, 501, 502, 3000, 3001] {
        let text = format!("the number {} is long", "1234567890".repeat(digits / 10 + 1).split_at(digits).0);
        for limit in [8, 20, 40] {
            let expected = slow(&library, &text, limit);
            let (row, _) = by_parts(&tokenizer, &text, right(limit), 300).unwrap();
            assert_eq!((row.ids, row.truncated), expected, "{digits} digits, limit {limit}");
        }
    }
    let error = by_parts(&tokenizer, &"7".repeat(1 << 20), right(20), 300).unwrap_err();
    assert_eq!(error.code(), "ERR_TOO_LONG", "{error}");
}

/// `ababab…` is all `ab` where its length is even, and `a` and then all `ba` where it is odd: the end decides the first token.
#[test]
fn an_end_that_decides_the_beginning_is_waited_for() {
    let (tokenizer, library) = altered("zoo/xlmr-mean-prefix", |json| {
        *json = serde_json::json!({ "version": "1.0", "added_tokens": [], "model": {
            "type": "Unigram", "unk_id": 0, "byte_fallback": false,
            "vocab": [["<unk>", 0.0], ["ab", -1.0], ["ba", -0.999], ["a", -5.0], ["b", -5.0]],
        } });
    });
    let mut firsts = Vec::new();
    for length in 600..640 {
        let text = &"ab".repeat(length)[..length];
        let expected = slow(&library, text, 20);
        for first in [250, 251, 400, 401] {
            let (row, _) = by_parts(&tokenizer, text, right(20), first).unwrap();
            assert_eq!((&row.ids, row.truncated), (&expected.0, expected.1), "{length} letters, {first} at first");
        }
        firsts.push(expected.0[0]);
    }
    for length in [30_000, 30_001] {
        let text = &"ab".repeat(length)[..length];
        let left = Limit { tokens: 20, truncation: Truncation::Left };
        let all = library.encode(text, true).unwrap().get_ids().to_vec();
        let row = zoo::row(&tokenizer, Part::whole(text), left);
        assert_eq!(row.ids, all[all.len() - 20..], "the end of {length} letters");
    }
    assert!(firsts.contains(&1) && firsts.contains(&3), "both ways occur: {firsts:?}");
}

/// No step may take long, and what gives no tokens is passed over: 32 Mi characters of it in less than two seconds, which is
/// far more than it takes and far less than without.
#[test]
fn a_long_stretch_without_tokens_is_passed_over() {
    let most = 32 << 20;
    let shapes = [
        ("an endless word", "a".repeat(most)),
        ("hexadecimal digits", "0123456789abcdef".repeat(most / 16)),
        ("blanks", " ".repeat(most)),
        ("blanks of all kinds", " \n\t\u{3000}".repeat(most / 4)),
        ("Thai", "ภาษาไทยเป็นภาษาที่สวยงาม".repeat(most / 24)),
    ];
    for (name, tokenizer, library) in tokenizers() {
        for (shape, text) in &shapes {
            // The same, but short enough for the library.
            let short: String = text.chars().take(48 * 500).collect();
            let expected = slow(&library, &format!("river {short} bank"), 256);
            let (mut longest, start) = (Duration::ZERO, Instant::now());
            let mut parts = Parts { rest: &format!("river {text} bank"), units: 256 * 8 + 256 };
            let mut reader = tokenizer.reader(&"".into(), parts.next(), right(256), false).unwrap();
            let row = loop {
                let step = Instant::now();
                let turn =
                    tokenizer.read(&mut reader, right(256)).unwrap_or_else(|error| panic!("{name}, {shape}: {error}"));
                longest = longest.max(step.elapsed());
                match turn {
                    Turn::Ready(row) => break row,
                    Turn::Again => {}
                    Turn::Short(_) => {
                        parts.units = parts.units.min(1 << 20);
                        reader.resume(&parts.next());
                    }
                }
            };
            assert!(start.elapsed() < Duration::from_secs(2), "{name}, {shape}: {:?}", start.elapsed());
            assert!(longest < Duration::from_millis(400), "{name}, {shape}: a step of {longest:?}");
            assert_eq!((row.ids, row.truncated), expected, "{name}, {shape}");
        }
    }
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
            let (row, units) = by_parts(&tokenizer, &text, right(256), 256 * 8 + 256).unwrap();
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
    let limit = Limit { tokens: 16, truncation: Truncation::Error };
    let error = by_parts(tokenizer, &"word ".repeat(10_000), limit, 2000).unwrap_err();
    assert_eq!(error.code(), "ERR_TOO_LONG");
    assert!(error.to_string().contains("at least"), "{error}");
    assert!(by_parts(tokenizer, "word", limit, 2000).is_ok());
}

#[test]
fn the_left_side_can_be_cut() {
    let (_, tokenizer, _) = &tokenizers()[0];
    let row = |tokens| {
        zoo::row(tokenizer, Part::whole("alpha beta gamma delta"), Limit { tokens, truncation: Truncation::Left })
    };
    let (all, cut) = (row(48), row(6));
    assert_eq!(cut.ids.len(), 6);
    assert_eq!(cut.ids[0], all.ids[0]);
    assert_eq!(cut.ids[1..], all.ids[all.ids.len() - 5..]);
}
