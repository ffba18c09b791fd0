//! `2_Dense/config.json` and the like: layers with weights of their own, before or behind pooling.

use super::ActivationFunction;
use super::modules::Module;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};

/// What happens to the pooled vector, in order.
#[derive(Debug, Clone)]
pub enum ModuleStep {
    /// A linear layer with its activation.
    Dense(DenseSpec),
    /// Layer normalisation with learned weights.
    LayerNorm(LayerNormSpec),
    /// Scale to length 1, before another step. A final one is [`EmbeddingSpec::normalize`].
    Normalize,
}

/// A linear layer: `activation(W x + b)`, plus `x` (projected where sizes differ) where `residual` holds.
#[derive(Debug, Clone)]
pub struct DenseSpec {
    /// The file with `linear.weight` `[outputs, inputs]`, `linear.bias` and `residual.weight`.
    pub weights: String,
    /// Sizes of the output and the input vector; `None` where only the weights say.
    pub shape: Option<[usize; 2]>,
    /// Whether there is a bias.
    pub bias: bool,
    /// What follows the linear part.
    pub activation: ActivationFunction,
    /// Whether the input is added to the result.
    pub residual: bool,
}

/// Layer normalisation (`torch.nn.LayerNorm`, epsilon 1e-5).
#[derive(Debug, Clone)]
pub struct LayerNormSpec {
    /// The file with `norm.weight` and `norm.bias`.
    pub weights: String,
    /// Size of the vector.
    pub dimension: usize,
}

/// Modules may name the feature that they read and write; without a name it is `unnamed`.
pub(super) fn expect_feature(config: &Object, feature: &str, unnamed: &str) -> Result<()> {
    let input = config.text("module_input_name")?.unwrap_or(unnamed);
    let output = config.text("module_output_name")?.unwrap_or(input);
    for (key, name) in [("module_input_name", input), ("module_output_name", output)] {
        if name != feature {
            return Err(Error::ModelUnsupported(format!(
                "{}: \"{key}\" is \"{name}\". Here only \"{feature}\" is supported",
                config.file
            )));
        }
    }
    Ok(())
}

fn size(config: &Object, key: &str) -> Result<usize> {
    config
        .count(key)?
        .filter(|size| (1..=1 << 20).contains(size))
        .ok_or_else(|| config.wrong(key, "a size from 1 to 1048576"))
}

impl Module {
    /// The file of its weights.
    pub(super) fn weights(&self, folder: &ModelFolder) -> Result<String> {
        let weights = self.file("model.safetensors");
        if folder.has(&weights)? {
            return Ok(weights);
        }
        let pickled = self.file("pytorch_model.bin");
        if folder.has(&pickled)? {
            return Err(Error::ModelUnsupported(format!(
                "{pickled}: weights in PyTorch's pickle format are not read. Save the model again with sentence-transformers to get {weights}"
            )));
        }
        Err(Error::FileNotFound(format!("{} has no {weights}, which modules.json needs", folder.root().display())))
    }
}

pub(super) fn read_dense(
    folder: &ModelFolder,
    module: &Module,
    feature: &str,
    unnamed: &str,
    assumed: &mut Vec<String>,
) -> Result<DenseSpec> {
    let config = module.required_config(folder)?;
    expect_feature(&config, feature, unnamed)?;
    let activation = match config.text("activation_function")? {
        // The reference's default.
        None => ActivationFunction::Tanh,
        // The reference runs only torch's own classes and takes its default for others, with a warning.
        Some(path) if !path.starts_with("torch.") => {
            assumed.push(format!("{}: activation_function", config.file));
            ActivationFunction::Tanh
        }
        Some(path) => ActivationFunction::from_path(path).ok_or_else(|| {
            Error::ModelUnsupported(format!(
                "{}: \"activation_function\" is \"{path}\", which is not supported",
                config.file
            ))
        })?,
    };
    Ok(DenseSpec {
        weights: module.weights(folder)?,
        shape: Some([size(&config, "out_features")?, size(&config, "in_features")?]),
        bias: config.flag("bias")?.unwrap_or(true),
        activation,
        residual: config.flag("use_residual")?.unwrap_or(false),
    })
}

pub(super) fn read_layer_norm(folder: &ModelFolder, module: &Module) -> Result<LayerNormSpec> {
    let config = module.required_config(folder)?;
    Ok(LayerNormSpec { weights: module.weights(folder)?, dimension: size(&config, "dimension")? })
}
