//! Which of the graph's outputs is read, and how its numbers become rows.

use std::ops::Range;

use ndarray::{Array2, Array3, s};
use ort::session::Session;
use ort::value::{DynValue, TensorElementType};

use super::batch::Batch;
use crate::error::{Error, Result};
use crate::network::OutputKind;
use crate::spec::Wanted;

/// The graph's output that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutputName {
    pub name: String,
    pub kind: OutputKind,
    /// Of logits of the whole vocabulary for each token those that are kept, of each row's last token.
    next: Option<Vec<u32>>,
    /// How many numbers each token or row has, where the graph says it.
    pub width: Option<usize>,
}

impl OutputName {
    /// The numbers of an output for a batch.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where its shape is not that of the batch.
    pub fn read(&self, value: &DynValue, batch: &Batch, file: &str) -> Result<Output> {
        if let Some(ids) = &self.next {
            return self.read_next(value, batch, ids, file);
        }
        let (shape, data) = floats(value, None)
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

impl OutputName {
    /// The logits of `ids` behind each row's last token. The others of the vocabulary, a hundred thousand for each token, are not
    /// copied.
    fn read_next(&self, value: &DynValue, batch: &Batch, ids: &[u32], file: &str) -> Result<Output> {
        let (rows, width) = batch.ids.dim();
        let places = |shape: &[usize]| match shape {
            [r, t, vocabulary] if (*r, *t) == (rows, width) && ids.iter().all(|id| (*id as usize) < *vocabulary) => {
                let last = batch.spans.iter().enumerate().map(|(row, span)| row * width + span.end.saturating_sub(1));
                Ok(last.flat_map(|token| ids.iter().map(move |id| token * vocabulary + *id as usize)).collect())
            }
            _ => Err(format!(
                "has the shape {shape:?} for a batch of {rows} rows and {width} tokens, and tokens {ids:?} are read"
            )),
        };
        let (_, data) = floats(value, Some(&places))
            .map_err(|error| Error::invalid_model(format!("{file}: the output \"{}\" {error}", self.name)))?;
        let numbers = Array2::from_shape_vec((batch.spans.len(), ids.len()), data);
        Ok(Output::Rows(numbers.map_err(|error| Error::Internal(error.to_string()))?))
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
            OutputKind::Means | OutputKind::Sentences | OutputKind::Logits => 2,
        }
    }
}

/// The outputs that serve, by name, the best known first.
pub(in crate::network) fn outputs(wanted: &Wanted) -> &'static [(&'static str, OutputKind)] {
    match wanted {
        Wanted::Vectors => &[
            ("last_hidden_state", OutputKind::Tokens),
            ("token_embeddings", OutputKind::Tokens),
            ("sentence_embedding", OutputKind::Sentences),
        ],
        Wanted::Logits | Wanted::Next(_) => &[("logits", OutputKind::Logits)],
        Wanted::TokenLogits | Wanted::Vocabulary | Wanted::PooledVocabulary(_) => &[("logits", OutputKind::Tokens)],
        // Stored numbers are in no graph.
        Wanted::Weights => &[],
    }
}

pub(super) fn choose_output(session: &Session, wanted: &Wanted, file: &str) -> Result<OutputName> {
    let next = match wanted {
        Wanted::Next(ids) => Some(ids.clone()),
        _ => None,
    };
    let wanted = outputs(wanted);
    let found = |name: &str| session.outputs().iter().find(|output| output.name() == name);
    wanted
        .iter()
        .find_map(|(name, kind)| Some((name, kind, found(name)?)))
        .map(|(name, kind, found)| OutputName {
            name: (*name).to_owned(),
            kind: *kind,
            next: next.clone(),
            width: width(found.dtype()),
        })
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

/// The last axis of a tensor, where its size is fixed.
fn width(kind: &ort::value::ValueType) -> Option<usize> {
    let ort::value::ValueType::Tensor { shape, .. } = kind else { return None };
    shape.last().and_then(|size| usize::try_from(*size).ok()).filter(|size| *size > 0)
}

/// Says at which places of a tensor of a shape the numbers stand that are wanted, or that the shape is wrong.
type Places<'a> = &'a dyn Fn(&[usize]) -> std::result::Result<Vec<usize>, String>;

/// Shape and numbers of a float tensor of any width: all of them, or those at some places.
fn floats(value: &DynValue, places: Option<Places<'_>>) -> std::result::Result<(Vec<usize>, Vec<f32>), String> {
    let ort::value::ValueType::Tensor { ty, .. } = value.dtype() else { return Err("is no tensor".into()) };
    macro_rules! read {
        ($number:ty, $convert:expr) => {{
            let (shape, data) = value.try_extract_tensor::<$number>().map_err(|error| error.to_string())?;
            let shape: Vec<usize> = shape.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
            let numbers = match places {
                None => data.iter().map($convert).collect(),
                Some(places) => places(&shape)?.into_iter().filter_map(|place| data.get(place)).map($convert).collect(),
            };
            Ok((shape, numbers))
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
