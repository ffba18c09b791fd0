//! What `ModelProto` says: nodes, inputs, outputs and the tensors that are stored in the file or beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::Refusal;
use super::array::Maybe;
use super::protobuf::{Field, Fields};
use super::stored::{External, Stored, tensor};

/// Nodes, edges, attributes and tensors together. A model of 48 layers has about 20,000.
const MAX_PARTS: usize = 500_000;
/// Version of the format (`ir_version`) up to which fields mean what is read here.
const MAX_FORMAT: i64 = 13;
/// Outputs: those of every layer, if a graph has them all.
const MAX_OUTPUTS: usize = 200;
/// Integers of one attribute: axes and permutations.
const MAX_INTEGERS: usize = 4096;

/// An input or output: its name, the type of its numbers, and its axes, where `None` may have any size.
pub(super) type Port<'file> = (&'file str, u64, Vec<Option<u64>>);

/// A graph in which every node's inputs stand before it.
pub(super) struct Graph<'file> {
    /// Version of the operators.
    pub opset: i64,
    pub nodes: Vec<Node<'file>>,
    /// Initialisers, then the tensors that nodes hold as attributes.
    pub stored: Vec<Stored<'file>>,
    /// How many of them are initialisers.
    pub initialisers: usize,
    pub inputs: Vec<Port<'file>>,
    pub outputs: Vec<Port<'file>>,
}

#[derive(Default)]
pub(super) struct Node<'file> {
    pub name: &'file str,
    pub operation: &'file str,
    pub domain: &'file str,
    pub inputs: Vec<&'file str>,
    pub outputs: Vec<&'file str>,
    pub attributes: BTreeMap<&'file str, Attribute<'file>>,
}

pub(super) enum Attribute<'file> {
    Float(f32),
    Integer(i64),
    Text(&'file str),
    Integers(Vec<i64>),
    /// An index of [`Graph::stored`].
    Tensor(usize),
    /// Of a kind that no operator needs that is known here.
    Other,
}

impl<'file> Node<'file> {
    /// The name of an input.
    pub(super) fn input(&self, place: usize) -> Maybe<&'file str> {
        self.inputs.get(place).copied().ok_or_else(|| "lacks an input".to_owned())
    }

    /// Whether it has the input `place`, which may be left out.
    pub(super) fn has(&self, place: usize) -> bool {
        self.inputs.get(place).is_some_and(|name| !name.is_empty())
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        match self.attributes.get(name) {
            Some(Attribute::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn float(&self, name: &str) -> Option<f32> {
        match self.attributes.get(name) {
            Some(Attribute::Float(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn integers(&self, name: &str) -> Option<&[i64]> {
        match self.attributes.get(name) {
            Some(Attribute::Integers(numbers)) => Some(numbers),
            _ => None,
        }
    }
}

impl<'file> Graph<'file> {
    pub(super) fn of(bytes: &'file [u8], external: External<'_, 'file>) -> Result<Self, Refusal> {
        let (mut opset, mut graph) = (None, None);
        let mut fields = Fields::of(bytes);
        while let Some((number, field)) = fields.next()? {
            match number {
                7 if graph.is_some() => return Err(Refusal::new("the file holds two graphs")),
                7 => graph = Some(field.bytes()?),
                8 => opset = operators(field.bytes()?)?.or(opset),
                1 if !(3..=MAX_FORMAT).contains(&field.integer()?) => {
                    return Err(Refusal::new("the version of the file's format is not known"));
                }
                25 => return Err(Refusal::new("the graph defines functions of its own")),
                _ => {}
            }
        }
        let opset = opset.filter(|version| (7..=30).contains(version));
        let opset = opset.ok_or_else(|| Refusal::new("the version of the graph's operators is not known"))?;
        let graph = graph.ok_or_else(|| Refusal::new("the file is no ONNX graph"))?;
        let mut reader = Reader {
            external,
            parts: 0,
            graph: Self {
                opset,
                nodes: Vec::new(),
                stored: Vec::new(),
                initialisers: 0,
                inputs: Vec::new(),
                outputs: Vec::new(),
            },
        };
        reader.graph(graph)?;
        if reader.graph.outputs.len() > MAX_OUTPUTS {
            return Err(Refusal::new("the graph has more outputs than any that is known"));
        }
        Ok(reader.graph)
    }
}

/// The version of the standard operators, if that is what the `OperatorSetIdProto` is about.
fn operators(message: &[u8]) -> Result<Option<i64>, Refusal> {
    let (mut domain, mut version) = ("", None);
    let mut fields = Fields::of(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => domain = field.text()?,
            2 => version = Some(field.integer()?),
            _ => {}
        }
    }
    Ok(version.filter(|_| matches!(domain, "" | "ai.onnx")))
}

struct Reader<'call, 'file> {
    external: External<'call, 'file>,
    parts: usize,
    graph: Graph<'file>,
}

impl<'file> Reader<'_, 'file> {
    fn count(&mut self) -> Result<(), Refusal> {
        self.parts += 1;
        if self.parts > MAX_PARTS { Err(Refusal::new("the graph is larger than any that is known")) } else { Ok(()) }
    }

    fn graph(&mut self, message: &'file [u8]) -> Result<(), Refusal> {
        // Initialisers first, wherever they stand: nodes' own tensors follow them.
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            match number {
                5 => {
                    self.count()?;
                    self.graph.stored.push(tensor(field.bytes()?, self.external)?);
                }
                15 => return Err(Refusal::new("the graph has sparse initialisers")),
                _ => {}
            }
        }
        self.graph.initialisers = self.graph.stored.len();
        let stored: BTreeSet<&str> = self.graph.stored.iter().map(|stored| stored.name).collect();
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => {
                    self.count()?;
                    let node = self.node(field.bytes()?)?;
                    // Tensors of nodes have no names of their own.
                    for attribute in node.attributes.values() {
                        if let (Attribute::Tensor(index), Some(output)) = (attribute, node.outputs.first()) {
                            self.graph.stored[*index].name = output;
                        }
                    }
                    self.graph.nodes.push(node);
                }
                11 => {
                    self.count()?;
                    let input = port(field.bytes()?)?;
                    // Old exports list the initialisers among the inputs.
                    if !stored.contains(input.0) {
                        self.graph.inputs.push(input);
                    }
                }
                12 => {
                    self.count()?;
                    self.graph.outputs.push(port(field.bytes()?)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, message: &'file [u8]) -> Result<Node<'file>, Refusal> {
        let mut node = Node::default();
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            self.count()?;
            match number {
                1 => node.inputs.push(field.text()?),
                2 => node.outputs.push(field.text()?),
                3 => node.name = field.text()?,
                4 => node.operation = field.text()?,
                5 => {
                    let (name, attribute) = self.attribute(field.bytes()?)?;
                    node.attributes.insert(name, attribute);
                }
                7 => node.domain = field.text()?,
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute(&mut self, message: &'file [u8]) -> Result<(&'file str, Attribute<'file>), Refusal> {
        let (mut name, mut value, mut integers) = ("", Attribute::Other, None);
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => name = field.text()?,
                2 => value = Attribute::Float(field.float()?),
                3 => value = Attribute::Integer(field.integer()?),
                4 => value = str::from_utf8(field.bytes()?).map_or(Attribute::Other, Attribute::Text),
                5 => {
                    self.count()?;
                    self.graph.stored.push(tensor(field.bytes()?, self.external)?);
                    value = Attribute::Tensor(self.graph.stored.len() - 1);
                }
                6 | 11 => return Err(Refusal::new("a node has a graph inside")),
                8 => field.integers(integers.get_or_insert_default(), MAX_INTEGERS)?,
                _ => {}
            }
        }
        Ok((name, integers.map_or(value, Attribute::Integers)))
    }
}

/// A `ValueInfoProto`.
fn port(message: &[u8]) -> Result<Port<'_>, Refusal> {
    let (mut name, mut element, mut dims) = ("", 0, Vec::new());
    let inside = |outer: &[(u64, Field<'_>)], wanted: u64| outer.iter().any(|(number, _)| *number == wanted);
    for (number, field) in all(message)? {
        match number {
            1 => name = field.text()?,
            2 => {
                let kinds = all(field.bytes()?)?;
                if !inside(&kinds, 1) {
                    return Err(Refusal::new(format!("\"{name}\" is no tensor")));
                }
                for (_, tensor) in kinds.iter().filter(|(number, _)| *number == 1) {
                    for (number, field) in all(tensor.bytes()?)? {
                        match number {
                            1 => element = field.integer()?.cast_unsigned(),
                            2 => dims = axes(field.bytes()?)?,
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok((name, element, dims))
}

/// A `TensorShapeProto`.
fn axes(message: &[u8]) -> Result<Vec<Option<u64>>, Refusal> {
    let mut sizes = Vec::new();
    for (number, axis) in all(message)? {
        if number == 1 {
            let size = all(axis.bytes()?)?.into_iter().rfind(|(number, _)| *number == 1);
            sizes.push(size.map(|(_, size)| size.integer().map(i64::cast_unsigned)).transpose()?);
        }
    }
    Ok(sizes)
}

/// The fields of a small message.
fn all(message: &[u8]) -> Result<Vec<(u64, Field<'_>)>, Refusal> {
    let (mut fields, mut found) = (Fields::of(message), Vec::new());
    while let Some(field) = fields.next()? {
        found.push(field);
        if found.len() > MAX_INTEGERS {
            return Err(Refusal::new("an input or output has more axes than any that is known"));
        }
    }
    Ok(found)
}
