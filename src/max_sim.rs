//! The score of late interaction (`ColBERT`): each of the query's vectors finds the document's vector that is most like it.
//!
//! `Σ over the query's rows of max over the document's rows of their dot product`, as `maxsim` of sentence-transformers 6.2
//! (`util/similarity.py`) without masks: a document without rows scores -1e9, below every other; a query without rows scores
//! 0. A number that is none gives NaN.

use crate::error::Result;
use crate::network::encoder::Rows;

/// The score of a document without rows.
pub const EMPTY_DOCUMENT: f32 = -1e9;

/// A query, ready for documents.
#[derive(Debug)]
pub struct MaxSim {
    query: Rows,
    /// Whether the query has a number that is none.
    broken: bool,
}

impl MaxSim {
    /// A query of rows of `dimensions` numbers.
    ///
    /// # Errors
    /// Those of [`Rows::new`].
    pub fn new(query: &[f32], dimensions: usize) -> Result<Self> {
        Ok(MaxSim { query: Rows::new(query, dimensions)?, broken: query.iter().any(|number| number.is_nan()) })
    }

    /// The score of a document, whose rows have as many numbers as the query's.
    #[must_use]
    pub fn score(&self, document: &[f32]) -> f32 {
        if document.len() < self.query.dimensions().max(1) {
            return EMPTY_DOCUMENT;
        }
        let mut best = vec![f32::NEG_INFINITY; self.query.count()];
        let mut broken = self.broken;
        self.query.products(document, |products| {
            for (best, product) in best.iter_mut().zip(products) {
                *best = if *product > *best { *product } else { *best };
            }
            // A row with a number that is none has no other products.
            broken |= products[0].is_nan();
        });
        // Rust's sum of nothing is -0.
        if broken { f32::NAN } else { best.iter().sum::<f32>() + 0.0 }
    }
}

/// The score of one query and one document, rows of `dimensions` numbers each. For many documents make a [`MaxSim`] once.
///
/// # Errors
/// Those of [`Rows::new`].
pub fn max_sim(query: &[f32], document: &[f32], dimensions: usize) -> Result<f32> {
    Ok(MaxSim::new(query, dimensions)?.score(document))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is written down, in f64.
    #[allow(clippy::cast_possible_truncation, reason = "the result is a float32")]
    fn naive(query: &[f32], document: &[f32], dimensions: usize) -> f32 {
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let best = |row: &[f32]| {
            document.chunks_exact(dimensions).map(|other| product(row, other)).fold(f64::NEG_INFINITY, f64::max)
        };
        query.chunks_exact(dimensions).map(best).sum::<f64>() as f32
    }

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).expect("16 bits")) / 32_768.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn every_shape_agrees_with_the_definition() {
        for dimensions in [1, 3, 16, 31, 96, 128] {
            for rows in [1, 2, 31, 32, 33, 70] {
                for others in [1, 5, 12, 13, 128, 700] {
                    let (query, document) = (numbers(rows * dimensions, 1), numbers(others * dimensions, 2));
                    let found = max_sim(&query, &document, dimensions).expect("kernels");
                    let wanted = naive(&query, &document, dimensions);
                    let near = 1e-5 * wanted.abs().max(1.0);
                    assert!((found - wanted).abs() <= near, "{rows}·{others}·{dimensions}: {found}, not {wanted}");
                }
            }
        }
    }

    #[test]
    fn what_has_no_rows_has_the_score_of_the_reference() {
        assert_eq!(max_sim(&[1.0, 0.0], &[], 2).expect("kernels"), -1e9);
        assert!(max_sim(&[], &[1.0, 0.0], 2).expect("kernels").to_bits() == 0);
        assert_eq!(max_sim(&[], &[], 2).expect("kernels"), -1e9);
    }

    #[test]
    fn a_number_that_is_none_is_not_passed_over() {
        for place in 0..6 {
            let mut broken = numbers(6, 3);
            broken[place] = f32::NAN;
            assert!(max_sim(&broken, &numbers(6, 4), 2).expect("kernels").is_nan());
            assert!(max_sim(&numbers(6, 4), &broken, 2).expect("kernels").is_nan());
        }
    }
}
