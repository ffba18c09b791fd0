//! Activation functions, as torch computes them.

use crate::spec::ActivationFunction;

/// The function's value at `x`.
#[must_use]
pub fn activate(function: ActivationFunction, x: f32) -> f32 {
    match function {
        ActivationFunction::Identity => x,
        ActivationFunction::Tanh => x.tanh(),
        ActivationFunction::Relu => x.max(0.0),
        ActivationFunction::Sigmoid => sigmoid(x),
        ActivationFunction::Silu => x * sigmoid(x),
        ActivationFunction::LeakyRelu => {
            if x < 0.0 {
                0.01 * x
            } else {
                x
            }
        }
        ActivationFunction::Elu => {
            if x < 0.0 {
                x.exp_m1()
            } else {
                x
            }
        }
        ActivationFunction::Mish => x * softplus(x).tanh(),
        ActivationFunction::Gelu => 0.5 * x * (1.0 + erf(x / std::f32::consts::SQRT_2)),
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f32) -> f32 {
    // torch switches to the identity above 20, where the difference is below float32.
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

/// The error function, by the series and the continued fraction of Abramowitz and Stegun 7.1.5 and 7.1.14.
#[allow(clippy::cast_possible_truncation, reason = "the result is float32")]
fn erf(x: f32) -> f32 {
    let z = f64::from(x.abs());
    let value = if z < 2.5 {
        let (mut term, mut sum) = (z, z);
        for n in 1..60 {
            let n = f64::from(n);
            term *= -z * z / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else {
        let mut fraction = z;
        for k in (1..60).rev() {
            fraction = z + f64::from(k) / 2.0 / fraction;
        }
        1.0 - (-z * z).exp() / (fraction * std::f64::consts::PI.sqrt())
    };
    (value as f32).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_matches_known_values() {
        // Abramowitz and Stegun, table 7.1, and erfc(3) = 2.209e-5.
        for (x, expected) in
            [(0.0, 0.0), (0.5, 0.520_499_9), (1.0, 0.842_700_8), (2.0, 0.995_322_3), (3.0, 0.999_977_9)]
        {
            assert!((erf(x) - expected).abs() < 2e-7, "erf({x})");
            assert!((erf(-x) + expected).abs() < 2e-7, "erf(-{x})");
        }
    }

    #[test]
    fn sigmoid_does_not_overflow() {
        assert_eq!(activate(ActivationFunction::Sigmoid, 0.0), 0.5);
        assert_eq!(activate(ActivationFunction::Sigmoid, -200.0), 0.0);
        assert_eq!(activate(ActivationFunction::Sigmoid, 200.0), 1.0);
    }
}
