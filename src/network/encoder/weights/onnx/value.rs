//! What is known of a value of the graph while it is traced.

use std::rc::Rc;

use super::array::Array;
use super::curve::Curve;
use super::step::Index;

#[derive(Clone)]
pub(super) enum Value<'file> {
    /// Numbers that depend on the sample and on constants only.
    Known(Rc<Array>),
    /// A tensor of the file.
    Stored(View<'file>),
    /// Numbers that weights have been at work on.
    Data(Data<'file>),
    /// What cannot be followed, with the reason. It may be so as long as no output needs it.
    Unknown(Rc<str>),
}

/// A stored tensor, perhaps transposed or with a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View<'file> {
    /// Its place in [`Graph::stored`](super::graph::Graph::stored).
    pub index: usize,
    pub name: &'file str,
    pub flipped: bool,
    pub scale: Option<Scale>,
}

/// What makes numbers of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    /// The stored tensor of factors.
    pub factor: usize,
    /// The stored tensor of what stands for 0.
    pub zero: Option<usize>,
    /// The axis of the stored numbers of which each place has its own.
    pub axis: usize,
}

#[derive(Clone)]
pub(super) struct Data<'file> {
    pub what: What<'file>,
    pub axes: Vec<Axis>,
    /// Sizes of the axes for the sample.
    pub shape: Vec<usize>,
    /// What has been done to each number since the step: a function that has not ended yet.
    pub curve: Option<Rc<Curve>>,
}

/// What an axis stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// A size of 1.
    One,
    Batch,
    Token,
    Width,
    Heads,
    Depth,
    /// Heads of the first text, then those of the next.
    Lanes,
    Query,
    Key,
}

/// A step, or a part of one that is complete only with later nodes. The first number is always the step it works on.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What<'file> {
    Step(usize),
    /// Rows times a weight; a bias may follow.
    Product(usize, Factor<'file>),
    // Layer normalisation, operator by operator, with what is added to the variance.
    Mean(usize),
    Centred(usize),
    Squares(usize),
    Variance(usize),
    Steadied(usize, f32),
    Deviation(usize, f32),
    Normal(usize, f32),
    Scaled(usize, f32, Factor<'file>),
    // Attention before its product with the values, and where no token is left.
    Scores(Scores),
    Shares(Scores),
    NoNumbers(Scores),
    // Products of integers: rows that are quantised while the graph runs, times weights and what stands for their 0.
    Quantised(usize),
    QuantisedScale(usize),
    QuantisedZero(usize),
    Integers(usize, Factor<'file>, Option<usize>),
    /// The scale of the rows times that of the weights.
    ScaleProduct(usize, usize),
    /// Quantised rows of a table.
    Picked(Factor<'file>, Index),
}

/// A weight and the node that multiplied by it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Factor<'file> {
    pub view: View<'file>,
    pub site: usize,
}

/// Products of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scores {
    pub query: usize,
    pub key: usize,
    pub scale: f64,
    pub masked: bool,
    pub bias: Option<usize>,
}

impl<'file> Data<'file> {
    pub(super) fn new(what: What<'file>, axes: &[Axis], shape: Vec<usize>) -> Self {
        Self { what, axes: axes.to_vec(), shape, curve: None }
    }

    /// The same numbers, of which something else is known.
    pub(super) fn turned(&self, what: What<'file>) -> Self {
        Self { what, ..self.clone() }
    }

    /// Whether these are rows as they stand between steps: of tokens, or one of each text.
    pub(super) fn is_rows(&self) -> bool {
        matches!(self.axes.as_slice(), [Axis::Batch, Axis::Token, Axis::Width] | [Axis::Batch, Axis::Width])
    }

    /// Whether the axes but the last one are those of the other.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        let rank = self.axes.len().max(1) - 1;
        other.axes.len() == self.axes.len() && other.axes[..rank] == self.axes[..rank]
    }

    pub(super) fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }
}
