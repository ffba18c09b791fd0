//! Long text costs what its first tokens cost, and gives the tokens of the whole text all the same.

use super::{handover, zoo};

use std::time::{Duration, Instant};

use handover::{Parts, by_parts, right, slow, text, tokenizers};
use tokenizers::{TruncationDirection, TruncationParams};
use vecrank::options::Truncation;
use vecrank::tokenizer::{Limit, Part, Tokenizer, Turn};
use zoo::Random;

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

/// The tokens of a whole text, read in steps.
fn counted(tokenizer: &Tokenizer, text: &str) -> usize {
    let mut reader = tokenizer.counter(text.to_owned());
    loop {
        match tokenizer.read_count(&mut reader).unwrap() {
            Turn::Ready(count) => return count,
            Turn::Again => {}
            Turn::Short(_) => panic!("a whole text was called short"),
        }
    }
}

/// Texts of some hundred thousand characters, in which every kind of long stretch occurs.
pub fn long_text(random: &mut Random) -> String {
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
        assert_eq!(counted(tokenizer, &text), all.len(), "{name}, round {round}");
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

/// One character may become several words (U+FDFA under NFKC, an ellipsis where punctuation is parted): where a step ends with it, its tokens
/// are final together or not at all.
#[test]
fn the_tokens_of_one_character_stay_together() {
    let (tokenizer, library) = handover::altered("zoo/xlmr-mean-prefix", |json| {
        json["normalizer"] = serde_json::json!({ "type": "NFKC" });
    });
    for shift in 0..40 {
        let text =
            format!("{} \u{fdfa} consecteturadipiscingelit sed do eiusmod", &"word ".repeat(2000)[..8150 + shift]);
        let expected = library.encode(text.as_str(), true).unwrap().get_ids().to_vec();
        assert_eq!(counted(&tokenizer, &text), expected.len(), "shift {shift}");
    }
}
