//! Which shapes of batches a graph takes, and batches in such shapes. Most graphs leave rows and length open. Some were
//! exported for a fixed number of rows, a fixed length, or both; these get what they want: rows that are repeated and thrown
//! away again, and padding, which the attention mask makes harmless. A graph without a mask sees padding as text, so its rows
//! run in lengths of their own.

use std::ops::Range;

use super::batch::Batch;
use crate::error::{Error, Result};

/// What is fixed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// Rows of each run.
    pub rows: Option<usize>,
    /// Tokens of each row.
    pub length: Option<usize>,
    /// Whether the graph is told what is padding.
    pub mask: bool,
}

/// A part of a batch in the shape of its run.
pub(super) struct Piece {
    /// The rows of the whole batch that it holds.
    pub rows: Range<usize>,
    pub batch: Batch,
}

impl Frame {
    /// Of a graph's inputs `[rows, tokens]`, with their names; negative numbers are open.
    pub fn of<'a>(shapes: impl Iterator<Item = (&'a str, &'a [i64])>, mask: bool, file: &str) -> Result<Self> {
        let mut frame = Frame { mask, ..Frame::default() };
        for (name, shape) in shapes {
            let &[rows, length] = shape else {
                return Err(Error::ModelUnsupported(format!(
                    "{file} asks for the input \"{name}\" of the shape {shape:?}. Expected two axes: rows and tokens"
                )));
            };
            for (place, size) in [(&mut frame.rows, rows), (&mut frame.length, length)] {
                let Ok(size) = usize::try_from(size) else { continue };
                if size == 0 || place.is_some_and(|other| other != size) {
                    return Err(Error::ModelUnsupported(format!(
                        "{file} asks for the input \"{name}\" of the fixed shape {shape:?}, which fits no text or not its other \
                         inputs. Export the model again with open (dynamic) axes for rows and tokens"
                    )));
                }
                *place = Some(size);
            }
        }
        if let (Some(length), false) = (frame.length, mask) {
            return Err(Error::ModelUnsupported(format!(
                "{file} was exported for texts of exactly {length} tokens and has no input \"attention_mask\", so shorter ones \
                 cannot be told from padding. Export the model again with open (dynamic) axes for rows and tokens"
            )));
        }
        Ok(frame)
    }

    /// The batch in pieces that the graph takes; `None` where it takes the batch as it is.
    pub fn pieces(&self, batch: &Batch, pad_id: u32) -> Option<Vec<Piece>> {
        let (rows, width) = batch.ids.dim();
        let padded = batch.spans.iter().any(|span| span.len() < width);
        let alone = !self.mask && padded;
        let fits = self.rows.is_none_or(|fixed| fixed == rows) && self.length.is_none_or(|fixed| fixed == width);
        if fits && !alone {
            return None;
        }
        let step = if alone { 1 } else { self.rows.unwrap_or(rows) };
        let starts = (0..rows).step_by(step.max(1));
        Some(
            starts
                .map(|start| {
                    let part = start..(start + step).min(rows);
                    let width = self.length.unwrap_or_else(|| if alone { batch.longest(&part) } else { width });
                    let batch = batch.part(part.clone(), self.rows.unwrap_or(part.len()), width, pad_id);
                    Piece { rows: part, batch }
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::TokenRow;

    fn batch(rows: &[&[u32]]) -> Batch {
        let rows: Vec<TokenRow> = rows
            .iter()
            .map(|ids| TokenRow { ids: ids.to_vec(), type_ids: vec![0; ids.len()], truncated: false, unseen: 0 })
            .collect();
        Batch::pad(&rows.iter().collect::<Vec<_>>(), 9)
    }

    fn ids(pieces: &[Piece]) -> Vec<Vec<Vec<i64>>> {
        pieces.iter().map(|piece| piece.batch.ids.outer_iter().map(|row| row.to_vec()).collect()).collect()
    }

    #[test]
    fn open_axes_take_a_batch_as_it_is() {
        let frame = Frame { mask: true, ..Frame::default() };
        assert!(frame.pieces(&batch(&[&[1, 2], &[3]]), 9).is_none());
    }

    #[test]
    fn fixed_axes_are_filled_and_every_row_runs_once() {
        let frame = Frame { rows: Some(2), length: Some(3), mask: true };
        let pieces = frame.pieces(&batch(&[&[1, 2], &[3], &[4, 5]]), 9).expect("pieces");
        assert_eq!(ids(&pieces), [vec![vec![1, 2, 9], vec![3, 9, 9]], vec![vec![4, 5, 9], vec![4, 5, 9]]]);
        assert_eq!(pieces.iter().map(|piece| piece.rows.clone()).collect::<Vec<_>>(), [0..2, 2..3]);
        assert_eq!(pieces[0].batch.mask.row(1).to_vec(), [1, 0, 0]);
    }

    #[test]
    fn without_a_mask_nothing_is_padded() {
        let frame = Frame::default();
        assert_eq!(
            ids(&frame.pieces(&batch(&[&[1, 2], &[3]]), 9).expect("pieces")),
            [[[1, 2].to_vec()], [[3].to_vec()]]
        );
        assert!(frame.pieces(&batch(&[&[1, 2], &[3, 4]]), 9).is_none());
    }

    #[test]
    fn shapes_that_no_text_fits_are_refused() {
        let of = |shapes: &[&[i64]], mask: bool| {
            Frame::of(shapes.iter().map(|shape| ("input_ids", *shape)), mask, "model.onnx")
                .map_err(|error| error.code())
        };
        assert_eq!(of(&[&[-1, -1], &[1, 128]], true), Ok(Frame { rows: Some(1), length: Some(128), mask: true }));
        assert_eq!(of(&[&[1, 128], &[1, 64]], true), Err("ERR_MODEL_UNSUPPORTED"));
        assert_eq!(of(&[&[1, 0]], true), Err("ERR_MODEL_UNSUPPORTED"));
        assert_eq!(of(&[&[-1]], true), Err("ERR_MODEL_UNSUPPORTED"));
        assert_eq!(of(&[&[-1, 128]], false), Err("ERR_MODEL_UNSUPPORTED"));
    }
}
