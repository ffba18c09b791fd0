//! What a model can be loaded as, one file each: its inputs, and what follows the network. Loading, tokenising, batching and
//! scheduling are the same for all.

pub mod classifier;
pub mod embedder;
pub mod late_embedder;
pub mod network;
pub mod reranker;
pub mod sparse;
pub mod token_classifier;

use crate::engine::Counted;

/// What a call gave whose rows have numbers of their own count: labels, weights of a vocabulary, vectors of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Ragged {
    /// The rows' numbers, one row after the other.
    pub values: Vec<f32>,
    /// What each number belongs to (a label, a token of the vocabulary); empty where its place says that.
    pub indices: Vec<u32>,
    /// How many numbers each row has.
    pub lengths: Vec<usize>,
    /// Tokens that went into the network.
    pub tokens: usize,
    /// Whether each row's text was cut.
    pub truncated: Vec<bool>,
}

/// A row of [`Ragged`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RaggedRow {
    /// Its numbers.
    pub values: Vec<f32>,
    /// As many, or none.
    pub indices: Vec<u32>,
}

impl Ragged {
    /// The rows in their order.
    #[must_use]
    pub fn of(rows: Vec<RaggedRow>, counted: Counted) -> Self {
        let mut ragged = Ragged {
            values: Vec::with_capacity(rows.iter().map(|row| row.values.len()).sum()),
            indices: Vec::with_capacity(rows.iter().map(|row| row.indices.len()).sum()),
            lengths: Vec::with_capacity(rows.len()),
            tokens: counted.tokens,
            truncated: counted.truncated,
        };
        for row in rows {
            ragged.lengths.push(row.values.len());
            ragged.values.extend(row.values);
            ragged.indices.extend(row.indices);
        }
        ragged
    }
}
