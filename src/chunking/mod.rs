//! Long texts in chunks of so many tokens at most. Knows nothing of tokenizers: what has tokens is a [`Measure`].
//!
//! A chunk ends with the last paragraph that fits; where not even one fits, with the last sentence, else word, else grapheme
//! cluster (`boundaries.rs`). Nothing is lost: what is between two chunks is white space.
//!
//! The text is read once, in its own context, which tells where the tokens of a chunk end, nearly: at a chunk's edges words
//! lose their neighbours and may have other tokens. So every chunk is counted as it stands, and made shorter where it has
//! too many. The time is linear in the text, and the work is done in steps.

mod boundaries;

use std::collections::VecDeque;

use self::boundaries::{end_within, least_ends, skip_white, start_within};
use crate::error::{Error, Result};

/// What tells the tokens of texts.
pub trait Measure {
    /// A text that is being counted.
    type Count;
    /// How many tokens every text has beside its own.
    fn special(&self) -> usize;
    /// Reads on in `text` from the place `from`: adds to `ends` where tokens end, each at or behind the one before, and
    /// returns the place up to which it has read.
    ///
    /// # Errors
    /// Where the text cannot be read.
    fn read(&mut self, text: &str, from: usize, ends: &mut VecDeque<usize>) -> Result<usize>;
    /// Begins to count a text's tokens.
    fn begin(&self, text: &str) -> Self::Count;
    /// Counts on by a step: the number of tokens, special ones included, once it is known.
    ///
    /// # Errors
    /// Where the text cannot be read.
    fn advance(&mut self, count: &mut Self::Count) -> Result<Option<usize>>;
}

/// How large chunks may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Tokens of a chunk, special ones included.
    pub tokens: usize,
    /// Tokens of the chunk before that a chunk may begin with, special ones not included.
    pub overlap: usize,
}

/// A chunk: where it begins and ends in the text, in UTF-16 units, and how many tokens it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its first unit.
    pub start: usize,
    /// Behind its last unit.
    pub end: usize,
    /// Special tokens included.
    pub tokens: usize,
}

/// A text on its way into chunks.
#[derive(Debug)]
pub struct Chunker<M: Measure> {
    text: String,
    limits: ChunkLimits,
    measure: M,
    /// Where tokens end, from the chunk that is being made on, as far as the text has been read.
    ends: VecDeque<usize>,
    read: usize,
    draft: Draft,
    stage: Stage<M::Count>,
    starts_at: Units,
    ends_at: Units,
    chunks: Vec<Chunk>,
}

/// The chunk that is being made.
#[derive(Debug, Clone, Copy, Default)]
struct Draft {
    start: usize,
    /// Where its text begins that the chunk before does not have.
    fresh: usize,
    /// Tokens that it may have in its context.
    allowed: usize,
    /// By how many these are lowered at least where it has too many of its own.
    lower: usize,
}

#[derive(Debug)]
enum Stage<C> {
    /// Behind the text of a chunk that ends here and begins there.
    Between {
        start: usize,
        end: usize,
    },
    /// Looks how much of the chunk before, which is `text[start..end]`, the next one begins with: `text[from..end]` if that
    /// has no more than the overlap, else less than `allowed` tokens.
    Overlap {
        start: usize,
        end: usize,
        from: usize,
        allowed: usize,
        count: C,
    },
    /// Reads as far as the draft may reach.
    Open,
    /// Counts the draft that ends here.
    Close {
        end: usize,
        count: C,
    },
    Over,
}

impl<M: Measure> Chunker<M> {
    /// Begins with a text.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the limits leave no room.
    pub fn new(text: String, limits: ChunkLimits, measure: M) -> Result<Self> {
        let special = measure.special();
        if limits.tokens <= special {
            return Err(Error::InvalidArgument(format!(
                "Expected at least {} for `maxTokens`, as this model adds {special} special tokens to a text, but received {}",
                special + 1,
                limits.tokens
            )));
        }
        if limits.overlap.saturating_mul(2) >= limits.tokens {
            return Err(Error::InvalidArgument(format!(
                "Expected less than half of `maxTokens` ({}) for `overlap` but received {}",
                limits.tokens, limits.overlap
            )));
        }
        Ok(Chunker {
            text,
            limits,
            measure,
            ends: VecDeque::new(),
            read: 0,
            draft: Draft::default(),
            stage: Stage::Between { start: 0, end: 0 },
            starts_at: Units::default(),
            ends_at: Units::default(),
            chunks: Vec::new(),
        })
    }

    /// The chunks, once the text is over.
    #[must_use]
    pub fn into_chunks(self) -> Vec<Chunk> {
        self.chunks
    }

    /// Goes on by a step. Whether the text is over.
    ///
    /// # Errors
    /// Those of the [`Measure`]; [`Error::TooLong`] where a single character has more tokens than a chunk may have.
    pub fn step(&mut self) -> Result<bool> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Between { start, end } => self.go_on(start, end),
            Stage::Overlap { start, end, from, allowed, mut count } => match self.measure.advance(&mut count)? {
                None => Stage::Overlap { start, end, from, allowed, count },
                Some(tokens) => {
                    let excess = (tokens - self.measure.special()).saturating_sub(self.limits.overlap);
                    let inside = self.tokens_to(end) - self.tokens_to(from);
                    match excess {
                        0 => self.open(from),
                        _ => self.overlap(start, end, inside.min(allowed).saturating_sub(excess)),
                    }
                }
            },
            Stage::Open => self.read_on()?,
            Stage::Close { end, mut count } => match self.measure.advance(&mut count)? {
                None => Stage::Close { end, count },
                Some(tokens) if tokens <= self.limits.tokens => {
                    let start = self.starts_at.of(&self.text, self.draft.start);
                    self.chunks.push(Chunk { start, end: self.ends_at.of(&self.text, end), tokens });
                    Stage::Between { start: self.draft.start, end }
                }
                Some(tokens) => self.shrink(end, tokens)?,
            },
            Stage::Over => Stage::Over,
        };
        Ok(matches!(self.stage, Stage::Over))
    }

    /// Begins the chunk behind `text[start..end]`.
    fn go_on(&mut self, start: usize, end: usize) -> Stage<M::Count> {
        self.draft.fresh = skip_white(&self.text, end);
        if self.draft.fresh == self.text.len() {
            return Stage::Over;
        }
        self.overlap(start, end, self.limits.overlap)
    }

    /// Tries to begin with the last `allowed` tokens of the chunk before.
    fn overlap(&mut self, start: usize, end: usize, allowed: usize) -> Stage<M::Count> {
        let from = self.tokens_to(end).checked_sub(allowed + 1).map_or(start, |last| self.ends[last]);
        let from = if allowed == 0 { None } else { start_within(&self.text, start, end, from) };
        match from {
            Some(from) => {
                let count = self.measure.begin(&self.text[from..end]);
                Stage::Overlap { start, end, from, allowed, count }
            }
            None => self.open(self.draft.fresh),
        }
    }

    fn open(&mut self, start: usize) -> Stage<M::Count> {
        let allowed = self.limits.tokens - self.measure.special();
        self.draft = Draft { start, allowed, lower: 1, ..self.draft };
        self.ends.drain(..self.tokens_to(start));
        // White space between chunks need not be read.
        self.read = self.read.max(start);
        Stage::Open
    }

    fn read_on(&mut self) -> Result<Stage<M::Count>> {
        let Draft { start, fresh, allowed, .. } = self.draft;
        if self.ends.len() <= allowed && self.read < self.text.len() {
            self.read = self.measure.read(&self.text, self.read, &mut self.ends)?;
            return Ok(Stage::Open);
        }
        let limit = self.place_of(allowed);
        let end = if limit > fresh { end_within(&self.text, start, fresh, limit) } else { None };
        Ok(self.close(end.unwrap_or_else(|| least_ends(&self.text, fresh)[0])))
    }

    /// The last place before which no more than `allowed` tokens end.
    fn place_of(&self, allowed: usize) -> usize {
        let Some(beyond) = self.ends.get(allowed) else { return self.text.len() };
        // Several tokens may stand for one character.
        let within = self.ends.partition_point(|place| place < beyond);
        let Some(last) = within.checked_sub(1) else { return 0 };
        let place = self.text.floor_char_boundary(self.ends[last]);
        // Marks that the tokenizer leaves out belong to the character before them.
        let Some((start, _)) = self.text[..place].char_indices().next_back() else { return place };
        let [cluster, _] = least_ends(&self.text, start);
        if cluster < *beyond { cluster } else { place }
    }

    /// How many tokens of those that are known end up to `place`.
    fn tokens_to(&self, place: usize) -> usize {
        self.ends.partition_point(|end| *end <= place)
    }

    fn close(&mut self, end: usize) -> Stage<M::Count> {
        Stage::Close { end, count: self.measure.begin(&self.text[self.draft.start..end]) }
    }

    /// The draft that ends at `end` has too many tokens.
    fn shrink(&mut self, end: usize, tokens: usize) -> Result<Stage<M::Count>> {
        let excess = tokens - self.limits.tokens;
        let [cluster, character] = least_ends(&self.text, self.draft.fresh);
        if end > cluster {
            // Fewer than end here, so the next draft ends before this one.
            let inside = self.tokens_to(end).min(self.draft.allowed);
            self.draft.allowed = inside.saturating_sub(excess.max(self.draft.lower));
            self.draft.lower *= 2;
            return Ok(if inside == 0 { self.close(cluster) } else { Stage::Open });
        }
        if self.draft.start < self.draft.fresh {
            return Ok(self.open(self.draft.fresh));
        }
        if end > character {
            return Ok(self.close(character));
        }
        Err(Error::TooLong(format!(
            "Expected at least {tokens} for `maxTokens`, which {:?} alone needs, special tokens included, but received {}",
            &self.text[self.draft.fresh..character],
            self.limits.tokens
        )))
    }
}

/// A place in a text that only moves on, as bytes and as UTF-16 units.
#[derive(Debug, Clone, Copy, Default)]
struct Units {
    bytes: usize,
    units: usize,
}

impl Units {
    fn of(&mut self, text: &str, place: usize) -> usize {
        self.units += text[self.bytes..place].chars().map(char::len_utf16).sum::<usize>();
        self.bytes = place;
        self.units
    }
}

#[cfg(test)]
mod tests;
