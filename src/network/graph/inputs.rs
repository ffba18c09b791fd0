//! Which inputs the graph asks for, and the tensors that a batch gives them.

use ndarray::Array2;
use ort::memory::Allocator;
use ort::session::Session;
use ort::value::{DynTensor, DynValue, Tensor, TensorElementType, ValueType};

use super::batch::Batch;
use super::frame::Frame;
use crate::error::{Error, Result};

/// An input of the graph, by the name that the graph has for it.
#[derive(Debug)]
pub(super) struct Input {
    pub name: String,
    source: InputSource,
    element: TensorElementType,
    shape: Vec<i64>,
}

/// What fills an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InputSource {
    Ids,
    Mask,
    TypeIds,
    Positions,
    /// A decoder's cache of earlier tokens: there are none.
    Past,
    /// Whether that cache is used: no.
    UseCache,
}

/// The graph's inputs, all of them known, and the shapes of the batches that they take.
pub(super) fn known(session: &Session, file: &str) -> Result<(Vec<Input>, Frame)> {
    let inputs = session.inputs().iter().map(|input| {
        let name = input.name();
        let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
            return Err(Error::ModelUnsupported(format!("{file} asks for the input \"{name}\", which is no tensor")));
        };
        let source = match name {
            "input_ids" => InputSource::Ids,
            "attention_mask" => InputSource::Mask,
            "token_type_ids" => InputSource::TypeIds,
            "position_ids" => InputSource::Positions,
            "use_cache_branch" => InputSource::UseCache,
            _ if name.starts_with("past_key_values.") => InputSource::Past,
            _ => {
                return Err(Error::ModelUnsupported(format!(
                    "{file} asks for the input \"{name}\". Known are input_ids, attention_mask, token_type_ids, \
                     position_ids and past_key_values"
                )));
            }
        };
        let allowed: &[TensorElementType] = match source {
            InputSource::Past => &[TensorElementType::Float32, TensorElementType::Float16, TensorElementType::Bfloat16],
            InputSource::UseCache => &[TensorElementType::Bool],
            _ => &[TensorElementType::Int64, TensorElementType::Int32],
        };
        // The cache's heads and their size must be fixed numbers; batch and past length may vary, and the length must be able
        // to be 0.
        let open = shape.iter().skip(1).filter(|size| **size < 0).count();
        let empty = open == 1 || shape.iter().skip(1).any(|size| *size == 0);
        if !allowed.contains(ty) || (source == InputSource::Past && (open > 1 || !empty)) {
            return Err(Error::ModelUnsupported(format!(
                "{file} asks for the input \"{name}\" of type {}",
                input.dtype()
            )));
        }
        Ok(Input { name: name.to_owned(), source, element: *ty, shape: shape.to_vec() })
    });
    let inputs: Vec<Input> = inputs.collect::<Result<_>>()?;
    if !inputs.iter().any(|input| input.source == InputSource::Ids) {
        return Err(Error::ModelUnsupported(format!("{file} has no input \"input_ids\", so it does not read text")));
    }
    let of_tokens = |input: &&Input| !matches!(input.source, InputSource::Past | InputSource::UseCache);
    let shapes = inputs.iter().filter(of_tokens).map(|input| (input.name.as_str(), input.shape.as_slice()));
    let frame = Frame::of(shapes, inputs.iter().any(|input| input.source == InputSource::Mask), file)?;
    Ok((inputs, frame))
}

/// The tensors for one batch, with the names of their inputs.
pub(super) fn values<'inputs>(
    inputs: &'inputs [Input],
    batch: &Batch,
    position_offset: usize,
) -> ort::Result<Vec<(&'inputs str, DynValue)>> {
    inputs
        .iter()
        .map(|input| {
            let value = match input.source {
                InputSource::Ids => integers(&batch.ids, input.element)?,
                InputSource::Mask => integers(&batch.mask, input.element)?,
                InputSource::TypeIds => integers(&batch.type_ids, input.element)?,
                InputSource::Positions => integers(&batch.positions(position_offset), input.element)?,
                InputSource::UseCache => Tensor::from_array(([1_usize], vec![false]))?.into_dyn(),
                InputSource::Past => no_past(input, batch.ids.nrows())?,
            };
            Ok((input.name.as_str(), value))
        })
        .collect()
}

fn integers(array: &Array2<i64>, element: TensorElementType) -> ort::Result<DynValue> {
    let shape = [array.nrows(), array.ncols()];
    Ok(if element == TensorElementType::Int32 {
        #[allow(clippy::cast_possible_truncation, reason = "ids, positions and masks are far below 2^31")]
        let narrow: Vec<i32> = array.iter().map(|number| *number as i32).collect();
        Tensor::from_array((shape, narrow))?.into_dyn()
    } else {
        Tensor::from_array((shape, array.iter().copied().collect::<Vec<i64>>()))?.into_dyn()
    })
}

/// `[batch, heads, 0, head size]`: a cache of no tokens.
fn no_past(input: &Input, rows: usize) -> ort::Result<DynValue> {
    let mut shape: Vec<i64> = input.shape.iter().map(|size| (*size).max(0)).collect();
    if let Some(first) = shape.first_mut() {
        *first = i64::try_from(rows).unwrap_or(0);
    }
    // Nothing is read from it: it has no elements.
    DynTensor::new(&Allocator::default(), input.element, shape).map(DynTensor::into_dyn)
}
