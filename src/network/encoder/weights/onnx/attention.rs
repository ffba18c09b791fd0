//! The product of queries and keys, what becomes of it, and its product with the values.

use super::array::{Array, axis};
use super::curve::Curve;
use super::graph::Node;
use super::sample::GONE;
use super::step::{Index, Step};
use super::trace::{Followed, Trace};
use super::value::{Axis, Data, Scores, Value, What};

const HEADS: [Axis; 4] = [Axis::Batch, Axis::Heads, Axis::Token, Axis::Depth];
const TURNED: [Axis; 4] = [Axis::Batch, Axis::Heads, Axis::Depth, Axis::Token];
const PAIRS: [Axis; 4] = [Axis::Batch, Axis::Heads, Axis::Query, Axis::Key];

impl<'file> Trace<'_, 'file> {
    /// A product of two values that are data.
    pub(super) fn attend(&mut self, node: &Node<'file>, left: &Data<'file>) -> Followed<'file> {
        let right = self.laid(node.input(1)?)?;
        let What::Step(by) = right.what else { return Err("is no product of attention".to_owned()) };
        let factor = |data: &Data<'file>| data.curve.as_deref().map_or(Some(1.0), Curve::factor);
        if let What::Shares(Scores { query, key, scale, masked, bias }) = left.what {
            let fits = right.axes == HEADS && right.shape[..2] == left.shape[..2] && right.shape[2] == left.shape[3];
            if !fits || factor(&right) != Some(1.0) {
                return Err("multiplies shares by what are no values".to_owned());
            }
            #[allow(clippy::cast_possible_truncation, reason = "factors have 32 bits in the graph")]
            let scale = scale as f32;
            let heads = right.shape[1];
            let step = self.step(Step::Attention { query, key, value: by, heads, scale, masked, bias });
            return Ok(Data::new(What::Step(step), &HEADS, right.shape));
        }
        let left = self.laid(node.input(0)?)?;
        let fits = left.axes == HEADS && right.axes == TURNED;
        let (What::Step(of), true) = (&left.what, fits && left.shape[..2] == right.shape[..2]) else {
            return Err("is no product of queries and keys".to_owned());
        };
        if left.shape[3] != right.shape[2] {
            return Err("multiplies queries by keys of another size".to_owned());
        }
        let scale = factor(&left).zip(factor(&right)).map(|(left, right)| left * right);
        let scale = scale.ok_or("multiplies queries or keys that are no rows any more")?;
        let shape = vec![left.shape[0], left.shape[1], left.shape[2], right.shape[3]];
        let scores = Scores { query: *of, key: by, scale, masked: false, bias: None };
        Ok(Data::new(What::Scores(scores), &PAIRS, shape))
    }

    /// Scores and an embedding of distances.
    pub(super) fn biased(&mut self, data: &Data<'file>, bias: &Data<'file>) -> Followed<'file> {
        let (What::Scores(scores), What::Step(step)) = (&data.what, &bias.what) else {
            return Err("adds to scores what is no bias".to_owned());
        };
        let distances = matches!(&self.steps[*step], Step::Embedding { index: Index::Distances { .. }, .. });
        let axes = bias.axes.len() == 4 && bias.axes[1..] == PAIRS[1..] && bias.shape[1..] == data.shape[1..];
        if !distances || !axes || bias.curve.is_some() || scores.bias.is_some() {
            return Err("adds to scores what is no bias".to_owned());
        }
        Ok(data.turned(What::Scores(Scores { bias: Some(*step), ..*scores })))
    }

    /// Scores and known numbers, which are the input `place`: a factor or a mask.
    pub(super) fn changed(
        &mut self,
        node: &Node<'file>,
        data: &Data<'file>,
        scores: Scores,
        other: &Array,
        place: usize,
    ) -> Followed<'file> {
        self.spend(other.numbers.len())?;
        let fresh = !scores.masked && scores.bias.is_none();
        let scores = match (node.operation, other.scalar()) {
            ("Mul", Some(factor)) if fresh => Scores { scale: scores.scale * factor, ..scores },
            ("Div", Some(factor)) if fresh && place == 1 => Scores { scale: scores.scale / factor, ..scores },
            ("Add", _) if self.sample.hides(other, &data.shape) => Scores { masked: true, ..scores },
            ("Add", _) => return Err("adds to scores what is not the mask".to_owned()),
            _ => return Err("does something to scores that is not known".to_owned()),
        };
        Ok(data.turned(What::Scores(scores)))
    }

    /// `Where` on scores that are masked, or on shares that are no numbers.
    pub(super) fn chosen(&mut self, node: &Node<'file>) -> Followed<'file> {
        let value = |place: usize| self.value(node, place).cloned();
        let (data, other) = match (value(0)?, value(1)?, value(2)?) {
            (Value::Data(no), _, Value::Data(shares)) => {
                let zero = self.known(node, 1)?.scalar() == Some(0.0);
                return match (&no.what, &shares.what) {
                    (What::NoNumbers(of), What::Shares(scores)) if of == scores && zero => Ok(shares),
                    _ => Err("chooses between values in a way that is not known".to_owned()),
                };
            }
            (_, Value::Data(data), _) => (data, 2),
            (_, _, Value::Data(data)) => (data, 1),
            _ => return Err("chooses by what depends on weights".to_owned()),
        };
        let (condition, number) = (self.known(node, 0)?, self.known(node, other)?.scalar());
        self.spend(condition.numbers.len())?;
        let gone = if other == 1 { 1.0 } else { 0.0 };
        let masks = self.sample.matches(&condition, &data.shape, |is| is != gone, |is| is == gone);
        match data.what {
            What::Scores(scores) if masks && number.is_some_and(|number| number <= GONE) => {
                Ok(data.turned(What::Scores(Scores { masked: true, ..scores })))
            }
            _ => Err("chooses between values in a way that is not known".to_owned()),
        }
    }

    pub(super) fn softmax(&mut self, node: &Node<'file>, data: &Data<'file>) -> Followed<'file> {
        let otherwise = if self.graph.opset < 13 { 1 } else { -1 };
        let place = axis(node.integer("axis").unwrap_or(otherwise), data.shape.len())?;
        match data.what {
            What::Scores(scores) if place + 1 == data.shape.len() => Ok(data.turned(What::Shares(scores))),
            _ => Err("is no softmax of attention".to_owned()),
        }
    }
}
