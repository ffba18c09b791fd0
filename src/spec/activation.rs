//! Activation functions by the dotted names that torch's classes are saved under.

/// An element-wise function of `torch.nn`, with torch's default parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivationFunction {
    /// x
    Identity,
    /// tanh(x)
    Tanh,
    /// max(x, 0)
    Relu,
    /// x Φ(x), with the error function
    Gelu,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// x sigmoid(x)
    Silu,
    /// x, or 0.01 x below zero
    LeakyRelu,
    /// x, or e^x - 1 below zero
    Elu,
    /// x tanh(ln(1 + e^x))
    Mish,
}

impl ActivationFunction {
    /// `torch.nn.Tanh` and `torch.nn.modules.activation.Tanh` alike; `None` for a class that is not known.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        let class = path.strip_prefix("torch.nn.")?.rsplit('.').next()?;
        Some(match class {
            "Identity" => ActivationFunction::Identity,
            "Tanh" => ActivationFunction::Tanh,
            "ReLU" => ActivationFunction::Relu,
            "GELU" => ActivationFunction::Gelu,
            "Sigmoid" => ActivationFunction::Sigmoid,
            "SiLU" => ActivationFunction::Silu,
            "LeakyReLU" => ActivationFunction::LeakyRelu,
            "ELU" => ActivationFunction::Elu,
            "Mish" => ActivationFunction::Mish,
            _ => return None,
        })
    }
}
