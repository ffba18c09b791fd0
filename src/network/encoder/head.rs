//! From token vectors to logits, of texts or of tokens.

use std::ops::Range;

use ndarray::Array2;

use super::config::Understood;
use super::kernel::{Fold, Format, Gang, Kernels, Operand, Panels, folded_product, product};
use super::plan::{Activation, Head, HeadPool, HeadStep};
use super::weights::{LoadedNorm, Weights};
use crate::head::splade_weight;
use crate::spec::{SpladePooling, SpladeStrategy};
use crate::tokenizer::TokenRow;

/// Rows that are one unit of work in what is done row by row.
const ROWS_PER_UNIT: usize = 8;

/// A head, ready. The few numbers of one for labels are f32, whatever the format of the layers; the many of a vocabulary have it too.
#[derive(Debug)]
pub(super) struct LoadedHead {
    pool: HeadPool,
    format: Format,
    steps: Vec<Step>,
    /// What the last step's numbers are pooled by, where they are.
    pooling: Option<SpladePooling>,
}

#[derive(Debug)]
enum Step {
    Linear(Panels),
    Activation(Activation),
    Norm(LoadedNorm),
}

impl LoadedHead {
    /// Whether each token has logits, and not each text.
    pub fn is_of_tokens(&self) -> bool {
        self.pool == HeadPool::Each && self.pooling.is_none()
    }

    /// Whether each text has a number for each token of the vocabulary.
    pub fn is_pooled(&self) -> bool {
        self.pooling.is_some()
    }

    pub fn new(head: &Head, format: Format, weights: &Weights<'_>) -> Understood<Self> {
        let format = if head.vocabulary.is_some() { format } else { Format::Float };
        let steps = head.steps.iter().map(|step| {
            Ok(match step {
                HeadStep::Linear(linear) => Step::Linear(weights.linear(linear, format)?),
                HeadStep::Activation(function) => Step::Activation(*function),
                HeadStep::Norm(norm) => Step::Norm(weights.norm(norm)?),
            })
        });
        Ok(LoadedHead {
            pool: head.pool,
            format,
            steps: steps.collect::<Understood<_>>()?,
            pooling: head.vocabulary.as_ref().and_then(|vocabulary| vocabulary.pooling),
        })
    }

    /// The logits of each text, `[texts, labels]`, or of each token, `[tokens, labels]`; or what pooling makes of a text's,
    /// `[texts, vocabulary]`.
    pub fn run(
        &self,
        kernels: &Kernels,
        gang: Gang<'_>,
        states: &[f32],
        hidden: usize,
        texts: &[Range<usize>],
        rows: &[&TokenRow],
    ) -> Array2<f32> {
        let mut width = hidden;
        let tokens = |rows: &Range<usize>| &states[rows.start * hidden..rows.end * hidden];
        let token = |rows: &Range<usize>, place: usize| &states[(rows.start + place) * hidden..][..hidden];
        let mut vectors: Vec<f32> = match self.pool {
            HeadPool::First => texts.iter().flat_map(|rows| token(rows, 0)).copied().collect(),
            HeadPool::Last(but) => {
                let last = |row: &TokenRow| row.ids.iter().rposition(|id| but != Some(*id)).unwrap_or(0);
                texts.iter().zip(rows).flat_map(|(text, row)| token(text, last(row))).copied().collect()
            }
            HeadPool::Mean => texts.iter().flat_map(|rows| mean(tokens(rows), hidden)).collect(),
            HeadPool::Each => states.to_vec(),
        };
        let mut count = vectors.len() / hidden;
        // A text's one vector is not worth a word with the others.
        let gang = if self.pool == HeadPool::Each { gang } else { Gang::solo() };
        for (number, step) in self.steps.iter().enumerate() {
            match step {
                Step::Activation(function) => {
                    gang.split(&mut vectors, width * ROWS_PER_UNIT, |_, rows| kernels.activate(*function, rows));
                }
                Step::Norm(norm) => norm.apply_rows(kernels, gang, &mut vectors),
                Step::Linear(panels) => {
                    let mut operand = Operand::new(self.format);
                    operand.fill(kernels, gang, &vectors, width, width);
                    width = panels.outputs;
                    match self.pooling.filter(|_| number + 1 == self.steps.len()) {
                        Some(pooling) => {
                            count = texts.len();
                            vectors = pooled(kernels, gang, &operand, panels, texts, pooling);
                        }
                        None => {
                            vectors = vec![0.0; count * width];
                            product(kernels, gang, &operand, panels, &mut vectors, width);
                        }
                    }
                }
            }
        }
        Array2::from_shape_vec((count, width), vectors).unwrap_or_default()
    }
}

/// The logits of each text's tokens, pooled as they come: all of them together would be a hundred megabytes for a thousand tokens.
fn pooled(
    kernels: &Kernels,
    gang: Gang<'_>,
    rows: &Operand,
    decoder: &Panels,
    texts: &[Range<usize>],
    pooling: SpladePooling,
) -> Vec<f32> {
    let weight = |logit: f32| splade_weight(pooling.activation, logit);
    let mut out = vec![0.0; texts.len() * decoder.outputs];
    let fold = match pooling.strategy {
        // The largest weight is that of the largest logit.
        SpladeStrategy::Max => Fold::Highest(&weight),
        SpladeStrategy::Sum => Fold::Sum(&weight),
    };
    folded_product(kernels, gang, rows, decoder, texts, fold, &mut out);
    out
}

#[allow(clippy::cast_precision_loss, reason = "texts are short")]
fn mean(tokens: &[f32], hidden: usize) -> Vec<f32> {
    let mut sums = vec![0.0; hidden];
    for row in tokens.chunks_exact(hidden) {
        sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
    }
    let count = (tokens.len() / hidden) as f32;
    sums.iter_mut().for_each(|sum| *sum /= count);
    sums
}
