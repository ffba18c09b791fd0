//! Texts to sparse vectors: weights of tokens of the vocabulary, by index.

use std::sync::Arc;

use super::{Ragged, RaggedRow};
use crate::engine::{Answer, Counted, Engine, Head, Inputs, Request, Rows, Ticket};
use crate::error::{Error, Result};
use crate::head::{finite, splade};
use crate::network::RunOutput;
use crate::options::{Prompt, SparseOptions};
use crate::reply::Reply;
use crate::spec::{HeadSpec, SparseSpec, SparseWay};
use crate::tokenizer::{Limit, Part, TokenRow};

/// Embeds `texts`. A row's indices are ascending, and none of its numbers is 0. The answer comes on another thread.
pub fn embed(
    engine: &Arc<Engine>,
    texts: Vec<Part>,
    options: SparseOptions,
    ticket: Ticket,
    rows: Rows,
    reply: Reply<Answer<Ragged>>,
) {
    engine.submit_for(options.task, |engine| request(engine, texts, options, ticket, rows), reply);
}

/// How many tokens the vocabulary has: the numbers of a vector, those that are 0 counted in.
#[must_use]
pub fn dimensions(engine: &Engine) -> Option<usize> {
    match &engine.spec.head {
        HeadSpec::Sparse(SparseSpec { way: SparseWay::Splade(_), .. }) => Some(engine.width),
        HeadSpec::Sparse(SparseSpec { way: SparseWay::Weights { .. }, .. }) => engine.network().vocabulary(),
        _ => None,
    }
}

fn request(
    engine: &Engine,
    texts: Vec<Part>,
    options: SparseOptions,
    ticket: Ticket,
    rows: Rows,
) -> Result<Request<SparseHead>> {
    let HeadSpec::Sparse(spec) = &engine.spec.head else {
        return Err(Error::InvalidArgument("Expected a model that was loaded as a sparse embedder".into()));
    };
    let prompt = match &options.prompt {
        Prompt::Text(text) => text.clone(),
        named => engine.spec.prompt(named)?.to_owned(),
    };
    let max_length = engine.spec.max_length;
    Ok(Request {
        inputs: Inputs::Texts { prompt, task: options.task, texts },
        limit: Limit {
            tokens: max_length.of(options.max_length.or(max_length.of_task(options.task)))?,
            truncation: engine.truncation(options.truncation),
        },
        head: SparseHead {
            way: spec.way.clone(),
            max_active: options.max_active.or(spec.max_active).unwrap_or(usize::MAX),
        },
        ticket,
        rows,
    })
}

/// From logits, weights of the vocabulary or weights of tokens to those that are not 0.
#[derive(Debug)]
pub struct SparseHead {
    way: SparseWay,
    max_active: usize,
}

impl Head for SparseHead {
    type Output = Ragged;
    type Row = RaggedRow;

    fn read(&self, output: &RunOutput<'_>, at: usize, tokens: &TokenRow) -> Result<RaggedRow> {
        let row = match (&self.way, output) {
            // Pooled by the network.
            (SparseWay::Splade(_), RunOutput::Rows(rows)) => of_vocabulary(rows.row(at).iter().copied()),
            (SparseWay::Splade(pooling), RunOutput::Tokens(logits)) => {
                of_vocabulary(splade(logits.row(at), *pooling).into_iter())
            }
            (SparseWay::Weights { .. }, RunOutput::Tokens(weights)) => {
                of_tokens(&tokens.ids, weights.row(at).iter().copied())
            }
            (SparseWay::Weights { .. }, RunOutput::Rows(_)) => {
                return Err(Error::Internal("stored weights have two axes".into()));
            }
        };
        finite(&row.values)?;
        Ok(largest(row, self.max_active))
    }

    /// A text without tokens has no weights, as in a batch of the reference.
    fn read_nothing(&self) -> Result<RaggedRow> {
        Ok(RaggedRow::default())
    }

    fn finish(&self, rows: Vec<RaggedRow>, counted: Counted) -> Result<Ragged> {
        Ok(Ragged::of(rows, counted))
    }
}

/// Those of the vocabulary's weights that are not 0.
fn of_vocabulary(weights: impl Iterator<Item = f32>) -> RaggedRow {
    let (indices, values) = (0..).zip(weights).filter(|(_, weight)| *weight != 0.0).unzip();
    RaggedRow { values, indices }
}

/// The weights of a text's tokens, each once however often the text has it.
fn of_tokens(ids: &[u32], weights: impl Iterator<Item = f32>) -> RaggedRow {
    let mut pairs: Vec<(u32, f32)> = ids.iter().copied().zip(weights).filter(|(_, weight)| *weight != 0.0).collect();
    pairs.sort_by_key(|(id, _)| *id);
    pairs.dedup_by_key(|(id, _)| *id);
    let (indices, values) = pairs.into_iter().unzip();
    RaggedRow { values, indices }
}

/// So many of the numbers, those that are furthest from 0; of equal ones those of lower indices.
fn largest(row: RaggedRow, count: usize) -> RaggedRow {
    if row.values.len() <= count {
        return row;
    }
    let mut places: Vec<usize> = (0..row.values.len()).collect();
    // Stable, and all numbers are finite.
    places.sort_by(|a, b| row.values[*b].abs().total_cmp(&row.values[*a].abs()));
    places.truncate(count);
    places.sort_unstable();
    RaggedRow {
        values: places.iter().map(|place| row.values[*place]).collect(),
        indices: places.iter().map(|place| row.indices[*place]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_once_and_weights_of_zero_do_not() {
        let row = of_tokens(&[7, 3, 7, 9, 3], [0.5, -1.0, 0.5, 0.0, -1.0].into_iter());
        assert_eq!(row, RaggedRow { indices: vec![3, 7], values: vec![-1.0, 0.5] });
    }

    #[test]
    fn the_numbers_furthest_from_zero_stay_in_the_order_of_their_indices() {
        let row = of_vocabulary([1.0, 0.0, -3.0, 2.0, 1.0].into_iter());
        assert_eq!(row.indices, [0, 2, 3, 4]);
        assert_eq!(largest(row.clone(), 3), RaggedRow { indices: vec![0, 2, 3], values: vec![1.0, -3.0, 2.0] });
        assert_eq!(largest(row.clone(), 4), row);
    }
}
