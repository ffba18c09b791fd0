//! Long texts word by word, for tokenizers that split at every blank before they do anything else (BERT, most of
//! SentencePiece's). There the words between blanks have the tokens that they have alone, so a word that has been seen is
//! only looked up: ten million characters take a fraction of a second.

use std::collections::HashMap;

use serde_json::Value;

use super::reach::pattern;
use super::{Piece, Tokenizer};
use crate::error::Result;
use crate::spec::{added_tokens, steps};

/// Bytes of a word with which it stops being one.
const LONGEST_WORD: usize = 1 << 10;
/// Bytes of new words between two looks at the clock: each costs a call of the tokenizer.
const NEW_BYTES_PER_STEP: usize = 8 << 10;
/// Bytes of text, likewise.
const BYTES_PER_STEP: usize = 512 << 10;
/// Words that are remembered.
const MOST_WORDS: usize = 50_000;

/// The words that have been seen.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Their tokens, with places inside the word.
    seen: HashMap<Box<str>, Box<[Piece]>>,
}

impl Words {
    /// The blanks at which all of these tokenizers split.
    pub fn is_blank(character: char) -> bool {
        matches!(character, ' ' | '\n' | '\r' | '\t')
    }

    /// Reads whole words of `text[*at..]` and moves `at` behind them. False where the word at `at` is not one.
    ///
    /// # Errors
    /// Those of [`Tokenizer::pieces`].
    pub fn read(
        &mut self,
        tokenizer: &Tokenizer,
        text: &str,
        at: &mut usize,
        cut: bool,
        mut push: impl FnMut(Piece),
    ) -> Result<bool> {
        let stop = at.saturating_add(BYTES_PER_STEP);
        let mut new_bytes = 0;
        while *at < stop && new_bytes < NEW_BYTES_PER_STEP {
            let Some(word) = next_word(tokenizer, text, at) else { return Ok(false) };
            if word.is_empty() || (cut && *at + word.len() == text.len()) {
                return Ok(true);
            }
            let placed = |piece: &Piece| Piece { start: *at + piece.start, end: *at + piece.end, ..*piece };
            if let Some(pieces) = self.seen.get(word) {
                pieces.iter().map(placed).for_each(&mut push);
            } else {
                let pieces = tokenizer.pieces(word)?;
                pieces.iter().map(placed).for_each(&mut push);
                new_bytes += word.len();
                if self.seen.len() == MOST_WORDS {
                    self.seen.clear();
                }
                self.seen.insert(word.into(), pieces.into());
            }
            *at += word.len();
        }
        Ok(true)
    }

    /// Counts the tokens of whole words of `text[*at..]`, likewise. New words are not remembered.
    ///
    /// # Errors
    /// Those of [`Tokenizer::ids`].
    pub fn count(&self, tokenizer: &Tokenizer, text: &str, at: &mut usize, tokens: &mut usize) -> Result<bool> {
        let stop = at.saturating_add(BYTES_PER_STEP);
        let mut new_bytes = 0;
        while *at < stop && new_bytes < NEW_BYTES_PER_STEP {
            let Some(word) = next_word(tokenizer, text, at) else { return Ok(false) };
            if word.is_empty() {
                return Ok(true);
            }
            *tokens += if let Some(seen) = self.seen.get(word) {
                seen.len()
            } else {
                new_bytes += word.len();
                tokenizer.ids(word)?.len()
            };
            *at += word.len();
        }
        Ok(true)
    }
}

/// The word at `at` or behind the blanks there, to whose beginning `at` is moved: an empty one at the text's end, none where
/// that is no word that can be read alone. Blanks that an added token takes are its own.
pub(super) fn next_word<'text>(tokenizer: &Tokenizer, text: &'text str, at: &mut usize) -> Option<&'text str> {
    let rest = text[*at..].trim_start_matches(Words::is_blank);
    let solid = text.len() - rest.len();
    if !(solid > *at && tokenizer.reach.takes_blanks(rest.chars(), false)) {
        *at = solid;
    }
    // No further than a word may reach: the next blank can be megabytes away.
    let near = &text[*at..text.ceil_char_boundary(*at + LONGEST_WORD + 1)];
    let blanks = solid - *at;
    let length = blanks + near.get(blanks..).map(|word| word.find(Words::is_blank).unwrap_or(word.len()))?;
    (length <= LONGEST_WORD && !tokenizer.reach.begins_with_mark(near)).then(|| &near[..length])
}

/// Whether `tokenizer.json` splits at blanks first, and nothing sees what stands behind one.
pub(super) fn splits_at_blanks(tokenizer: &Value) -> bool {
    let contents = added_tokens(tokenizer).iter().filter_map(|token| token.get("content")?.as_str());
    let mut splitters = steps(tokenizer, "pre_tokenizer").into_iter();
    let splits = splitters
        .next()
        .is_some_and(|step| matches!(kind(step), "BertPreTokenizer" | "WhitespaceSplit" | "Whitespace"));
    // "First" means the first word of the whole text.
    let is_local = |step: &Value| step.get("prepend_scheme").and_then(Value::as_str) != Some("first");
    splits
        && splitters.all(is_local)
        && steps(tokenizer, "normalizer").into_iter().all(is_by_character)
        && contents.into_iter().all(|content| !content.contains(char::is_whitespace))
}

fn kind(step: &Value) -> &str {
    step.get("type").and_then(Value::as_str).unwrap_or("")
}

/// Whether a normaliser never joins what a blank parts.
fn is_by_character(step: &Value) -> bool {
    match kind(step) {
        "BertNormalizer" | "NFC" | "NFD" | "NFKC" | "NFKD" | "Lowercase" | "StripAccents" | "Nmt" | "Precompiled" => {
            true
        }
        // Runs of blanks to one, as ALBERT, XLM-RoBERTa and others do.
        "Replace" => pattern(step) == Some(" {2,}") && step.get("content").and_then(Value::as_str) == Some(" "),
        _ => false,
    }
}
