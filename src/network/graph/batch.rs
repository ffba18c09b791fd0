//! The padded arrays that a run gets. Pure numbers.

use std::ops::Range;

use ndarray::Array2;

use crate::tokenizer::TokenRow;

/// Rows padded to one width, each array `[batch, tokens]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Token ids.
    pub ids: Array2<i64>,
    /// 1 for a token, 0 for padding and for a token that is seen by nobody.
    pub mask: Array2<i64>,
    /// Segment ids.
    pub type_ids: Array2<i64>,
    /// Where each row's tokens stand.
    pub spans: Vec<Range<usize>>,
}

impl Batch {
    /// Pads `rows` behind their tokens to the longest of them.
    ///
    /// Also where the repository says "left": masked padding changes nothing behind the tokens, while before them it
    /// shifts the positions of graphs that count columns (BERT with learned positions). Causal networks never look at
    /// what comes after a token. So every row has the vectors that it would have alone.
    #[must_use]
    pub fn pad(rows: &[&TokenRow], pad_id: u32) -> Self {
        let width = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let shape = (rows.len(), width);
        let mut batch = Batch {
            ids: Array2::from_elem(shape, i64::from(pad_id)),
            mask: Array2::zeros(shape),
            type_ids: Array2::zeros(shape),
            spans: Vec::with_capacity(rows.len()),
        };
        for (at, row) in rows.iter().enumerate() {
            for (column, (id, type_id)) in row.ids.iter().zip(&row.type_ids).enumerate() {
                batch.ids[[at, column]] = i64::from(*id);
                batch.type_ids[[at, column]] = i64::from(*type_id);
                batch.mask[[at, column]] = i64::from(column + row.unseen < row.ids.len());
            }
            batch.spans.push(0..row.ids.len());
        }
        batch
    }

    /// Tokens of the longest of these rows.
    #[must_use]
    pub fn longest(&self, rows: &Range<usize>) -> usize {
        self.spans[rows.clone()].iter().map(ExactSizeIterator::len).max().unwrap_or(0)
    }

    /// The rows at `rows`, `count` of them (the last is repeated) and `width` tokens wide, which is enough for each.
    #[must_use]
    pub fn part(&self, rows: Range<usize>, count: usize, width: usize, pad_id: u32) -> Batch {
        let last = rows.end.saturating_sub(1);
        let places: Vec<usize> = rows.chain(std::iter::repeat(last)).take(count).collect();
        let copied = |array: &Array2<i64>, filling: i64| {
            Array2::from_shape_fn((count, width), |(row, column)| {
                array.get([places[row], column]).copied().unwrap_or(filling)
            })
        };
        Batch {
            ids: copied(&self.ids, i64::from(pad_id)),
            mask: copied(&self.mask, 0),
            type_ids: copied(&self.type_ids, 0),
            spans: places.iter().map(|row| self.spans[*row].clone()).collect(),
        }
    }

    /// Positions of the tokens, counted from `offset`; padding repeats the offset.
    #[must_use]
    pub fn positions(&self, offset: usize) -> Array2<i64> {
        let offset = i64::try_from(offset).unwrap_or(0);
        let mut positions = Array2::from_elem(self.ids.raw_dim(), offset);
        for (row, span) in self.spans.iter().enumerate() {
            for (position, column) in span.clone().enumerate() {
                positions[[row, column]] = offset + i64::try_from(position).unwrap_or(0);
            }
        }
        positions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ids: &[u32]) -> TokenRow {
        TokenRow { ids: ids.to_vec(), type_ids: vec![0; ids.len()], truncated: false, unseen: 0 }
    }

    #[test]
    fn rows_are_padded_behind_their_tokens() {
        let (long, short) = (row(&[5, 6, 7]), row(&[8]));
        let batch = Batch::pad(&[&long, &short], 9);
        assert_eq!(batch.ids.row(1).to_vec(), [8, 9, 9]);
        assert_eq!(batch.mask.row(1).to_vec(), [1, 0, 0]);
        assert_eq!(batch.spans, [0..3, 0..1]);
        assert_eq!(batch.positions(2).row(0).to_vec(), [2, 3, 4]);
        assert_eq!(batch.positions(2).row(1).to_vec(), [2, 2, 2]);
    }

    #[test]
    fn a_token_that_nobody_sees_is_masked_and_keeps_its_place() {
        let (long, filled) = (row(&[5, 6, 7, 8]), TokenRow { unseen: 2, ..row(&[5, 4, 4]) });
        let batch = Batch::pad(&[&long, &filled], 9);
        assert_eq!(batch.ids.row(1).to_vec(), [5, 4, 4, 9]);
        assert_eq!(batch.mask.row(1).to_vec(), [1, 0, 0, 0]);
        assert_eq!(batch.spans[1], 0..3);
        assert_eq!(batch.positions(0).row(1).to_vec(), [0, 1, 2, 0]);
    }
}
