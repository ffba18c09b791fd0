//! Every instruction set of this processor against the portable one, and that one against oracles in 64 bits.

mod folded;

use super::*;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits()).unwrap_or(0) % end
    }

    /// From -1 to 1.
    #[allow(clippy::cast_precision_loss, reason = "any number will do")]
    fn float(&mut self) -> f32 {
        self.bits() as f32 / (1_u64 << 30) as f32 - 1.0
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }

    /// Numbers of which some are of a kind that is easily got wrong.
    fn row(&mut self, count: usize, odd: &[f32]) -> Vec<f32> {
        (0..count)
            .map(
                |_| if !odd.is_empty() && self.below(4) == 0 { odd[self.below(odd.len())] } else { 6.0 * self.float() },
            )
            .collect()
    }
}

/// Kinds of numbers in rows.
const ODD: [&[f32]; 6] = [
    &[],
    &[0.0, -0.0, 1e-40, -1e-40, f32::MIN_POSITIVE, -1e-45, 1e-30, -1e-30],
    &[3e38, -3e38, 1e20, -1e20, 88.1, -88.1, 87.3, -87.3, 5.2, -5.2],
    &[f32::INFINITY, f32::NEG_INFINITY, f32::MAX],
    // One that signals, and one whose bits say more.
    &[f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0xffc1_2345)],
    // Adding to these bits to round them makes a zero of them.
    &[f32::from_bits(0x7fff_ffff), f32::from_bits(0xffff_ffff)],
];
const FUNCTIONS: [Activation; 5] =
    [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu, Activation::Tanh];
const FORMATS: [Format; 3] = [Format::Float, Format::Half, Format::Byte];
/// Half the distance from 1 to the next f32.
const ROUNDING: f64 = 1.0 / (1_u64 << 24) as f64;

fn levels() -> Vec<Kernels> {
    Level::available().map(Kernels::of).collect()
}

/// Where somebody says which processor this is, as `scripts/arm.mjs` does for the one that it imitates.
#[test]
fn instruction_sets_are_those_that_the_environment_expects() {
    if let Ok(expected) = std::env::var("VECRANK_LEVELS") {
        let found: Vec<_> = Level::available().map(Level::as_str).collect();
        assert_eq!(found.join(" "), expected);
    }
}

/// The same bits. What bits a NaN has depends on the processor.
fn same(left: &[f32], right: &[f32]) -> bool {
    let one = |(left, right): (&f32, &f32)| left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan();
    left.len() == right.len() && left.iter().zip(right).all(one)
}

/// A product to compute, and what is known of its factors.
struct Case {
    rows: usize,
    inputs: usize,
    outputs: usize,
    a: Vec<f32>,
    /// Output after output.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Case {
    fn random(numbers: &mut Numbers, rows: usize, inputs: usize, outputs: usize) -> Self {
        let bias = if numbers.below(4) == 0 { Vec::new() } else { numbers.floats(outputs) };
        let (a, weights) = (numbers.floats(rows * inputs), numbers.floats(inputs * outputs));
        Case { rows, inputs, outputs, a, weights, bias }
    }

    /// Sizes that fill no block, each number of rows that a block can leave, and those of real models.
    fn all() -> Vec<Self> {
        let mut numbers = Numbers(7);
        let mut sizes: Vec<[usize; 3]> =
            (1..=70).map(|rows| [rows, 1 + numbers.below(40), 1 + numbers.below(70)]).collect();
        sizes.extend((0..24).map(|_| [1 + numbers.below(70), 1 + numbers.below(200), 1 + numbers.below(100)]));
        sizes.extend([[1, 1, 1], [13, 384, 100], [5, 1536, 33], [1, 1536, 96], [27, 64, 32]]);
        sizes.into_iter().map(|[rows, inputs, outputs]| Case::random(&mut numbers, rows, inputs, outputs)).collect()
    }

    fn panels(&self, format: Format) -> Panels {
        let read = &mut |output: usize, row: &mut [f32]| row.copy_from_slice(self.output(&self.weights, output));
        Panels::pack(format, self.inputs, self.outputs, &self.bias, Source::Floats(read))
    }

    fn output<'a>(&self, weights: &'a [f32], output: usize) -> &'a [f32] {
        &weights[output * self.inputs..(output + 1) * self.inputs]
    }

    /// The product by one set of kernels. Nothing beside the results may be written.
    fn run(&self, kernels: &Kernels, panels: &Panels) -> Vec<f32> {
        let (mut operand, stride) = (Operand::new(panels.format), self.outputs + 3);
        operand.fill(kernels, Gang::solo(), &self.a, self.inputs, self.inputs);
        let mut out = vec![12345.0; self.rows * stride];
        product(kernels, Gang::solo(), &operand, panels, &mut out, stride);
        assert!(
            out.chunks(stride).all(|row| row[self.outputs..] == [12345.0; 3]),
            "{self} {kernels:?}: written outside"
        );
        out.chunks(stride).flat_map(|row| row[..self.outputs].to_vec()).collect()
    }

    /// Calls `each` with an output's place, its inputs, its weights and its bias.
    fn each(&self, a: &[f32], weights: &[f32], mut each: impl FnMut(usize, &[f32], &[f32], f32)) {
        for row in 0..self.rows {
            for output in 0..self.outputs {
                let bias = self.bias.get(output).copied().unwrap_or(0.0);
                let inputs = &a[row * self.inputs..(row + 1) * self.inputs];
                each(row * self.outputs + output, inputs, self.output(weights, output), bias);
            }
        }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} rows of {} inputs, {} outputs", self.rows, self.inputs, self.outputs)
    }
}

/// The sum of products and the sum of their sizes, in 64 bits.
fn exact(inputs: &[f32], weights: &[f32], bias: f32) -> (f64, f64) {
    inputs.iter().zip(weights).fold((f64::from(bias), f64::from(bias.abs())), |(sum, size), (a, b)| {
        let product = f64::from(*a) * f64::from(*b);
        (sum + product, size + product.abs())
    })
}

/// `n` roundings in a row are off by less than so much of the sum of sizes.
#[allow(clippy::cast_precision_loss, reason = "a bound")]
fn roundings(n: usize) -> f64 {
    1.01 * ROUNDING * n as f64
}

#[test]
fn products_of_floats_are_sums_of_fused_products_in_order() {
    for case in Case::all() {
        let panels = case.panels(Format::Float);
        for kernels in levels() {
            let got = case.run(&kernels, &panels);
            case.each(&case.a, &case.weights, |place, inputs, weights, bias| {
                if kernels.level == Level::Portable {
                    let (sum, size) = exact(inputs, weights, bias);
                    let off = (f64::from(got[place]) - sum).abs();
                    assert!(off <= roundings(case.inputs + 1) * size, "{case}: off by {off}");
                } else {
                    let sum = inputs.iter().zip(weights).fold(0.0_f32, |sum, (a, b)| a.mul_add(*b, sum)) + bias;
                    assert!(sum.to_bits() == got[place].to_bits(), "{case} {kernels:?}: {sum} {}", got[place]);
                }
            });
        }
    }
}

/// Instructions for bf16 round twice a pair and maybe towards 0, which is four times as coarse as one rounding to the nearest.
/// Each factor was rounded to 8 bits before, which is off by less than 2^-8 of it, so a product by less than 2^-7 and 2^-16.
#[test]
fn products_of_halves_are_right_within_bounds() {
    let rounded = |numbers: &[f32]| -> Vec<f32> { numbers.iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect() };
    for case in Case::all() {
        let panels = case.panels(Format::Half);
        let (a, weights) = (rounded(&case.a), rounded(&case.weights));
        for kernels in levels() {
            let got = case.run(&kernels, &panels);
            case.each(&a, &weights, |place, inputs, weights, bias| {
                let (sum, size) = exact(inputs, weights, bias);
                let off = (f64::from(got[place]) - sum).abs();
                assert!(off <= roundings(4 * case.inputs + 1) * size, "{case} {kernels:?}: off by {off}");
            });
            case.each(&case.a, &case.weights, |place, inputs, weights, bias| {
                let (sum, size) = exact(inputs, weights, bias);
                let off = (f64::from(got[place]) - sum).abs();
                let bound = 1.01 / 128.0 + roundings(4 * case.inputs + 1);
                assert!(off <= bound * size, "{case} {kernels:?}: off by {off} from what was not rounded");
            });
        }
    }
}

/// Results of 8-bit numbers against whole sums in 64 bits. `bytes` are the weights and `scale` that of each output.
fn check_bytes(case: &Case, bytes: &[i8], scale: f32) {
    let read = &mut |output: usize, row: &mut [i8]| {
        row.copy_from_slice(&bytes[output * case.inputs..(output + 1) * case.inputs]);
        scale
    };
    let panels = Panels::pack(Format::Byte, case.inputs, case.outputs, &case.bias, Source::Bytes(read));
    let portable = Kernels::of(Level::Portable);
    let want = case.run(&portable, &panels);
    for row in 0..case.rows {
        let mut written = vec![0; case.inputs];
        let inputs = &case.a[row * case.inputs..(row + 1) * case.inputs];
        let (row_scale, zero) = portable.quantise(inputs, &mut written);
        for output in 0..case.outputs {
            let weights = &bytes[output * case.inputs..(output + 1) * case.inputs];
            let product = |(a, b): (&u8, &i8)| (i64::from(*a) - i64::from(zero)) * i64::from(*b);
            let whole: i64 = written.iter().zip(weights).map(product).sum();
            #[allow(clippy::cast_precision_loss, reason = "sums are below 2^53")]
            let sum = whole as f64 * f64::from(row_scale) * f64::from(scale);
            let bias = f64::from(case.bias.get(output).copied().unwrap_or(0.0));
            let off = (f64::from(want[row * case.outputs + output]) - sum - bias).abs();
            assert!(off <= roundings(4) * (sum.abs() + bias.abs()), "{case}: off by {off} from {sum}");
        }
    }
    for kernels in levels() {
        assert!(same(&case.run(&kernels, &panels), &want), "{case} {kernels:?}");
    }
}

#[test]
fn products_of_bytes_are_exact() {
    let mut numbers = Numbers(11);
    for case in Case::all() {
        let count = case.inputs * case.outputs;
        let bytes: Vec<i8> = (0..count).map(|_| u8::try_from(numbers.below(256)).unwrap_or(0).cast_signed()).collect();
        check_bytes(&case, &bytes, 0.01);
    }
}

#[test]
fn products_of_the_largest_bytes_do_not_saturate() {
    const INPUTS: usize = 16_384;
    // Written as 255 each, as 0 each with the zero 255, and as both by turns.
    let rows = [|_| 1.0, |_| -1.0, |at| if at % 2 == 0 { 1.0 } else { -1.0 }];
    let a = [rows; 3].concat().iter().flat_map(|row| (0..INPUTS).map(row)).collect();
    let case = Case { rows: 9, inputs: INPUTS, outputs: 4, a, weights: Vec::new(), bias: Vec::new() };
    let bytes: Vec<i8> = [-128, 127, -127, -128].iter().flat_map(|byte| [*byte; INPUTS]).collect();
    check_bytes(&case, &bytes, 1.0);
}

#[test]
fn a_row_alone_is_the_row_among_others() {
    let mut numbers = Numbers(13);
    let case = Case::random(&mut numbers, 45, 77, 50);
    for (kernels, format) in levels().iter().flat_map(|kernels| FORMATS.map(|format| (kernels, format))) {
        let panels = case.panels(format);
        let together = case.run(kernels, &panels);
        for row in 0..case.rows {
            let a = case.a[row * case.inputs..(row + 1) * case.inputs].to_vec();
            let alone = Case { rows: 1, a, weights: Vec::new(), bias: Vec::new(), ..case }.run(kernels, &panels);
            assert!(same(&alone, &together[row * case.outputs..][..case.outputs]), "{kernels:?} {format:?} row {row}");
        }
    }
}

#[test]
fn floats_that_lie_in_longer_rows_are_multiplied_and_turned() {
    let mut numbers = Numbers(17);
    for _ in 0..60 {
        let [rows, inner, columns] = [1 + numbers.below(50), numbers.below(70), 1 + numbers.below(70)];
        let (a_stride, b_stride, out_stride) = (inner + 5, columns.next_multiple_of(32) + 7, columns + 2);
        let (a, b) = (numbers.floats(rows * a_stride), numbers.floats(inner * b_stride));
        let (left, right) = (Strided { numbers: &a, stride: a_stride }, Strided { numbers: &b, stride: b_stride });
        for kernels in levels() {
            let mut out = vec![12345.0; rows * out_stride];
            let span = 0..rows;
            let cells = Cells::new(&mut out, out_stride, std::slice::from_ref(&span), columns);
            multiply(&kernels, left, right, inner, &mut cells.take(0, 0));
            for (row, got) in out.chunks(out_stride).enumerate() {
                assert!(got[columns..] == [12345.0; 2], "{kernels:?}: written outside");
                for (column, got) in got[..columns].iter().enumerate() {
                    let of_column: Vec<f32> = (0..inner).map(|at| b[at * b_stride + column]).collect();
                    let (sum, size) = exact(&a[row * a_stride..][..inner], &of_column, 0.0);
                    let off = (f64::from(*got) - sum).abs();
                    assert!(off <= roundings(inner + 1) * size, "{kernels:?} {rows}x{inner}x{columns}: off by {off}");
                }
            }
            let mut turned = vec![12345.0; inner * (rows + 3)];
            transpose(&kernels, left, [rows, inner], 0.3, &mut turned, rows + 3);
            for (column, got) in turned.chunks(rows + 3).enumerate() {
                let want: Vec<f32> = (0..rows).map(|row| a[row * a_stride + column] * 0.3).collect();
                assert!(got[..rows] == want && got[rows..] == [12345.0; 3], "{kernels:?} {rows}x{inner}");
            }
        }
    }
}

/// Calls `check` for rows of all lengths and kinds.
fn rows(seed: u64, mut check: impl FnMut(&mut Numbers, &[f32])) {
    let mut numbers = Numbers(seed);
    for length in 1..=100 {
        for odd in ODD {
            let row = numbers.row(length, odd);
            check(&mut numbers, &row);
        }
    }
}

/// What `change` makes of a row is the same to the bit with every instruction set.
fn assert_agree(row: &[f32], what: &str, change: impl Fn(&Kernels, &mut Vec<f32>)) {
    let of = |kernels: &Kernels| {
        let mut row = row.to_vec();
        change(kernels, &mut row);
        row
    };
    let want = of(&Kernels::of(Level::Portable));
    for kernels in levels() {
        let got = of(&kernels);
        assert!(same(&got, &want), "{what} {kernels:?}\nof   {row:?}\ngave {got:?}\nnot  {want:?}");
    }
}

#[test]
fn what_is_done_between_products_is_the_same_to_the_bit() {
    rows(19, |numbers, row| {
        let (other, bias) = (numbers.row(row.len(), &[]), numbers.row(row.len(), &[]));
        for function in FUNCTIONS {
            assert_agree(row, "activate", |kernels, row| kernels.activate(function, row));
            assert_agree(row, "gate", |kernels, row| kernels.gate(function, row, &other));
        }
        assert_agree(row, "add", |kernels, row| kernels.add(row, &other));
        assert_agree(row, "layer_norm", |kernels, row| kernels.layer_norm(row, &other, &bias, 1e-12));
        assert_agree(row, "layer_norm without bias", |kernels, row| kernels.layer_norm(row, &other, &[], 1e-5));
        assert_agree(row, "rms_norm", |kernels, row| kernels.rms_norm(row, &other, 1e-6));
        assert_agree(row, "softmax", |kernels, row| kernels.softmax(row));
        let others = [&other[..], row, &bias].concat();
        assert_agree(row, "highest", |kernels, row| kernels.highest(row, &others));
        assert_agree(&other, "highest of odd ones", |kernels, row| kernels.highest(row, &others));
        let half = row.len() / 2;
        assert_agree(&row[..2 * half], "rotate", |kernels, row| kernels.rotate(row, &other[..half], &bias[..half]));
    });
}

#[test]
fn rows_of_bytes_and_halves_are_the_same_with_every_instruction_set() {
    let portable = Kernels::of(Level::Portable);
    rows(23, |numbers, row| {
        // Some lie in the middle between two bf16.
        let middle = |x: &f32| f32::from_bits(x.to_bits() & 0xffff_0000 | 0x8000);
        let row: &Vec<f32> = &row.iter().map(|x| if numbers.below(3) == 0 { middle(x) } else { *x }).collect();
        let (mut bytes, mut halves) = (vec![0; row.len()], vec![0; row.len()]);
        let (scale, zero) = portable.quantise(row, &mut bytes);
        portable.narrow(row, &mut halves);
        for (number, bits) in row.iter().zip(&halves) {
            let (want, got) = (half::bf16::from_f32(*number), half::bf16::from_bits(*bits));
            assert!(want.to_bits() == *bits || want.is_nan() && got.is_nan(), "{number} as bf16: {got}");
        }
        for kernels in levels() {
            let (mut other_bytes, mut other_halves) = (vec![0; row.len()], vec![0; row.len()]);
            let (other_scale, other_zero) = kernels.quantise(row, &mut other_bytes);
            kernels.narrow(row, &mut other_halves);
            assert!(
                same(&[scale], &[other_scale]) && zero == other_zero,
                "{kernels:?} {row:?}: {other_scale} {other_zero}"
            );
            assert!(bytes == other_bytes && halves == other_halves, "{kernels:?} {row:?}");
        }
    });
}

#[test]
fn quantised_numbers_are_near_and_0_is_exact() {
    for kernels in levels() {
        rows(29, |_, row| {
            let mut bytes = vec![77; row.len() + 1];
            let (scale, zero) = kernels.quantise(row, &mut bytes);
            assert!(bytes[row.len()] == 77 && (0..=255).contains(&zero), "{kernels:?} zero {zero}");
            let largest = row.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
            assert!(
                scale.is_finite() == row.iter().all(|number| number.is_finite()) || largest > 1e38,
                "{row:?}: {scale}"
            );
            if largest > 1e38 || !scale.is_finite() {
                return;
            }
            for (number, byte) in row.iter().zip(&bytes) {
                let off = (f64::from(i32::from(*byte) - zero) * f64::from(scale) - f64::from(*number)).abs();
                assert!(
                    off <= 0.51 * f64::from(scale) && (*number != 0.0 || off == 0.0),
                    "{number} is off by {off} of {scale}"
                );
            }
        });
        let mut bytes = [77; 20];
        assert_eq!(kernels.quantise(&[0.0; 20], &mut bytes), (1.0, 0), "{kernels:?}");
        assert_eq!(bytes, [0; 20], "{kernels:?}");
    }
}

/// `Φ(x)`, by a series whose terms are all positive.
fn phi(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x.abs(), 0.0, 1.0);
    while term > 1e-18 * sum {
        sum += term;
        odd += 2.0;
        term *= x * x / odd;
    }
    let half = sum * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if x < 0.0 { 0.5 - half } else { 0.5 + half }
}

#[test]
fn functions_are_near_those_of_64_bits() {
    let tanh = |x: f64| x * (std::f64::consts::FRAC_2_PI.sqrt() * (1.0 + 0.044_715 * x * x));
    for step in -12_000..=12_000 {
        let x = f64::from(step) / 1000.0;
        #[allow(clippy::cast_possible_truncation, reason = "the functions take float32")]
        let given = x as f32;
        let x = f64::from(given);
        let want = [
            (Activation::Gelu, x * phi(x), 8e-7 + 2e-7 * x.abs()),
            (Activation::GeluTanh, 0.5 * x * (1.0 + tanh(x).tanh()), 4e-7 * (1.0 + x.abs())),
            (Activation::Relu, x.max(0.0), 0.0),
            // As `e^-x` is right to two units in the last place, which is seen here where it is large.
            (Activation::Silu, x / (1.0 + (-x).exp()), 8.0 * ROUNDING * (x / (1.0 + (-x).exp())).abs()),
            (Activation::Tanh, x.tanh(), 4e-7),
        ];
        let portable = Kernels::of(Level::Portable);
        for (function, want, bound) in want {
            let mut row = [given];
            portable.activate(function, &mut row);
            let off = (f64::from(row[0]) - want).abs();
            assert!(off <= bound, "{function:?} of {x} is {}, off by {off}", row[0]);
        }
    }
}

#[test]
fn norms_and_softmax_are_near_those_of_64_bits() {
    let mut numbers = Numbers(31);
    let portable = Kernels::of(Level::Portable);
    for length in [1, 2, 15, 16, 17, 31, 100, 384, 1000] {
        let (row, gain, bias) = (numbers.row(length, &[]), numbers.floats(length), numbers.floats(length));
        let wide: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
        #[allow(clippy::cast_precision_loss, reason = "short rows")]
        let mean_of = |numbers: &mut dyn Iterator<Item = f64>| numbers.sum::<f64>() / length as f64;
        let mean = mean_of(&mut wide.iter().copied());
        let deviation = (mean_of(&mut wide.iter().map(|x| (x - mean).powi(2))) + 1e-5).sqrt();
        let square = (mean_of(&mut wide.iter().map(|x| x * x)) + 1e-5).sqrt();
        let largest = wide.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = wide.iter().map(|x| (x - largest).exp()).sum();
        let mut got = [row.clone(), row.clone(), row.clone()];
        portable.layer_norm(&mut got[0], &gain, &bias, 1e-5);
        portable.rms_norm(&mut got[1], &gain, 1e-5);
        portable.softmax(&mut got[2]);
        for at in 0..length {
            let (gain, bias) = (f64::from(gain[at]), f64::from(bias[at]));
            let softmax = (wide[at] - largest).exp() / total;
            let want = [(wide[at] - mean) / deviation * gain + bias, wide[at] / square * gain, softmax];
            for (got, (want, bound)) in got.iter().zip(want.into_iter().zip([3e-6, 1e-6, 1e-6 * softmax])) {
                assert!((f64::from(got[at]) - want).abs() <= bound, "{length} numbers, {at}: {} {want}", got[at]);
            }
        }
    }
}
