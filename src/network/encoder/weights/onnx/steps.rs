//! Where weights come into the trace, and where its values become steps.

use std::rc::Rc;

use super::array::{Maybe, axis, order_of};
use super::curve::Curve;
use super::graph::Node;
use super::names::{Role, Use, is_parameter};
use super::step::{Function, Index, Step};
use super::stored::Element;
use super::trace::{Followed, Trace};
use super::value::{Axis, Data, Factor, Scale, Value, View, What};

/// Terms of a sum of embeddings. Models have three.
const MAX_TERMS: usize = 8;

impl<'file> Trace<'_, 'file> {
    /// What a node makes of a stored tensor, if it may be a weight.
    pub(super) fn weight(&mut self, node: &Node<'file>, site: usize, view: View<'file>) -> Maybe<Option<Value<'file>>> {
        let stored = self.stored(view.index);
        let float = stored.floats().is_some();
        let byte = matches!(stored.element, Element::U8 | Element::I8);
        let matrix = stored.shape.len() == 2 && (float || byte);
        let seen = match node.operation {
            "Identity" => {
                let name = node.outputs.first().copied().filter(|name| is_parameter(name));
                View { name: name.unwrap_or(view.name), ..view }
            }
            "Transpose" if matrix => View { flipped: view.flipped != (order_of(node, 2)? == [1, 0]), ..view },
            // Numbers that lose bits would be others than those that are stored.
            "Cast" if float && !stored.shape.is_empty() => match node.integer("to").and_then(Element::of) {
                Some(to) if to == stored.element || to == Element::F32 => view,
                _ => return Ok(None),
            },
            "DequantizeLinear" if byte && view.scale.is_none() => {
                let scale = self.scale(node, stored.shape.len())?;
                let axis = if view.flipped { 1 - scale.axis.min(1) } else { scale.axis };
                View { scale: Some(Scale { axis, ..scale }), ..view }
            }
            "Gather" if matrix && !view.flipped && node.integer("axis").unwrap_or(0) == 0 => {
                return self.pick(node, Factor { view, site }).map(|data| Some(Value::Data(data)));
            }
            _ => return Ok(None),
        };
        Ok(Some(Value::Stored(seen)))
    }

    /// The scale of a `DequantizeLinear` on a tensor of `rank` axes.
    pub(super) fn scale(&self, node: &Node<'file>, rank: usize) -> Maybe<Scale> {
        let zero = if node.has(2) { Some(self.view(node, 2)?.index) } else { None };
        if node.integer("block_size").unwrap_or(0) != 0 {
            return Err("has a scale for each block".to_owned());
        }
        // Of a single number, the axis does not matter.
        let axis = axis(node.integer("axis").unwrap_or(1), rank.max(2))?;
        Ok(Scale { factor: self.view(node, 1)?.index, zero, axis })
    }

    /// Rows of a table: a step, or what `DequantizeLinear` makes one of.
    fn pick(&mut self, node: &Node<'file>, table: Factor<'file>) -> Followed<'file> {
        let array = self.known(node, 1)?;
        self.spend(array.numbers.len())?;
        let index = Index::of(&array, self.sample).ok_or("takes rows in a way that is not known")?;
        let axes: &[Axis] = match array.shape.as_slice() {
            [_] => &[Axis::Token, Axis::Width],
            _ if matches!(index, Index::Distances { .. }) => &[Axis::Query, Axis::Key, Axis::Heads],
            [batch, _] if *batch == self.sample.batch => &[Axis::Batch, Axis::Token, Axis::Width],
            _ => &[Axis::One, Axis::Token, Axis::Width],
        };
        let shape = [&array.shape, &self.stored(table.view.index).shape[1..]].concat();
        let bytes = table.view.scale.is_none() && self.stored(table.view.index).floats().is_none();
        let what = if bytes { What::Picked(table, index) } else { What::Step(self.embedding(table, index)) };
        Ok(Data::new(what, axes, shape))
    }

    pub(super) fn embedding(&mut self, table: Factor<'file>, index: Index) -> usize {
        let table = self.parameter(table, Role::Table, None);
        self.step(Step::Embedding { table, index })
    }

    /// Notes that a stored tensor is a parameter.
    pub(super) fn parameter(&mut self, of: Factor<'file>, role: Role, bias: Option<usize>) -> usize {
        self.uses.push(Use { view: of.view, role, node: self.graph.nodes[of.site].name, bias });
        self.uses.len() - 1
    }

    /// Whether it is a factor or bias of each of `width` columns.
    pub(super) fn is_vector(&self, view: &View<'file>, width: usize) -> bool {
        self.shape(view) == [width] && view.scale.is_none() && self.stored(view.index).floats().is_some()
    }

    pub(super) fn step(&mut self, step: Step<usize>) -> usize {
        let depth = step.links().iter().map(|link| self.depths[*link] + 1).max().unwrap_or(0);
        self.depths.push(depth);
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// A sum, its terms in the order that [`Step::Sum`] has.
    pub(super) fn sum(&mut self, left: usize, right: usize) -> usize {
        let index = |step: &usize| match &self.steps[*step] {
            Step::Embedding { index, .. } => Some(index),
            _ => None,
        };
        let terms = |step: usize| match &self.steps[step] {
            Step::Sum { of } if of.iter().all(|term| index(term).is_some()) => of.clone(),
            _ => vec![step],
        };
        let mut of = [terms(left), terms(right)].concat();
        if of.len() > MAX_TERMS || !of.iter().all(|step| index(step).is_some()) {
            of = vec![left, right];
        }
        of.sort_by(|a, b| self.depths[*a].cmp(&self.depths[*b]).then_with(|| index(a).cmp(&index(b))));
        self.step(Step::Sum { of })
    }

    /// A value as a step with perhaps a function that has not ended yet. What is open of a product or a norm is closed.
    pub(super) fn laid(&mut self, name: &str) -> Followed<'file> {
        let Some((name, Value::Data(data))) = self.values.get_key_value(name) else {
            return Err("works on what no weights have been at".to_owned());
        };
        let (name, data) = (*name, data.clone());
        let step = match data.what {
            What::Step(_) => return Ok(data),
            What::Product(of, factor) => {
                Step::Linear { of, weight: self.parameter(factor, Role::Weight, None), bias: None }
            }
            What::Normal(of, epsilon) => Step::Norm { of, weight: None, bias: None, epsilon },
            What::Scaled(of, epsilon, factor) => {
                Step::Norm { of, weight: Some(self.parameter(factor, Role::Weight, None)), bias: None, epsilon }
            }
            _ => return Err("works on a part of a step that is known only as a whole".to_owned()),
        };
        let data = data.turned(What::Step(self.step(step)));
        self.values.insert(name, Value::Data(data.clone()));
        Ok(data)
    }

    /// A value as a step, all functions ended.
    pub(super) fn settled(&mut self, name: &str) -> Maybe<(usize, Data<'file>)> {
        let data = self.laid(name)?;
        let What::Step(step) = data.what else { return Err("is no step".to_owned()) };
        let step = match data.curve.as_deref() {
            None => return Ok((step, data)),
            Some(curve) if curve.factor() == Some(1.0) => step,
            Some(curve) => {
                let function = curve.function(self.half).ok_or("works on a function of numbers that is not known")?;
                self.step(Step::Activation { of: step, function })
            }
        };
        let data = Data { what: What::Step(step), curve: None, ..data };
        if let Some(value) = self.values.get_mut(name) {
            *value = Value::Data(data.clone());
        }
        Ok((step, data))
    }

    /// A value as rows that a step may work on.
    pub(super) fn rows(&mut self, name: &str) -> Maybe<(usize, Data<'file>)> {
        let (step, data) = self.settled(name)?;
        if data.is_rows() { Ok((step, data)) } else { Err("works on what are no rows of tokens".to_owned()) }
    }

    /// A value after a function of each number.
    pub(super) fn bent(&mut self, name: &str, by: impl FnOnce(&Curve) -> Option<Curve>) -> Followed<'file> {
        let data = self.laid(name)?;
        let curve = by(data.curve.as_deref().unwrap_or(&Curve::identity())).ok_or("is not known")?;
        Ok(Data { curve: Some(Rc::new(curve)), ..data })
    }

    /// The function that an operator is as a whole.
    pub(super) fn gelu(&mut self, name: &str, tanh: bool) -> Followed<'file> {
        self.bent(name, |curve| Some(curve.after(if tanh { Function::GeluTanh } else { Function::Gelu })))
    }
}
