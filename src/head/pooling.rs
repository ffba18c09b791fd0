//! Token vectors to one vector. Semantics: `Pooling` of sentence-transformers 6.2.
//!
//! The functions see only a row's own tokens, without padding, so the padding side cannot matter.

use std::ops::Range;

use ndarray::ArrayView2;

use crate::options::Pooling;

/// Pools one row.
///
/// `hidden` is `[tokens, hidden]` without padding, and the first `skip` tokens (the prompt, where `include_prompt` is false)
/// take no part. The poolings are concatenated in their order.
#[must_use]
pub fn pool(hidden: ArrayView2<'_, f32>, skip: usize, pooling: &[Pooling]) -> Vec<f32> {
    let width = hidden.ncols();
    let kept = skip.min(hidden.nrows())..hidden.nrows();
    let mut vector = Vec::with_capacity(width * pooling.len());
    for mode in pooling {
        match mode {
            // Nothing left: the reference takes the first column of the padded row.
            Pooling::Cls => {
                let at = if kept.is_empty() { 0 } else { kept.start };
                vector.extend(hidden.row(at));
            }
            Pooling::Last if kept.is_empty() => vector.extend(std::iter::repeat_n(0.0, width)),
            Pooling::Last => vector.extend(hidden.row(kept.end - 1)),
            Pooling::Max => {
                let mut largest = vec![f32::NEG_INFINITY; width];
                for at in kept.clone() {
                    for (largest, value) in largest.iter_mut().zip(hidden.row(at)) {
                        // NaN must not be lost: it is reported later.
                        if *value > *largest || value.is_nan() {
                            *largest = *value;
                        }
                    }
                }
                vector.extend(largest);
            }
            Pooling::Mean => weighted(&mut vector, hidden, kept.clone(), |_| 1.0, |sum| sum),
            Pooling::MeanSqrtLen => weighted(&mut vector, hidden, kept.clone(), |_| 1.0, f32::sqrt),
            // Weights count from the row's first token, also where the prompt is left out.
            #[allow(clippy::cast_precision_loss, reason = "positions are far below 2^24")]
            Pooling::WeightedMean => {
                weighted(&mut vector, hidden, kept.clone(), |at| (at + 1) as f32, |sum| sum);
            }
        }
    }
    vector
}

fn weighted(
    vector: &mut Vec<f32>,
    hidden: ArrayView2<'_, f32>,
    kept: Range<usize>,
    weight: impl Fn(usize) -> f32,
    divisor: impl Fn(f32) -> f32,
) {
    let start = vector.len();
    vector.resize(start + hidden.ncols(), 0.0);
    let mut total = 0.0;
    for at in kept {
        let weight = weight(at);
        total += weight;
        for (sum, value) in vector[start..].iter_mut().zip(hidden.row(at)) {
            *sum += value * weight;
        }
    }
    let divisor = divisor(total.max(1e-9));
    vector[start..].iter_mut().for_each(|sum| *sum /= divisor);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn each_pooling_is_its_formula() {
        let hidden = array![[1.0, -8.0], [3.0, -2.0]];
        for (mode, expected) in [
            (Pooling::Cls, [1.0, -8.0]),
            (Pooling::Last, [3.0, -2.0]),
            (Pooling::Max, [3.0, -2.0]),
            (Pooling::Mean, [2.0, -5.0]),
            (Pooling::MeanSqrtLen, [4.0 / 2f32.sqrt(), -10.0 / 2f32.sqrt()]),
            (Pooling::WeightedMean, [7.0 / 3.0, -4.0]),
        ] {
            assert_eq!(pool(hidden.view(), 0, &[mode]), expected, "{mode:?}");
        }
    }

    #[test]
    fn poolings_are_concatenated_in_their_order() {
        let hidden = array![[1.0], [3.0]];
        assert_eq!(pool(hidden.view(), 0, &[Pooling::Last, Pooling::Cls, Pooling::Mean]), [3.0, 1.0, 2.0]);
    }

    #[test]
    fn a_skipped_prompt_takes_no_part_but_keeps_its_places() {
        let hidden = array![[9.0], [1.0], [2.0]];
        assert_eq!(pool(hidden.view(), 1, &[Pooling::Mean]), [1.5]);
        assert_eq!(pool(hidden.view(), 1, &[Pooling::WeightedMean]), [(2.0 + 6.0) / 5.0]);
        assert_eq!(pool(hidden.view(), 9, &[Pooling::Mean, Pooling::Last]), [0.0, 0.0]);
    }
}
