//! What a graph does with its weights, as a list in which every step names the earlier steps that it works on.

use super::array::{Array, Kind};
use super::sample::Sample;

/// One step of the way from token ids to an output. Steps are named by their places in the list, parameters by `Name`: in
/// the lists of [`Output`](super::Output) by the names of transformers.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<Name = String> {
    /// Rows of a table.
    Embedding {
        /// The table.
        table: Name,
        /// Which row each token gets.
        index: Index,
    },
    /// A sum of steps: of embeddings in the order of [`Index`], else the step nearest to the input first.
    Sum {
        /// The terms.
        of: Vec<usize>,
    },
    /// Layer normalisation over the last axis.
    Norm {
        /// What is normalised.
        of: usize,
        /// Factor of each column.
        weight: Option<Name>,
        /// Added to each column.
        bias: Option<Name>,
        /// Added to the variance.
        epsilon: f32,
    },
    /// `of * weight^T + bias`.
    Linear {
        /// The rows.
        of: usize,
        /// `[outputs, inputs]`.
        weight: Name,
        /// Added to each row.
        bias: Option<Name>,
    },
    /// A function of each number.
    Activation {
        /// What it is applied to.
        of: usize,
        /// The function.
        function: Function,
    },
    /// `softmax(scale * query * key^T + bias) * value` for each head; heads are neighbouring columns.
    Attention {
        /// Rows of queries.
        query: usize,
        /// Rows of keys.
        key: usize,
        /// Rows of values.
        value: usize,
        /// Number of heads.
        heads: usize,
        /// All factors between the rows and the softmax together.
        scale: f32,
        /// Whether `attention_mask` takes tokens away. Without it all tokens are seen, and nothing else is ever masked.
        masked: bool,
        /// An embedding by [`Index::Distances`] with a column for each head.
        bias: Option<usize>,
    },
    /// The first token's row of each text.
    First {
        /// The rows.
        of: usize,
    },
}

/// Which rows of a table tokens get.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Index {
    /// `input_ids`.
    Tokens,
    /// `token_type_ids`.
    Types,
    /// Row 0 for every token.
    Zero,
    /// `position_ids`, an input.
    Positions,
    /// The token's place in the row, from `first` on.
    Places {
        /// Row of the first token.
        first: usize,
    },
    /// As RoBERTa counts: tokens that are not `padding` from `padding + 1` on; the others get the row `padding`.
    AfterPadding {
        /// Id of the padding token.
        padding: usize,
    },
    /// A row for each pair of tokens, which only the key's place less the query's decides.
    Distances {
        /// An odd number of rows, that of the distance 0 in the middle: those of the longest text that was tried.
        rows: Vec<usize>,
    },
}

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `x * (1 + erf(x / sqrt(2))) / 2`.
    Gelu,
    /// The approximation of it by `tanh`.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

impl Index {
    /// What the rows are for the sample, if they are anything that is known.
    pub(super) fn of(array: &Array, sample: &Sample) -> Option<Self> {
        let (batch, length) = (sample.batch, sample.length);
        if array.kind != Kind::Integer {
            return None;
        }
        let rows: Option<Vec<usize>> = array.integers().iter().map(|row| usize::try_from(*row).ok()).collect();
        let rows = rows?;
        if array.shape == [length, length] {
            let row = |by: usize| rows[(length - 1).saturating_sub(by) * length + by.saturating_sub(length - 1)];
            let near: Vec<usize> = (0..2 * length - 1).map(row).collect();
            let even = (0..length * length).all(|at| rows[at] == near[length - 1 + at % length - at / length]);
            return even.then_some(Self::Distances { rows: near });
        }
        let one = array.shape == [1, length] || array.shape == [length];
        if !one && array.shape != [batch, length] {
            return None;
        }
        let is = |wanted: &dyn Fn(usize) -> usize| rows.iter().enumerate().all(|(at, row)| *row == wanted(at));
        let padding = sample.padding;
        let counted = |at: usize| {
            let row = &sample.ids[at - at % length..=at];
            let real = row.iter().filter(|id| **id != padding).count();
            if sample.ids[at] == padding { padding } else { padding + real }
        };
        let first = rows.first().copied().unwrap_or(0);
        Some(if rows.iter().all(|row| *row == 0) {
            Self::Zero
        } else if is(&|at| first + at % length) {
            Self::Places { first }
        } else if one && batch > 1 {
            return None;
        } else if is(&|at| sample.ids[at]) {
            Self::Tokens
        } else if is(&|at| sample.types[at]) {
            Self::Types
        } else if is(&|at| sample.positions[at]) {
            Self::Positions
        } else if is(&counted) {
            Self::AfterPadding { padding }
        } else {
            return None;
        })
    }
}

impl<Name> Step<Name> {
    /// The steps that it works on.
    pub fn links(&self) -> Vec<usize> {
        match self {
            Self::Embedding { .. } => Vec::new(),
            Self::Sum { of } => of.clone(),
            Self::Norm { of, .. } | Self::Linear { of, .. } | Self::Activation { of, .. } | Self::First { of } => {
                vec![*of]
            }
            Self::Attention { query, key, value, bias, .. } => {
                [*query, *key, *value].into_iter().chain(*bias).collect()
            }
        }
    }

    /// The same step with other places and names.
    pub(super) fn renamed<Other>(&self, place: impl Fn(usize) -> usize, name: impl Fn(&Name) -> Other) -> Step<Other> {
        match self {
            Self::Embedding { table, index } => Step::Embedding { table: name(table), index: index.clone() },
            Self::Sum { of } => Step::Sum { of: of.iter().map(|of| place(*of)).collect() },
            Self::Norm { of, weight, bias, epsilon } => Step::Norm {
                of: place(*of),
                weight: weight.as_ref().map(&name),
                bias: bias.as_ref().map(&name),
                epsilon: *epsilon,
            },
            Self::Linear { of, weight, bias } => {
                Step::Linear { of: place(*of), weight: name(weight), bias: bias.as_ref().map(name) }
            }
            Self::Activation { of, function } => Step::Activation { of: place(*of), function: *function },
            Self::Attention { query, key, value, heads, scale, masked, bias } => Step::Attention {
                query: place(*query),
                key: place(*key),
                value: place(*value),
                heads: *heads,
                scale: *scale,
                masked: *masked,
                bias: bias.map(place),
            },
            Self::First { of } => Step::First { of: place(*of) },
        }
    }
}

/// The steps that lead to the step `last`, in an order that does not depend on the file's: what a step works on stands
/// before it, in the order of its links. Links lead to earlier steps only.
pub(in crate::network::encoder) fn path<Name, Other>(
    steps: &[Step<Name>],
    last: usize,
    name: impl Fn(&Name) -> Other,
) -> Vec<Step<Other>> {
    let mut places = vec![None; steps.len()];
    let (mut list, mut open) = (Vec::new(), vec![last]);
    while let Some(at) = open.last().copied() {
        let next = steps[at].links().into_iter().find(|link| places[*link].is_none());
        match next {
            Some(link) if places[at].is_none() => open.push(link),
            _ => {
                if places[at].is_none() {
                    places[at] = Some(list.len());
                    list.push(steps[at].renamed(|link| places[link].unwrap_or(0), &name));
                }
                open.pop();
            }
        }
    }
    list
}
