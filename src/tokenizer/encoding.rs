//! Whole texts to token ids at once, and ids back to text: for callers that wait for the answer.

use super::{Tokenizer, tokens};
use crate::error::Result;

/// Token ids of a text or pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The ids.
    pub ids: Vec<u32>,
    /// For each 0 where it is of the first text, 1 where it is of the second, as the tokenizer's template says for special ones; also
    /// where the network is not told.
    pub type_ids: Vec<u32>,
}

impl Tokenizer {
    /// The tokens of a text, or of a pair, all of them.
    ///
    /// # Errors
    /// [`crate::Error::ModelInvalid`] where the tokenizer fails.
    pub fn encode(&self, text: &str, pair: Option<&str>, special: bool) -> Result<Encoding> {
        let first = self.ids(text)?;
        let second = pair.map(|pair| self.ids(pair)).transpose()?;
        if !special {
            let (of_first, second) = (first.len(), second.unwrap_or_default());
            let type_ids = [vec![0; of_first], vec![1; second.len()]].concat();
            return Ok(Encoding { ids: [first, second].concat(), type_ids });
        }
        let (first, second) = (tokens(first.into_iter()), second.map(|ids| tokens(ids.into_iter())));
        let whole = self.guarded("", || self.inner.post_process(first, second, true))?;
        Ok(Encoding { ids: whole.get_ids().to_vec(), type_ids: whole.get_type_ids().to_vec() })
    }

    /// The tokens of a text, or of a pair, as text: as the vocabulary writes them, and what it lacks as some models leave it.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn written(&self, text: &str, pair: Option<&str>, special: bool) -> Result<Vec<String>> {
        let tokens = |text: &str| self.guarded(text, || self.inner.encode(text, false));
        let (first, second) = (tokens(text)?, pair.map(tokens).transpose()?);
        if special {
            let whole = self.guarded("", || self.inner.post_process(first, second, true))?;
            return Ok(whole.get_tokens().to_vec());
        }
        let second = second.as_ref().map_or(&[][..], |second| second.get_tokens());
        Ok([first.get_tokens(), second].concat())
    }

    /// Each token as the vocabulary writes it; an empty name for an id that it does not have.
    #[must_use]
    pub fn names(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|id| self.inner.id_to_token(*id).unwrap_or_default()).collect()
    }

    /// The text that the ids stand for, as the tokenizer's decoder writes it. Ids that the vocabulary does not have are left out.
    ///
    /// # Errors
    /// [`crate::Error::ModelInvalid`] where the decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.guarded("", || self.inner.decode(ids, skip_special))
    }
}
