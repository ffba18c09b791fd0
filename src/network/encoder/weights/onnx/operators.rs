//! The operators that graphs apply to shapes, positions and masks. These are calculated for the sample instead of being
//! recognised by their look: exporters write them in a dozen ways.

use half::f16;

use super::array::{Array, Kind, Maybe, axis, common, count, ones, order_of, reshaped, slices};
use super::graph::Node;
use super::stored::Element;

/// What an operator on two numbers gives, and of which kind, if not of that of the numbers.
type Pair = (Option<Kind>, fn(f64, f64) -> f64);
/// The same for one number.
type Single = (Option<Kind>, fn(f64) -> f64);

const BOOL: Option<Kind> = Some(Kind::Bool);

fn pair(operation: &str) -> Option<Pair> {
    Some(match operation {
        "Add" => (None, |a, b| a + b),
        "Sub" => (None, |a, b| a - b),
        "Mul" => (None, |a, b| a * b),
        "Div" => (None, |a, b| a / b),
        "Pow" => (None, f64::powf),
        "Min" => (None, f64::min),
        "Max" => (None, f64::max),
        "Equal" => (BOOL, |a, b| f64::from(a == b)),
        "Less" => (BOOL, |a, b| f64::from(a < b)),
        "LessOrEqual" => (BOOL, |a, b| f64::from(a <= b)),
        "Greater" => (BOOL, |a, b| f64::from(a > b)),
        "GreaterOrEqual" => (BOOL, |a, b| f64::from(a >= b)),
        "And" => (BOOL, f64::min),
        "Or" => (BOOL, f64::max),
        _ => return None,
    })
}

fn single(operation: &str) -> Option<Single> {
    Some(match operation {
        "Identity" => (None, |a| a),
        "Neg" => (None, |a| -a),
        "Abs" => (None, f64::abs),
        "Sqrt" => (None, f64::sqrt),
        "Log" => (None, f64::ln),
        "Not" => (BOOL, |a| 1.0 - a),
        _ => return None,
    })
}

#[allow(clippy::cast_possible_truncation, reason = "floats are rounded to the 32 bits that they have in the graph")]
fn rounded(kind: Kind, number: f64) -> f64 {
    match kind {
        Kind::Float => f64::from(number as f32),
        Kind::Integer => number.trunc(),
        Kind::Bool => f64::from(number != 0.0),
    }
}

/// Applies the node to known numbers. `fill` is its attribute `value`.
#[allow(clippy::too_many_lines, reason = "a list of operators")]
pub(super) fn evaluate(node: &Node, inputs: &[Option<&Array>], fill: Option<&Array>) -> Maybe<Array> {
    let input = |place: usize| inputs.get(place).copied().flatten();
    let of = |place: usize| input(place).ok_or_else(|| "lacks an input".to_owned());
    let data = of(0)?;
    let along = |otherwise: i64| axis(node.integer("axis").unwrap_or(otherwise), data.shape.len());
    let axes = || node.integers("axes").map(<[i64]>::to_vec).or_else(|| input(1).map(Array::integers));
    if let Some((kind, apply)) = single(node.operation) {
        let kind = kind.unwrap_or(data.kind);
        return Array::made(data.shape.clone(), kind, |at| rounded(kind, apply(data.numbers[at])));
    }
    if let Some((kind, apply)) = pair(node.operation) {
        let (right, kind) = (of(1)?, kind.unwrap_or(data.kind));
        let shape = common(&data.shape, &right.shape)?;
        if inputs.len() > 2 {
            return Err("works on more than two arrays".to_owned());
        }
        let both = |at: usize| rounded(kind, apply(data.broadcast(&shape, at), right.broadcast(&shape, at)));
        return Array::made(shape.clone(), kind, both);
    }
    match node.operation {
        "Cast" => {
            let to = node.integer("to").and_then(Element::of).ok_or("makes numbers of a type that is not known")?;
            let half = |number: f64| if to == Element::F16 { f16::from_f64(number).into() } else { number };
            Array::made(data.shape.clone(), to.kind(), |at| half(rounded(to.kind(), data.numbers[at])))
        }
        "Where" => {
            let (yes, no) = (of(1)?, of(2)?);
            let shape = common(&data.shape, &common(&yes.shape, &no.shape)?)?;
            let chosen = |at: usize| if data.broadcast(&shape, at) == 0.0 { no } else { yes }.broadcast(&shape, at);
            Array::made(shape.clone(), yes.kind, chosen)
        }
        "Gather" => {
            let (index, place) = (of(1)?, along(0)?);
            let (_, size, after) = data.around(place);
            let from = index.integers().into_iter().map(|at| axis(at, size)).collect::<Maybe<Vec<_>>>()?;
            let shape = [&data.shape[..place], &index.shape, &data.shape[place + 1..]].concat();
            let row = |to: usize| to / after / from.len() * size + from[to / after % from.len()];
            Array::made(shape, data.kind, |to| data.numbers[row(to) * after + to % after])
        }
        "GatherElements" => {
            let (index, place) = (of(1)?, along(0)?);
            let same = |axis: usize| axis == place || data.shape[axis] == index.shape[axis];
            if index.shape.len() != data.shape.len() || !(0..data.shape.len()).all(same) {
                return Err("works on shapes that do not fit".to_owned());
            }
            let ((_, size, after), (_, many, _)) = (data.around(place), index.around(place));
            let from = index.integers().into_iter().map(|at| axis(at, size)).collect::<Maybe<Vec<_>>>()?;
            let row = |to: usize| to / after / many * size + from[to];
            Array::made(index.shape.clone(), data.kind, |to| data.numbers[row(to) * after + to % after])
        }
        "GatherND" => {
            let index = of(1)?;
            let (many, outer) = index.shape.split_last().ok_or("has no list of places")?;
            if *many == 0 || *many != data.shape.len() || node.integer("batch_dims").unwrap_or(0) != 0 {
                return Err("takes more than single numbers".to_owned());
            }
            let place = |at: &[i64]| {
                let mut each = at.iter().zip(&data.shape);
                each.try_fold(0, |place, (at, size)| Ok::<_, String>(place * size + axis(*at, *size)?))
            };
            let from = index.integers().chunks_exact(*many).map(place).collect::<Maybe<Vec<_>>>()?;
            Array::made(outer.to_vec(), data.kind, |to| data.numbers[from[to]])
        }
        "Unsqueeze" => {
            let mut shape = data.shape.clone();
            let places = ones(&shape, &axes().ok_or("names no axes")?, true)?;
            places.into_iter().for_each(|place| shape.insert(place, 1));
            Ok(Array { shape, ..data.clone() })
        }
        "Squeeze" => {
            let all = || (0_i64..).zip(&data.shape).filter(|(_, size)| **size == 1).map(|(place, _)| place).collect();
            let places = ones(&data.shape, &axes().unwrap_or_else(all), false)?;
            let kept = data.shape.iter().enumerate().filter(|(place, _)| !places.contains(place));
            Ok(Array { shape: kept.map(|(_, size)| *size).collect(), ..data.clone() })
        }
        "Reshape" => Ok(Array { shape: reshaped(node, &data.shape, &of(1)?.integers())?, ..data.clone() }),
        "Flatten" => {
            let place = node.integer("axis").unwrap_or(1);
            let place = axis(place, data.shape.len() + usize::from(place >= 0))?;
            let (before, after) = data.shape.split_at(place);
            Ok(Array { shape: vec![before.iter().product(), after.iter().product()], ..data.clone() })
        }
        "Concat" => {
            let place = axis(node.integer("axis").ok_or("names no axis")?, data.shape.len())?;
            let parts = (0..inputs.len()).map(of).collect::<Maybe<Vec<_>>>()?;
            let mut shape = data.shape.clone();
            shape[place] = parts.iter().filter_map(|part| part.shape.get(place)).sum();
            let fits = |part: &&Array| {
                let same =
                    part.shape.iter().zip(&shape).enumerate().all(|(axis, (own, all))| axis == place || own == all);
                same && part.shape.len() == shape.len()
            };
            if !parts.iter().all(fits) {
                return Err("works on shapes that do not fit".to_owned());
            }
            let mut numbers = Vec::with_capacity(count(&shape)?);
            let (before, _, after) = data.around(place);
            for row in 0..before {
                for part in &parts {
                    let length = part.shape[place] * after;
                    numbers.extend_from_slice(&part.numbers[row * length..(row + 1) * length]);
                }
            }
            Ok(Array { shape, kind: data.kind, numbers })
        }
        "Transpose" => {
            let order = order_of(node, data.shape.len())?;
            strided(data, &order.iter().map(|place| (*place, 0, data.shape[*place], 1)).collect::<Vec<_>>())
        }
        "Slice" => {
            let taken = slices(&data.shape, inputs)?.into_iter().enumerate();
            strided(data, &taken.map(|(place, (first, many, by))| (place, first, many, by)).collect::<Vec<_>>())
        }
        "Expand" => {
            let shape = common(&data.shape, &of(1)?.as_sizes()?)?;
            Array::made(shape.clone(), data.kind, |at| data.broadcast(&shape, at))
        }
        "ConstantOfShape" => {
            let (kind, number) = match fill {
                Some(fill) => (fill.kind, fill.scalar().ok_or("fills with more numbers than one")?),
                None => (Kind::Float, 0.0),
            };
            Array::made(data.as_sizes()?, kind, |_| number)
        }
        "Range" => {
            let scalar = |place| of(place)?.scalar().ok_or_else(|| "has no single number".to_owned());
            let (start, limit, step) = (scalar(0)?, scalar(1)?, scalar(2)?);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, limited right after")]
            let many = ((limit - start) / step).ceil().max(0.0) as usize;
            #[allow(clippy::cast_precision_loss, reason = "a place in a small array")]
            Array::made(vec![many], data.kind, |at| start + at as f64 * step)
        }
        "CumSum" => {
            let places = of(1)?.integers();
            let (_, size, after) = data.around(axis(*places.first().ok_or("names no axis")?, data.shape.len())?);
            if ["exclusive", "reverse"].iter().any(|name| node.integer(name).unwrap_or(0) != 0) {
                return Err("adds up in another order".to_owned());
            }
            let mut sums = data.clone();
            for at in (0..sums.numbers.len()).filter(|at| at / after % size > 0) {
                sums.numbers[at] = rounded(data.kind, sums.numbers[at] + sums.numbers[at - after]);
            }
            Ok(sums)
        }
        _ => Err("is not known".to_owned()),
    }
}

/// An array whose axes are axes of another one: which, from where on, how many places, and how far apart.
fn strided(of: &Array, axes: &[(usize, usize, usize, usize)]) -> Maybe<Array> {
    let shape = axes.iter().map(|(_, _, many, _)| *many).collect();
    Array::made(shape, of.kind, |to| {
        let (mut rest, mut from) = (to, 0);
        for (axis, first, many, by) in axes.iter().rev() {
            from += (first + rest % many * by) * of.shape[axis + 1..].iter().product::<usize>();
            rest /= many;
        }
        of.numbers[from]
    })
}
