//! Sparse vectors: numbers at ascending indices, zeros elsewhere; and many of them as one block that is searched by what a
//! query's indices hold and not vector by vector.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::similarity::best;

/// Vectors by their indices.
#[derive(Debug)]
pub struct SparseMatrix {
    rows: usize,
    /// Which posting list an index has.
    lists: HashMap<u32, u32>,
    /// Where each list begins; one more at the end.
    starts: Vec<usize>,
    /// The vectors of each list, ascending, and their numbers there.
    postings: Vec<(u32, f32)>,
    /// The scores of a search, to be used again.
    scores: Mutex<Vec<f64>>,
}

impl SparseMatrix {
    /// Vectors of so many numbers each, one behind the other.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the lengths do not fit or a vector's indices do not ascend; the sentence names the
    /// vector as one of `vectors`.
    pub fn new(lengths: &[u32], indices: &[u32], values: &[f32]) -> Result<Self> {
        let total = lengths.iter().map(|length| *length as usize).sum::<usize>();
        if total != indices.len() || total != values.len() || u32::try_from(lengths.len()).is_err() {
            return Err(Error::InvalidArgument("Expected as many indices and values as the lengths say".into()));
        }
        let mut lists = HashMap::new();
        let mut sizes = Vec::new();
        let mut list_of = Vec::with_capacity(total);
        let mut rest = indices;
        for (row, length) in lengths.iter().enumerate() {
            let (own, behind) = rest.split_at(*length as usize);
            if let Some(at) = own.windows(2).position(|pair| pair[0] >= pair[1]) {
                return Err(Error::InvalidArgument(format!(
                    "Expected more than {} (indices ascend) for `vectors[{row}].indices[{}]` but received {}",
                    own[at],
                    at + 1,
                    own[at + 1]
                )));
            }
            for index in own {
                let next = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
                let list = *lists.entry(*index).or_insert(next) as usize;
                if list == sizes.len() {
                    sizes.push(0_usize);
                }
                sizes[list] += 1;
                list_of.push(list);
            }
            rest = behind;
        }
        let mut starts = vec![0];
        let mut end = 0;
        starts.extend(sizes.iter().map(|size| {
            end += size;
            end
        }));
        let mut next = starts.clone();
        let mut postings = vec![(0, 0.0); total];
        let mut numbers = list_of.into_iter().zip(values);
        for (row, length) in (0_u32..).zip(lengths) {
            for (list, value) in numbers.by_ref().take(*length as usize) {
                postings[next[list]] = (row, *value);
                next[list] += 1;
            }
        }
        Ok(SparseMatrix { rows: lengths.len(), lists, starts, postings, scores: Mutex::default() })
    }

    /// How many vectors there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that it holds, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.postings.len() * size_of::<(u32, f32)>()
            + self.starts.len() * 3 * size_of::<usize>()
            + self.rows * size_of::<f64>()
    }

    /// The `k` vectors with the highest dot products with a query, whose indices ascend; best first, ties keep order.
    /// Products are added up in f64, in the order of the indices.
    #[must_use]
    pub fn top_k(&self, indices: &[u32], values: &[f32], k: usize) -> Vec<(usize, f64)> {
        let mut scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner);
        scores.clear();
        scores.resize(self.rows, 0.0);
        for (index, value) in indices.iter().zip(values) {
            let Some(list) = self.lists.get(index).map(|list| *list as usize) else { continue };
            let value = f64::from(*value);
            for (row, other) in &self.postings[self.starts[list]..self.starts[list + 1]] {
                scores[*row as usize] += value * f64::from(*other);
            }
        }
        best(&scores, k)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(vectors: &[&[(u32, f32)]]) -> Result<SparseMatrix> {
        let lengths: Vec<u32> = vectors.iter().map(|vector| u32::try_from(vector.len()).expect("short")).collect();
        let (indices, values): (Vec<u32>, Vec<f32>) = vectors.concat().into_iter().unzip();
        SparseMatrix::new(&lengths, &indices, &values)
    }

    #[test]
    fn the_best_are_those_of_all_dot_products() {
        let vectors: Vec<Vec<(u32, f32)>> = (0..200_u32)
            .map(|row| {
                let has = |index: &u32| (row * 7 + index * 13) % 5 < 2;
                (0..40)
                    .filter(has)
                    .map(|index| (index * 1_000_003, f32::from(u8::try_from((row + index) % 11).expect("small")) - 4.0))
                    .collect()
            })
            .collect();
        let found = matrix(&vectors.iter().map(Vec::as_slice).collect::<Vec<_>>()).expect("a matrix");
        let (indices, values) = (vec![0, 3_000_009, 3_000_010, 39 * 1_000_003], vec![1.0, -2.0, 100.0, 0.5]);
        let dot = |vector: &Vec<(u32, f32)>| {
            let of = |index: u32| vector.iter().find(|(own, _)| *own == index).map_or(0.0, |(_, value)| *value);
            indices.iter().zip(&values).map(|(index, value)| f64::from(of(*index)) * f64::from(*value)).sum::<f64>()
        };
        let mut naive: Vec<(usize, f64)> = vectors.iter().map(dot).enumerate().collect();
        naive.sort_by(|a, b| b.1.partial_cmp(&a.1).expect("numbers"));
        for k in [1, 10, 200, 1000] {
            // Twice: what a search leaves behind is not seen by the next.
            assert_eq!(found.top_k(&indices, &values, k), naive[..k.min(200)]);
            assert_eq!(found.top_k(&indices, &values, k), naive[..k.min(200)]);
        }
        assert_eq!(found.top_k(&[], &[], 2), [(0, 0.0), (1, 0.0)]);
    }

    #[test]
    fn indices_that_do_not_ascend_are_refused_by_name() {
        for second in [4, 3] {
            let error = matrix(&[&[(9, 1.0)], &[], &[(4, 1.0), (second, 1.0)]]).expect_err("refused");
            assert_eq!(error.code(), "ERR_INVALID_ARG");
            assert!(error.to_string().contains("more than 4 (indices ascend) for `vectors[2].indices[1]`"), "{error}");
        }
        assert!(matrix(&[&[(9, 1.0)], &[(1, 1.0)], &[(0, 1.0), (u32::MAX, 1.0)]]).is_ok());
        assert!(SparseMatrix::new(&[2], &[1], &[1.0]).is_err());
        assert!(SparseMatrix::new(&[1], &[1], &[]).is_err());
    }
}
