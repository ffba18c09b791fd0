//! Dense layers and layer norms behind the pooling, with their weights.

use ndarray::{Array2, ArrayView2};
use safetensors::{Dtype, SafeTensors};

use super::{activate, normalize};
use crate::error::{Error, Result};
use crate::files::{ModelFolder, impostor};
use crate::spec::{DenseSpec, LayerNormSpec, ModuleStep};

/// `torch.nn.LayerNorm`'s default.
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// The steps behind the pooling, ready to run.
#[derive(Debug, Default)]
pub struct Layers {
    layers: Vec<Layer>,
}

#[derive(Debug)]
enum Layer {
    Dense { spec: DenseSpec, weight: Vec<f32>, bias: Option<Vec<f32>>, residual: Option<Vec<f32>> },
    Norm { spec: LayerNormSpec, weight: Vec<f32>, bias: Vec<f32> },
    Normalize,
}

impl Layers {
    /// Reads the weights of `steps`.
    ///
    /// # Errors
    /// [`Error::FileNotFound`], [`Error::Disk`]; [`Error::ModelInvalid`] where a tensor is missing or has another shape
    /// than the module's configuration says.
    pub fn load(folder: &ModelFolder, steps: &[ModuleStep]) -> Result<Self> {
        let layers = steps.iter().map(|step| match step {
            ModuleStep::Normalize => Ok(Layer::Normalize),
            ModuleStep::Dense(spec) => {
                let bytes = read(folder, &spec.weights)?;
                let file = Weights::parse(&spec.weights, &bytes)?;
                let matrix = [spec.outputs, spec.inputs];
                Ok(Layer::Dense {
                    weight: file.tensor("linear.weight", &matrix)?,
                    bias: spec.bias.then(|| file.tensor("linear.bias", &[spec.outputs])).transpose()?,
                    residual: (spec.residual && spec.inputs != spec.outputs)
                        .then(|| file.tensor("residual.weight", &matrix))
                        .transpose()?,
                    spec: spec.clone(),
                })
            }
            ModuleStep::LayerNorm(spec) => {
                let bytes = read(folder, &spec.weights)?;
                let file = Weights::parse(&spec.weights, &bytes)?;
                Ok(Layer::Norm {
                    weight: file.tensor("norm.weight", &[spec.dimension])?,
                    bias: file.tensor("norm.bias", &[spec.dimension])?,
                    spec: spec.clone(),
                })
            }
        });
        Ok(Layers { layers: layers.collect::<Result<_>>()? })
    }

    /// How many dimensions come out where `inputs` go in.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the sizes do not fit each other.
    pub fn dimensions(&self, inputs: usize) -> Result<usize> {
        let mut size = inputs;
        for layer in &self.layers {
            let (expected, outputs, file) = match layer {
                Layer::Dense { spec, .. } => (spec.inputs, spec.outputs, &spec.weights),
                Layer::Norm { spec, .. } => (spec.dimension, spec.dimension, &spec.weights),
                Layer::Normalize => continue,
            };
            if size != expected {
                return Err(Error::invalid_model(format!(
                    "{file} expects vectors of {expected} dimensions but gets {size}"
                )));
            }
            size = outputs;
        }
        Ok(size)
    }

    /// Whether nothing is done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Applies the steps to each row of `[tokens, hidden]`.
    #[must_use]
    pub fn apply_rows(&self, hidden: ArrayView2<'_, f32>) -> Array2<f32> {
        let rows: Vec<Vec<f32>> = hidden.rows().into_iter().map(|row| self.apply(row.to_vec())).collect();
        let width = rows.first().map_or(0, Vec::len);
        Array2::from_shape_fn((rows.len(), width), |(row, column)| rows[row][column])
    }

    /// Applies the steps. The vector's size was checked by [`Layers::dimensions`].
    #[must_use]
    pub fn apply(&self, mut vector: Vec<f32>) -> Vec<f32> {
        for layer in &self.layers {
            match layer {
                Layer::Normalize => normalize(&mut vector),
                Layer::Norm { weight, bias, .. } => layer_norm(&mut vector, weight, bias),
                Layer::Dense { spec, weight, bias, residual } => {
                    let mut output = product(weight, &vector);
                    if let Some(bias) = bias {
                        output.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
                    }
                    output.iter_mut().for_each(|value| *value = activate(spec.activation, *value));
                    if spec.residual {
                        let added = residual.as_ref().map_or_else(|| vector.clone(), |weight| product(weight, &vector));
                        output.iter_mut().zip(added).for_each(|(value, added)| *value += added);
                    }
                    vector = output;
                }
            }
        }
        vector
    }
}

fn product(weight: &[f32], vector: &[f32]) -> Vec<f32> {
    weight
        .chunks_exact(vector.len())
        .map(|row| row.iter().zip(vector).map(|(weight, value)| weight * value).sum())
        .collect()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "sizes are small; the result is float32"
)]
fn layer_norm(vector: &mut [f32], weight: &[f32], bias: &[f32]) {
    let count = vector.len() as f64;
    let mean = vector.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let variance = vector.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
    let scale = 1.0 / (variance + LAYER_NORM_EPSILON).sqrt();
    for ((value, weight), bias) in vector.iter_mut().zip(weight).zip(bias) {
        *value = ((f64::from(*value) - mean) * scale) as f32 * weight + bias;
    }
}

fn read(folder: &ModelFolder, name: &str) -> Result<Vec<u8>> {
    folder.read(name)?.ok_or_else(|| Error::FileNotFound(format!("{} has no {name}", folder.root().display())))
}

struct Weights<'bytes> {
    file: String,
    tensors: SafeTensors<'bytes>,
}

impl<'bytes> Weights<'bytes> {
    fn parse(file: &str, bytes: &'bytes [u8]) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|source| {
            impostor(file, bytes).unwrap_or_else(|| {
                let message = format!("{file} is not a safetensors file. Copy or download it again");
                Error::invalid_model_because(message, source)
            })
        })?;
        Ok(Weights { file: file.to_owned(), tensors })
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let file = &self.file;
        let tensor = self
            .tensors
            .tensor(name)
            .map_err(|source| Error::invalid_model_because(format!("{file} has no tensor \"{name}\""), source))?;
        if tensor.shape() != shape {
            return Err(Error::invalid_model(format!(
                "{file}: expected the shape {shape:?} for \"{name}\" but found {:?}",
                tensor.shape()
            )));
        }
        let data = tensor.data();
        Ok(match tensor.dtype() {
            Dtype::F32 => {
                data.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
            }
            Dtype::F16 => {
                data.chunks_exact(2).map(|bytes| half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()).collect()
            }
            Dtype::BF16 => {
                data.chunks_exact(2).map(|bytes| half::bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32()).collect()
            }
            other => {
                return Err(Error::ModelUnsupported(format!(
                    "{file}: \"{name}\" has the number format {other:?}. Supported are F32, F16 and BF16"
                )));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_layer_is_activation_of_product_plus_bias() {
        let spec = DenseSpec {
            weights: "2_Dense/model.safetensors".into(),
            inputs: 2,
            outputs: 3,
            bias: true,
            activation: crate::spec::ActivationFunction::Relu,
            residual: false,
        };
        let layers = Layers {
            layers: vec![Layer::Dense {
                spec,
                weight: vec![1.0, 2.0, -1.0, 0.0, 0.5, 0.5],
                bias: Some(vec![0.5, 0.0, -1.0]),
                residual: None,
            }],
        };
        assert_eq!(layers.apply(vec![1.0, 1.0]), [3.5, 0.0, 0.0]);
        assert_eq!(layers.dimensions(2).expect("fits"), 3);
        assert_eq!(layers.dimensions(5).expect_err("does not fit").code(), "ERR_MODEL_INVALID");
    }
}
