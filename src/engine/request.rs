//! A call as its maker states it: the texts, the limits, and what follows the network.

use std::fmt::{Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Short;
use crate::error::Result;
use crate::network::RunOutput;
use crate::tokenizer::{Limit, Part};

/// The texts of a call.
#[derive(Debug)]
pub enum Inputs {
    /// Single texts, each behind the prompt.
    Texts {
        /// What goes before each text.
        prompt: String,
        /// The texts.
        texts: Vec<Part>,
    },
    /// Pairs: one query for all documents, or one for each. The prompt goes before the query.
    Pairs {
        /// The first texts.
        queries: Vec<Part>,
        /// The second texts.
        documents: Vec<Part>,
    },
}

impl Inputs {
    fn rows(&self) -> usize {
        match self {
            Inputs::Texts { texts, .. } => texts.len(),
            Inputs::Pairs { documents, .. } => documents.len(),
        }
    }

    /// Bytes that tokenising a row reads, but for the query that all rows share.
    fn bytes(&self, row: usize) -> usize {
        match self {
            Inputs::Texts { prompt, texts } => prompt.len().saturating_add(texts[row].text.len()),
            Inputs::Pairs { documents, .. } => documents[row].text.len(),
        }
    }

    /// Tokens that the call may have, before anything is tokenised: a token is rarely shorter than a byte.
    pub(super) fn estimate(&self, limit: usize) -> usize {
        (0..self.rows()).map(|row| estimate(self.bytes(row)).min(limit)).fold(0, usize::saturating_add)
    }
}

/// Tokens that so many bytes may have, special ones included.
pub(super) fn estimate(bytes: usize) -> usize {
    bytes.saturating_add(8)
}

/// Which query belongs to a row.
pub(super) fn query_of(queries: usize, row: usize) -> usize {
    if queries == 1 { 0 } else { row }
}

/// A call.
#[derive(Debug)]
pub struct Request<H> {
    /// The texts.
    pub inputs: Inputs,
    /// Tokens a text or pair may have, and what happens to longer ones.
    pub limit: Limit,
    /// What follows the network.
    pub head: H,
    /// For cancelling.
    pub ticket: Ticket,
    /// Which of the caller's texts or pairs these are.
    pub rows: Rows,
}

/// Which rows of the caller's list a request holds: a long list comes in several requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// What the caller knows the list as, such as `texts`.
    pub list: String,
    /// The row of the list that is the request's first; `None` where there is no list but one text alone.
    pub first: Option<usize>,
}

impl Rows {
    /// The row at `at` of the request, as the caller would write it: `texts[777]`.
    #[must_use]
    pub fn name(&self, at: usize) -> impl Display + '_ {
        RowName { rows: self, at }
    }

    /// Whether this belongs to a call that was accepted before.
    #[must_use]
    pub fn is_continued(&self) -> bool {
        self.first.is_some_and(|first| first > 0)
    }
}

struct RowName<'rows> {
    rows: &'rows Rows,
    at: usize,
}

impl Display for RowName<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self.rows.first {
            Some(first) => write!(formatter, "`{}[{}]`", self.rows.list, first + self.at),
            None => write!(formatter, "`{}`", self.rows.list),
        }
    }
}

/// What follows the network, for one product.
pub trait Head: Send + Sync + Sized + 'static {
    /// The call's result.
    type Output: Send + 'static;
    /// Numbers that a row gives.
    fn width(&self) -> usize;
    /// The numbers of the row at `at` of a run.
    ///
    /// # Errors
    /// [`crate::Error::Numeric`] where they are not finite. Who calls adds which row of the caller it is.
    fn read(&self, output: &RunOutput<'_>, at: usize) -> Result<Vec<f32>>;
    /// The numbers of a text that has no token at all.
    ///
    /// # Errors
    /// Where that has no meaning.
    fn read_nothing(&self) -> Result<Vec<f32>>;
    /// The call's result from all rows' numbers.
    ///
    /// # Errors
    /// Where the numbers cannot be put into the form that is asked for.
    fn finish(&self, numbers: Vec<f32>, counted: Counted) -> Result<Self::Output>;
}

/// What a call read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Tokens that went into the network, special tokens included.
    pub tokens: usize,
    /// Whether each text or pair was cut.
    pub truncated: Vec<bool>,
}

/// A call's answer.
pub enum Answer<H: Head> {
    /// The result.
    Done(H::Output),
    /// Longer parts of some texts are needed. Nothing has run.
    Short(Box<Short<H>>),
}

/// Cancels a call: clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Ticket(Arc<AtomicBool>);

impl Ticket {
    /// Ends the call: what has not run will not.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
