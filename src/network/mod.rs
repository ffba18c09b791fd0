//! What runs tokens. The engine does not know which kind of network it has.

pub mod encoder;
pub mod graph;
mod placement;
mod rows;

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{ArrayView2, s};

use self::encoder::Encoder;
pub use self::encoder::{Gang, Team};
use self::graph::{DeviceMemory, Graph};
use self::placement::Candidate;
pub use self::placement::{PassedOver, Placement};
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::{Device, LoadOptions};
use crate::spec::{Choice, EngineKind, ModelSpec, NetworkFile};
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
    /// Opens the model's network: the first of the choices that is understood, on the first device that takes it.
    ///
    /// # Errors
    /// Those of fetching files, of [`Graph`] and of [`Encoder`]; [`Error::ModelUnsupported`] where the encoder alone could take the
    /// model and does not understand it.
    pub fn load(folder: &ModelFolder, spec: &ModelSpec, options: &LoadOptions, placement: Placement) -> Result<Self> {
        let Placement { requested, candidates, mut passed_over, named } = placement;
        let mut reasons = Vec::new();
        for (number, candidate) in candidates.iter().enumerate() {
            let mut choices = spec.choices.iter().filter(|choice| choice.place == number).peekable();
            let is_last = number + 1 == candidates.len();
            let loaded = if choices.peek().is_none() && !is_last {
                Err(Error::ModelUnsupported("the model has no ONNX file of that dtype".into()))
            } else {
                Network::on(folder, spec, options, candidate, &mut choices, &mut reasons)
            };
            let reason = match loaded {
                // Work on a device's lesser part: the CPU does the rest, with copies between both.
                Ok((_, Runs::Graph(graph))) if !is_last && takes_little(&graph) => of_nodes(&graph),
                Ok((file, runs)) => {
                    let warnings = warnings(options, candidate, &runs, &passed_over, &named);
                    let device = candidate.device.clone();
                    return Ok(Network { file, runs, device, requested, passed_over, warnings });
                }
                Err(error) if is_last || error.is_cancelled() => return Err(error),
                Err(error) => std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": "),
            };
            passed_over.push(PassedOver { device: candidate.device.clone(), reason });
        }
        Err(Error::Internal("there was no device to try".into()))
    }

    /// What the model's files say, as both engines read them.
    ///
    /// # Errors
    /// Those of [`ModelSpec::read`].
    pub fn spec(folder: &ModelFolder, options: &LoadOptions, placement: &Placement) -> Result<ModelSpec> {
        let refuses = |config: &Object| encoder::refuses(config, options.product);
        ModelSpec::read(folder, options, &refuses, &placement.places())
    }

    /// Brings the files that a load on the CPU would read, and opens no graph.
    ///
    /// # Errors
    /// Those of [`Network::load`], but for those of the graph.
    pub fn fetch(folder: &ModelFolder, spec: &ModelSpec) -> Result<()> {
        Network::first_understood(folder, spec, &mut spec.choices.iter(), &mut Vec::new()).map(drop)
    }

    /// Opens the network on one device.
    fn on(
        folder: &ModelFolder,
        spec: &ModelSpec,
        options: &LoadOptions,
        candidate: &Candidate,
        choices: &mut dyn Iterator<Item = &Choice>,
        reasons: &mut Vec<String>,
    ) -> Result<(NetworkFile, Runs)> {
        let (file, encoder) = Network::first_understood(folder, spec, choices, reasons)?;
        let runs = match encoder {
            Some(encoder) => Runs::Encoder(Box::new(encoder)),
            None => Runs::Graph(Box::new(Graph::load(spec, &file, options.product, candidate.provider.clone())?)),
        };
        Ok((file, runs))
    }

    /// The file of the first choice that is understood, and the encoder where it is one for the encoder. ONNX Runtime is not asked.
    fn first_understood(
        folder: &ModelFolder,
        spec: &ModelSpec,
        choices: &mut dyn Iterator<Item = &Choice>,
        reasons: &mut Vec<String>,
    ) -> Result<(NetworkFile, Option<Encoder>)> {
        for choice in choices {
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
            Runs::Encoder(_) => None,
        }
    }

    /// Graph nodes by execution provider, as ONNX Runtime assigned them; empty where the encoder runs.
    #[must_use]
    pub fn nodes(&self) -> BTreeMap<String, usize> {
        match &self.runs {
            Runs::Graph(graph) => graph.nodes().clone(),
            Runs::Encoder(_) => BTreeMap::new(),
        }
    }

    /// What is used of the device's memory; `None` where no limit is kept.
    #[must_use]
    pub fn device_memory(&self) -> Option<DeviceMemory> {
        match &self.runs {
            Runs::Graph(graph) => graph.memory(),
            Runs::Encoder(_) => None,
        }
    }

    /// How many runs may go on at a time; `None` for any number.
    #[must_use]
    pub fn runs_at_once(&self) -> Option<usize> {
        match &self.runs {
            Runs::Graph(graph) => graph.runs_at_once(),
            Runs::Encoder(_) => None,
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

    /// Whether rows of several calls may run together: a row's result does not depend on the rows that run with it.
    #[must_use]
    pub fn packs(&self) -> bool {
        match &self.runs {
            Runs::Graph(graph) => graph.packs(),
            Runs::Encoder(_) => true,
        }
    }

    /// Whether several threads can work on one run.
    #[must_use]
    pub fn takes_help(&self) -> bool {
        matches!(self.runs, Runs::Encoder(_))
    }

    /// Tokens that run together at most.
    #[must_use]
    pub fn most_tokens(&self) -> usize {
        match &self.runs {
            Runs::Graph(graph) => graph.most_tokens(),
            Runs::Encoder(_) => encoder::GROUP_TOKENS,
        }
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

/// Whether less than half of a graph is on its device.
fn takes_little(graph: &Graph) -> bool {
    let (taken, all) = graph.nodes_on_device();
    taken * 2 < all
}

fn of_nodes(graph: &Graph) -> String {
    let (taken, all) = graph.nodes_on_device();
    format!("it takes {taken} of the graph's {all} nodes, and the CPU would run the others")
}

/// What the user should read: that another device runs the model than the one that was named, or that the device does little of it.
fn warnings(
    options: &LoadOptions,
    candidate: &Candidate,
    runs: &Runs,
    passed_over: &[PassedOver],
    named: &[String],
) -> Vec<String> {
    let mut warnings = Vec::new();
    let missed: Vec<_> = passed_over.iter().filter(|passed| named.contains(&passed.device)).collect();
    if !missed.is_empty() {
        let reasons: Vec<_> = missed.iter().map(|passed| format!("{}: {}", passed.device, passed.reason)).collect();
        let device =
            if candidate.is_cpu() { "the CPU".to_owned() } else { format!("the device '{}'", candidate.device) };
        warnings.push(format!("The model runs on {device}, not on the device that was named. {}", reasons.join("; ")));
    }
    if options.gpu_memory_limit.is_some() && !candidate.is_cpu() && !candidate.provider.has_limit() {
        warnings.push(format!(
            "`gpuMemoryLimit` has no effect on the device '{}': only CUDA and TensorRT have a limit",
            candidate.device
        ));
    }
    if let Runs::Graph(graph) = runs
        && takes_little(graph)
    {
        warnings.push(format!(
            "The device '{}' is in use, but {}. Another file of the model may suit it better; so may the CPU",
            candidate.device,
            of_nodes(graph)
        ));
    }
    warnings
}
