//! Products that are folded as they come, against those that are there as a whole.

use std::ops::Range;

use super::*;
use crate::scheduler::Help;

/// Spans of rows, some of them empty, and rows between them that belong to none.
fn spans(numbers: &mut Numbers, rows: usize) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = numbers.below(2);
    while start < rows {
        let end = (start + numbers.below(1 + rows / 3)).min(rows);
        spans.push(start..end);
        start = end + usize::from(numbers.below(4) == 0) + usize::from(start == end);
    }
    spans
}

fn cases() -> Vec<Case> {
    let mut numbers = Numbers(41);
    let mut sizes: Vec<[usize; 3]> =
        (0..40).map(|_| [1 + numbers.below(70), 1 + numbers.below(90), 1 + numbers.below(110)]).collect();
    // More rows than meet a panel at a time.
    sizes.extend([[256, 8, 40], [257, 8, 64], [700, 5, 33]]);
    sizes.into_iter().map(|[rows, inputs, outputs]| Case::random(&mut numbers, rows, inputs, outputs)).collect()
}

fn function(number: f32) -> f32 {
    if number <= 0.0 { 0.0 } else { number.sqrt() }
}

/// A sum, or the largest, of the numbers of a span's rows, one after the other.
fn naive(case: &Case, product: &[f32], span: &Range<usize>, sums: bool) -> Vec<f32> {
    let of_column = |column: usize| {
        let numbers = span.clone().map(|row| product[row * case.outputs + column]);
        if numbers.clone().any(|number| number.is_nan() || number == f32::INFINITY) {
            return f32::NAN;
        }
        if sums {
            numbers.fold(0.0, |sum, number| sum + function(number))
        } else {
            function(numbers.fold(0.0, f32::max))
        }
    };
    (0..case.outputs).map(of_column).collect()
}

fn check(gang: Gang<'_>, case: &Case, spans: &[Range<usize>], kernels: &Kernels, format: Format) {
    let panels = case.panels(format);
    let product = case.run(kernels, &panels);
    let mut operand = Operand::new(format);
    operand.fill(kernels, gang, &case.a, case.inputs, case.inputs);
    for sums in [false, true] {
        let fold = if sums { Fold::Sum(&function) } else { Fold::Highest(&function) };
        let mut out = vec![0.0; spans.len() * case.outputs];
        folded_product(kernels, gang, &operand, &panels, spans, fold, &mut out);
        for (span, got) in spans.iter().zip(out.chunks(case.outputs)) {
            let want = naive(case, &product, span, sums);
            let fits = got
                .iter()
                .zip(&want)
                .all(|(got, want)| got.to_bits() == want.to_bits() || !want.is_finite() && !got.is_finite());
            assert!(
                fits,
                "{case} {kernels:?} {format:?}, sums {sums}, {span:?} of {spans:?}\ngave {got:?}\nnot  {want:?}"
            );
        }
    }
}

#[test]
fn a_folded_product_is_the_fold_of_the_whole_one() {
    let mut numbers = Numbers(43);
    for case in cases() {
        let spans = spans(&mut numbers, case.rows);
        for (kernels, format) in levels().iter().flat_map(|kernels| FORMATS.map(|format| (kernels, format))) {
            check(Gang::solo(), &case, &spans, kernels, format);
        }
    }
}

#[test]
fn what_is_not_finite_stays_so_in_its_span_alone() {
    let mut numbers = Numbers(47);
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for row in [0, 3, 255, 256, 299] {
            let mut case = Case::random(&mut numbers, 300, 4, 40);
            case.a[row * case.inputs] = odd;
            for kernels in levels() {
                check(Gang::solo(), &case, &[0..4, 4..256, 256..300], &kernels, Format::Float);
            }
        }
    }
}

#[test]
fn many_threads_give_what_one_gives() {
    let mut numbers = Numbers(53);
    let case = Case::random(&mut numbers, 90, 16, 1000);
    let spans = spans(&mut numbers, case.rows);
    let team = Team::new(3);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| team.help(&|| true));
        }
        team.gather(|gang| {
            for kernels in levels() {
                check(gang, &case, &spans, &kernels, Format::Float);
            }
        });
    });
}
