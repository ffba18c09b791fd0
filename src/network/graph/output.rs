//! Which of the graph's outputs is read, and how its numbers become rows.

use std::ops::Range;

use ndarray::{Array2, Array3, s};
use ort::session::Session;
use ort::value::{DynValue, TensorElementType};

use super::batch::Batch;
use crate::error::{Error, Result};
use crate::network::OutputKind;
use crate::options::Product;

/// The graph's output that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutputName {
    pub name: String,
    pub kind: OutputKind,
}

impl OutputName {
    /// The numbers of an output for a batch.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where its shape is not that of the batch.
    pub fn read(&self, value: &DynValue, batch: &Batch, file: &str) -> Result<Output> {
        let (shape, data) = floats(value)
            .map_err(|error| Error::ModelUnsupported(format!("{}: the output \"{}\" {error}", file, self.name)))?;
        let (rows, width) = batch.ids.dim();
        let fits = match (self.kind, shape.as_slice()) {
            (OutputKind::Tokens, [r, t, _]) => *r == rows && *t == width,
            (OutputKind::Sentences | OutputKind::Logits, [r, _]) => *r == rows,
            _ => false,
        };
        let wrong = || {
            Error::invalid_model(format!(
                "{}: the output \"{}\" has the shape {shape:?} for a batch of {rows} rows and {width} tokens{}",
                file,
                self.name,
                if shape.len() == self.kind.axes() {
                    ". A graph that was exported for a fixed number of rows or tokens does this: export the model again with open \
                     (dynamic) axes for both"
                } else {
                    ""
                }
            ))
        };
        if !fits {
            return Err(wrong());
        }
        Ok(match self.kind {
            OutputKind::Tokens => {
                Output::Tokens(Array3::from_shape_vec((rows, width, shape[2]), data).map_err(|_| wrong())?)
            }
            _ => Output::Rows(Array2::from_shape_vec((rows, shape[1]), data).map_err(|_| wrong())?),
        })
    }
}

/// A run's result.
pub(super) enum Output {
    /// `[batch, tokens, hidden]`
    Tokens(Array3<f32>),
    /// `[batch, dimensions]` or `[batch, labels]`
    Rows(Array2<f32>),
}

impl Output {
    /// The output of all `rows`, from those of parts of them; a part's own rows come first in its output.
    pub fn of_parts(rows: usize, mut parts: Vec<(Range<usize>, Output)>) -> Result<Output> {
        if let [(part, _)] = parts.as_slice()
            && *part == (0..rows)
            && let Some((_, whole)) = parts.pop()
        {
            return Ok(whole);
        }
        let width = |(_, output): &(Range<usize>, Output)| match output {
            Output::Tokens(tokens) => tokens.dim().1,
            Output::Rows(numbers) => numbers.ncols(),
        };
        let width = parts.iter().map(width).max().unwrap_or(0);
        let mut whole: Option<Output> = None;
        for (part, output) in parts {
            match output {
                Output::Tokens(tokens) => {
                    let (_, length, hidden) = tokens.dim();
                    let whole = whole.get_or_insert_with(|| Output::Tokens(Array3::zeros((rows, width, hidden))));
                    if let Output::Tokens(whole) = whole {
                        let own = tokens.slice(s![..part.len(), .., ..]);
                        whole.slice_mut(s![part, ..length, ..]).assign(&own);
                    }
                }
                Output::Rows(numbers) => {
                    let whole = whole.get_or_insert_with(|| Output::Rows(Array2::zeros((rows, width))));
                    if let Output::Rows(whole) = whole {
                        let own = numbers.slice(s![..part.len(), ..]);
                        whole.slice_mut(s![part, ..]).assign(&own);
                    }
                }
            }
        }
        whole.ok_or_else(|| Error::Internal("a batch without rows was run".into()))
    }
}

impl OutputKind {
    fn axes(self) -> usize {
        match self {
            OutputKind::Tokens => 3,
            OutputKind::Sentences | OutputKind::Logits => 2,
        }
    }
}

/// The names that outputs of a kind have, the best known first.
pub(in crate::network) fn output_names(kind: OutputKind) -> &'static [&'static str] {
    match kind {
        OutputKind::Tokens => &["last_hidden_state", "token_embeddings"],
        OutputKind::Sentences => &["sentence_embedding"],
        OutputKind::Logits => &["logits"],
    }
}

pub(super) fn choose_output(session: &Session, product: Product, file: &str) -> Result<OutputName> {
    let kinds: &[OutputKind] = match product {
        Product::Embedder => &[OutputKind::Tokens, OutputKind::Sentences],
        Product::Reranker => &[OutputKind::Logits],
    };
    let named = |kind: &OutputKind| output_names(*kind).iter().map(|name| (*name, *kind)).collect::<Vec<_>>();
    let wanted: Vec<_> = kinds.iter().flat_map(named).collect();
    let has = |name: &str| session.outputs().iter().any(|output| output.name() == name);
    wanted
        .iter()
        .find(|(name, _)| has(name))
        .map(|(name, kind)| OutputName { name: (*name).to_owned(), kind: *kind })
        .ok_or_else(|| {
            let outputs: Vec<_> = session.outputs().iter().map(|output| output.name()).collect();
            let wanted: Vec<_> = wanted.iter().map(|(name, _)| *name).collect();
            Error::ModelUnsupported(format!(
                "{file} has the outputs {}. Expected one of {}",
                outputs.join(", "),
                wanted.join(", ")
            ))
        })
}

/// Shape and numbers of a float tensor of any width.
fn floats(value: &DynValue) -> std::result::Result<(Vec<usize>, Vec<f32>), String> {
    let ort::value::ValueType::Tensor { ty, .. } = value.dtype() else { return Err("is no tensor".into()) };
    macro_rules! read {
        ($number:ty, $convert:expr) => {{
            let (shape, data) = value.try_extract_tensor::<$number>().map_err(|error| error.to_string())?;
            let shape = shape.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
            Ok((shape, data.iter().map($convert).collect()))
        }};
    }
    #[allow(clippy::cast_possible_truncation, reason = "vectors are float32")]
    match ty {
        TensorElementType::Float32 => read!(f32, |number| *number),
        TensorElementType::Float64 => read!(f64, |number| *number as f32),
        TensorElementType::Float16 => read!(half::f16, |number| number.to_f32()),
        TensorElementType::Bfloat16 => read!(half::bf16, |number| number.to_f32()),
        other => Err(format!("has the number format {other:?}. Expected floats")),
    }
}
