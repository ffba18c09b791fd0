//! Rendered chats to tokens: all that stands in the text and nothing more, as the template writes its own special tokens.

use std::sync::Arc;

use super::reader::Keep;
use super::{Limit, Part, Reader, Tokenizer, Turn};
use crate::error::Result;
use crate::options::Truncation;

impl Tokenizer {
    /// Begins to read a text of which the tokens under a limit are kept, without special ones.
    #[must_use]
    pub fn plain(&self, text: String, limit: Limit) -> Reader {
        let keep = if limit.truncation == Truncation::Left { Keep::Last } else { Keep::First };
        Reader::new(Arc::from(""), Part::whole(text), keep(limit.tokens))
    }

    /// Reads on by a step at most, towards the tokens of such a text under its limit, and whether there are more.
    ///
    /// # Errors
    /// [`crate::Error::ModelInvalid`] where the tokenizer fails.
    pub fn read_plain(&self, reader: &mut Reader, limit: Limit) -> Result<Turn<(Vec<u32>, bool)>> {
        let most = limit.tokens;
        let is_whole = limit.truncation == Truncation::Left;
        let is_enough = |reader: &Reader| reader.is_over() || (!is_whole && reader.count() > most);
        if !is_enough(reader) {
            reader.step(self)?;
        }
        if !is_enough(reader) {
            return Ok(Turn::Again);
        }
        let count = reader.count();
        Ok(Turn::Ready((reader.kept(count.min(most)).collect(), count > most)))
    }
}
