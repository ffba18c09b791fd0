//! From token vectors to logits.

use std::ops::Range;

use ndarray::Array2;

use super::config::Understood;
use super::kernel::{Format, Gang, Kernels, Operand, Panels, product};
use super::plan::{Activation, Head, HeadPool, HeadStep};
use super::weights::{LoadedNorm, Weights};

/// A head, ready. Its few numbers are f32, whatever the format of the layers.
#[derive(Debug)]
pub(super) struct LoadedHead {
    pool: HeadPool,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Linear(Panels),
    Activation(Activation),
    Norm(LoadedNorm),
}

impl LoadedHead {
    pub fn new(head: &Head, weights: &Weights<'_>) -> Understood<Self> {
        let steps = head.steps.iter().map(|step| {
            Ok(match step {
                HeadStep::Linear(linear) => Step::Linear(weights.linear(linear, Format::Float)?),
                HeadStep::Activation(function) => Step::Activation(*function),
                HeadStep::Norm(norm) => Step::Norm(weights.norm(norm)?),
            })
        });
        Ok(LoadedHead { pool: head.pool, steps: steps.collect::<Understood<_>>()? })
    }

    /// The logits of each text, `[texts, labels]`.
    pub fn run(&self, kernels: &Kernels, states: &[f32], hidden: usize, texts: &[Range<usize>]) -> Array2<f32> {
        let mut width = hidden;
        let mut vectors = Vec::with_capacity(texts.len() * hidden);
        for rows in texts {
            let tokens = &states[rows.start * hidden..rows.end * hidden];
            match self.pool {
                HeadPool::First => vectors.extend_from_slice(&tokens[..hidden]),
                HeadPool::Mean => vectors.extend(mean(tokens, hidden)),
            }
        }
        for step in &self.steps {
            match step {
                Step::Activation(function) => kernels.activate(*function, &mut vectors),
                Step::Norm(norm) => vectors.chunks_exact_mut(width).for_each(|row| norm.apply(kernels, row)),
                Step::Linear(panels) => {
                    let mut operand = Operand::new(Format::Float);
                    operand.fill(kernels, Gang::solo(), &vectors, width, width);
                    width = panels.outputs;
                    vectors = vec![0.0; texts.len() * width];
                    product(kernels, Gang::solo(), &operand, panels, &mut vectors, width);
                }
            }
        }
        Array2::from_shape_vec((texts.len(), width), vectors).unwrap_or_default()
    }
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
