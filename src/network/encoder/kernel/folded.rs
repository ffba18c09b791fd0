//! Rows times weights, where of each span of rows one number a column is wanted: a text's tokens times a vocabulary. The numbers of
//! all rows are never there together. A block of rows meets one panel of weights after the other, and what comes out is folded
//! while it is in the processor's first cache.

#![allow(unsafe_code, reason = "kernels are called with pointers into buffers whose sizes are checked here")]

use std::ops::Range;

use super::gang::Shared;
use super::product::tile;
use super::tile::PANEL;
use super::{Aligned, Gang, Kernels, Operand, Panels};

/// Rows that meet a panel at a time: their 32 numbers each are 32 KiB.
const BLOCK_ROWS: usize = 256;
/// Units of work for each thread of a gang.
const UNITS_PER_THREAD: usize = 3;

/// What becomes of a column's numbers. Either way NaN and infinity leave a result that is not finite; -infinity is as good as 0.
#[derive(Clone, Copy)]
pub(in crate::network::encoder) enum Fold<'a> {
    /// The function of the largest of them, or of 0 where none is larger.
    Highest(&'a (dyn Fn(f32) -> f32 + Sync)),
    /// The sum of the function of those that are not 0 or less.
    Sum(&'a (dyn Fn(f32) -> f32 + Sync)),
}

/// `out[span][column] = fold of (a[row]·b[column] + bias[column])` over the span's rows. `out` holds zeros. The spans stand one behind
/// the other; a row's numbers do not depend on the rows beside it, nor a span's on other spans.
pub(in crate::network::encoder) fn folded_product(
    kernels: &Kernels,
    gang: Gang<'_>,
    a: &Operand,
    b: &Panels,
    spans: &[Range<usize>],
    fold: Fold<'_>,
    out: &mut [f32],
) {
    assert!(a.format == b.format, "rows and weights have one format");
    assert!(a.stride == 4 * b.words, "rows and weights have one length");
    assert!(out.len() == spans.len() * b.outputs, "the results have room");
    let in_order = spans.windows(2).all(|pair| pair[0].end <= pair[1].start);
    assert!(in_order && spans.iter().all(|span| span.start <= span.end && span.end <= a.rows), "spans of the rows");
    let (run, out) = (kernels.product(b.format), Shared::new(out));
    let panels = b.count();
    let part = panels.div_ceil(gang.size() * UNITS_PER_THREAD).max(1);
    gang.each(panels.div_ceil(part), &|unit| {
        let mut numbers = Aligned::<f32>::zeros(a.rows.min(BLOCK_ROWS) * PANEL);
        for panel in unit * part..((unit + 1) * part).min(panels) {
            let columns = (b.outputs - panel * PANEL).min(PANEL);
            // SAFETY: a panel belongs to one unit, and what is taken of it is given back before more is taken.
            let cell = |span: usize| unsafe { out.part(span * b.outputs + panel * PANEL, columns) };
            for start in (0..a.rows).step_by(BLOCK_ROWS) {
                let block = start..(start + BLOCK_ROWS).min(a.rows);
                let tile = tile(a, block.clone(), b, panel, columns, (numbers.as_mut_ptr(), PANEL));
                // SAFETY: the tile's sizes were checked, and there is room for the numbers of a block. A set of kernels is only given
                // out where the processor has its instructions.
                unsafe { run(&tile) };
                let within = spans.iter().enumerate().skip_while(|(_, rows)| rows.end <= block.start);
                for (span, rows) in within.take_while(|(_, rows)| rows.start < block.end) {
                    let [first, end] = [rows.start.max(block.start), rows.end.min(block.end)].map(|row| row - start);
                    fold.take(kernels, &numbers[first * PANEL..end * PANEL], cell(span));
                }
            }
            (0..spans.len()).for_each(|span| fold.finish(cell(span)));
        }
    });
}

impl Fold<'_> {
    /// Folds rows of 32 numbers into one row, which may have fewer.
    fn take(self, kernels: &Kernels, rows: &[f32], folded: &mut [f32]) {
        match self {
            Fold::Highest(_) => {
                let mut highest = [0.0; PANEL];
                highest[..folded.len()].copy_from_slice(folded);
                kernels.highest(&mut highest, rows);
                folded.copy_from_slice(&highest[..folded.len()]);
            }
            // Most numbers are less than 0 in models that were trained for it, so that nothing is done for them.
            Fold::Sum(function) => {
                for row in rows.chunks_exact(PANEL) {
                    for (sum, number) in
                        folded.iter_mut().zip(row).filter(|(_, number)| **number > 0.0 || number.is_nan())
                    {
                        *sum += function(*number);
                    }
                }
            }
        }
    }

    fn finish(self, folded: &mut [f32]) {
        if let Fold::Highest(function) = self {
            folded.iter_mut().for_each(|number| *number = function(*number));
        }
    }
}
