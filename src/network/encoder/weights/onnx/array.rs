//! Small arrays of known numbers: shapes, positions and masks of the sample.

use super::graph::{Attribute, Node};

/// Numbers that are known for the sample. Integers and truth values are whole numbers; floats are rounded to 32 bits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub shape: Vec<usize>,
    pub kind: Kind,
    pub numbers: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Bool,
    Float,
}

/// Largest array that is made, and most axes of one.
const MAX_NUMBERS: usize = 1 << 22;
const MAX_RANK: usize = 16;

/// Something, or why an operator cannot be applied: the rest of a sentence that begins with the node.
pub(super) type Maybe<T> = Result<T, String>;

impl Array {
    #[allow(clippy::cast_precision_loss, reason = "sizes of samples are small")]
    pub(super) fn sizes(shape: &[usize]) -> Self {
        let numbers = shape.iter().map(|size| *size as f64).collect();
        Self { shape: vec![shape.len()], kind: Kind::Integer, numbers }
    }

    /// An array whose number at each place `of` tells.
    pub(super) fn made(shape: Vec<usize>, kind: Kind, of: impl FnMut(usize) -> f64) -> Maybe<Self> {
        let numbers = (0..count(&shape)?).map(of).collect();
        Ok(Self { shape, kind, numbers })
    }

    /// Its only number, if it has no more.
    pub(super) fn scalar(&self) -> Option<f64> {
        if let [number] = self.numbers.as_slice() { Some(*number) } else { None }
    }

    #[allow(clippy::cast_possible_truncation, reason = "ends of slices are cut to what fits, as is meant")]
    pub(super) fn integers(&self) -> Vec<i64> {
        self.numbers.iter().map(|number| *number as i64).collect()
    }

    /// Its numbers as sizes of axes.
    pub(super) fn as_sizes(&self) -> Maybe<Vec<usize>> {
        self.integers()
            .iter()
            .map(|size| usize::try_from(*size).map_err(|_| "has a negative size".to_owned()))
            .collect()
    }

    /// The number at `place` of an array of the shape `wide`, to which this one is broadcast.
    pub(super) fn broadcast(&self, wide: &[usize], place: usize) -> f64 {
        let (mut rest, mut step, mut from) = (place, 1, 0);
        for (own, size) in self.shape.iter().rev().zip(wide.iter().rev()) {
            from += if *own == 1 { 0 } else { rest % size * step };
            rest /= size;
            step *= own;
        }
        self.numbers[from]
    }

    /// How many numbers lie before, along and after an axis.
    pub(super) fn around(&self, axis: usize) -> (usize, usize, usize) {
        (self.shape[..axis].iter().product(), self.shape[axis], self.shape[axis + 1..].iter().product())
    }
}

/// How many numbers an array of the shape has. A size of 0 does not make up for sizes that are too large elsewhere.
pub(super) fn count(shape: &[usize]) -> Maybe<usize> {
    let most = shape.iter().try_fold(1_usize, |most, size| most.checked_mul(*size.max(&1)));
    if most.is_some_and(|most| most <= MAX_NUMBERS) && shape.len() <= MAX_RANK {
        Ok(shape.iter().product())
    } else {
        Err("makes an array that is too large".to_owned())
    }
}

/// The place of an axis, or another place, that may be counted from the end.
pub(super) fn axis(number: i64, rank: usize) -> Maybe<usize> {
    let size = i64::try_from(rank).unwrap_or(i64::MAX);
    let place = if number < 0 { number.saturating_add(size) } else { number };
    let place = usize::try_from(place).ok().filter(|place| *place < rank);
    place.ok_or_else(|| "names a place that is not there".to_owned())
}

/// The shape that both shapes are broadcast to.
pub(super) fn common(left: &[usize], right: &[usize]) -> Maybe<Vec<usize>> {
    let rank = left.len().max(right.len());
    let size = |shape: &[usize], place: usize| (place + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let both = (0..rank).map(|place| match (size(left, place), size(right, place)) {
        (left, right) if left == right || right == 1 => Ok(left),
        (1, right) => Ok(right),
        _ => Err("works on shapes that do not fit".to_owned()),
    });
    both.collect()
}

/// The shape that `Reshape` makes: 0 is the size that was there, -1 what is left.
pub(super) fn reshaped(node: &Node, shape: &[usize], wanted: &[i64]) -> Maybe<Vec<usize>> {
    let keeps = node.integer("allowzero").unwrap_or(0) == 0;
    let size = |(place, size): (usize, &i64)| match size {
        0 if keeps => shape.get(place).copied(),
        -1 => Some(1),
        size => usize::try_from(*size).ok(),
    };
    let made: Option<Vec<usize>> = wanted.iter().enumerate().map(size).collect();
    let mut made = made.ok_or("makes an axis of no size")?;
    let (all, known) = (count(shape)?, count(&made)?);
    if let Some(open) = wanted.iter().position(|size| *size == -1) {
        made[open] = all.checked_div(known).unwrap_or(0);
    }
    if count(&made)? == all { Ok(made) } else { Err("makes a shape that does not fit".to_owned()) }
}

/// The axes that `Unsqueeze` adds or `Squeeze` takes away, in order, as places in the longer shape.
pub(super) fn ones(shape: &[usize], axes: &[i64], adds: bool) -> Maybe<Vec<usize>> {
    let rank = shape.len() + if adds { axes.len() } else { 0 };
    let mut places = axes.iter().map(|number| axis(*number, rank)).collect::<Maybe<Vec<_>>>()?;
    places.sort_unstable();
    places.dedup();
    let fits = places.len() == axes.len() && (adds || places.iter().all(|place| shape[*place] == 1));
    if fits && rank <= MAX_RANK { Ok(places) } else { Err("names axes that do not fit".to_owned()) }
}

/// What `Slice` takes of each axis: the first place, how many, and how far apart.
pub(super) fn slices(shape: &[usize], inputs: &[Option<&Array>]) -> Maybe<Vec<(usize, usize, usize)>> {
    let list = |place: usize| inputs.get(place).copied().flatten().map(Array::integers);
    let (starts, ends) = list(1).zip(list(2)).ok_or("has no starts or no ends")?;
    let axes = list(3).unwrap_or_else(|| (0..).take(starts.len()).collect());
    let steps = list(4).unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("has lists of different lengths".to_owned());
    }
    let mut taken: Vec<_> = shape.iter().map(|size| (0, *size, 1)).collect();
    for (at, number) in axes.iter().enumerate() {
        let place = axis(*number, shape.len())?;
        let size = i64::try_from(shape[place]).unwrap_or(i64::MAX);
        let cut = |end: i64| usize::try_from(if end < 0 { end.saturating_add(size) } else { end }.clamp(0, size));
        let step = usize::try_from(steps[at]).ok().filter(|step| *step > 0).ok_or("goes backwards")?;
        let (start, end) = (cut(starts[at]).unwrap_or(0), cut(ends[at]).unwrap_or(0));
        taken[place] = (start, end.saturating_sub(start).div_ceil(step), step);
    }
    Ok(taken)
}

/// The order in which `Transpose` puts the axes.
pub(super) fn order_of(node: &Node, rank: usize) -> Maybe<Vec<usize>> {
    let Some(Attribute::Integers(order)) = node.attributes.get("perm") else { return Ok((0..rank).rev().collect()) };
    let places = order.iter().map(|number| axis(*number, rank)).collect::<Maybe<Vec<_>>>()?;
    let all = places.len() == rank && (0..rank).all(|place| places.contains(&place));
    if all { Ok(places) } else { Err("puts axes in an order that does not fit".to_owned()) }
}
