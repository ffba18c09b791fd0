//! Rendered chats to tokens: all that stands in the text and nothing more, as the template writes its own special tokens.

use std::sync::Arc;

use super::reader::Keep;
use super::{Part, Reader, Tokenizer, Turn};
use crate::error::Result;

impl Tokenizer {
    /// Begins to read a text of which at most `most` tokens are kept, without special ones.
    #[must_use]
    pub fn plain(&self, text: String, most: usize) -> Reader {
        Reader::new(Arc::from(""), Part::whole(text), Keep::First(most))
    }

    /// Reads on by a step at most, towards the first `most` tokens of such a text, and whether there are more.
    ///
    /// # Errors
    /// [`crate::Error::ModelInvalid`] where the tokenizer fails.
    pub fn read_plain(&self, reader: &mut Reader, most: usize) -> Result<Turn<(Vec<u32>, bool)>> {
        let is_enough = |reader: &Reader| reader.is_over() || reader.count() > most;
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
