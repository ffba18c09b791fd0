//! Words of short texts that were seen before, with their tokens: for networks that take less time than the tokenizer. Only for
//! tokenizers that split at blanks before they do anything else (`words.rs`): there a word has the tokens that it has alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Tokenizer;
use super::words::next_word;
use crate::error::Result;

/// Words that one thread's part remembers. A natural language's next word is nearly always among so many.
const MOST_WORDS: usize = 1 << 15;

type Words = HashMap<Box<str>, Box<[u32]>>;

/// What is remembered: a part for each thread that reads at the same time as others.
#[derive(Debug, Default)]
pub(super) struct Memory {
    free: Mutex<Vec<Words>>,
}

impl Memory {
    /// The tokens of a whole text, without special ones; `None` where it is not to be read word by word.
    ///
    /// # Errors
    /// Those of [`Tokenizer::ids`].
    pub fn ids(&self, tokenizer: &Tokenizer, text: &str) -> Result<Option<Vec<u32>>> {
        let mut words = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let ids = read(&mut words, tokenizer, text);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(words);
        ids
    }
}

fn read(words: &mut Words, tokenizer: &Tokenizer, text: &str) -> Result<Option<Vec<u32>>> {
    let mut ids = Vec::with_capacity(text.len() / 4);
    let mut at = 0;
    loop {
        let Some(word) = next_word(tokenizer, text, &mut at) else { return Ok(None) };
        if word.is_empty() {
            return Ok(Some(ids));
        }
        if let Some(known) = words.get(word) {
            ids.extend_from_slice(known);
        } else {
            let found = tokenizer.ids(word)?;
            ids.extend_from_slice(&found);
            if words.len() == MOST_WORDS {
                words.clear();
            }
            words.insert(word.into(), found.into());
        }
        at += word.len();
    }
}
