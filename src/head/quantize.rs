//! Output formats, byte for byte as `sentence_transformers.quantize_embeddings` gives them (float32 arithmetic).

use crate::error::{Error, Result};
use crate::options::{Output, Ranges};

/// Vectors in the format that the caller asked for, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputData {
    /// `float32`
    Float32(Vec<f32>),
    /// `int8` and `binary`
    Int8(Vec<i8>),
    /// `uint8` and `ubinary`
    Uint8(Vec<u8>),
}

/// Converts `vectors`, each of `dimensions` numbers.
///
/// - `uint8`: `clip(floor((x - min) / ((max - min) / 255)), 0, 255)` a dimension; a step of 0 counts as 1
/// - `int8`: that less 128
/// - `ubinary`: one bit a dimension, 1 where `x > 0`, the first dimension in the highest bit, the last byte filled with 0
/// - `binary`: that less 128
///
/// # Errors
/// [`Error::InvalidArgument`] where ranges are missing or have another size than the vectors.
pub fn quantize(vectors: Vec<f32>, dimensions: usize, output: Output, ranges: Option<&Ranges>) -> Result<OutputData> {
    Ok(match output {
        Output::Float32 => OutputData::Float32(vectors),
        Output::Uint8 => OutputData::Uint8(steps(&vectors, dimensions, output, ranges)?),
        Output::Int8 => {
            OutputData::Int8(steps(&vectors, dimensions, output, ranges)?.into_iter().map(signed).collect())
        }
        Output::Ubinary => OutputData::Uint8(bits(&vectors, dimensions)),
        Output::Binary => OutputData::Int8(bits(&vectors, dimensions).into_iter().map(signed).collect()),
    })
}

/// Less 128.
#[allow(clippy::cast_possible_wrap, reason = "0..=255 less 128 is -128..=127: flip the highest bit")]
fn signed(byte: u8) -> i8 {
    (byte ^ 0x80) as i8
}

fn steps(vectors: &[f32], dimensions: usize, output: Output, ranges: Option<&Ranges>) -> Result<Vec<u8>> {
    let ranges = ranges.ok_or_else(|| {
        Error::InvalidArgument(format!(
            "Expected `ranges` with `output: '{}'`: the lowest and highest value of each dimension, from a sample of your vectors",
            output.as_str()
        ))
    })?;
    for (name, values) in [("min", &ranges.min), ("max", &ranges.max)] {
        if values.len() != dimensions {
            return Err(Error::InvalidArgument(format!(
                "Expected {dimensions} numbers, one a dimension, for `ranges.{name}` but received {}",
                values.len()
            )));
        }
    }
    let scale: Vec<f32> = ranges
        .min
        .iter()
        .zip(&ranges.max)
        .map(|(min, max)| (max - min) / 255.0)
        .map(|step| if step == 0.0 { 1.0 } else { step })
        .collect();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255 before the cast")]
    let quantized = vectors
        .chunks_exact(dimensions)
        .flat_map(|row| row.iter().zip(&ranges.min).zip(&scale))
        .map(|((value, min), step)| ((value - min) / step).floor().clamp(0.0, 255.0) as u8)
        .collect();
    Ok(quantized)
}

fn bits(vectors: &[f32], dimensions: usize) -> Vec<u8> {
    vectors
        .chunks_exact(dimensions)
        .flat_map(|row| row.chunks(8))
        .map(|eight| {
            eight.iter().enumerate().fold(0, |byte, (bit, value)| byte | (u8::from(*value > 0.0) << (7 - bit)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_filled_from_the_highest_and_rows_start_a_byte() {
        let vectors =
            vec![1.0, -1.0, 0.0, -0.0, 1e-30, 1.0, 1.0, 1.0, 1.0, 0.5, -1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, -3.0];
        let packed = quantize(vectors.clone(), 9, Output::Ubinary, None).expect("bits");
        assert_eq!(packed, OutputData::Uint8(vec![0b1000_1111, 0x80, 0b1010_0000, 0]));
        let packed = quantize(vectors, 9, Output::Binary, None).expect("bits");
        assert_eq!(packed, OutputData::Int8(vec![15, 0, 32, -128]));
    }

    #[test]
    fn steps_are_clipped_and_a_flat_dimension_has_step_one() {
        let ranges = Ranges { min: vec![-1.0, 2.0], max: vec![1.0, 2.0] };
        let bytes = quantize(vec![-5.0, 2.0, 0.0, 4.5, 9.0, 1.0], 2, Output::Uint8, Some(&ranges)).expect("bytes");
        assert_eq!(bytes, OutputData::Uint8(vec![0, 0, 127, 2, 255, 0]));
        let bytes = quantize(vec![-5.0, 2.0], 2, Output::Int8, Some(&ranges)).expect("bytes");
        assert_eq!(bytes, OutputData::Int8(vec![-128, -128]));
        assert_eq!(quantize(vec![0.0], 1, Output::Int8, None).expect_err("no ranges").code(), "ERR_INVALID_ARG");
    }
}
