//! What a network computes, as data. A family of models is a function from its `config.json` to a plan; everything that runs
//! knows plans and no families.

mod tensors;

pub(super) use self::tensors::{Linear, Norm, NormKind, Part};

use crate::spec::SpladePooling;

/// A network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// Numbers of a token's vector.
    pub hidden: usize,
    /// From tokens to the first layer.
    pub embedding: Embedding,
    /// How attention works, the same in all layers but for what a layer says.
    pub attention: Attention,
    /// The layers that have weights of their own.
    pub layers: Vec<Layer>,
    /// Which of them vectors go through, first to last; some may come more than once.
    pub order: Vec<usize>,
    /// A norm after the last layer.
    pub last_norm: Option<Norm>,
    /// From token vectors to logits.
    pub head: Option<Head>,
    /// Beginnings of the names of tensors that the network does not need, such as the head of a language model.
    pub ignored: &'static [&'static str],
    /// What stands before the names of tensors in repositories of a model with a head, such as `bert.`.
    pub prefix: &'static str,
}

impl Plan {
    /// Layers that come once each, with nothing behind them.
    pub fn new(hidden: usize, embedding: Embedding, attention: Attention, layers: Vec<Layer>) -> Self {
        let order = (0..layers.len()).collect();
        Plan { hidden, embedding, attention, layers, order, last_norm: None, head: None, ignored: &[], prefix: "" }
    }
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
    pub positions: Option<Places>,
    /// Tensor `[types, width]`; the type of each token chooses.
    pub types: Option<String>,
    /// Whether all tokens have the first type, whatever the tokenizer gives: a graph may ask for no types.
    pub all_of_first_type: bool,
    pub norm: Option<Norm>,
    /// From `width` to `hidden`, where these differ.
    pub projection: Option<Linear>,
}

impl Embedding {
    /// Words alone.
    pub fn new(words: &str, width: usize) -> Self {
        let words = words.to_owned();
        Embedding {
            words,
            width,
            scale: 1.0,
            positions: None,
            types: None,
            all_of_first_type: false,
            norm: None,
            projection: None,
        }
    }
}

/// Learned positions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Places {
    /// Tensor `[positions, width]`.
    pub tensor: String,
    /// Where positions count from behind the id of padding: that id. A token of this id, which a text can spell, stands at that
    /// position and is not counted.
    pub padding: Option<u32>,
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

impl Attention {
    /// Plain attention: each head sees all tokens, and has keys and values of its own.
    #[allow(clippy::cast_precision_loss, reason = "heads are small")]
    pub fn new(heads: usize, head_size: usize) -> Self {
        let scale = 1.0 / (head_size as f32).sqrt();
        Attention { heads, key_heads: heads, head_size, scale, causal: false, bias: Bias::None }
    }
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

impl Layer {
    /// A layer whose norms follow the sums, as BERT has them.
    pub fn post_norm(attention: AttentionWeights, first: Norm, feed_forward: FeedForward, second: Norm) -> Self {
        let after_sum = |norm| Norms { sum: Some(norm), ..Norms::default() };
        Layer { attention, attention_norms: after_sum(first), feed_forward, feed_forward_norms: after_sum(second) }
    }
}

/// Where a branch (attention, feed-forward) has its norms.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Norms {
    /// Of what goes into the branch.
    pub before: Option<Norm>,
    /// Of what comes out of the branch.
    pub after: Option<Norm>,
    /// Of what comes out of the branch and what went around it, which is then added once more.
    pub inside: Option<Norm>,
    /// Of the sum of the branch and what went around it.
    pub sum: Option<Norm>,
}

/// A layer's attention.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AttentionWeights {
    /// Queries, keys and values, one after the other.
    pub inputs: Linear,
    /// Norms of queries and of keys: of each head where they are as wide as one, else of all heads together.
    pub norms: Option<(Norm, Norm)>,
    pub rotary: Option<Rotary>,
    /// Tokens see those that are at most so far away.
    pub window: Option<usize>,
    pub output: Linear,
}

impl AttentionWeights {
    /// Attention without norms and rotary positions, which sees everything.
    pub fn new(inputs: Linear, output: Linear) -> Self {
        AttentionWeights { inputs, norms: None, rotary: None, window: None, output }
    }
}

/// Rotary positions: the pair number `i` of a head turns by `position / base^(2i / head size) / divisor`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rotary {
    pub base: f32,
    pub divisor: f32,
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
    /// Where the logits are the vocabulary's, which makes the last step as large as all layers together.
    pub vocabulary: Option<Vocabulary>,
}

/// What is particular to a head whose logits are the vocabulary's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vocabulary {
    /// Tensors that a file may have under the second name alone, as transformers ties them: what decodes tokens is mostly what
    /// embeds them.
    pub tied: Vec<(String, String)>,
    /// What becomes of the logits of a text's tokens, where they are not the result.
    pub pooling: Option<SpladePooling>,
}

impl Head {
    /// A layer, a function and the layer that gives the labels, on one vector.
    pub fn new(pool: HeadPool, first: Linear, activation: Activation, last: Linear) -> Self {
        let steps = vec![HeadStep::Linear(first), HeadStep::Activation(activation), HeadStep::Linear(last)];
        Head { pool, steps, vocabulary: None }
    }

    /// One layer on each token's vector, by the name that it has in nearly all families.
    pub fn of_tokens(hidden: usize, labels: usize) -> Self {
        let last = Linear::new("classifier", hidden, labels, true);
        Head { pool: HeadPool::Each, steps: vec![HeadStep::Linear(last)], vocabulary: None }
    }
}

/// The vectors that a head works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadPool {
    /// The first token's.
    First,
    /// The average.
    Mean,
    /// The last token's; where one is named, that of the last that is not this one, as transformers tells padding apart (the first
    /// token's where all are this one).
    Last(Option<u32>),
    /// Each token's, which has logits of its own.
    Each,
}

/// A step of a head.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum HeadStep {
    Linear(Linear),
    Activation(Activation),
    Norm(Norm),
}
