//! Dense layers and layer norms behind the pooling, with their weights.

use ndarray::{Array2, ArrayView2};

use super::weights::WeightsFile;
use super::{activate, normalize};
use crate::error::{Error, Result};
use crate::files::ModelFolder;
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
    Dense { spec: DenseSpec, shape: [usize; 2], weight: Vec<f32>, bias: Option<Vec<f32>>, residual: Option<Vec<f32>> },
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
                let file = WeightsFile::open(folder, &spec.weights)?;
                let shape = match spec.shape {
                    Some(shape) => shape,
                    None => file.matrix("linear.weight")?,
                };
                let [outputs, inputs] = shape;
                Ok(Layer::Dense {
                    shape,
                    weight: file.floats("linear.weight", &shape)?,
                    bias: spec.bias.then(|| file.floats("linear.bias", &[outputs])).transpose()?,
                    residual: (spec.residual && inputs != outputs)
                        .then(|| file.floats("residual.weight", &shape))
                        .transpose()?,
                    spec: spec.clone(),
                })
            }
            ModuleStep::LayerNorm(spec) => {
                let file = WeightsFile::open(folder, &spec.weights)?;
                Ok(Layer::Norm {
                    weight: file.floats("norm.weight", &[spec.dimension])?,
                    bias: file.floats("norm.bias", &[spec.dimension])?,
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
                Layer::Dense { spec, shape: [outputs, inputs], .. } => (*inputs, *outputs, &spec.weights),
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
                Layer::Dense { spec, weight, bias, residual, .. } => {
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
    weight.chunks_exact(vector.len()).map(|row| dot(row, vector)).collect()
}

/// In several partial sums, which the processor adds to side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0; 16];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_layer_is_activation_of_product_plus_bias() {
        let spec = DenseSpec {
            weights: "2_Dense/model.safetensors".into(),
            shape: Some([3, 2]),
            bias: true,
            activation: crate::spec::ActivationFunction::Relu,
            residual: false,
        };
        let layers = Layers {
            layers: vec![Layer::Dense {
                spec,
                shape: [3, 2],
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
