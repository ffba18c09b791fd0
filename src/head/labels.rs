//! From the logits of labels to scores.

use super::activate;
use crate::spec::{ActivationFunction, Scoring};

/// Makes scores of one row's logits, in place.
pub fn score_labels(scoring: Scoring, logits: &mut [f32]) {
    match scoring {
        Scoring::Logits => {}
        Scoring::Sigmoid => logits.iter_mut().for_each(|logit| *logit = activate(ActivationFunction::Sigmoid, *logit)),
        Scoring::Softmax => {
            // Less the largest, so that no power overflows and the largest is 1.
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            logits.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
            let sum: f32 = logits.iter().sum();
            logits.iter_mut().for_each(|power| *power /= sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_holds_for_numbers_of_any_size() {
        // By hand: e^-1, e^0 and e^-2 by their sum.
        for offset in [0.0, 1e4, -1e4] {
            let mut logits = [1.0 + offset, 2.0 + offset, offset];
            score_labels(Scoring::Softmax, &mut logits);
            for (score, expected) in logits.into_iter().zip([0.244_728_47, 0.665_240_96, 0.090_030_57]) {
                assert!((score - expected).abs() < 1e-6, "{score} with {offset}");
            }
        }
    }

    #[test]
    fn sigmoid_is_each_label_for_itself() {
        let mut logits = [0.0, 100.0, -100.0];
        score_labels(Scoring::Sigmoid, &mut logits);
        assert_eq!(logits[0], 0.5);
        assert!(logits[1] > 0.999_999 && logits[2] < 1e-30);
    }
}
