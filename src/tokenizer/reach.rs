//! How far back the text that follows can change what a text's beginning means, by the tokenizer's own parts.
//!
//! Words are split from left to right, and a word ends where the next begins; `reader.rs` leaves the last words open.
//! This is what reaches further: an added token that swallows the blanks before it (`lstrip`), marks that join the letter
//! before them, a normaliser that replaces runs (` {2,}`), a pattern that looks ahead without bound.

use serde_json::Value;
use tokenizers::utils::SysRegex;

use super::pattern::{Sight, extent, look_ahead};
use crate::error::{Error, Result};
use crate::spec::{added_tokens, steps};

/// Bytes that a pattern may look over without an answer. It looks from every place in them, so the time is their square.
const LONGEST_LOOK: usize = 16 << 10;

/// What a tokenizer's parts look at beyond the words.
#[derive(Debug)]
pub(super) struct Reach {
    /// Bytes in which an added token may have begun.
    added: usize,
    /// The added tokens that take the blanks before them.
    takers: Vec<String>,
    marks: SysRegex,
    /// Characters that patterns look ahead over without bound.
    looks: Option<SysRegex>,
    /// Characters that the normaliser replaces in runs.
    runs: Option<SysRegex>,
    /// Whether nothing can be said.
    everything: bool,
}

impl Reach {
    /// Reads `tokenizer.json`.
    pub(super) fn of(tokenizer: &Value) -> tokenizers::Result<Self> {
        let tokens = added_tokens(tokenizer);
        let flag = |token: &Value, name| token.get(name).and_then(Value::as_bool).unwrap_or(false);
        // One byte more: a token that must be a single word looks at the next character. Twice, where the text is
        // compared in another form, which may be shorter.
        let length = |token: &Value| {
            let bytes = token.get("content").and_then(Value::as_str).map_or(0, str::len) + 4;
            if flag(token, "normalized") { 2 * bytes } else { bytes }
        };
        let mut everything = false;
        let mut characters = |part: &str, sight: fn(&str) -> Sight| -> tokenizers::Result<Option<SysRegex>> {
            let mut expressions = Vec::new();
            for pattern in steps(tokenizer, part).into_iter().filter_map(pattern) {
                match sight(pattern) {
                    Sight::Bounded => {}
                    Sight::Run(run) => expressions.extend(run),
                    Sight::Everything => everything = true,
                }
            }
            let any = format!("\\A(?:{})\\z", expressions.join("|"));
            Ok(if expressions.is_empty() { None } else { Some(SysRegex::new(&any)?) })
        };
        let (runs, looks) = (characters("normalizer", extent)?, characters("pre_tokenizer", look_ahead)?);
        Ok(Reach {
            added: tokens.iter().map(length).max().unwrap_or(0),
            takers: tokens
                .iter()
                .filter(|token| flag(token, "lstrip"))
                .filter_map(|token| token.get("content")?.as_str().map(str::to_owned))
                .collect(),
            marks: SysRegex::new(r"\A\p{M}\z")?,
            looks,
            runs,
            everything,
        })
    }

    /// Whether what stands behind blanks decides what they are.
    pub(super) fn waits_behind_blanks(&self) -> bool {
        !self.takers.is_empty()
    }

    /// Whether a token that takes the blanks before it begins the text, or may, where it `goes_on`.
    pub(super) fn takes_blanks(&self, text: impl Iterator<Item = char> + Clone, goes_on: bool) -> bool {
        let is_met = |taker: &String| {
            let mut text = text.clone();
            // Another form of the text is compared for some tokens.
            taker.chars().all(|letter| text.next().map_or(goes_on, |found| found.eq_ignore_ascii_case(&letter)))
        };
        self.takers.iter().any(is_met)
    }

    /// Where the part of `text` ends that later text cannot reach, but for its last words. `next` is what is known to follow,
    /// after blanks perhaps; `None` where nothing but blanks does.
    ///
    /// # Errors
    /// [`Error::TooLong`] where a pattern looks over more than it can in a reasonable time.
    pub(super) fn safe_end(&self, text: &str, next: Option<&str>) -> Result<usize> {
        if self.everything {
            return Ok(0);
        }
        let mut end = text.floor_char_boundary(text.len().saturating_sub(self.added));
        let solid = text[..end].trim_end().len();
        let behind = text[solid..].trim_start().chars().chain(next.unwrap_or("").chars());
        if solid < end && self.takes_blanks(behind, next.is_some()) {
            end = solid;
        }
        for expression in [&self.looks, &self.runs].into_iter().flatten() {
            let start = before(&text[..end], |character| holds(expression, character));
            // From the character before the run it is not seen where the run ends.
            end = if start < end { before_one(&text[..start]) } else { start };
        }
        if self.looks.is_some() && text.len() - end > LONGEST_LOOK {
            return Err(Error::TooLong(format!(
                "A pattern of this model's tokenizer looks ahead over {} bytes that repeat one kind of character, and has no \
                 answer yet. Shorten the text",
                text.len() - end
            )));
        }
        let end = before(&text[..end], |character| self.is_mark(character));
        Ok(before_one(&text[..end]))
    }

    /// Whether `text` begins with a mark that joins what stands before it.
    pub(super) fn begins_with_mark(&self, text: &str) -> bool {
        text.chars().next().is_some_and(|character| self.is_mark(character))
    }

    fn is_mark(&self, character: char) -> bool {
        !character.is_ascii() && holds(&self.marks, character)
    }
}

fn holds(expression: &SysRegex, character: char) -> bool {
    expression.find_iter(character.encode_utf8(&mut [0; 4])).next().is_some()
}

/// Where the run of such characters at the end of `text` starts.
fn before(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.trim_end_matches(belongs).len()
}

fn before_one(text: &str) -> usize {
    text.char_indices().next_back().map_or(0, |(at, _)| at)
}

/// The regular expression of a step.
pub(super) fn pattern(step: &Value) -> Option<&str> {
    step.get("pattern")?.get("Regex")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn safe(tokenizer: &Value, text: &str) -> usize {
        Reach::of(tokenizer).expect("patterns").safe_end(text, Some("")).expect("an end")
    }

    #[test]
    fn blanks_before_a_token_that_takes_them_are_not_safe() {
        let token = |lstrip: bool| json!({ "added_tokens": [{ "content": "<mask>", "lstrip": lstrip }] });
        let text = format!("the river{}<ma", " ".repeat(1000));
        assert_eq!(safe(&token(true), &text), "the rive".len());
        assert!(safe(&token(false), &text) > 900);
        let blanks = format!("the river{}", " ".repeat(1000));
        let reach = Reach::of(&token(true)).expect("patterns");
        for (next, is_safe) in [
            (Some(""), false),
            (Some("<mas"), false),
            (Some("<MASK>"), false),
            (Some("bank"), true),
            (Some("<mist"), true),
            (None, true),
        ] {
            assert_eq!(reach.safe_end(&blanks, next).expect("an end") > 900, is_safe, "{next:?}");
        }
    }

    #[test]
    fn a_number_that_is_grouped_from_the_right_is_not_safe() {
        let tokenizer = json!({ "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": r"\d{1,3}(?=(?:\d{3})*(?!\d))" }, "behavior": "Isolated" },
        ] } });
        assert_eq!(safe(&tokenizer, &format!("it is {}", "1".repeat(500))), "it i".len());
        let error =
            Reach::of(&tokenizer).expect("patterns").safe_end(&"1".repeat(50_000), Some("")).expect_err("too far");
        assert_eq!(error.code(), "ERR_TOO_LONG");
    }

    #[test]
    fn marks_belong_to_the_letter_before_them() {
        assert_eq!(safe(&json!({}), &format!("cafe{}", "\u{323}".repeat(300))), "caf".len());
    }

    #[test]
    fn an_unknown_pattern_makes_nothing_safe() {
        let tokenizer = json!({ "normalizer": { "type": "Replace", "pattern": { "Regex": "a.*b" }, "content": "" } });
        assert_eq!(safe(&tokenizer, "some words that are long enough"), 0);
    }
}
