//! Where the tokens of a long text end, and how many tokens parts of it have.
//!
//! The first is read once for the whole text, in windows, and right but for a token where two windows meet: it tells where
//! to cut. The second is what [`Tokenizer::read_count`] gives for the part as a text of its own. For tokenizers that split
//! at blanks both come from the words, each of which is tokenised once (`words.rs`).

use std::collections::VecDeque;

use super::words::Words;
use super::{Reader, Tokenizer, Turn};
use crate::error::Result;

/// Bytes that are tokenised at once.
const WINDOW: usize = 8 << 10;

/// What is known of a text's words.
#[derive(Debug)]
pub struct Ruler {
    /// `None` where words cannot be read one by one.
    words: Option<Words>,
}

/// A text whose tokens are being counted.
#[derive(Debug)]
pub struct Count(Way);

#[derive(Debug)]
enum Way {
    Words { text: String, at: usize, tokens: usize },
    Reader(Box<Reader>),
}

impl Tokenizer {
    /// A ruler for texts of one kind.
    #[must_use]
    pub fn ruler(&self) -> Ruler {
        Ruler { words: self.reads_by_words.then(Words::default) }
    }

    /// Tokens that are added to every text.
    #[must_use]
    pub fn special(&self) -> usize {
        self.special_tokens(false)
    }

    /// Reads on in `text` from the place `from`: adds to `ends` where its tokens end, and returns how far it has read.
    ///
    /// # Errors
    /// [`crate::Error::ModelInvalid`] where the tokenizer fails.
    pub fn measure(&self, ruler: &mut Ruler, text: &str, from: usize, ends: &mut VecDeque<usize>) -> Result<usize> {
        let mut at = from;
        if let Some(words) = &mut ruler.words {
            let is_word = words.read(self, text, &mut at, false, |piece| ends.push_back(piece.end))?;
            if is_word {
                return Ok(at);
            }
        }
        let window = window(&text[at..]);
        let mut last = at;
        for piece in self.pieces(window)? {
            // A normaliser may turn the order of what it replaces.
            last = last.max(at + piece.end);
            ends.push_back(last);
        }
        Ok(at + window.len())
    }

    /// Begins to count the tokens of a text.
    #[must_use]
    pub fn begin_count(&self, ruler: &Ruler, text: &str) -> Count {
        let text = text.to_owned();
        Count(match ruler.words {
            Some(_) => Way::Words { text, at: 0, tokens: 0 },
            None => Way::Reader(Box::new(self.counter(text))),
        })
    }

    /// Counts on by a step: the number of tokens, special ones included, once it is known.
    ///
    /// # Errors
    /// [`crate::Error::ModelInvalid`] where the tokenizer fails.
    pub fn advance_count(&self, ruler: &Ruler, count: &mut Count) -> Result<Option<usize>> {
        if let (Way::Words { text, at, tokens }, Some(words)) = (&mut count.0, &ruler.words) {
            if words.count(self, text, at, tokens)? {
                return Ok((*at == text.len()).then(|| *tokens + self.special()));
            }
            count.0 = Way::Reader(Box::new(self.counter(std::mem::take(text))));
        }
        let Way::Reader(reader) = &mut count.0 else { return Ok(None) };
        match self.read_count(reader)? {
            Turn::Ready(tokens) => Ok(Some(tokens)),
            Turn::Again | Turn::Short(_) => Ok(None),
        }
    }
}

/// What is tokenised at once of `rest`: it ends before a blank, if there is one near.
fn window(rest: &str) -> &str {
    if rest.len() <= WINDOW {
        return rest;
    }
    let near = &rest[..rest.floor_char_boundary(WINDOW)];
    let blank = near.rfind(char::is_whitespace).filter(|at| *at >= WINDOW / 2);
    &near[..blank.unwrap_or(near.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_before_blanks_and_never_inside_a_character() {
        assert_eq!(window("ab cd"), "ab cd");
        let words = "word ".repeat(WINDOW);
        assert!(window(&words).ends_with("word") && window(&words).len() > WINDOW - 8);
        let endless = "é".repeat(WINDOW);
        assert_eq!(window(&endless).len(), WINDOW);
        let endless = format!("a{endless}");
        assert_eq!(window(&endless).len(), WINDOW - 1);
        assert_eq!(window(&format!("a {}", "b".repeat(2 * WINDOW))).len(), WINDOW);
    }
}
