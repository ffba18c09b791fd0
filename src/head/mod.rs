//! What follows the network, as pure functions on numbers: pooling, dense layers, normalisation, output formats.

use crate::error::{Error, Result};

mod activation;
mod labels;
mod layers;
mod pooling;
mod quantize;
mod spans;
mod splade;
mod token_pooling;
mod weights;

pub use activation::activate;
pub use labels::score_labels;
pub use layers::Layers;
pub use pooling::pool;
pub use quantize::{OutputData, quantize};
pub use spans::{Grouping, Span, Spans, group_name};
pub use splade::{splade, splade_weight};
pub use token_pooling::pool_tokens;
pub(crate) use weights::WeightsFile;

/// The numbers, where all are finite.
///
/// # Errors
/// [`Error::Numeric`] where one is not.
pub fn finite<N: AsRef<[f32]>>(numbers: N) -> Result<N> {
    if numbers.as_ref().iter().all(|number| number.is_finite()) {
        return Ok(numbers);
    }
    Err(Error::Numeric(
        "The network gave NaN or an infinite number. The model's file is damaged, or its number format does not suffice: try \
         another `dtype`"
            .into(),
    ))
}

/// Scales the vector to length 1, as `torch.nn.functional.normalize` does: `x / max(|x|, 1e-12)`. A zero vector stays
/// zero.
pub fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt().max(1e-12);
    #[allow(clippy::cast_possible_truncation, reason = "the result is a float32 vector")]
    for value in vector {
        *value = (f64::from(*value) / length) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalising_gives_length_one_and_leaves_zero_alone() {
        let mut vector = [3.0, 4.0];
        normalize(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut zero = [0.0; 3];
        normalize(&mut zero);
        assert_eq!(zero, [0.0; 3]);
        let mut huge = [f32::MAX, f32::MAX];
        normalize(&mut huge);
        assert!((huge[0] - std::f32::consts::FRAC_1_SQRT_2).abs() < 1e-6);
    }
}
