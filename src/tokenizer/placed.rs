//! The tokens of a whole text with their places in it, as transformers' `offset_mapping` has them, read in steps.
//!
//! Places are bytes of the text as the caller passed it, whatever the normaliser makes of it. Some post-processors leave the blanks
//! of a token out of its place (`trim_offsets`, in `tokenizers`' `process_offsets`). What continues a word is transformers' rule
//! (5.23, `TokenClassificationPipeline.gather_pre_entities`).

use std::sync::Arc;

use tokenizers::models::ModelWrapper;
use tokenizers::processors::PostProcessorWrapper;

use super::reader::Keep;
use super::{Part, Piece, Reader, TokenRow, Tokenizer, tokens};
use crate::error::{Error, Result};

/// A token and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedToken {
    /// Its id.
    pub id: u32,
    /// Where it begins in the text, in bytes.
    pub start: usize,
    /// Where it ends. Tokens may share characters, and be empty.
    pub end: usize,
    /// Whether it goes on with the word of the token before it.
    pub continues: bool,
}

/// What places and words are told by.
#[derive(Debug)]
pub(super) struct Marks {
    /// For each post-processor that leaves out blanks, whether the tokenizer puts one before the text.
    trims: Vec<bool>,
    /// Whether pieces that continue a word are marked (`##`).
    marks_pieces: bool,
    unknown: Option<u32>,
}

impl Marks {
    pub fn of(tokenizer: &tokenizers::Tokenizer, unknown: Option<u32>) -> Self {
        let mut trims = Vec::new();
        if let Some(processor) = tokenizer.get_post_processor() {
            add_trims(processor, &mut trims);
        }
        let prefix = match tokenizer.get_model() {
            ModelWrapper::WordPiece(model) => Some(&model.continuing_subword_prefix),
            ModelWrapper::BPE(model) => model.continuing_subword_prefix.as_ref(),
            ModelWrapper::WordLevel(_) | ModelWrapper::Unigram(_) => None,
        };
        Marks { trims, marks_pieces: prefix.is_some_and(|prefix| !prefix.is_empty()), unknown }
    }
}

fn add_trims(processor: &PostProcessorWrapper, trims: &mut Vec<bool>) {
    match processor {
        PostProcessorWrapper::Roberta(roberta) if roberta.trim_offsets => trims.push(roberta.add_prefix_space),
        PostProcessorWrapper::ByteLevel(bytes) if bytes.trim_offsets => trims.push(bytes.add_prefix_space),
        PostProcessorWrapper::Sequence(steps) => steps.as_ref().iter().for_each(|step| add_trims(step, trims)),
        _ => {}
    }
}

/// One text on its way to all of its tokens.
#[derive(Debug)]
pub struct PlacedReader {
    reader: Reader,
    /// Whether no token was found yet.
    at_first: bool,
}

impl PlacedReader {
    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.reader.text()
    }

    /// Bytes that were not read.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.reader.waiting()
    }

    /// Whether nothing has been read.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.reader.is_untouched()
    }

    /// Whether the text has been read to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.reader.is_over()
    }
}

impl Tokenizer {
    /// Begins to read a whole text's tokens with their places, without special ones.
    #[must_use]
    pub fn placed(&self, text: String) -> PlacedReader {
        PlacedReader { reader: Reader::new(Arc::from(""), Part::whole(text), Keep::Placed), at_first: true }
    }

    /// Reads on by a step, and adds the tokens that are found.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the tokenizer fails.
    pub fn read_placed(&self, reader: &mut PlacedReader, found: &mut Vec<PlacedToken>) -> Result<()> {
        let PlacedReader { reader, at_first } = reader;
        if reader.is_over() {
            return Ok(());
        }
        reader.step(self)?;
        for piece in reader.take_placed() {
            found.push(self.placed_token(reader.text(), piece, *at_first));
            *at_first = false;
        }
        Ok(())
    }

    fn placed_token(&self, text: &str, piece: Piece, is_first: bool) -> PlacedToken {
        let Marks { trims, marks_pieces, unknown } = &self.marks;
        let name = self.inner.id_to_token(piece.id).unwrap_or_default();
        let (mut start, mut end) = (text.floor_char_boundary(piece.start), text.ceil_char_boundary(piece.end));
        // An added token is written as it stands in the text, with the blanks that it takes.
        let is_added = self.inner.get_added_vocabulary().get_added_tokens_decoder().contains_key(&piece.id);
        let written = if is_added { &text[start..end] } else { name.as_str() };
        for adds_blank in trims {
            (start, end) = trimmed(text, written, (start, end), *adds_blank && (is_first || start == 0));
        }
        let is_unknown = *unknown == Some(piece.id);
        let continues = if *marks_pieces {
            name.chars().count() != text[start..end].chars().count()
        } else {
            start > 0 && !text[..start].ends_with(' ') && !text[start..].starts_with(' ')
        };
        PlacedToken { id: piece.id, start, end, continues: continues && !is_unknown }
    }

    /// Tokens that a row has room for beside the special ones.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where it has none.
    pub fn room(&self, limit: usize) -> Result<usize> {
        let special = self.special_tokens(false);
        limit.checked_sub(special).filter(|room| *room > 0).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "Expected at least {} for `maxLength`, a token and the special ones that this model adds, but received {limit}",
                special + 1
            ))
        })
    }

    /// The row of these tokens with the special ones around them, and how many of those come first.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the tokenizer fails.
    pub fn framed(&self, ids: impl Iterator<Item = u32>) -> Result<(TokenRow, usize)> {
        let framed = self.guarded("", || self.inner.post_process(tokens(ids), None, true))?;
        let before = framed.get_special_tokens_mask().iter().take_while(|special| **special == 1).count();
        Ok((self.row_of(&framed, false), before))
    }
}

/// A token's place without the blanks at its ends, of which it may keep the one that the tokenizer put there.
fn trimmed(text: &str, name: &str, (start, end): (usize, usize), keeps_blank: bool) -> (usize, usize) {
    // In the alphabet of bytes a space is written as this letter.
    let is_blank = |letter: &char| *letter == 'Ġ' || letter.is_whitespace();
    let leading = name.chars().take_while(is_blank).count();
    let trailing = name.chars().rev().take_while(is_blank).count();
    let leading = if keeps_blank && leading == 1 { 0 } else { leading };
    let slice = &text[start..end];
    let start = start + slice.chars().take(leading).map(char::len_utf8).sum::<usize>();
    let slice = &text[start..end];
    (start, end - slice.chars().rev().take(trailing).map(char::len_utf8).sum::<usize>())
}
