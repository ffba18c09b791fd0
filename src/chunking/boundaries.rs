//! Where a text may be parted: behind a paragraph, else a sentence, else a word, else a grapheme cluster.
//!
//! Sentences are those of Unicode (UAX #29). Words end where a line may end (UAX #14), so that a comma stays with its word
//! and a bracket with what it holds; where no line may end, as in an endless word, at the word boundaries of UAX #29.
//! `icu_segmenter` finds sentences and lines: it needs linear time, where `unicode-segmentation` takes 53 s for a full stop
//! before 100,000 blanks. Words and clusters are linear in both, and `unicode-segmentation` parts Chinese and Thai without
//! dictionaries.
//!
//! A unit's end is that of its last character that is not white, so nothing ends with blanks.

use icu_segmenter::options::{LineBreakOptions, SentenceBreakInvariantOptions};
use icu_segmenter::{LineSegmenter, SentenceSegmenter};
use unicode_segmentation::UnicodeSegmentation;

/// Bytes behind a place that decide whether a unit ends there: the next letter, as a rule.
const AHEAD: usize = 64;
/// Bytes of the longest cluster that is kept together where not even one fits.
const LONGEST_CLUSTER: usize = 256;
/// A line may be broken behind it, and a word goes on.
const SOFT_HYPHEN: char = '\u{ad}';

/// White space as both Unicode and JavaScript know it: without NEL, which is none in JavaScript.
pub(super) fn is_white(character: char) -> bool {
    character.is_whitespace() && character != '\u{85}'
}

/// The first place from `at` on that is not white.
pub(super) fn skip_white(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches(is_white).len()
}

/// The best end for a chunk that begins at `start`, behind `fresh` and not behind `limit`: the last paragraph's, else the
/// last sentence's, word's, cluster's or character's that lies there.
pub(super) fn end_within(text: &str, start: usize, fresh: usize, limit: usize) -> Option<usize> {
    let solid = skip_white(text, limit);
    if solid == text.len() {
        return Some(start + text[start..].trim_end_matches(is_white).len()).filter(|end| *end > fresh);
    }
    let stop = text.ceil_char_boundary((solid + AHEAD).min(text.len()));
    let part = &text[start..stop];
    let find = |bounds: &mut dyn Iterator<Item = usize>| last_end(text, start, fresh, limit, bounds);
    last_paragraph_end(text, fresh, limit)
        .or_else(|| find(&mut sentences(part)))
        .or_else(|| find(&mut lines(part)))
        .or_else(|| find(&mut part.split_word_bound_indices().map(|(at, _)| at).skip(1)))
        .or_else(|| find(&mut part.grapheme_indices(true).map(|(at, _)| at).skip(1)))
        .or_else(|| Some(text.floor_char_boundary(limit)).filter(|end| *end > fresh))
}

/// The least that a chunk can take from `fresh` on: a grapheme cluster, and a character.
pub(super) fn least_ends(text: &str, fresh: usize) -> [usize; 2] {
    let rest = &text[fresh..];
    let near = &rest[..rest.floor_char_boundary(LONGEST_CLUSTER)];
    let character = rest.chars().next().map_or(0, char::len_utf8);
    let cluster = near.graphemes(true).next().map(str::len).filter(|length| *length < near.len() || near == rest);
    [fresh + cluster.unwrap_or(character), fresh + character]
}

/// Where the first sentence begins from `from` on that is no longer the chunk's first, else the first word.
pub(super) fn start_within(text: &str, start: usize, end: usize, from: usize) -> Option<usize> {
    let part = &text[start..end];
    let first = |bounds: &mut dyn Iterator<Item = usize>| {
        // Behind a run of blanks there is a boundary too.
        let fits = |at: &usize| *at >= from && *at > start && *at < end && !text[*at..].starts_with(is_white);
        bounds.map(|at| start + at).find(fits)
    };
    first(&mut sentences(part)).or_else(|| first(&mut lines(part)))
}

fn sentences(part: &str) -> impl Iterator<Item = usize> {
    SentenceSegmenter::new(SentenceBreakInvariantOptions::default()).segment_str(part).skip(1)
}

fn lines(part: &str) -> impl Iterator<Item = usize> {
    let inside_a_word = |at: &usize| part[..*at].ends_with(SOFT_HYPHEN);
    let bounds = LineSegmenter::new_for_non_complex_scripts(LineBreakOptions::default()).segment_str(part).skip(1);
    bounds.filter(move |at| !inside_a_word(at))
}

/// The end of the last unit that ends behind `fresh` and not behind `limit`. `bounds` part `text[start..]` into units, to
/// beyond the limit.
fn last_end(
    text: &str,
    start: usize,
    fresh: usize,
    limit: usize,
    bounds: &mut dyn Iterator<Item = usize>,
) -> Option<usize> {
    let mut found = None;
    let mut before = start;
    for bound in bounds.map(|at| start + at) {
        let unit = &text[before..bound];
        let end = before + unit.trim_end_matches(is_white).len();
        if end > limit {
            break;
        }
        if end > before && end > fresh {
            found = Some(end);
        }
        before = bound;
    }
    found
}

/// Likewise for paragraphs, which blank lines part.
fn last_paragraph_end(text: &str, fresh: usize, limit: usize) -> Option<usize> {
    let stop = limit + text[limit..].chars().next().map_or(0, char::len_utf8);
    let mut found = None;
    let mut at = fresh;
    while let Some(end) = text[at.min(stop)..stop].find(is_white).map(|blank| at + blank) {
        at = skip_white(text, end);
        if has_blank_line(&text[end..at]) {
            found = Some(end);
        }
    }
    found.filter(|end| *end > fresh)
}

/// Whether white space holds two line breaks, or the sign that parts paragraphs.
fn has_blank_line(white: &str) -> bool {
    let mut breaks = 0;
    let mut before = ' ';
    for character in white.chars() {
        breaks += match character {
            '\n' if before == '\r' => 0,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{2028}' => 1,
            '\u{2029}' => 2,
            _ => 0,
        };
        before = character;
    }
    breaks >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chunk that a limit of so many bytes gives.
    fn cut(text: &str, limit: usize) -> &str {
        end_within(text, 0, 0, text.floor_char_boundary(limit)).map_or("", |end| &text[..end])
    }

    #[test]
    fn the_largest_unit_that_fits_decides() {
        let text = "One two. Three four.\n\nFive (six), seven.";
        assert_eq!(cut(text, text.len()), text);
        assert_eq!(cut(text, 39), "One two. Three four.");
        assert_eq!(cut(text, 20), "One two. Three four.");
        assert_eq!(cut(text, 19), "One two.");
        assert_eq!(cut(text, 8), "One two.");
        assert_eq!(cut(text, 7), "One");
        assert_eq!(cut(text, 2), "On");
        assert_eq!(cut(text, 0), "");
    }

    #[test]
    fn marks_stay_with_their_words() {
        let text = "Five (six), seven";
        for (limit, expected) in [(16, "Five (six),"), (11, "Five (six),"), (10, "Five"), (6, "Five")] {
            assert_eq!(cut(text, limit), expected, "{limit}");
        }
        assert_eq!(cut("東京は、日本の首都。", 12), "東京は、");
        assert_eq!(cut("東京は、日本の首都。", 11), "東京");
        assert_eq!(cut("a,b,c,d", 5), "a,b,c");
        assert_eq!(cut("over\u{ad}whelming", 8), "over\u{ad}wh");
    }

    #[test]
    fn clusters_stay_together_while_one_fits() {
        let family = "👩\u{200d}👩\u{200d}👧";
        let text = format!("{family}{family}");
        assert_eq!(cut(&text, text.len() - 1), family);
        // Not even one fits: a character's end then.
        assert_eq!(cut(&text, family.len() - 1), "👩\u{200d}👩\u{200d}");
        assert_eq!(cut(&text, 6), "👩");
        assert_eq!(least_ends(&text, 0), [family.len(), 4]);
        let marks = format!("a{}", "\u{301}".repeat(1000));
        assert_eq!(least_ends(&marks, 0), [1, 1]);
    }

    #[test]
    fn blank_lines_part_paragraphs() {
        for gap in ["\n\n", "\n \t\n", "\r\n\r\n", "\r\r", "\u{2029}", "\u{2028}\u{2028}"] {
            let text = format!("One. Two{gap}three four five");
            assert_eq!(cut(&text, text.len() - 3), "One. Two", "{gap:?}");
        }
        for gap in ["\n", "\r\n", " \n ", "\u{2028}"] {
            let text = format!("one, two{gap}three four five");
            // A line break ends a sentence, as Unicode has it.
            assert_eq!(cut(&text, text.len() - 3), "one, two", "{gap:?}");
            let text = format!("One. Two. Three{gap}four five");
            assert_eq!(cut(&text, 14), "One. Two.", "{gap:?}");
        }
    }

    #[test]
    fn an_overlap_begins_with_a_sentence_else_with_a_word() {
        let text = "One two. Three four. Five six seven.";
        let start = |from| start_within(text, 0, text.len(), from).map(|at| &text[at..]);
        assert_eq!(start(1), Some("Three four. Five six seven."));
        assert_eq!(start(10), Some("Five six seven."));
        assert_eq!(start(22), Some("six seven."));
        assert_eq!(start(31), None);
    }

    #[test]
    fn no_shape_of_text_takes_more_than_linear_time() {
        let shapes = [
            format!("The end.{}x", " ".repeat(1 << 20)),
            format!("The end.{}x", ")(".repeat(1 << 19)),
            format!("a{}b", "\n".repeat(1 << 20)),
            format!("a{}", "\u{301}".repeat(1 << 19)),
            "1.".repeat(1 << 19),
            "a".repeat(1 << 20),
        ];
        for text in shapes {
            let begun = std::time::Instant::now();
            for limit in [text.len() / 2, text.len() - 1] {
                let limit = text.floor_char_boundary(limit);
                assert!(end_within(&text, 0, 0, limit).is_some_and(|end| end <= limit));
                let _ = start_within(&text, 0, limit, 1);
            }
            // Quadratic time would be minutes.
            assert!(begun.elapsed().as_secs() < 10, "{:?} for {:?}", begun.elapsed(), text.get(..12));
        }
    }
}
