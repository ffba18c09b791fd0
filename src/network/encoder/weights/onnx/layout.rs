//! Nodes that move data without changing it: heads are split off rows and joined again, and rows are taken.

use super::array::{axis, ones, order_of, reshaped, slices};
use super::graph::Node;
use super::step::Step;
use super::trace::{Followed, Trace};
use super::value::{Axis, Data, Value, What};

impl<'file> Trace<'_, 'file> {
    pub(super) fn reshape(&mut self, node: &Node<'file>) -> Followed<'file> {
        let data = self.laid(node.input(0)?)?;
        let shape = reshaped(node, &data.shape, &self.known(node, 1)?.integers())?;
        if shape == data.shape {
            return Ok(data);
        }
        // The axes `from` become the axes `to`; the sizes of the others stay.
        let changed = |from: &[Axis], to: &[Axis]| {
            let at = data.axes.windows(from.len()).position(|axes| axes == from)?;
            let (before, after) = (&data.shape[..at], &data.shape[at + from.len()..]);
            let fits = shape.len() == before.len() + to.len() + after.len();
            (fits && shape.starts_with(before) && shape.ends_with(after)).then(|| {
                let axes = [&data.axes[..at], to, &data.axes[at + from.len()..]].concat();
                Data { axes, shape: shape.clone(), ..data.clone() }
            })
        };
        changed(&[Axis::Width], &[Axis::Heads, Axis::Depth])
            .or_else(|| changed(&[Axis::Heads, Axis::Depth], &[Axis::Width]))
            .or_else(|| changed(&[Axis::Batch, Axis::Heads], &[Axis::Lanes]))
            .or_else(|| changed(&[Axis::Lanes], &[Axis::Batch, Axis::Heads]))
            .filter(|made| made.axes[0] != Axis::Batch || made.shape[0] == self.sample.batch)
            .ok_or_else(|| "neither splits rows into heads nor joins heads to rows".to_owned())
    }

    /// A value whose axes may be moved: a step, or rows of a table that are bytes yet.
    fn movable(&mut self, name: &str) -> Followed<'file> {
        match self.values.get(name) {
            Some(Value::Data(data)) if matches!(data.what, What::Picked(..)) => Ok(data.clone()),
            _ => self.laid(name),
        }
    }

    pub(super) fn transpose(&mut self, node: &Node<'file>) -> Followed<'file> {
        let data = self.movable(node.input(0)?)?;
        let order = order_of(node, data.shape.len())?;
        let axes = order.iter().map(|place| data.axes[*place]).collect();
        let shape = order.iter().map(|place| data.shape[*place]).collect();
        Ok(Data { axes, shape, ..data })
    }

    pub(super) fn squeeze(&mut self, node: &Node<'file>) -> Followed<'file> {
        let mut data = self.movable(node.input(0)?)?;
        let input = self.optional(node, 1)?.map(|axes| axes.integers());
        let axes = node.integers("axes").or(input.as_deref()).ok_or("names no axes")?;
        if node.operation == "Unsqueeze" {
            for place in ones(&data.shape, axes, true)? {
                data.axes.insert(place, Axis::One);
                data.shape.insert(place, 1);
            }
        } else {
            for place in ones(&data.shape, axes, false)?.into_iter().rev() {
                data.shape.remove(place);
                if data.axes.remove(place) != Axis::One {
                    return Err("takes an axis away that may have another size".to_owned());
                }
            }
        }
        Ok(data)
    }

    /// Repeats for each text of the batch what is the same for all.
    pub(super) fn expand(&mut self, node: &Node<'file>) -> Followed<'file> {
        let mut data = self.movable(node.input(0)?)?;
        let wanted = self.known(node, 1)?.as_sizes()?;
        if let (Some(first), Some(axis @ Axis::One)) = (wanted.first(), data.axes.first_mut())
            && *first == self.sample.batch
        {
            (*axis, data.shape[0]) = (Axis::Batch, *first);
        }
        let same =
            wanted.len() == data.shape.len() && wanted.iter().zip(&data.shape).all(|(to, of)| *to == 1 || to == of);
        if same { Ok(data) } else { Err("repeats more than the batch".to_owned()) }
    }

    pub(super) fn slice(&mut self, node: &Node<'file>) -> Followed<'file> {
        let (step, data) = self.settled(node.input(0)?)?;
        let mut lists = vec![None];
        for place in 1..node.inputs.len() {
            lists.push(self.optional(node, place)?);
        }
        let taken = slices(&data.shape, &lists.iter().map(Option::as_deref).collect::<Vec<_>>())?;
        let parts: Vec<usize> = (0..taken.len()).filter(|place| taken[*place] != (0, data.shape[*place], 1)).collect();
        match parts.as_slice() {
            [] => Ok(data),
            [1] if taken[1] == (0, 1, 1) => self.first(step, &data, true),
            _ => Err("takes a part of the rows".to_owned()),
        }
    }

    pub(super) fn gather(&mut self, node: &Node<'file>) -> Followed<'file> {
        let (step, data) = self.settled(node.input(0)?)?;
        let index = self.known(node, 1)?;
        let place = axis(node.integer("axis").unwrap_or(0), data.shape.len())?;
        if place != 1 || index.scalar() != Some(0.0) || index.shape.len() > 1 {
            return Err("takes other rows than the first".to_owned());
        }
        self.first(step, &data, index.shape.len() == 1)
    }

    /// The first row of each text, with or without an axis for it.
    fn first(&mut self, of: usize, data: &Data<'file>, keeps: bool) -> Followed<'file> {
        if data.axes != [Axis::Batch, Axis::Token, Axis::Width] {
            return Err("takes the first of something else than tokens".to_owned());
        }
        let [batch, width] = [data.shape[0], data.shape[2]];
        let what = What::Step(self.step(Step::First { of }));
        Ok(if keeps {
            Data::new(what, &[Axis::Batch, Axis::One, Axis::Width], vec![batch, 1, width])
        } else {
            Data::new(what, &[Axis::Batch, Axis::Width], vec![batch, width])
        })
    }
}
