//! How one call runs.

use super::{Activation, Aggregation, LabelActivation, Output, Overflow, Pooling, Task, Truncation};

/// Which text goes before each text of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Prompt {
    /// The repository's default prompt, if it declares one.
    #[default]
    Default,
    /// The prompt of this name; an unknown name is an error.
    Named(String),
    /// This text.
    Text(String),
    /// That of a task: for queries `query`'s if there is one, for documents the first that is not empty of `document`, `passage`,
    /// `corpus`.
    Of(Task),
}

/// Lowest and highest value of each dimension, for `int8` and `uint8`.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges {
    /// Lowest values, as many as dimensions.
    pub min: Vec<f32>,
    /// Highest values, as many as dimensions.
    pub max: Vec<f32>,
}

/// How one embedding call runs.
#[derive(Debug, Clone, Default)]
pub struct EmbedOptions {
    /// What goes before each text.
    pub prompt: Prompt,
    /// What the texts are used as, where the caller says it.
    pub task: Option<Task>,
    /// Overrides the loaded pooling.
    pub pooling: Option<Pooling>,
    /// Overrides the loaded normalisation.
    pub normalize: Option<bool>,
    /// Keep this many leading dimensions (Matryoshka); normalised after the cut where `normalize` holds.
    pub dimensions: Option<usize>,
    /// Format of the vectors. Default `float32`.
    pub output: Option<Output>,
    /// Needed for `int8` and `uint8`.
    pub ranges: Option<Ranges>,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one call for sparse vectors runs.
#[derive(Debug, Clone, Default)]
pub struct SparseOptions {
    /// What goes before each text.
    pub prompt: Prompt,
    /// What the texts are used as, where the caller says it.
    pub task: Option<Task>,
    /// How many numbers a vector keeps, the largest ones. Default: what the model's files say, else all.
    pub max_active: Option<usize>,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one scoring call runs.
#[derive(Debug, Clone, Default)]
pub struct ScoreOptions {
    /// What is applied to the logit. Default: nothing.
    pub activation: Option<Activation>,
    /// What happens to documents that are too long.
    pub overflow: Overflow,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one call for vectors of tokens runs.
#[derive(Debug, Clone)]
pub struct LateOptions {
    /// What the texts are used as.
    pub task: Task,
    /// Vectors of a query's tokens, one after the other, that the texts are scored against.
    pub query: Option<Vec<f32>>,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one classifying call runs.
#[derive(Debug, Clone, Default)]
pub struct ClassifyOptions {
    /// What makes scores of logits. Default: what the model's files mean.
    pub activation: Option<LabelActivation>,
    /// How many labels a text gets, the best ones. Default: all.
    pub top_k: Option<usize>,
    /// Overrides the loaded truncation.
    pub truncation: Option<Truncation>,
    /// Overrides the loaded limit.
    pub max_length: Option<usize>,
}

/// How one call that labels tokens runs.
#[derive(Debug, Clone)]
pub struct TokenClassifyOptions {
    /// How labels become spans. Default [`Aggregation::Simple`].
    pub aggregation: Aggregation,
    /// Names of labels, as the result has them, that are left out. Default `O`.
    pub ignore: Vec<String>,
    /// Overrides the loaded limit, which bounds a window.
    pub max_length: Option<usize>,
}

impl Default for TokenClassifyOptions {
    fn default() -> Self {
        TokenClassifyOptions { aggregation: Aggregation::Simple, ignore: vec!["O".into()], max_length: None }
    }
}
