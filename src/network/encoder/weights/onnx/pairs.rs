//! Operators on two values of which at least one is data: biases, sums, norms and functions of numbers.

use super::array::common;
use super::curve::Curve;
use super::graph::Node;
use super::trace::{Followed, Trace};
use super::value::{Axis, Data, Factor, Value, What};

impl<'file> Trace<'_, 'file> {
    pub(super) fn pair(&mut self, node: &Node<'file>, site: usize) -> Followed<'file> {
        if node.inputs.len() != 2 {
            return Err("works on more than two values".to_owned());
        }
        match (self.value(node, 0)?.clone(), self.value(node, 1)?.clone()) {
            (Value::Data(left), Value::Data(right)) => self.both(node, &left, &right),
            (Value::Data(left), _) => self.one(node, site, left, 1),
            (_, Value::Data(right)) => self.one(node, site, right, 0),
            _ => Err("is not known".to_owned()),
        }
    }

    /// Both values are data.
    fn both(&mut self, node: &Node<'file>, left: &Data<'file>, right: &Data<'file>) -> Followed<'file> {
        let together = left.goes_with(right);
        match (node.operation, &left.what, &right.what) {
            ("Mul", What::Integers(..), What::ScaleProduct(..)) => return scaled(left, right),
            ("Mul", What::ScaleProduct(..), What::Integers(..)) => return scaled(right, left),
            ("Add", What::Scores(_), _) => return self.biased(left, right),
            ("Add", _, What::Scores(_)) => return self.biased(right, left),
            ("Sub", _, What::Mean(of)) if together => match self.settled(node.input(0)?)? {
                (step, data) if step == *of => return Ok(data.turned(What::Centred(*of))),
                _ => {}
            },
            ("Mul", What::Centred(of), What::Centred(same)) if together && of == same => {
                return Ok(left.turned(What::Squares(*of)));
            }
            ("Div", What::Centred(of), What::Deviation(same, epsilon)) if together && of == same => {
                return Ok(left.turned(What::Normal(*of, *epsilon)));
            }
            _ => {}
        }
        let (left, right) = (self.laid(node.input(0)?)?, self.laid(node.input(1)?)?);
        if left.what == right.what && left.axes == right.axes && left.shape == right.shape {
            let other = right.curve.as_deref().cloned().unwrap_or_else(Curve::identity);
            return self.bent(node.input(0)?, |curve| curve.with(node.operation, &other));
        }
        if node.operation != "Add" {
            return Err("puts two results together in a way that is not known".to_owned());
        }
        let ((one, left), (other, right)) = (self.settled(node.input(0)?)?, self.settled(node.input(1)?)?);
        let axes = united(&left.axes, &right.axes).ok_or("adds up rows of different kinds")?;
        let shape = common(&left.shape, &right.shape)?;
        Ok(Data::new(What::Step(self.sum(one, other)), &axes, shape))
    }

    /// One value is data, the input `place` is not.
    fn one(&mut self, node: &Node<'file>, site: usize, data: Data<'file>, place: usize) -> Followed<'file> {
        let stored = self.view(node, place).map(|view| Factor { view, site });
        match (node.operation, &data.what, stored) {
            ("Add", What::Product(..) | What::Scaled(..), Ok(bias)) if self.is_vector(&bias.view, data.width()) => {
                return self.close(data, bias);
            }
            ("Mul", What::Normal(of, epsilon), Ok(factor)) if self.is_vector(&factor.view, data.width()) => {
                return Ok(data.turned(What::Scaled(*of, *epsilon, factor)));
            }
            ("Mul", What::QuantisedScale(of), Ok(factor)) => {
                return Ok(data.turned(What::ScaleProduct(*of, factor.view.index)));
            }
            (_, What::Scores(scores), _) => {
                let other = self.known(node, place)?;
                return self.changed(node, &data, *scores, &other, place);
            }
            _ => {}
        }
        let number = self.known(node, place)?.scalar();
        let number = number.ok_or("works on more numbers than one that are no parameter")?;
        match (node.operation, &data.what) {
            ("Pow", What::Centred(of)) if place == 1 && number == 2.0 => Ok(data.turned(What::Squares(*of))),
            #[allow(clippy::cast_possible_truncation, reason = "it was read from 32 bits")]
            ("Add", What::Variance(of)) => Ok(data.turned(What::Steadied(*of, number as f32))),
            (operation, _) => self.bent(node.input(1 - place)?, |curve| {
                let number = Curve::constant(number);
                if place == 1 { curve.with(operation, &number) } else { number.with(operation, curve) }
            }),
        }
    }
}

/// A product of integers times the product of the scales.
fn scaled<'file>(product: &Data<'file>, scale: &Data<'file>) -> Followed<'file> {
    match (&product.what, &scale.what) {
        (What::Integers(of, weight, zero), What::ScaleProduct(same, factor)) if of == same => {
            Ok(product.turned(What::Product(*of, weight.scaled(*factor, *zero))))
        }
        _ => Err("has the scale of other rows".to_owned()),
    }
}

/// The axes of a sum, of which one side may be the same for the whole batch.
fn united(left: &[Axis], right: &[Axis]) -> Option<Vec<Axis>> {
    let (long, short) = if left.len() < right.len() { (right, left) } else { (left, right) };
    let more = long.len() - short.len();
    let mut axes = long.to_vec();
    for (own, axis) in axes[more..].iter_mut().zip(short) {
        match (*own, *axis) {
            (own, axis) if own == axis || axis == Axis::One => {}
            (Axis::One, Axis::Batch) => *own = Axis::Batch,
            _ => return None,
        }
    }
    (more == 0 || matches!(axes[0], Axis::Batch | Axis::One)).then_some(axes)
}
