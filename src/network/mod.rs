//! What runs tokens. The engine does not know which kind of network it has.

pub mod graph;

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use self::graph::Graph;
use crate::error::Result;
use crate::options::Product;
use crate::spec::ModelSpec;
use crate::tokenizer::TokenRow;

/// A loaded network.
#[derive(Debug)]
pub enum Network {
    /// An ONNX graph that ONNX Runtime runs.
    Graph(Box<Graph>),
}

/// What a network gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// Token vectors.
    Tokens,
    /// Vectors that were pooled inside the network.
    Sentences,
    /// Logits.
    Logits,
}

/// A run's result.
#[derive(Debug)]
pub enum RunOutput {
    /// A vector for each token.
    Tokens(TokenVectors),
    /// `[rows, dimensions]` or `[rows, labels]`
    Rows(Array2<f32>),
}

/// The vectors of all rows' tokens.
#[derive(Debug)]
pub struct TokenVectors {
    /// `[all tokens, hidden]`, row after row; between the rows there may be padding.
    pub hidden: Array2<f32>,
    /// Where each row's tokens stand.
    pub spans: Vec<Range<usize>>,
}

impl TokenVectors {
    /// The vectors of the row at `at`: `[tokens, hidden]`.
    #[must_use]
    pub fn row(&self, at: usize) -> ArrayView2<'_, f32> {
        self.hidden.slice(s![self.spans[at].clone(), ..])
    }
}

impl Network {
    /// Opens the model's network.
    ///
    /// # Errors
    /// Those of [`Graph::load`].
    pub fn load(spec: &ModelSpec, product: Product) -> Result<Self> {
        Graph::load(spec, product).map(|graph| Network::Graph(Box::new(graph)))
    }

    /// Tokens that every row has, where the network was made for one length.
    #[must_use]
    pub fn fixed_length(&self) -> Option<usize> {
        match self {
            Network::Graph(graph) => graph.fixed_length(),
        }
    }

    /// What a run gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        match self {
            Network::Graph(graph) => graph.output_kind(),
        }
    }

    /// Which rows of these lengths run together. Rows of 0 tokens are left out: they have nothing to run.
    #[must_use]
    pub fn plan(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        match self {
            Network::Graph(graph) => graph.plan(lengths),
        }
    }

    /// Runs rows together. Safe from several threads at once.
    ///
    /// # Errors
    /// Those of [`Graph::run`].
    pub fn run(&self, rows: &[&TokenRow]) -> Result<RunOutput> {
        match self {
            Network::Graph(graph) => graph.run(rows),
        }
    }
}
