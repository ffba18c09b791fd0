//! What runs tokens. The engine does not know which kind of network it has.

pub mod encoder;
pub mod graph;
mod rows;

use std::ops::Range;

use ndarray::{ArrayView2, s};

use self::encoder::Encoder;
pub use self::encoder::{Gang, Team};
use self::graph::Graph;
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::options::LoadOptions;
use crate::spec::{EngineKind, ModelSpec, NetworkFile};
use crate::tokenizer::TokenRow;

/// A loaded network.
#[derive(Debug)]
pub struct Network {
    file: NetworkFile,
    runs: Runs,
}

/// What runs it.
#[derive(Debug)]
enum Runs {
    Graph(Box<Graph>),
    Encoder(Box<Encoder>),
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
pub enum RunOutput<'a> {
    /// A vector for each token.
    Tokens(TokenVectors<'a>),
    /// `[rows, dimensions]` or `[rows, labels]`
    Rows(ArrayView2<'a, f32>),
}

/// The vectors of all rows' tokens.
#[derive(Debug)]
pub struct TokenVectors<'a> {
    /// `[all tokens, hidden]`, row after row; between the rows there may be padding.
    pub hidden: ArrayView2<'a, f32>,
    /// Where each row's tokens stand.
    pub spans: &'a [Range<usize>],
}

impl TokenVectors<'_> {
    /// The vectors of the row at `at`: `[tokens, hidden]`.
    #[must_use]
    pub fn row(&self, at: usize) -> ArrayView2<'_, f32> {
        self.hidden.slice(s![self.spans[at].clone(), ..])
    }
}

impl Network {
    /// Opens the model's network: the first of the choices that is understood.
    ///
    /// # Errors
    /// Those of fetching files, of [`Graph`] and of [`Encoder`]; [`Error::ModelUnsupported`] where the encoder alone could take the
    /// model and does not understand it.
    pub fn load(folder: &ModelFolder, spec: &ModelSpec, options: &LoadOptions) -> Result<Self> {
        let (file, encoder) = Network::first_understood(folder, spec)?;
        let runs = match encoder {
            Some(encoder) => Runs::Encoder(Box::new(encoder)),
            None => Runs::Graph(Box::new(Graph::load(spec, &file, options.product)?)),
        };
        Ok(Network { file, runs })
    }

    /// What the model's files say, as both engines read them.
    ///
    /// # Errors
    /// Those of [`ModelSpec::read`].
    pub fn spec(folder: &ModelFolder, options: &LoadOptions) -> Result<ModelSpec> {
        ModelSpec::read(folder, options, &|config| encoder::refuses(config, options.product))
    }

    /// Brings the files that a load would read, and opens no graph.
    ///
    /// # Errors
    /// Those of [`Network::load`], but for those of the graph.
    pub fn fetch(folder: &ModelFolder, spec: &ModelSpec) -> Result<()> {
        Network::first_understood(folder, spec).map(drop)
    }

    /// The file of the first choice that is understood, and the encoder where it is one for the encoder. ONNX Runtime is not asked.
    fn first_understood(folder: &ModelFolder, spec: &ModelSpec) -> Result<(NetworkFile, Option<Encoder>)> {
        let mut reasons = Vec::new();
        for choice in &spec.choices {
            let file = choice.fetch(folder)?;
            match choice.engine {
                EngineKind::Graph => return Ok((file, None)),
                EngineKind::Encoder => match Encoder::load(spec, &file)? {
                    Ok(encoder) => return Ok((file, Some(encoder))),
                    Err(reason) => reasons.push(reason),
                },
            }
        }
        Err(Error::ModelUnsupported(format!(
            "{}, which the encoder does not know. A model with an ONNX file can be run with `engine: 'graph'`: export one with \
             `optimum-cli export onnx`",
            reasons.join("; ")
        )))
    }

    /// What it was read from.
    #[must_use]
    pub fn file(&self) -> &NetworkFile {
        &self.file
    }

    /// What runs it.
    #[must_use]
    pub fn kind(&self) -> EngineKind {
        match &self.runs {
            Runs::Graph(_) => EngineKind::Graph,
            Runs::Encoder(_) => EngineKind::Encoder,
        }
    }

    /// The instruction set that the encoder uses; `None` where ONNX Runtime chooses.
    #[must_use]
    pub fn instructions(&self) -> Option<&'static str> {
        match &self.runs {
            Runs::Graph(_) => None,
            Runs::Encoder(encoder) => Some(encoder.level().as_str()),
        }
    }

    /// Tokens that every row has, where the network was made for one length.
    #[must_use]
    pub fn fixed_length(&self) -> Option<usize> {
        match &self.runs {
            Runs::Graph(graph) => graph.fixed_length(),
            Runs::Encoder(_) => None,
        }
    }

    /// What a run gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        match &self.runs {
            Runs::Graph(graph) => graph.output_kind(),
            Runs::Encoder(encoder) => encoder.output_kind(),
        }
    }

    /// Which rows of these lengths run together. Rows of 0 tokens are left out: they have nothing to run.
    #[must_use]
    pub fn plan(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        match &self.runs {
            Runs::Graph(graph) => graph.plan(lengths),
            Runs::Encoder(_) => rows::longest_first(lengths, |_, _, tokens| tokens <= encoder::GROUP_TOKENS),
        }
    }

    /// Whether a row's result does not depend on the rows that run with it, so that rows of several calls may run together, and
    /// several threads on one run.
    #[must_use]
    pub fn packs(&self) -> bool {
        matches!(self.runs, Runs::Encoder(_))
    }

    /// Tokens that run together at most.
    #[must_use]
    pub fn most_tokens(&self) -> usize {
        encoder::GROUP_TOKENS
    }

    /// Runs rows together, and gives the result to `read`. Safe from several threads at once.
    ///
    /// # Errors
    /// Those of the graph or the encoder, and those of `read`.
    pub fn run(
        &self,
        rows: &[&TokenRow],
        gang: Gang<'_>,
        read: &mut dyn FnMut(&RunOutput<'_>) -> Result<()>,
    ) -> Result<()> {
        match &self.runs {
            Runs::Graph(graph) => graph.run(rows, read),
            Runs::Encoder(encoder) => encoder.run(rows, gang, read),
        }
    }
}
