//! A transformer encoder of our own, for processors. It knows families of models by their plans, reads their weights from
//! safetensors or from the initialisers of an ONNX file, and runs texts of any lengths together without padding.
//!
//! A row of numbers never depends on the rows beside it: products, norms and scales of 8-bit numbers are a row's own, and sums
//! have one order. So a text has one vector, alone or in any batch, with any number of threads.
//!
//! ```text
//! config, families → plan        what the network computes
//! weights → table, layer, head   what it computes with
//! attention, positions, kernel   how
//! ```

mod attention;
mod buffers;
mod bytes;
mod config;
mod embedding;
mod expected;
mod families;
mod head;
mod kernel;
mod layer;
mod loading;
mod matrix;
mod plan;
mod positions;
mod table;
mod weights;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::ArrayView2;

pub use self::kernel::Level;
pub use self::kernel::{Gang, Team};
pub use self::matrix::Rows;

use self::attention::Texts;
use self::buffers::Buffers;
use self::config::Refusal;
use self::embedding::LoadedEmbedding;
use self::families::Purpose;
use self::head::LoadedHead;
use self::kernel::{Format, Kernels};
use self::layer::{LoadedLayer, Run};
use self::plan::{Plan, Rotary};
use self::positions::Positions;
use self::table::Table;
use self::weights::LoadedNorm;
use super::{OutputKind, RunOutput, TokenVectors};
use crate::error::{Error, Result};
use crate::files::Object;
use crate::spec::Wanted;
use crate::tokenizer::TokenRow;

/// Tokens that run together. From 96 to 384 makes no difference beyond noise.
pub(super) const GROUP_TOKENS: usize = 256;

/// A loaded encoder.
#[derive(Debug)]
pub struct Encoder {
    plan: Plan,
    kernels: Kernels,
    format: Format,
    embedding: LoadedEmbedding,
    layers: Vec<LoadedLayer>,
    last_norm: Option<LoadedNorm>,
    head: Option<LoadedHead>,
    relative: Option<Table>,
    /// Those of the layers, each once.
    rotary: Vec<Rotary>,
    positions: Mutex<Arc<Positions>>,
    buffers: Mutex<Vec<Buffers>>,
}

/// Why the encoder does not know a model by its `config.json`, if it does not: the beginning of a sentence.
#[must_use]
pub fn refuses(config: &Object, wanted: &Wanted) -> Option<String> {
    // How many labels there are the weights say.
    match families::plan(config, Purpose::of(wanted, 1)) {
        Ok(_) => None,
        Err(Refusal::Unknown(reason)) => Some(reason),
        Err(Refusal::Broken(error)) => Some(error.to_string()),
    }
}

impl Encoder {
    /// What a run gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        match &self.head {
            Some(head) if head.is_pooled() => OutputKind::Sentences,
            Some(head) if !head.is_of_tokens() => OutputKind::Logits,
            _ => OutputKind::Tokens,
        }
    }

    /// How many tokens have a vector of their own.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.embedding.vocabulary()
    }

    /// The instruction set that is used.
    #[must_use]
    pub fn level(&self) -> Level {
        self.kernels.level
    }

    /// Runs rows of tokens together and gives the result to `read`. Safe from several threads at once.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the tokenizer gives a token, or a text has a position, that the network has no vector for; those
    /// of `read`.
    pub fn run(
        &self,
        rows: &[&TokenRow],
        gang: Gang<'_>,
        read: &mut dyn FnMut(&RunOutput<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut end = 0;
        let span = |row: &&TokenRow| {
            let start = end;
            end += row.ids.len();
            start..end
        };
        let texts: Vec<Range<usize>> = rows.iter().map(span).collect();
        // Each token's place in its text.
        let places: Vec<usize> = texts.iter().flat_map(|rows| 0..rows.len()).collect();
        let seen: Vec<usize> = rows.iter().map(|row| row.ids.len().saturating_sub(row.unseen)).collect();
        let longest = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let positions = self.positions(longest);
        let mut buffers = self.take_buffers();
        let hidden = self.plan.hidden;
        self.embedding.run(&self.kernels, gang, rows, &mut buffers)?;
        let run = Run {
            kernels: &self.kernels,
            gang,
            texts: Texts { spans: &texts, places: &places, seen: &seen },
            attention: &self.plan.attention,
            positions: &positions,
            hidden,
        };
        for layer in &self.plan.order {
            self.layers[*layer].run(run, &mut buffers);
        }
        if let Some(norm) = &self.last_norm {
            norm.apply_rows(&self.kernels, gang, &mut buffers.states);
        }
        let wrong = |error: ndarray::ShapeError| Error::Internal(error.to_string());
        let result = match &self.head {
            Some(head) => {
                let logits = head.run(&self.kernels, gang, &buffers.states, hidden, &texts, rows);
                let logits = logits.view();
                read(&if head.is_of_tokens() {
                    RunOutput::Tokens(TokenVectors { hidden: logits, spans: &texts })
                } else {
                    RunOutput::Rows(logits)
                })
            }
            None => {
                let hidden = ArrayView2::from_shape((end, hidden), &buffers.states).map_err(wrong)?;
                read(&RunOutput::Tokens(TokenVectors { hidden, spans: &texts }))
            }
        };
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        result
    }

    fn take_buffers(&self) -> Buffers {
        let kept = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Buffers::new(self.format))
    }

    /// Tables for texts of so many tokens.
    fn positions(&self, longest: usize) -> Arc<Positions> {
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        if positions.length < longest {
            let length = longest.next_power_of_two();
            let made = Positions::new(length, &self.rotary, &self.plan.attention, self.relative.as_ref());
            *positions = Arc::new(made);
        }
        positions.clone()
    }
}
