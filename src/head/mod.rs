//! What follows the network, as pure functions on numbers: pooling, dense layers, normalisation, output formats.

mod activation;
mod layers;
mod pooling;
mod quantize;

pub use activation::activate;
pub use layers::Layers;
pub use pooling::pool;
pub use quantize::{OutputData, quantize};

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
