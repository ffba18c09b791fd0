//! What of a plan is read from tensors of a file: linear layers and norms.

use std::ops::Range;

/// A linear layer, of one tensor or of parts that lie one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::network::encoder) struct Linear {
    pub inputs: usize,
    pub parts: Vec<Part>,
}

/// Outputs of a linear layer.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::network::encoder) struct Part {
    /// Tensor `[outputs, inputs]`.
    pub weight: String,
    /// Tensor `[outputs]`.
    pub bias: Option<String>,
    /// Which outputs of the tensor.
    pub rows: Range<usize>,
    /// How many outputs the tensor has.
    pub of: usize,
}

impl Linear {
    /// One tensor, whose names are `name.weight` and `name.bias`.
    pub fn new(name: impl AsRef<str>, inputs: usize, outputs: usize, bias: bool) -> Self {
        Linear { inputs, parts: vec![Part::new(name.as_ref(), outputs, bias)] }
    }

    /// Several tensors.
    pub fn joined(inputs: usize, parts: impl IntoIterator<Item = Part>) -> Self {
        Linear { inputs, parts: parts.into_iter().collect() }
    }

    /// Numbers that come out.
    pub fn outputs(&self) -> usize {
        self.parts.iter().map(|part| part.rows.len()).sum()
    }
}

impl Part {
    /// All outputs of `name.weight`, with `name.bias`.
    pub fn new(name: &str, outputs: usize, bias: bool) -> Self {
        Part {
            weight: format!("{name}.weight"),
            bias: bias.then(|| format!("{name}.bias")),
            rows: 0..outputs,
            of: outputs,
        }
    }

    /// Some of them.
    pub fn rows(self, rows: Range<usize>) -> Self {
        Part { rows, ..self }
    }
}

/// A norm over a row.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::network::encoder) struct Norm {
    pub kind: NormKind,
    pub weight: String,
    pub bias: Option<String>,
    pub width: usize,
    pub epsilon: f32,
}

/// What a norm computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::network::encoder) enum NormKind {
    /// `(x - mean) / √(variance + ε) · weight + bias`
    Layer,
    /// `x / √(mean of x² + ε) · weight`
    RootMeanSquare,
    /// Likewise, with `1 + weight`.
    RootMeanSquarePlusOne,
}

impl Norm {
    /// A layer norm with the tensors `name.weight` and, where there is one, `name.bias`.
    pub fn layer(name: impl AsRef<str>, width: usize, epsilon: f32, bias: bool) -> Self {
        let name = name.as_ref();
        let bias = bias.then(|| format!("{name}.bias"));
        Norm { kind: NormKind::Layer, weight: format!("{name}.weight"), bias, width, epsilon }
    }

    /// A root mean square norm.
    pub fn root_mean_square(kind: NormKind, name: impl AsRef<str>, width: usize, epsilon: f32) -> Self {
        Norm { kind, weight: format!("{}.weight", name.as_ref()), bias: None, width, epsilon }
    }
}
