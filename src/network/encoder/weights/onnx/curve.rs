//! Functions of one number that a graph puts together from simple operators. They are recognised by what they do to a grid of
//! numbers, not by how they are written: exporters write GELU alone in six ways.

use super::step::Function;

const POINTS: usize = 61;
/// How far a function may be from the one that it is taken for. The two kinds of GELU are 0.0005 apart.
const CLOSE: f64 = 1e-5;
/// The same where the graph's constants have 16 bits.
const CLOSE_HALF: f64 = 1e-4;

/// What a function makes of the numbers of the grid.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve([f64; POINTS]);

impl Curve {
    /// The numbers themselves, from -9 to 9; 0 is not among them, nor is any twice or with the other sign.
    #[allow(clippy::cast_precision_loss, reason = "numbers up to 60")]
    pub(super) fn identity() -> Self {
        Self(std::array::from_fn(|at| (at as f64 - 30.0) * 0.3 + 0.07))
    }

    /// The curve after an operator on one number, if that is known.
    pub(super) fn then(&self, operation: &str) -> Option<Self> {
        let apply: fn(f64) -> f64 = match operation {
            "Erf" => erf,
            "Tanh" => f64::tanh,
            "Sigmoid" => sigmoid,
            "Relu" => |x| x.max(0.0),
            "Sqrt" => f64::sqrt,
            "Exp" => f64::exp,
            "Neg" => |x| -x,
            "Reciprocal" => |x| 1.0 / x,
            _ => return None,
        };
        Some(Self(self.0.map(apply)))
    }

    /// The curve after an operator on it and another one, if that is known.
    pub(super) fn with(&self, operation: &str, other: &Self) -> Option<Self> {
        let apply: fn(f64, f64) -> f64 = match operation {
            "Add" => |a, b| a + b,
            "Sub" => |a, b| a - b,
            "Mul" => |a, b| a * b,
            "Div" => |a, b| a / b,
            "Pow" => f64::powf,
            "Max" => f64::max,
            _ => return None,
        };
        Some(Self(std::array::from_fn(|at| apply(self.0[at], other.0[at]))))
    }

    pub(super) fn constant(number: f64) -> Self {
        Self([number; POINTS])
    }

    /// The curve after a function that is an operator of its own.
    pub(super) fn after(&self, function: Function) -> Self {
        Self(self.0.map(function.apply()))
    }

    /// The factor, if all that the function does is to multiply.
    pub(super) fn factor(&self) -> Option<f64> {
        let own = Self::identity();
        let factor = self.0[0] / own.0[0];
        let same = own.0.iter().zip(&self.0).all(|(x, y)| (x * factor - y).abs() <= 1e-9 * y.abs());
        (same && factor.is_finite() && factor != 0.0).then_some(factor)
    }

    /// The function, if it is one of those that are known.
    pub(super) fn function(&self, half: bool) -> Option<Function> {
        use Function::{Gelu, GeluTanh, Relu, Sigmoid, Silu, Tanh};
        let close = if half { CLOSE_HALF } else { CLOSE };
        [Gelu, GeluTanh, Relu, Tanh, Silu, Sigmoid].into_iter().find(|function| {
            let wanted = Self::identity().after(*function);
            wanted.0.iter().zip(&self.0).all(|(wanted, found)| (wanted - found).abs() <= close)
        })
    }
}

impl Function {
    fn apply(self) -> fn(f64) -> f64 {
        match self {
            Self::Gelu => |x| 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Self::GeluTanh => {
                |x| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
            }
            Self::Relu => |x| x.max(0.0),
            Self::Tanh => f64::tanh,
            Self::Silu => |x| x * sigmoid(x),
            Self::Sigmoid => sigmoid,
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The error function to seven digits (Abramowitz and Stegun, 7.1.26).
fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let terms = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let sum = terms.iter().fold(0.0, |sum, term| (sum + term) * t);
    (1.0 - sum * (-x * x).exp()).copysign(x)
}
