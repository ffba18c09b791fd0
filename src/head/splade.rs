//! SPLADE: logits of the vocabulary, one row a token, to one weight for each token of the vocabulary. Formulas:
//! sentence-transformers 6.2, `SpladePooling.forward`.

use ndarray::ArrayView2;

use crate::spec::{SpladeActivation, SpladePooling, SpladeStrategy};

/// What a logit weighs: nothing where it is not positive, NaN where it is none.
#[must_use]
pub fn splade_weight(activation: SpladeActivation, logit: f32) -> f32 {
    if logit <= 0.0 {
        return 0.0;
    }
    match activation {
        SpladeActivation::Relu => logit.ln_1p(),
        SpladeActivation::Log1pRelu => logit.ln_1p().ln_1p(),
    }
}

/// The weights of a text, of its logits `[tokens, vocabulary]`. What is no number in any token's logits is none in the result.
#[must_use]
pub fn splade(logits: ArrayView2<'_, f32>, pooling: SpladePooling) -> Vec<f32> {
    let mut weights = vec![0.0_f32; logits.ncols()];
    for row in logits.rows() {
        let pairs = weights.iter_mut().zip(row);
        match pooling.strategy {
            // Of the largest logit, below: a weight grows with its logit. `odd` is 0, but NaN where the logit is none or infinite.
            SpladeStrategy::Max => {
                for (weight, logit) in pairs {
                    let positive = if *logit <= 0.0 { 0.0 } else { *logit };
                    let odd = if positive.is_finite() { 0.0 } else { f32::NAN };
                    *weight = if positive > *weight { positive } else { *weight } + odd;
                }
            }
            SpladeStrategy::Sum => {
                for (weight, logit) in pairs.filter(|(_, logit)| **logit > 0.0 || logit.is_nan()) {
                    *weight += splade_weight(pooling.activation, *logit);
                }
            }
        }
    }
    if pooling.strategy == SpladeStrategy::Max {
        weights.iter_mut().for_each(|weight| *weight = splade_weight(pooling.activation, *weight));
    }
    weights
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    fn of(strategy: SpladeStrategy, activation: SpladeActivation) -> Vec<f32> {
        let logits = arr2(&[[1.0, -1.0, 0.0, 2.0], [3.0, -2.0, -1.0, 0.5]]);
        splade(logits.view(), SpladePooling { strategy, activation })
    }

    fn near(found: &[f32], expected: &[f32]) {
        let fits = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
        assert!(fits && found.len() == expected.len(), "{found:?} is not {expected:?}");
    }

    #[test]
    fn weights_are_the_formulas() {
        use SpladeActivation::{Log1pRelu, Relu};
        // ln 4, ln 3; ln 2 + ln 4, ln 3 + ln 1.5; and the logarithm of 1 and each of these.
        near(&of(SpladeStrategy::Max, Relu), &[1.386_294_4, 0.0, 0.0, 1.098_612_3]);
        near(&of(SpladeStrategy::Sum, Relu), &[2.079_441_5, 0.0, 0.0, 1.504_077_4]);
        near(&of(SpladeStrategy::Max, Log1pRelu), &[0.869_741_7, 0.0, 0.0, 0.741_276_3]);
        near(&of(SpladeStrategy::Sum, Log1pRelu), &[1.396_330_7, 0.0, 0.0, 1.081_644_5]);
    }

    #[test]
    fn what_is_no_number_stays_none_whichever_token_it_is_of() {
        for strategy in [SpladeStrategy::Max, SpladeStrategy::Sum] {
            for at in 0..3 {
                let mut logits = arr2(&[[-1.0, 5.0], [-1.0, 5.0], [-1.0, 5.0]]);
                logits[[at, 0]] = f32::NAN;
                let weights = splade(logits.view(), SpladePooling { strategy, activation: SpladeActivation::Relu });
                assert!(weights[0].is_nan() && weights[1] > 1.0, "{strategy:?}, token {at}: {weights:?}");
                // As in the reference: what is not positive is 0, however far it is.
                logits[[at, 0]] = f32::NEG_INFINITY;
                let weights = splade(logits.view(), SpladePooling { strategy, activation: SpladeActivation::Relu });
                assert!(weights[0] == 0.0, "{strategy:?}, token {at}: {weights:?}");
            }
        }
    }
}
