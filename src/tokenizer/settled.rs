//! Which tokens of a text's beginning are final, whatever follows.

use tokenizers::models::ModelWrapper;

use super::reader::AGREEING;
use super::{Piece, Tokenizer, same_ids};
use crate::error::Result;

/// Tokens kept clear of the end of a word that no rule splits.
const MARGIN: usize = 32;
/// Longest piece of a unigram vocabulary, in characters, that is allowed for. With longer ones words are read to their end.
const LONGEST_PIECE: usize = 64;
/// Ends that are tried for BPE, where no number of them is a proof.
const BPE_ENDS: usize = 8;

/// Whether a token begins at `at` where the one before it has ended: several tokens may stand for one character.
pub(super) fn is_apart(pieces: &[Piece], at: usize) -> bool {
    pieces[at].start >= pieces[at - 1].end
}

/// How many of `pieces` stand before `place`, where one ends there and the last of them are `wanted`.
pub(super) fn passes(pieces: &[Piece], place: usize, wanted: &[Piece]) -> Option<usize> {
    let count = pieces.partition_point(|piece| piece.end <= place);
    let first = count.checked_sub(wanted.len())?;
    let ends_there = count > 0 && pieces[count - 1].end == place;
    (ends_there && same_ids(&pieces[first..count], wanted)).then_some(count)
}

impl Tokenizer {
    /// How many of `pieces`, the tokens of `text`, are final where more text follows; at least `from`. `next` is what is known
    /// of it (`None`: it is blank).
    ///
    /// A pre-tokenizer splits text into words from left to right and looks ahead by less than one word, but for what
    /// `reach.rs` knows; tokens never cross words. So all words but the last two are final.
    ///
    /// # Errors
    /// Those of [`Tokenizer::pieces`] and [`super::reach::Reach::safe_end`].
    pub(super) fn settled(&self, text: &str, next: Option<&str>, pieces: &[Piece], from: usize) -> Result<usize> {
        let Some(last) = pieces.last().map(|piece| piece.word) else { return Ok(from) };
        let end = self.reach.safe_end(text, next)?;
        let by_words =
            pieces[from..].iter().take_while(|piece| piece.word + 1 < last && piece.end <= end).count() + from;
        // One character may be several words (U+FDFA under NFKC): its tokens are final together.
        let by_words = (from + 1..=by_words).rev().find(|at| is_apart(pieces, *at)).unwrap_or(from);
        if pieces.len() - by_words < 3 * MARGIN {
            return Ok(by_words);
        }
        let inside = pieces.partition_point(|piece| piece.end <= end);
        let latest = inside.saturating_sub(MARGIN).max(by_words);
        let found = (by_words + 1..=latest).rev().take(AGREEING).find(|at| is_apart(pieces, *at));
        match found {
            Some(at) if self.ends_agree(text, pieces, at, end)? => Ok(at),
            _ => Ok(by_words),
        }
    }

    /// Whether the first `at` tokens of one long word (Chinese under SentencePiece, say) are final.
    ///
    /// A unigram model takes the best path through the word, and its pieces have at most `ends` characters. So the best path of
    /// the whole text crosses a boundary among any `ends` places that follow each other: some place behind the one at `at`, and
    /// some place well before it. Between two boundaries it is the best path of the text between them. So where the best paths
    /// from each of the places before to each of the places behind all pass through the one at `at`, the whole text's path does
    /// too. BPE has no such theorem, but merges that reach across the margin would need a chain of them.
    fn ends_agree(&self, text: &str, pieces: &[Piece], at: usize, end: usize) -> Result<bool> {
        let Some(ends) = self.ends() else { return Ok(false) };
        let place = pieces[at - 1].end;
        let wanted = &pieces[at.saturating_sub(AGREEING)..at];
        // What stands before the text is final, so its beginning is a boundary, and the only one that is needed.
        let starts: Vec<usize> = match at.checked_sub(2 * MARGIN + ends) {
            Some(earliest) if earliest > 0 => {
                let from = pieces[earliest].start;
                text[from..place].char_indices().take(ends).map(|(at, _)| from + at).collect()
            }
            _ => vec![0],
        };
        let boundaries = text[..end].char_indices().rev().map(|(at, _)| at).take(ends);
        let boundaries = std::iter::once(end).chain(boundaries).take_while(|boundary| *boundary > place);
        for boundary in boundaries {
            for start in &starts {
                let between = self.pieces(&text[*start..boundary])?;
                if passes(&between, place - start, wanted).is_none() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// How many ends of a word that goes on have to agree on its beginning; `None` where a beginning proves nothing.
    fn ends(&self) -> Option<usize> {
        match self.inner.get_model() {
            // A word beyond WordPiece's limit is one unknown token however it begins.
            ModelWrapper::WordPiece(_) | ModelWrapper::WordLevel(_) => None,
            ModelWrapper::BPE(_) => Some(BPE_ENDS),
            ModelWrapper::Unigram(_) => Some(self.vocabulary().longest).filter(|longest| *longest <= LONGEST_PIECE),
        }
    }
}
