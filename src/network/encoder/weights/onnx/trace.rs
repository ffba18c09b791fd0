//! Follows a graph from its inputs to its outputs, for a sample, and writes down the steps on the way.

use std::collections::HashMap;
use std::rc::Rc;

use super::Refusal;
use super::array::{Array, Kind, Maybe};
use super::graph::{Attribute, Graph, Node};
use super::names::Use;
use super::operators::evaluate;
use super::sample::Sample;
use super::step::Step;
use super::stored::{Element, Stored};
use super::value::{Data, Value, View};

/// Numbers that may be read and made in all, for positions and masks. A model of 24 layers takes a tenth of it.
const MAX_WORK: usize = 1 << 24;
/// Numbers of the largest stored tensor that positions and masks may come from.
const MAX_READ: usize = 1 << 20;

/// What becomes of data in a node.
pub(super) type Followed<'file> = Maybe<Data<'file>>;

pub(super) struct Trace<'call, 'file> {
    pub graph: &'call Graph<'file>,
    pub sample: &'call Sample,
    pub values: HashMap<&'file str, Value<'file>>,
    pub steps: Vec<Step<usize>>,
    /// For each step, how many others lie between it and the inputs at most.
    pub depths: Vec<usize>,
    pub uses: Vec<Use<'file>>,
    /// For each stored tensor, whether its numbers were calculated with.
    pub read: Vec<bool>,
    /// Whether constants have 16 bits.
    pub half: bool,
    work: usize,
}

impl<'call, 'file> Trace<'call, 'file> {
    /// Follows the whole graph.
    pub(super) fn of(graph: &'call Graph<'file>, sample: &'call Sample) -> Result<Self, Refusal> {
        let mut trace = Self {
            graph,
            sample,
            values: HashMap::new(),
            steps: Vec::new(),
            depths: Vec::new(),
            uses: Vec::new(),
            read: vec![false; graph.stored.len()],
            half: graph.stored.iter().any(|stored| matches!(stored.element, Element::F16 | Element::Bf16)),
            work: 0,
        };
        for (index, stored) in graph.stored.iter().take(graph.initialisers).enumerate() {
            trace.define(stored.name, Value::Stored(View { index, name: stored.name, flipped: false, scale: None }))?;
        }
        for (name, _, _) in &graph.inputs {
            if let Some(array) = sample.input(name) {
                trace.define(name, Value::Known(Rc::new(array)))?;
            }
        }
        for (site, node) in graph.nodes.iter().enumerate() {
            let made = trace.followed(node, site)?;
            let rest = Value::Unknown(refused(node, "has more outputs than are known").reason.into());
            let rest = made.first().filter(|first| matches!(first, Value::Unknown(_))).cloned().unwrap_or(rest);
            let all = made.into_iter().chain(std::iter::repeat(rest));
            for (name, value) in node.outputs.iter().zip(all).filter(|(name, _)| !name.is_empty()) {
                trace.define(name, value)?;
            }
        }
        Ok(trace)
    }

    fn define(&mut self, name: &'file str, value: Value<'file>) -> Result<(), Refusal> {
        match self.values.insert(name, value) {
            Some(_) => Err(Refusal::new(format!("the value \"{}\" is made twice", short(name)))),
            None => Ok(()),
        }
    }

    /// The step that an output is.
    pub(super) fn output(&mut self, name: &str) -> Result<usize, Refusal> {
        match self.values.get(name) {
            None => Err(Refusal::new(format!("no node makes the output \"{}\"", short(name)))),
            Some(Value::Unknown(reason)) => Err(Refusal::new(reason.to_string())),
            Some(_) => match self.rows(name) {
                Ok((step, _)) => Ok(step),
                Err(reason) => Err(Refusal::new(format!("the output \"{}\" {reason}", short(name)))),
            },
        }
    }

    /// The values that a node makes, as far as it can be followed.
    fn followed(&mut self, node: &Node<'file>, site: usize) -> Result<Vec<Value<'file>>, Refusal> {
        for name in node.inputs.iter().filter(|name| !name.is_empty()) {
            match self.values.get(name) {
                None => return Err(refused(node, "works on a value that no node before it makes")),
                Some(Value::Unknown(reason)) => return Ok(vec![Value::Unknown(Rc::clone(reason))]),
                Some(_) => {}
            }
        }
        let known = matches!(node.domain, "" | "ai.onnx");
        let made = if known { self.node(node, site) } else { Err("is not known".to_owned()) };
        Ok(made.unwrap_or_else(|reason| vec![Value::Unknown(refused(node, &reason).reason.into())]))
    }

    fn node(&mut self, node: &Node<'file>, site: usize) -> Maybe<Vec<Value<'file>>> {
        if node.operation == "Constant" {
            return Ok(vec![constant(node)?]);
        }
        if node.operation == "Shape" {
            return Ok(vec![Value::Known(Rc::new(self.sizes(node)?))]);
        }
        if node.inputs.iter().any(|name| matches!(self.values.get(*name), Some(Value::Data(_)))) {
            return self.data(node, site);
        }
        if let Ok(view) = self.view(node, 0)
            && let Some(value) = self.weight(node, site, view)?
        {
            return Ok(vec![value]);
        }
        let fill = match node.attributes.get("value") {
            Some(Attribute::Tensor(index)) => Some(self.load(*index)?),
            _ => None,
        };
        let arrays = (0..node.inputs.len()).map(|place| self.optional(node, place)).collect::<Maybe<Vec<_>>>()?;
        let arrays: Vec<_> = arrays.iter().map(Option::as_deref).collect();
        // Before and after: a node that comes when all is spent does nothing.
        self.spend(arrays.iter().flatten().map(|array| array.numbers.len()).sum())?;
        let made = evaluate(node, &arrays, fill.as_ref())?;
        self.spend(made.numbers.len())?;
        Ok(vec![Value::Known(Rc::new(made))])
    }

    /// `Shape`.
    fn sizes(&self, node: &Node<'file>) -> Maybe<Array> {
        let shape = match self.value(node, 0)? {
            Value::Known(array) => array.shape.clone(),
            Value::Stored(view) => self.shape(view),
            Value::Data(data) => data.shape.clone(),
            Value::Unknown(reason) => return Err(reason.to_string()),
        };
        let rank = i64::try_from(shape.len()).unwrap_or(0);
        let place = |name: &str, otherwise: i64| {
            let place = node.integer(name).unwrap_or(otherwise);
            usize::try_from(if place < 0 { place.saturating_add(rank) } else { place }.clamp(0, rank)).unwrap_or(0)
        };
        Ok(Array::sizes(shape.get(place("start", 0)..place("end", rank)).unwrap_or_default()))
    }

    pub(super) fn value(&self, node: &Node<'file>, place: usize) -> Maybe<&Value<'file>> {
        let value = node.inputs.get(place).and_then(|name| self.values.get(name));
        value.ok_or_else(|| "lacks an input".to_owned())
    }

    /// An input that is a stored tensor.
    pub(super) fn view(&self, node: &Node<'file>, place: usize) -> Maybe<View<'file>> {
        match self.value(node, place)? {
            Value::Stored(view) => Ok(*view),
            _ => Err("works on what is no stored tensor".to_owned()),
        }
    }

    pub(super) fn stored(&self, index: usize) -> &'call Stored<'file> {
        &self.graph.stored[index]
    }

    /// The shape of a stored tensor as it is looked at.
    pub(super) fn shape(&self, view: &View<'file>) -> Vec<usize> {
        let shape = self.stored(view.index).shape.iter().copied();
        if view.flipped { shape.rev().collect() } else { shape.collect() }
    }

    /// The numbers of an input that does not depend on weights.
    pub(super) fn known(&mut self, node: &Node<'file>, place: usize) -> Maybe<Rc<Array>> {
        match self.value(node, place)? {
            Value::Known(array) => Ok(Rc::clone(array)),
            Value::Stored(View { index, flipped: false, scale: None, .. }) => {
                let index = *index;
                Ok(Rc::new(self.load(index)?))
            }
            _ => Err("works on what is not known before the weights".to_owned()),
        }
    }

    /// The same for an input that may be left out.
    pub(super) fn optional(&mut self, node: &Node<'file>, place: usize) -> Maybe<Option<Rc<Array>>> {
        if node.has(place) { self.known(node, place).map(Some) } else { Ok(None) }
    }

    fn load(&mut self, index: usize) -> Maybe<Array> {
        let stored = self.stored(index);
        if stored.len() > MAX_READ {
            return Err("calculates with a tensor that is too large for positions and masks".to_owned());
        }
        self.spend(stored.len())?;
        self.read[index] = true;
        Ok(stored.array())
    }

    pub(super) fn spend(&mut self, numbers: usize) -> Maybe<()> {
        self.work = self.work.saturating_add(numbers);
        if self.work > MAX_WORK { Err("takes more work than any model that is known".to_owned()) } else { Ok(()) }
    }
}

fn constant<'file>(node: &Node<'file>) -> Maybe<Value<'file>> {
    if let Some(Attribute::Tensor(index)) = node.attributes.get("value") {
        let name = node.outputs.first().copied().unwrap_or_default();
        return Ok(Value::Stored(View { index: *index, name, flipped: false, scale: None }));
    }
    #[allow(clippy::cast_precision_loss, reason = "axes and sizes are small")]
    let whole = |numbers: &[i64]| numbers.iter().map(|number| *number as f64).collect();
    let array = if let Some(number) = node.float("value_float") {
        Array { shape: Vec::new(), kind: Kind::Float, numbers: vec![number.into()] }
    } else if let Some(number) = node.integer("value_int") {
        Array { shape: Vec::new(), kind: Kind::Integer, numbers: whole(&[number]) }
    } else {
        let numbers = node.integers("value_ints").ok_or("is not known")?;
        Array { shape: vec![numbers.len()], kind: Kind::Integer, numbers: whole(numbers) }
    };
    Ok(Value::Known(Rc::new(array)))
}

/// Says which node stands in the way.
fn refused(node: &Node<'_>, reason: &str) -> Refusal {
    let name = if node.name.is_empty() { node.outputs.first().copied().unwrap_or_default() } else { node.name };
    Refusal::new(format!("the node \"{}\" of type {} {reason}", short(name), short(node.operation)))
}

/// A name for a sentence.
pub(super) fn short(name: &str) -> String {
    name.chars().take(120).filter(|letter| !letter.is_control()).collect()
}
