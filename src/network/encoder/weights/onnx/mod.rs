//! Reads the weights of a transformer out of an ONNX graph, under the names of transformers, and says what the graph does
//! with them, so that a caller can be sure that it computes the same. What is not understood is refused: ONNX Runtime runs
//! such a graph as it is.
//!
//! The graph is followed node by node for made-up inputs. Shapes, positions and masks, which exporters write in a dozen ways,
//! are calculated and compared with what they must be (`operators.rs`, `sample.rs`). Functions such as GELU are recognised by what they do to
//! a grid of numbers (`curve.rs`). On the way of the rows themselves only what is listed here may stand (`data.rs`, `layout.rs`,
//! `pairs.rs`, `attention.rs`, `quantized.rs`).

mod array;
mod attention;
mod curve;
mod data;
mod graph;
mod layout;
mod names;
mod operators;
mod pairs;
mod protobuf;
mod quantized;
mod sample;
mod step;
mod steps;
mod stored;
#[cfg(test)]
mod tests;
mod trace;
mod value;

use std::collections::BTreeMap;

use crate::network::encoder::weights::{Numbers, Tensor};
use graph::Graph;
use names::{Role, Use};
use sample::Sample;
pub(in crate::network::encoder) use step::{Function, Index, Step, path};
use stored::{Element, Stored};
use trace::{Trace, short};

/// Why a graph is left to ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// What was found, for a sentence such as "the weights of model.onnx cannot be read: …".
    pub reason: String,
}

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// What an ONNX file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxWeights<'file> {
    /// All parameters by their names.
    pub tensors: BTreeMap<String, Tensor<'file>>,
    /// Larger stored tensors that are no parameters: positions and the like, from which inputs are calculated.
    pub buffers: Vec<String>,
    /// The inputs, all of them among those that are known.
    pub inputs: Vec<Input>,
    /// The outputs in the order of the graph. At least one can be followed.
    pub outputs: Vec<Output>,
}

/// An input of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// `input_ids`, `attention_mask`, `token_type_ids` or `position_ids`.
    pub name: String,
    /// `TensorProto.DataType`: 7 is 64-bit integers, 6 is 32-bit ones.
    pub element: u64,
    /// Sizes of the axes; `None` may be any.
    pub dims: Vec<Option<u64>>,
}

/// An output of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name in the graph.
    pub name: String,
    /// Sizes of the axes; `None` may be any.
    pub dims: Vec<Option<u64>>,
    /// The steps that make it, the last one being the output. Or why they cannot be followed, which is no harm where the
    /// output is not wanted.
    pub steps: Result<Vec<Step>, Refusal>,
}

/// Lengths of the made-up texts. The last one is for tables that tell distances beyond 128 apart no more.
const LENGTHS: [usize; 3] = [5, 23, 140];
/// An id that no graph compares ids with.
const NO_ID: usize = 900_001;
/// Stored tensors of no more numbers than this need not be accounted for.
const SMALL: usize = 8;

impl<'file> OnnxWeights<'file> {
    /// Reads the file. `external` gives the bytes of a file beside it that the graph names as the place of weights.
    pub fn read(bytes: &'file [u8], external: &dyn Fn(&str) -> Option<&'file [u8]>) -> Result<Self, Refusal> {
        let graph = Graph::of(bytes, external)?;
        for (name, _, dims) in &graph.inputs {
            if Sample::new(1, LENGTHS[0], NO_ID).input(name).is_none() || dims.len() != 2 {
                return Err(Refusal::new(format!("the graph has the input \"{}\"", short(name))));
            }
        }
        // The first look tells where positions begin, and so which id stands for padding if ids are looked at for it.
        let look = Found::of(&graph, &Sample::new(2, LENGTHS[0], NO_ID))?;
        let (mut padding, mut longest, mut far) = (NO_ID, usize::MAX, false);
        for (table, index) in &look.tables {
            match index {
                Index::Places { first } => {
                    padding = first.checked_sub(1).unwrap_or(padding);
                    longest = longest.min(graph.stored[*table].shape[0].saturating_sub(*first));
                }
                Index::Distances { .. } => far = true,
                _ => {}
            }
        }
        let [few, more, most] = LENGTHS;
        let length = |wanted: usize| wanted.min(longest).max(1);
        let small = Found::of(&graph, &Sample::new(2, length(few), padding))?;
        let large = Found::of(&graph, &Sample::new(1, length(if far { most } else { more }), padding))?;
        if !small.agrees(&large) {
            return Err(Refusal::new("the graph does other things to long texts than to short ones"));
        }
        large.weights(graph)
    }
}

/// What one look at a graph gave.
struct Found<'file> {
    outputs: Vec<Result<Vec<Step<usize>>, Refusal>>,
    uses: Vec<Use<'file>>,
    read: Vec<bool>,
    /// Stored tensors that rows are taken of.
    tables: Vec<(usize, Index)>,
}

impl<'file> Found<'file> {
    fn of(graph: &Graph<'file>, sample: &Sample) -> Result<Self, Refusal> {
        let mut trace = Trace::of(graph, sample)?;
        let last: Vec<_> = graph.outputs.iter().map(|(name, ..)| trace.output(name)).collect();
        let tables = trace.steps.iter().filter_map(|step| match step {
            Step::Embedding { table, index } => Some((trace.uses[*table].view.index, index.clone())),
            _ => None,
        });
        let tables = tables.collect();
        let outputs = last.into_iter().map(|last| last.map(|last| path(&trace.steps, last, |name| *name)));
        Ok(Self { outputs: outputs.collect(), tables, uses: trace.uses, read: trace.read })
    }

    /// Whether another look at the same graph gave the same, as far as shorter texts tell.
    fn agrees(&self, other: &Self) -> bool {
        let near = |step: &Step<usize>, like: &Step<usize>| match (step, like) {
            (
                Step::Embedding { table, index: Index::Distances { rows } },
                Step::Embedding { table: same, index: Index::Distances { rows: more } },
            ) => {
                let skipped = more.len().saturating_sub(rows.len()) / 2;
                table == same && more.get(skipped..skipped + rows.len()) == Some(rows)
            }
            _ => step == like,
        };
        let pairs = self.outputs.iter().zip(&other.outputs);
        self.uses == other.uses
            && pairs.into_iter().all(|pair| match pair {
                (Ok(steps), Ok(like)) => {
                    steps.len() == like.len() && steps.iter().zip(like).all(|(step, like)| near(step, like))
                }
                (Err(_), Err(_)) => true,
                _ => false,
            })
    }

    fn weights(self, graph: Graph<'file>) -> Result<OnnxWeights<'file>, Refusal> {
        if !self.outputs.iter().any(Result::is_ok) {
            let reason = self.outputs.into_iter().find_map(Result::err);
            return Err(reason.unwrap_or_else(|| Refusal::new("the graph has no output")));
        }
        let names = names::names(&self.uses)?;
        let (mut tensors, mut places) = (BTreeMap::new(), BTreeMap::new());
        let mut used = vec![false; graph.stored.len()];
        for (of, name) in self.uses.iter().zip(&names) {
            let view = of.view;
            let place = (view.index, view.flipped, view.scale);
            if *places.entry(name).or_insert(place) != place {
                return Err(Refusal::new(format!("two tensors are called \"{}\"", short(name))));
            }
            let scales = view.scale.iter().flat_map(|scale| std::iter::once(scale.factor).chain(scale.zero));
            std::iter::once(view.index).chain(scales).for_each(|index| used[index] = true);
            let wrong = || Refusal::new(format!("the numbers of \"{}\" are of no kind that is known", short(name)));
            tensors.insert(name.clone(), tensor(of, &graph.stored).ok_or_else(wrong)?);
        }
        let mut buffers = Vec::new();
        let rest = graph.stored.iter().enumerate().filter(|(place, stored)| !used[*place] && stored.len() > SMALL);
        for (place, stored) in rest {
            if !self.read[place] {
                let name = short(stored.name);
                return Err(Refusal::new(format!("nothing uses the tensor \"{name}\" in a way that is known")));
            }
            buffers.push(stored.name.to_owned());
        }
        let inputs =
            graph.inputs.into_iter().map(|(name, element, dims)| Input { name: name.to_owned(), element, dims });
        let outputs = graph.outputs.iter().zip(self.outputs).map(|((name, _, dims), steps)| Output {
            name: (*name).to_owned(),
            dims: dims.clone(),
            steps: steps.map(|steps| steps.iter().map(|step| step.renamed(|at| at, |of| names[*of].clone())).collect()),
        });
        Ok(OnnxWeights { tensors, buffers, inputs: inputs.collect(), outputs: outputs.collect() })
    }
}

/// The tensor of a use: a matrix as transformers has it, whichever way it is stored.
fn tensor<'file>(of: &Use<'file>, all: &[Stored<'file>]) -> Option<Tensor<'file>> {
    let stored = &all[of.view.index];
    let matrix = of.role == Role::Weight && stored.shape.len() == 2;
    let transposed = matrix && !of.view.flipped;
    let mut shape = stored.shape.clone();
    if transposed {
        shape.reverse();
    }
    let Some(scale) = of.view.scale else {
        return Some(Tensor { shape, numbers: stored.floats()?, transposed });
    };
    let signed = match stored.element {
        Element::I8 => true,
        Element::U8 => false,
        _ => return None,
    };
    // Each output has its own scale, or all have one.
    let fits = |stored: &Stored<'_>| {
        stored.len() == 1
            || (stored.shape.len() == 1 && stored.len() == shape[0] && scale.axis == usize::from(transposed))
    };
    let factor = Some(&all[scale.factor]).filter(|stored| stored.floats().is_some() && fits(stored))?;
    let zero = scale.zero.map(|zero| &all[zero]);
    let zeros = match zero {
        Some(zero) if zero.element == stored.element && fits(zero) => zero.array().integers(),
        Some(_) => return None,
        None => vec![0],
    };
    #[allow(clippy::cast_possible_truncation, reason = "factors have no more than 32 bits")]
    let scales = factor.array().numbers.into_iter().map(|factor| factor as f32).collect();
    let zeros = zeros.into_iter().map(|zero| i32::try_from(zero).unwrap_or(0)).collect();
    let numbers = Numbers::Int8 { bytes: stored.bytes.clone(), signed, scales, zeros };
    Some(Tensor { shape, numbers, transposed })
}
