//! What a network computes, as data. A family of models is a function from its `config.json` to a plan; everything that runs
//! knows plans and no families.

use std::ops::Range;

/// A network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// Numbers of a token's vector.
    pub hidden: usize,
    /// From tokens to the first layer.
    pub embedding: Embedding,
    /// How attention works, the same in all layers but for what a layer says.
    pub attention: Attention,
    /// The layers, first to last. Two may have the same weights.
    pub layers: Vec<Layer>,
    /// A norm after the last layer.
    pub last_norm: Option<Norm>,
    /// From token vectors to logits.
    pub head: Option<Head>,
    /// Beginnings of the names of tensors that the network does not need, such as the head of a language model.
    pub ignored: &'static [&'static str],
    /// What stands before the names of tensors in repositories of a model with a head, such as `bert.`.
    pub prefix: &'static str,
}

/// From tokens to vectors.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Embedding {
    /// Tensor `[vocabulary, width]`.
    pub words: String,
    /// Numbers of an embedding.
    pub width: usize,
    /// What word embeddings are multiplied by.
    pub scale: f32,
    /// Learned positions.
    pub positions: Option<Places>,
    /// Tensor `[types, width]`; the type of each token chooses.
    pub types: Option<String>,
    /// Whether all tokens have the first type, whatever the tokenizer gives: a graph may ask for no types.
    pub all_of_first_type: bool,
    pub norm: Option<Norm>,
    /// From `width` to `hidden`, where these differ.
    pub projection: Option<Linear>,
}

/// Learned positions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Places {
    /// Tensor `[positions, width]`.
    pub table: String,
    pub count: PlaceCount,
}

/// How positions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceCount {
    /// 0, 1, 2 …
    All,
    /// From behind the padding token's id on; tokens of that id, which a text may hold, have its position and do not count.
    BehindPadding(usize),
}

impl PlaceCount {
    /// The positions of tokens.
    pub fn of(self, ids: &[u32]) -> impl Iterator<Item = usize> {
        let mut next = match self {
            PlaceCount::All => 0,
            PlaceCount::BehindPadding(padding) => padding + 1,
        };
        ids.iter().map(move |id| match self {
            PlaceCount::BehindPadding(padding) if *id as usize == padding => padding,
            _ => {
                next += 1;
                next - 1
            }
        })
    }
}

/// Attention over the tokens of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attention {
    pub heads: usize,
    /// Heads of keys and values; as many as `heads`, or a part of them.
    pub key_heads: usize,
    /// Numbers of a head.
    pub head_size: usize,
    /// What products of queries and keys are multiplied by.
    pub scale: f32,
    /// Tokens see those before them only.
    pub causal: bool,
    pub bias: Bias,
}

/// What is added to the products of queries and keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bias {
    None,
    /// Tensor `[buckets, heads]` over relative positions, as in T5 and MPNet.
    Relative {
        tensor: String,
        buckets: usize,
        furthest: usize,
    },
    /// A slope for each head times the distance, less than 0.
    Alibi,
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    pub attention: AttentionWeights,
    pub attention_norms: Norms,
    pub feed_forward: FeedForward,
    pub feed_forward_norms: Norms,
}

/// Where a branch (attention, feed-forward) has its norms.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Norms {
    /// Of what goes into the branch.
    pub before: Option<Norm>,
    /// Of what comes out of the branch.
    pub after: Option<Norm>,
    /// Of the sum of the branch and what went around it.
    pub sum: Option<Norm>,
}

/// A layer's attention.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AttentionWeights {
    /// Queries, keys and values, one after the other.
    pub inputs: Linear,
    /// Norms of each head of queries and of keys.
    pub head_norms: Option<(Norm, Norm)>,
    /// Rotary positions: the base of the angles.
    pub rotary: Option<f32>,
    /// Tokens see those that are at most so far away.
    pub window: Option<usize>,
    pub output: Linear,
}

/// A layer's feed-forward network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FeedForward {
    /// Into the inner numbers; where `gated`, those that the function is applied to come first, then those that they multiply.
    pub inner: Linear,
    pub gated: bool,
    pub activation: Activation,
    pub output: Linear,
}

/// A linear layer, of one tensor or of parts that lie one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linear {
    pub inputs: usize,
    pub parts: Vec<Part>,
}

/// Outputs of a linear layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
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
pub(super) struct Norm {
    pub kind: NormKind,
    pub weight: String,
    pub bias: Option<String>,
    pub width: usize,
    pub epsilon: f32,
}

/// What a norm computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NormKind {
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

/// Functions between products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    /// `x·Φ(x)`
    Gelu,
    /// Its approximation by tanh.
    GeluTanh,
    Relu,
    /// `x / (1 + e^-x)`
    Silu,
    Tanh,
}

/// From token vectors to logits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub pool: HeadPool,
    pub steps: Vec<HeadStep>,
}

/// The vector that a head works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadPool {
    /// The first token's.
    First,
    /// The average.
    Mean,
}

/// A step of a head. Names of its tensors are whole: the prefix is not put before them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum HeadStep {
    Linear(Linear),
    Activation(Activation),
    Norm(Norm),
}
