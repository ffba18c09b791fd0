//! A network that is only a table: a text's vector is the mean of its tokens' rows, each as often as it occurs (torch's `EmbeddingBag`).
//! Static embeddings of sentence-transformers and model2vec.
//!
//! Rows are read as they are stored: a vocabulary that shares rows (`mapping`), or scales them (`weights`), stays as small as it is.

use ndarray::Array2;
use safetensors::Dtype;

use super::RunOutput;
use crate::error::{Error, Result};
use crate::head::WeightsFile;
use crate::spec::NetworkFile;
use crate::tokenizer::TokenRow;

/// Tokens of a run: a run costs little, and what waits should be seen now and then.
pub(super) const RUN_TOKENS: usize = 1 << 16;

/// Tokens whose rows are added up one after the other.
const BLOCK_TOKENS: usize = 1 << 10;

/// A loaded table.
#[derive(Debug)]
pub struct Table {
    numbers: Numbers,
    width: usize,
    /// The row of each token; where there is none it is the token's id.
    mapping: Option<Vec<u32>>,
    /// The factor of each token.
    weights: Option<Vec<f32>>,
}

/// Rows, one after the other.
#[derive(Debug)]
enum Numbers {
    Floats(Vec<f32>),
    /// Without a scale, which model2vec does not keep.
    Bytes(Vec<i8>),
}

impl Table {
    /// Reads the table: `embedding.weight` of sentence-transformers, or model2vec's `embeddings` with `mapping` and `weights`.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the file is damaged or its tensors do not fit each other, [`Error::Disk`] where it cannot be
    /// read, [`Error::ModelUnsupported`] where a number format is not known.
    pub(super) fn load(file: &NetworkFile) -> Result<Self> {
        let weights = WeightsFile::at(file.path.clone(), &file.relative)?;
        let own = "embedding.weight";
        let of_model2vec = !weights.has(own);
        let name = if of_model2vec { "embeddings" } else { own };
        let shape = weights.matrix(name)?;
        let numbers = match weights.dtype(name)? {
            Dtype::I8 => Numbers::Bytes(weights.bytes(name, &shape)?),
            _ => Numbers::Floats(weights.floats(name, &shape)?),
        };
        let mut table = Table { numbers, width: shape[1], mapping: None, weights: None };
        if of_model2vec {
            let tokens = |tensor: &str| weights.has(tensor).then(|| weights.length(tensor)).transpose();
            if let Some(count) = tokens("mapping")? {
                let mapping = weights.indices("mapping", &[count])?;
                if let Some(row) = mapping.iter().find(|row| **row as usize >= shape[0]) {
                    return Err(Error::invalid_model(format!(
                        "{}: \"mapping\" names the row {row}, but \"embeddings\" has {} rows",
                        file.relative, shape[0]
                    )));
                }
                table.mapping = Some(mapping);
            }
            if let Some(count) = tokens("weights")? {
                table.weights = Some(weights.floats("weights", &[count])?);
            }
        }
        Ok(table)
    }

    /// Adds a token's row to `sums`.
    fn add(&self, id: u32, sums: &mut [f32]) -> Result<()> {
        let token = id as usize;
        let row = self.mapping.as_ref().map_or(Some(token), |mapping| mapping.get(token).map(|row| *row as usize));
        let place = |row: usize| row * self.width..(row + 1) * self.width;
        let weight = match &self.weights {
            None => Some(1.0),
            Some(weights) => weights.get(token).copied(),
        };
        let found = row.zip(weight).and_then(|(row, weight)| {
            match &self.numbers {
                Numbers::Floats(numbers) => {
                    let row = numbers.get(place(row))?.iter();
                    if self.weights.is_none() {
                        sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
                    } else {
                        sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number * weight);
                    }
                }
                Numbers::Bytes(numbers) => {
                    let row = numbers.get(place(row))?.iter();
                    sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += f32::from(*number) * weight);
                }
            }
            Some(())
        });
        found.ok_or_else(|| {
            Error::invalid_model(format!(
                "A text has the token {id}, for which the table has no row. The model's files do not fit each other: copy or download \
                 them again"
            ))
        })
    }

    /// Adds the rows of all tokens to `sums`: of a long text in blocks, since small numbers get lost beside a large sum.
    fn sum(&self, ids: &[u32], sums: &mut [f32]) -> Result<()> {
        if ids.len() <= BLOCK_TOKENS {
            return ids.iter().try_for_each(|id| self.add(*id, sums));
        }
        let mut block = vec![0.0; self.width];
        for ids in ids.chunks(BLOCK_TOKENS) {
            block.fill(0.0);
            ids.iter().try_for_each(|id| self.add(*id, &mut block))?;
            sums.iter_mut().zip(&block).for_each(|(sum, part)| *sum += part);
        }
        Ok(())
    }

    /// The means of rows of tokens.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the tokenizer gives a token that has no row; those of `read`.
    pub(super) fn run(&self, rows: &[&TokenRow], read: &mut dyn FnMut(&RunOutput<'_>) -> Result<()>) -> Result<()> {
        let mut means = Array2::zeros((rows.len(), self.width));
        for (row, mut mean) in rows.iter().zip(means.rows_mut()) {
            let mean = mean.as_slice_mut().unwrap_or_default();
            self.sum(&row.ids, mean)?;
            #[allow(clippy::cast_precision_loss, reason = "as the reference divides")]
            let count = row.ids.len().max(1) as f32;
            mean.iter_mut().for_each(|sum| *sum /= count);
        }
        read(&RunOutput::Rows(means.view()))
    }
}
