//! From tokens to the vectors that the first layer gets.

use super::buffers::Buffers;
use super::config::Understood;
use super::kernel::{Format, Gang, Kernels, Operand, Panels, product};
use super::plan::Embedding;
use super::table::Table;
use super::weights::{LoadedNorm, Weights};
use crate::error::{Error, Result};
use crate::tokenizer::TokenRow;

/// An embedding with its tables.
#[derive(Debug)]
pub(super) struct LoadedEmbedding {
    width: usize,
    scale: f32,
    words: Table,
    places: Option<Table>,
    /// The id that places count from behind.
    padding: Option<u32>,
    types: Option<Table>,
    all_of_first_type: bool,
    norm: Option<LoadedNorm>,
    projection: Option<Panels>,
}

impl LoadedEmbedding {
    pub fn new(embedding: &Embedding, weights: &Weights<'_>) -> Understood<Self> {
        let width = embedding.width;
        let positions = embedding.positions.as_ref();
        let types = embedding.types.as_ref().map(|name| weights.table(name, width)).transpose()?;
        Ok(LoadedEmbedding {
            width,
            scale: embedding.scale,
            words: weights.table(&embedding.words, width)?,
            places: positions.map(|of| weights.table(&of.tensor, width)).transpose()?,
            padding: positions.and_then(|of| of.padding),
            // A network with one type does not ask for it: its graphs have no such input.
            all_of_first_type: embedding.all_of_first_type || types.as_ref().is_some_and(|types| types.rows() == 1),
            types,
            norm: embedding.norm.as_ref().map(|norm| weights.norm(norm)).transpose()?,
            projection: embedding.projection.as_ref().map(|of| weights.linear(of, Format::Float)).transpose()?,
        })
    }

    /// How many tokens there are.
    pub fn vocabulary(&self) -> usize {
        self.words.rows()
    }

    /// Writes the vectors of all rows' tokens to `buffers.states`.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where there is no vector for a token, its type or its position.
    pub fn run(&self, kernels: &Kernels, gang: Gang<'_>, rows: &[&TokenRow], buffers: &mut Buffers) -> Result<()> {
        let width = self.width;
        let tokens: usize = rows.iter().map(|row| row.ids.len()).sum();
        let into = if self.projection.is_some() { &mut buffers.branch } else { &mut buffers.states };
        into.resize(tokens * width);
        let mut added = vec![0.0; width];
        let mut vectors = into.chunks_exact_mut(width);
        for row in rows {
            let mut next = self.padding.map_or(0, |padding| padding as usize + 1);
            for (id, kind) in row.ids.iter().zip(&row.type_ids) {
                let Some(vector) = vectors.next() else { break };
                read(&self.words, *id as usize, vector, "token")?;
                if self.scale != 1.0 {
                    vector.iter_mut().for_each(|number| *number *= self.scale);
                }
                if let Some(types) = &self.types {
                    let kind = if self.all_of_first_type { 0 } else { *kind as usize };
                    read(types, kind, &mut added, "token type")?;
                    kernels.add(vector, &added);
                }
                if let Some(table) = &self.places {
                    let place = if self.padding == Some(*id) { *id as usize } else { next };
                    next += usize::from(self.padding != Some(*id));
                    read(table, place, &mut added, "position")?;
                    kernels.add(vector, &added);
                }
                if let Some(norm) = &self.norm {
                    norm.apply(kernels, vector);
                }
            }
        }
        if let Some(projection) = &self.projection {
            let mut operand = Operand::new(Format::Float);
            operand.fill(kernels, gang, &buffers.branch, width, width);
            buffers.states.resize(tokens * projection.outputs);
            product(kernels, gang, &operand, projection, &mut buffers.states, projection.outputs);
        }
        Ok(())
    }
}

fn read(table: &Table, row: usize, to: &mut [f32], what: &str) -> Result<()> {
    if row >= table.rows() {
        return Err(Error::invalid_model(format!(
            "A text has the {what} {row}, but the network has vectors for {} only. The model's files do not fit each other: copy or \
             download them again",
            table.rows()
        )));
    }
    table.read(row, to);
    Ok(())
}
