//! A network from a model's files: which file, by which engine, on which device.

use super::encoder::{self, Encoder};
use super::graph::Graph;
use super::placement::Candidate;
use super::table::Table;
use super::{Network, PassedOver, Placement, Runs};
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::{Device, LoadOptions};
use crate::spec::{Choice, EngineKind, ModelSpec, NetworkFile, Wanted};

impl Network {
    /// Opens the model's network: the first of the choices that is understood, on the first device that takes it.
    ///
    /// # Errors
    /// Those of fetching files, of [`Graph`] and of [`Encoder`]; [`Error::ModelUnsupported`] where the encoder alone could take the
    /// model and does not understand it.
    pub fn load(folder: &ModelFolder, spec: &ModelSpec, options: &LoadOptions, placement: Placement) -> Result<Self> {
        let Placement { requested, candidates, passed_over, named } = placement;
        let mut refused = Vec::new();
        let mut reasons = Vec::new();
        for (number, candidate) in candidates.iter().enumerate() {
            let mut choices = spec.choices.iter().filter(|choice| choice.place == number).peekable();
            let is_last = number + 1 == candidates.len();
            let loaded = if choices.peek().is_none() && !is_last {
                Err(Error::ModelUnsupported(spec.nothing_for_devices().into()))
            } else {
                Network::on(folder, spec, candidate, &mut choices, &mut reasons)
            };
            let loaded = loaded.and_then(|(file, runs)| {
                match &runs {
                    // What fails where nothing else can be tried is explained with the first run of the model.
                    Runs::Graph(graph) if is_last => drop(graph.try_out(spec.max_length.default)),
                    Runs::Graph(graph) => accepted(graph, spec.max_length.default)?,
                    Runs::Encoder(_) | Runs::Table(_) => {}
                }
                Ok((file, runs))
            });
            let reason = match loaded {
                Ok((file, runs)) => {
                    // What stands behind the device in use is no news.
                    let before =
                        passed_over.into_iter().filter(|(place, _)| *place <= number).map(|(_, passed)| passed);
                    let passed_over: Vec<PassedOver> = before.chain(refused).collect();
                    let warnings = warnings(options, candidate, &runs, &passed_over, &named);
                    let device = candidate.device.clone();
                    return Ok(Network { file, runs, device, requested, passed_over, warnings });
                }
                Err(error) if is_last || ends_a_load(&error) => return Err(error),
                Err(error) => std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": "),
            };
            refused.push(PassedOver { device: candidate.device.clone(), reason });
        }
        Err(Error::Internal("there was no device to try".into()))
    }

    /// What the model's files say, as both engines read them.
    ///
    /// # Errors
    /// Those of [`ModelSpec::read`].
    pub fn spec(folder: &ModelFolder, options: &LoadOptions, placement: &Placement) -> Result<ModelSpec> {
        let refuses = |config: &Object, wanted: &Wanted| encoder::refuses(config, wanted);
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
        candidate: &Candidate,
        choices: &mut dyn Iterator<Item = &Choice>,
        reasons: &mut Vec<String>,
    ) -> Result<(NetworkFile, Runs)> {
        let (file, own) = Network::first_understood(folder, spec, choices, reasons)?;
        let runs = match own {
            Some(runs) => runs,
            None => Runs::Graph(Box::new(Graph::load(spec, &file, candidate.provider.clone())?)),
        };
        Ok((file, runs))
    }

    /// The file of the first choice that is understood, and what runs it where that is not ONNX Runtime, which is not asked.
    fn first_understood(
        folder: &ModelFolder,
        spec: &ModelSpec,
        choices: &mut dyn Iterator<Item = &Choice>,
        reasons: &mut Vec<String>,
    ) -> Result<(NetworkFile, Option<Runs>)> {
        let mut missed = None;
        for choice in choices {
            let file = match choice.fetch(folder) {
                Ok(file) => file,
                // It exists and cannot be had now; the next one may be here.
                Err(error) if matches!(error.code(), "ERR_OFFLINE" | "ERR_DOWNLOAD") => {
                    missed = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            match choice.engine {
                EngineKind::Graph => return Ok((file, None)),
                EngineKind::Encoder => match Encoder::load(spec, &file)? {
                    Ok(encoder) => return Ok((file, Some(Runs::Encoder(Box::new(encoder))))),
                    Err(reason) => reasons.push(reason),
                },
                EngineKind::Table => {
                    let table = Table::load(&file)?;
                    return Ok((file, Some(Runs::Table(Box::new(table)))));
                }
            }
        }
        if let Some(error) = missed {
            return Err(error);
        }
        Err(Error::ModelUnsupported(format!(
            "{}, so the encoder does not run it. A model with an ONNX file can be run with `engine: 'graph'`: export one with \
             `optimum-cli export onnx`",
            reasons.join("; ")
        )))
    }
}

/// Whether a failure has nothing to do with the device, so that another one would not help.
fn ends_a_load(error: &Error) -> bool {
    error.is_cancelled() || matches!(error.code(), "ERR_DISK" | "ERR_CORRUPT")
}

/// Whether a device that others may stand in for suits a graph: with less than half of it the CPU would do the rest, with copies between both.
fn accepted(graph: &Graph, longest: usize) -> Result<()> {
    if takes_little(graph) {
        return Err(Error::Device { message: of_nodes(graph), source: None });
    }
    graph.try_out(longest)
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
    // Who asks for any GPU has one.
    if !missed.is_empty() && (options.device != Device::Gpu || candidate.is_cpu()) {
        let reasons: Vec<_> = missed.iter().map(|passed| format!("{}: {}", passed.device, passed.reason)).collect();
        let device =
            if candidate.is_cpu() { "the CPU".to_owned() } else { format!("the device '{}'", candidate.device) };
        let names: Vec<_> = missed.iter().map(|passed| format!("'{}'", passed.device)).collect();
        warnings.push(format!("The model runs on {device} and not on {}. {}", names.join(" or "), reasons.join("; ")));
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
