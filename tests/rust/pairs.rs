//! A pair of texts loses the tokens that the whole pair would lose, however little of both is read.

use super::{handover, zoo};

use handover::{Parts, right, text, tokenizers};
use tokenizers::utils::truncation::truncate_encodings;
use tokenizers::{Encoding as Tokens, PostProcessor, TruncationDirection, TruncationParams, TruncationStrategy};
use vecrank::options::Truncation;
use vecrank::tokenizer::{Limit, TokenRow, Tokenizer, Turn};
use zoo::Random;

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
