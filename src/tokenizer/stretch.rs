//! A long stretch of text that gives one token or none: blanks, an endless word, letters that the vocabulary lacks.
//!
//! Its length means nothing to the tokenizer, so its middle can be left out: an endless word stays the one unknown token
//! that it is. Whether that holds is tried, not assumed. What follows of the same characters is passed over.

use std::collections::HashSet;
use std::ops::Range;

use tokenizers::models::ModelWrapper;
use tokenizers::{NormalizedString, Normalizer};

use super::{Piece, Tokenizer, same_ids};
use crate::error::Result;

/// Bytes that are kept at each end of a stretch: nothing in a tokenizer looks that far.
const KEPT: usize = 1 << 10;
/// Bytes that are passed over in a step: some ten milliseconds.
const PASSED_AT_ONCE: usize = 2 << 20;
/// Bytes that a character has at most.
const WIDEST: usize = 4;

/// The stretch at the end of a text that goes on.
#[derive(Debug)]
pub(super) struct Stretch {
    characters: HashSet<char>,
    kept: usize,
}

/// What became of the longest stretch.
#[derive(Debug, Default)]
pub(super) struct Shortened {
    /// What can be left out of the text: the middle of the stretch; and the tokens without it.
    pub shorter: Option<(Range<usize>, Vec<Piece>)>,
    /// How it may go on.
    pub stretch: Option<Stretch>,
}

impl Stretch {
    /// Leaves out the middle of the longest stretch behind `known`, where that changes no token.
    ///
    /// # Errors
    /// Those of [`Tokenizer::pieces`].
    pub fn shorten(tokenizer: &Tokenizer, text: &str, known: usize, pieces: &[Piece]) -> Result<Shortened> {
        let kept = KEPT + WIDEST * longest_word(tokenizer);
        let Some((start, end, token)) = longest(text, known, pieces).filter(|(start, end, _)| end - start > 3 * kept)
        else {
            return Ok(Shortened::default());
        };
        let (from, to) = (text.ceil_char_boundary(start + kept), text.floor_char_boundary(end - kept));
        let shorter = [&text[..from], &text[to..]].concat();
        let again = tokenizer.pieces(&shorter)?;
        if !same_ids(&again, pieces) {
            return Ok(Shortened::default());
        }
        let characters: HashSet<char> = text[start..end].chars().collect();
        let goes_on =
            end == text.len() && token.is_none_or(|id| stays_one_token(tokenizer, id, &characters, &text[start..from]));
        Ok(Shortened { shorter: Some((from..to, again)), stretch: goes_on.then_some(Stretch { characters, kept }) })
    }

    /// How many bytes at the beginning of `next` only make the stretch longer. Its last characters are left to be read:
    /// what comes then stands behind them.
    pub fn more_of(&self, next: &str) -> usize {
        let next = &next[..next.floor_char_boundary(PASSED_AT_ONCE)];
        let run = next.len() - next.trim_start_matches(|character| self.characters.contains(&character)).len();
        next.floor_char_boundary(run.saturating_sub(self.kept))
    }
}

/// The longest part of `text[known..]` that lies in one token, or between two: its start, its end, and the token.
fn longest(text: &str, known: usize, pieces: &[Piece]) -> Option<(usize, usize, Option<u32>)> {
    let from = pieces.partition_point(|piece| piece.end <= known);
    let mut parts = Vec::new();
    let mut before = known;
    for piece in &pieces[from..] {
        parts.push((before, piece.start.max(before), None));
        parts.push((piece.start.max(before), piece.end.max(before), Some(piece.id)));
        before = piece.end.max(before);
    }
    parts.push((before, text.len(), None));
    parts.into_iter().max_by_key(|(start, end, _)| end - start)
}

/// The number of characters up to which a word's length can matter.
fn longest_word(tokenizer: &Tokenizer) -> usize {
    match tokenizer.inner.get_model() {
        ModelWrapper::WordPiece(model) => model.max_input_chars_per_word,
        ModelWrapper::WordLevel(_) => tokenizer.vocabulary().longest,
        ModelWrapper::Unigram(_) | ModelWrapper::BPE(_) => 0,
    }
}

/// Whether more of the same characters leave the one token what it is.
fn stays_one_token(tokenizer: &Tokenizer, id: u32, characters: &HashSet<char>, beginning: &str) -> bool {
    // An added token that has taken the blanks beside it: its own letters are among the characters.
    let added = tokenizer.inner.get_added_vocabulary().get_added_tokens_decoder();
    if added.get(&id).is_some_and(|token| token.lstrip || token.rstrip) {
        return false;
    }
    let normalized = |text: &str| -> Option<String> {
        let mut normalized = NormalizedString::from(text);
        if let Some(normalizer) = tokenizer.inner.get_normalizer() {
            normalizer.normalize(&mut normalized).ok()?;
        }
        Some(normalized.get().to_owned())
    };
    match tokenizer.inner.get_model() {
        // Over its limit a word is unknown, whatever else is in it.
        ModelWrapper::WordPiece(model) => {
            normalized(beginning).is_some_and(|text| text.chars().count() > model.max_input_chars_per_word)
        }
        ModelWrapper::WordLevel(_) => true,
        // Neighbours that no piece holds are one unknown token.
        ModelWrapper::Unigram(_) | ModelWrapper::BPE(_) => {
            let known = &tokenizer.vocabulary().characters;
            characters.iter().all(|character| {
                let text = normalized(character.encode_utf8(&mut [0; WIDEST]));
                text.is_some_and(|text| text.chars().all(|character| character != '▁' && !known.contains(&character)))
            })
        }
    }
}
