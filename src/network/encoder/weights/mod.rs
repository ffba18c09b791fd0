//! A model's weights, by the names that transformers has for them.

pub(super) mod onnx;
mod safetensors;
mod tensor;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use self::safetensors::read as read_safetensors;
pub(super) use tensor::{Numbers, Tensor};

use super::config::{Refusal, Understood};
use super::kernel::{Format, Panels, Source};
use super::plan::{Linear, Norm, NormKind, Plan};
use super::table::Table;
use crate::error::Error;

/// The tensors of a file, and which of them were used.
pub(super) struct Weights<'file> {
    /// The file, for messages.
    file: String,
    tensors: BTreeMap<String, Tensor<'file>>,
    /// What stands before the names of the network's tensors in this file.
    prefix: String,
    /// What stands before the names of a head's.
    outer: String,
    /// Tensors that may be there under the second name alone.
    tied: Vec<(String, String)>,
    used: Mutex<BTreeSet<String>>,
}

/// The projection of Stanford's ColBERT, which is a layer behind a network of any family.
const PROJECTION: &str = "linear.weight";

/// How many labels the last layer of a head gives, by the names that it has in all families. One with none is no layer.
pub(super) fn labels(tensors: &BTreeMap<String, Tensor<'_>>) -> Option<usize> {
    let last = ["classifier.out_proj.weight", "classifier.weight", "score.weight"];
    let found = last.iter().find_map(|name| tensors.iter().find(|(known, _)| known.ends_with(name)));
    found.and_then(|(_, tensor)| tensor.shape.first().copied()).filter(|labels| *labels > 0)
}

/// A norm, ready.
#[derive(Debug)]
pub(super) struct LoadedNorm {
    pub kind: NormKind,
    pub gain: Vec<f32>,
    pub bias: Vec<f32>,
    pub epsilon: f32,
}

impl<'file> Weights<'file> {
    /// Whether the tensor called `found` in the file is the plan's `name`.
    pub fn is(&self, found: &str, name: &str) -> bool {
        self.place(name).is_some_and(|place| place == found)
    }

    /// The tensors that a plan names.
    pub fn new(file: &str, tensors: BTreeMap<String, Tensor<'file>>, plan: &Plan) -> Understood<Self> {
        let prefixes: Vec<&str> =
            tensors.keys().filter_map(|name| name.strip_suffix(plan.embedding.words.as_str())).collect();
        let &[prefix] = prefixes.as_slice() else {
            return Err(Refusal::Unknown(format!("{file} has no single tensor \"{}\"", plan.embedding.words)));
        };
        let outer = prefix.strip_suffix(plan.prefix).unwrap_or_default();
        let (prefix, outer) = (prefix.to_owned(), outer.to_owned());
        let tied = plan.head.as_ref().and_then(|head| head.vocabulary.as_ref());
        let tied = tied.map_or_else(Vec::new, |vocabulary| vocabulary.tied.clone());
        Ok(Weights { file: file.to_owned(), tensors, prefix, outer, tied, used: Mutex::default() })
    }

    fn used(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file calls the tensor, where it has it.
    fn place(&self, name: &str) -> Option<String> {
        let both = [&self.prefix, &self.outer];
        let mut names: Vec<String> = both.iter().map(|prefix| format!("{prefix}{name}")).collect();
        // What TensorFlow's checkpoints called them, and many of BERT's still do.
        for (new, old) in [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")] {
            let start = name.strip_suffix(new);
            names.extend(start.into_iter().flat_map(|start| both.map(|prefix| format!("{prefix}{start}{old}"))));
        }
        let found = names.into_iter().find(|name| self.tensors.contains_key(name));
        let tied = || self.tied.iter().find(|(own, _)| own == name).and_then(|(_, other)| self.place(other));
        found.or_else(tied)
    }

    fn find(&self, name: &str) -> Understood<&Tensor<'file>> {
        let found = self.place(name);
        let found = found.ok_or_else(|| Refusal::Unknown(format!("{} has no tensor \"{name}\"", self.file)))?;
        let tensor = &self.tensors[&found];
        self.used().insert(found);
        Ok(tensor)
    }

    fn shaped(&self, name: &str, shape: &[usize]) -> Understood<&Tensor<'file>> {
        let tensor = self.find(name)?;
        if tensor.shape != shape {
            return Err(Refusal::Broken(Error::invalid_model(format!(
                "{}: expected the shape {shape:?} for \"{name}\", which config.json means, but found {:?}",
                self.file, tensor.shape
            ))));
        }
        Ok(tensor)
    }

    /// A row of numbers.
    pub fn floats(&self, name: &str, length: usize) -> Understood<Vec<f32>> {
        let tensor = self.shaped(name, &[length])?;
        let mut numbers = vec![0.0; length];
        tensor.read(0, &mut numbers);
        Ok(numbers)
    }

    /// A norm.
    pub fn norm(&self, norm: &Norm) -> Understood<LoadedNorm> {
        let mut gain = self.floats(&norm.weight, norm.width)?;
        if norm.kind == NormKind::RootMeanSquarePlusOne {
            gain.iter_mut().for_each(|gain| *gain += 1.0);
        }
        let bias = norm.bias.as_ref().map(|name| self.floats(name, norm.width)).transpose()?.unwrap_or_default();
        Ok(LoadedNorm { kind: norm.kind, gain, bias, epsilon: norm.epsilon })
    }

    /// A table of vectors `[any number, width]`, which tokens choose from.
    pub fn table(&self, name: &str, width: usize) -> Understood<Table> {
        let tensor = self.find(name)?;
        match tensor.shape.as_slice() {
            [_, columns] if *columns == width && !tensor.transposed => Ok(Table::new(tensor)),
            // One number for each is mostly stored without the second axis.
            [rows] if width == 1 => Ok(Table::new(&Tensor { shape: vec![*rows, 1], ..tensor.clone() })),
            shape => Err(Refusal::Broken(Error::invalid_model(format!(
                "{}: expected the shape [any, {width}] for \"{name}\", which config.json means, but found {shape:?}",
                self.file
            )))),
        }
    }

    /// A table `[rows, width]`.
    pub fn table_of(&self, name: &str, rows: usize, width: usize) -> Understood<Table> {
        self.shaped(name, &[rows, width])?;
        self.table(name, width)
    }

    /// A linear layer in the format of its kernel.
    pub fn linear(&self, linear: &Linear, format: Format) -> Understood<Panels> {
        let mut bias = Vec::new();
        let mut tensors = Vec::new();
        for part in &linear.parts {
            let tensor = self.shaped(&part.weight, &[part.of, linear.inputs])?;
            tensors.extend(part.rows.clone().map(|row| (tensor, row)));
            match &part.bias {
                Some(name) => bias.extend_from_slice(&self.floats(name, part.of)?[part.rows.clone()]),
                None => bias.resize(bias.len() + part.rows.len(), 0.0),
            }
        }
        let outputs = linear.outputs();
        let as_stored = format == Format::Byte && tensors.iter().all(|(tensor, _)| tensor.is_symmetric());
        let source = if as_stored {
            Source::Bytes(&mut |output, numbers| {
                let (tensor, row) = tensors[output];
                tensor.read_bytes(row, numbers)
            })
        } else {
            Source::Floats(&mut |output, numbers| {
                let (tensor, row) = tensors[output];
                tensor.read(row, numbers);
            })
        };
        Ok(Panels::pack(format, linear.inputs, outputs, &bias, source))
    }

    /// Nothing is left that the plan does not know.
    pub fn finish(&self, plan: &Plan) -> Understood<()> {
        let used = self.used();
        let ignored = || plan.ignored.iter().copied().chain([PROJECTION]);
        let is_ignored = |name: &str| {
            let outer = name.strip_prefix(self.outer.as_str());
            let names =
                [name.strip_prefix(self.prefix.as_str()), outer, outer.and_then(|n| n.strip_prefix(plan.prefix))];
            names.into_iter().flatten().any(|name| ignored().any(|known| name.starts_with(known)))
        };
        match self.tensors.keys().find(|name| !used.contains(*name) && !is_ignored(name)) {
            None => Ok(()),
            Some(name) => Err(Refusal::Unknown(format!("{} has a tensor \"{name}\"", self.file))),
        }
    }
}
