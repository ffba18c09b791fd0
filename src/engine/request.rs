//! A call as its maker states it: the texts, the limits, and what follows the network.

use std::fmt::{Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::network::RunOutput;
use crate::options::Task;
use crate::reply::Reply;
use crate::tokenizer::{Limit, Part, TokenRow};

/// The texts of a call.
#[derive(Debug)]
pub enum Inputs {
    /// Single texts, each behind the prompt.
    Texts {
        /// What goes before each text.
        prompt: String,
        /// What the texts are used as, where the caller says it: a chat's template may ask.
        task: Option<Task>,
        /// The texts.
        texts: Vec<Part>,
    },
    /// Pairs: one query for all documents, or one for each.
    Pairs {
        /// What goes before each first text.
        prompt: String,
        /// The first texts.
        queries: Vec<Part>,
        /// The second texts.
        documents: Vec<Part>,
        /// Whether a pair with a second text that is too long is several rows, which together hold all of it; else it is one row,
        /// cut.
        windows: bool,
    },
    /// Rows of tokens, special ones included.
    Tokens(Vec<TokenRow>),
}

impl Inputs {
    fn rows(&self) -> usize {
        match self {
            Inputs::Texts { texts, .. } => texts.len(),
            Inputs::Pairs { documents, .. } => documents.len(),
            Inputs::Tokens(rows) => rows.len(),
        }
    }

    /// Tokens that a row may have, before anything is tokenised, but for the query that all rows share: a token is rarely shorter
    /// than a byte.
    fn tokens(&self, row: usize) -> usize {
        match self {
            Inputs::Texts { prompt, texts, .. } => estimate(prompt.len().saturating_add(texts[row].text.len())),
            Inputs::Pairs { documents, .. } => estimate(documents[row].text.len()),
            Inputs::Tokens(rows) => rows[row].ids.len(),
        }
    }

    /// Tokens that the call may have.
    pub(super) fn estimate(&self, limit: usize) -> usize {
        let limit = if matches!(self, Inputs::Pairs { windows: true, .. }) { usize::MAX } else { limit };
        (0..self.rows()).map(|row| self.tokens(row).min(limit)).fold(0, usize::saturating_add)
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

    /// The same for what follows in a call that was accepted. Rows have other names then.
    #[must_use]
    pub fn going_on(&self) -> Self {
        Rows { first: Some(self.first.unwrap_or(0).max(1)), ..self.clone() }
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
    /// What a row gives.
    type Row: Send + 'static;
    /// What goes into the network for the tokens of a text.
    fn complete(&self, row: TokenRow) -> TokenRow {
        row
    }
    /// What the row at `at` of a run gives, whose tokens are `tokens`.
    ///
    /// # Errors
    /// [`crate::Error::Numeric`] where numbers are not finite. Who calls adds which row of the caller it is.
    fn read(&self, output: &RunOutput<'_>, at: usize, tokens: &TokenRow) -> Result<Self::Row>;
    /// What a text gives that has no token at all.
    ///
    /// # Errors
    /// Where that has no meaning.
    fn read_nothing(&self) -> Result<Self::Row>;
    /// The call's result from what all rows gave, in the order of the texts.
    ///
    /// # Errors
    /// Where the rows cannot be put into the form that is asked for.
    fn finish(&self, rows: Vec<Self::Row>, counted: Counted) -> Result<Self::Output>;
}

/// What a call read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Tokens that went into the network, special tokens included.
    pub tokens: usize,
    /// Whether each row was cut.
    pub truncated: Vec<bool>,
    /// How many rows each text or pair has: 1, but for those that were parted into windows.
    pub rows: Vec<usize>,
}

/// A call's answer.
pub enum Answer<O> {
    /// The result.
    Done(O),
    /// Longer parts of some texts are needed. Nothing has run.
    Short(Box<dyn Waiting<O>>),
}

/// A call that needs more of some texts.
pub trait Waiting<O>: Send {
    /// Texts, or documents, that are too short.
    fn texts(&self) -> &[usize];
    /// Queries that are too short.
    fn queries(&self) -> &[usize];
    /// Goes on with what follows the parts that were passed before, in the order of [`Waiting::texts`] and
    /// [`Waiting::queries`]. The answer is [`crate::Error::InvalidArgument`] where there are not as many.
    fn resume(self: Box<Self>, texts: Vec<Part>, queries: Vec<Part>, reply: Reply<Answer<O>>);
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
