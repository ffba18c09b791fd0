//! Long texts word by word, for tokenizers that split at every blank before they do anything else (BERT, most of
//! SentencePiece's). There the words between blanks have the tokens that they have alone, so a word that has been seen is
//! only looked up: ten million characters take a fraction of a second.

use std::collections::HashMap;

use serde_json::Value;

use super::Tokenizer;
use super::reach::pattern;
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
    seen: HashMap<Box<str>, Box<[u32]>>,
}

impl Words {
    /// The blanks at which all of these tokenizers split.
    pub fn is_blank(character: char) -> bool {
        matches!(character, ' ' | '\n' | '\r' | '\t')
    }

    /// Reads whole words of `text[*at..]` and moves `at` behind them. False where the word at `at` is not one.
    ///
    /// # Errors
    /// Those of [`Tokenizer::ids`].
    pub fn read(
        &mut self,
        tokenizer: &Tokenizer,
        text: &str,
        at: &mut usize,
        cut: bool,
        mut push: impl FnMut(u32),
    ) -> Result<bool> {
        let stop = at.saturating_add(BYTES_PER_STEP);
        let mut new_bytes = 0;
        while *at < stop && new_bytes < NEW_BYTES_PER_STEP {
            let rest = text[*at..].trim_start_matches(Words::is_blank);
            *at = text.len() - rest.len();
            let end = rest.find(Words::is_blank);
            let word = &rest[..end.unwrap_or(rest.len())];
            if word.len() > LONGEST_WORD || tokenizer.reach.begins_with_mark(word) {
                return Ok(false);
            }
            if word.is_empty() || (end.is_none() && cut) {
                return Ok(true);
            }
            if let Some(ids) = self.seen.get(word) {
                ids.iter().copied().for_each(&mut push);
            } else {
                let ids = tokenizer.ids(word)?;
                ids.iter().copied().for_each(&mut push);
                new_bytes += word.len();
                if self.seen.len() == MOST_WORDS {
                    self.seen.clear();
                }
                self.seen.insert(word.into(), ids.into());
            }
            *at += word.len();
        }
        Ok(true)
    }
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
