//! What of a pair's tokens stays under a limit: the longer of the two texts is cut first, as sentence-transformers'
//! cross-encoders do. And how far both must be read to know which one that is.

use super::reader::Reader;

/// One of a pair's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    First,
    Second,
}

/// How many tokens of each text are kept, of so many (`truncate_encodings` of tokenizers 0.23, `LongestFirst`). Where both are
/// longer than half of the budget and it is odd, the longer one gets the odd token, the second if they are equal.
pub(super) fn shares(first: usize, second: usize, budget: usize) -> (usize, usize) {
    if first + second <= budget {
        return (first, second);
    }
    let half = budget / 2;
    match (first <= half, second <= half) {
        (true, _) => (first, budget - first),
        (_, true) => (budget - second, second),
        _ if first > second => (budget - half, half),
        _ => (half, budget - half),
    }
}

/// Which text must be read further before [`shares`] of their counts is the answer for the whole texts.
pub(super) fn unread(first: &Reader, second: &Reader, budget: usize) -> Option<Side> {
    let read = |reader: &Reader| Read { count: reader.count(), over: reader.is_over() };
    undecided(read(first), read(second), budget)
}

/// How far a text was read.
#[derive(Debug, Clone, Copy)]
struct Read {
    count: usize,
    over: bool,
}

fn undecided(first: Read, second: Read, budget: usize) -> Option<Side> {
    let half = budget / 2;
    let may_be_short = |read: Read| !read.over && read.count <= half;
    if may_be_short(first) {
        return Some(Side::First);
    }
    if may_be_short(second) {
        return Some(Side::Second);
    }
    // The other one gets what a short text leaves; one token more tells that it is cut.
    let fills = |read: Read, rest: usize| read.over || read.count > rest;
    if first.count <= half {
        return (!fills(second, budget - first.count)).then_some(Side::Second);
    }
    if second.count <= half {
        return (!fills(first, budget - second.count)).then_some(Side::First);
    }
    // Both are cut in half. Who gets the odd token is known when one has ended and the other has gone further.
    match (first.over, second.over) {
        _ if budget.is_multiple_of(2) => None,
        (true, true) => None,
        (true, false) => (second.count < first.count).then_some(Side::Second),
        (false, true) => (first.count <= second.count).then_some(Side::First),
        (false, false) => Some(if first.count <= second.count { Side::First } else { Side::Second }),
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::utils::truncation::{
        TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings,
    };
    use tokenizers::{Encoding, Token};

    use super::*;

    fn by_library(first: usize, second: usize, budget: usize) -> (usize, usize) {
        let tokens = |count| Encoding::from_tokens(vec![Token::new(1, String::new(), (0, 0)); count], 0);
        let params = TruncationParams {
            max_length: budget,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
            direction: TruncationDirection::Right,
        };
        let (first, second) = truncate_encodings(tokens(first), Some(tokens(second)), &params).expect("truncated");
        (first.get_ids().len(), second.map_or(0, |tokens| tokens.get_ids().len()))
    }

    #[test]
    fn shares_are_those_of_the_library() {
        for budget in 1..14 {
            for first in 0..20 {
                for second in 0..20 {
                    let expected = by_library(first, second, budget);
                    assert_eq!(shares(first, second, budget), expected, "{first} and {second} of {budget}");
                }
            }
        }
    }

    /// Reads both texts a token at a time, in every order that may happen, and compares with what the whole texts give.
    #[test]
    fn enough_is_read_and_no_more_than_the_shorter_text_asks_for() {
        for budget in 1..12 {
            for first in 0..18 {
                for second in 0..18 {
                    let (mut a, mut b) = (Read { count: 0, over: false }, Read { count: 0, over: false });
                    while let Some(side) = undecided(a, b, budget) {
                        let (read, total) = if side == Side::First { (&mut a, first) } else { (&mut b, second) };
                        assert!(!read.over, "a text that has ended is read on");
                        if read.count == total { read.over = true } else { read.count += 1 }
                    }
                    let case = format!("{first} and {second} of {budget}");
                    assert_eq!(shares(a.count, b.count, budget), shares(first, second, budget), "{case}");
                    assert_eq!(a.count + b.count > budget, first + second > budget, "{case}");
                    assert!(a.count.max(b.count) <= budget.max(first.min(second)) + 1, "{case}: too much was read");
                }
            }
        }
    }
}
