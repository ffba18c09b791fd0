//! What runs tokens. The engine does not know which kind of network it has.

pub mod encoder;
pub mod graph;
mod loading;
mod placement;
mod rows;
mod table;

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{ArrayView2, s};

use self::encoder::Encoder;
pub use self::encoder::{Gang, Team};
use self::graph::{DeviceMemory, Graph};
pub use self::placement::{PassedOver, Placement};
use self::table::Table;
use crate::error::Result;
use crate::options::Device;
use crate::spec::{EngineKind, NetworkFile};
use crate::tokenizer::TokenRow;

/// A loaded network.
#[derive(Debug)]
pub struct Network {
    file: NetworkFile,
    runs: Runs,
    /// The device's name.
    device: String,
    requested: Device,
    passed_over: Vec<PassedOver>,
    warnings: Vec<String>,
}

/// What runs it.
#[derive(Debug)]
enum Runs {
    Graph(Box<Graph>),
    Encoder(Box<Encoder>),
    Table(Box<Table>),
}

/// What a network gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// Token vectors.
    Tokens,
    /// Means of tokens' vectors, before all layers.
    Means,
    /// Vectors that were pooled inside the network, behind all layers.
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
    /// The name of the device that runs it.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// What was asked for.
    #[must_use]
    pub fn requested(&self) -> Device {
        self.requested
    }

    /// Devices that were tried before the one in use, and why they were not taken.
    #[must_use]
    pub fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// What the user should read about the device.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The execution provider in use, as ONNX Runtime calls it; `None` where the encoder runs.
    #[must_use]
    pub fn provider(&self) -> Option<String> {
        match &self.runs {
            Runs::Graph(graph) => Some(graph.provider().name()),
            Runs::Encoder(_) | Runs::Table(_) => None,
        }
    }

    /// Graph nodes by execution provider, as ONNX Runtime assigned them; empty where the encoder runs.
    #[must_use]
    pub fn nodes(&self) -> BTreeMap<String, usize> {
        match &self.runs {
            Runs::Graph(graph) => graph.nodes().clone(),
            Runs::Encoder(_) | Runs::Table(_) => BTreeMap::new(),
        }
    }

    /// What is used of the device's memory; `None` where no limit is kept.
    #[must_use]
    pub fn device_memory(&self) -> Option<DeviceMemory> {
        match &self.runs {
            Runs::Graph(graph) => graph.memory(),
            Runs::Encoder(_) | Runs::Table(_) => None,
        }
    }

    /// How many runs may go on at a time; `None` for any number.
    #[must_use]
    pub fn runs_at_once(&self) -> Option<usize> {
        match &self.runs {
            Runs::Graph(graph) => graph.runs_at_once(),
            Runs::Encoder(_) | Runs::Table(_) => None,
        }
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
            Runs::Table(_) => EngineKind::Table,
        }
    }

    /// The instruction set that the encoder uses; `None` where ONNX Runtime chooses.
    #[must_use]
    pub fn instructions(&self) -> Option<&'static str> {
        match &self.runs {
            Runs::Graph(_) | Runs::Table(_) => None,
            Runs::Encoder(encoder) => Some(encoder.level().as_str()),
        }
    }

    /// How many tokens the encoder has a vector for; `None` where ONNX Runtime runs.
    #[must_use]
    pub fn vocabulary(&self) -> Option<usize> {
        match &self.runs {
            Runs::Graph(_) | Runs::Table(_) => None,
            Runs::Encoder(encoder) => Some(encoder.vocabulary()),
        }
    }

    /// Tokens that every row has, where the network was made for one length.
    #[must_use]
    pub fn fixed_length(&self) -> Option<usize> {
        match &self.runs {
            Runs::Graph(graph) => graph.fixed_length(),
            Runs::Encoder(_) | Runs::Table(_) => None,
        }
    }

    /// What a run gives.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        match &self.runs {
            Runs::Graph(graph) => graph.output_kind(),
            Runs::Encoder(encoder) => encoder.output_kind(),
            Runs::Table(_) => OutputKind::Means,
        }
    }

    /// Which rows of these lengths run together. Rows of 0 tokens are left out: they have nothing to run.
    #[must_use]
    pub fn plan(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        rows::longest_first(lengths, |longest, rows, tokens| self.fits(longest, rows, tokens))
    }

    /// Whether so many rows, the longest of which has `longest` tokens and all of them `tokens`, are one run and not more.
    #[must_use]
    pub fn fits(&self, longest: usize, rows: usize, tokens: usize) -> bool {
        match &self.runs {
            Runs::Graph(graph) => graph.fits(longest, rows),
            Runs::Encoder(_) => tokens <= encoder::GROUP_TOKENS,
            Runs::Table(_) => tokens <= table::RUN_TOKENS,
        }
    }

    /// Whether rows of several calls may run together: a row's result does not depend on the rows that run with it.
    #[must_use]
    pub fn packs(&self) -> bool {
        match &self.runs {
            Runs::Graph(graph) => graph.packs(),
            Runs::Encoder(_) | Runs::Table(_) => true,
        }
    }

    /// Whether it can be told that tokens are seen by nobody.
    #[must_use]
    pub fn can_hide(&self) -> bool {
        match &self.runs {
            Runs::Graph(graph) => graph.has_mask(),
            Runs::Encoder(_) | Runs::Table(_) => true,
        }
    }

    /// Whether several threads can work on one run.
    #[must_use]
    pub fn takes_help(&self) -> bool {
        matches!(self.runs, Runs::Encoder(_))
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
            Runs::Table(table) => table.run(rows, read),
        }
    }
}
