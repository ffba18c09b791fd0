//! Rows times weights.

#![allow(unsafe_code, reason = "kernels are called with pointers into buffers whose sizes are checked here")]

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gang::Shared;
use super::tile::{PANEL, Scales, Tile};
use super::{Format, Gang, Kernels, Operand, Panels};

/// Units of work for each thread of a gang: some more than one, as threads come late.
const UNITS_PER_THREAD: usize = 3;

/// `out[row] = a[row]·b + bias`, where `out` has `stride` numbers a row.
pub(in crate::network::encoder) fn product(
    kernels: &Kernels,
    gang: Gang<'_>,
    a: &Operand,
    b: &Panels,
    out: &mut [f32],
    stride: usize,
) {
    assert!(a.format == b.format, "rows and weights have one format");
    assert!(a.stride == 4 * b.words, "rows and weights have one length");
    assert!(a.rows == 0 || out.len() >= (a.rows - 1) * stride + b.outputs, "the results have room");
    let out = Shared::new(out);
    let run = kernels.product(b.format);
    let panels = b.count();
    let part = if gang.size() == 1 { panels } else { panels.div_ceil(gang.size() * UNITS_PER_THREAD) };
    gang.each(panels.div_ceil(part), &|unit| {
        let first = unit * part;
        let column = first * PANEL;
        let columns = (b.outputs - column).min(part * PANEL);
        let tile = tile(a, 0..a.rows, b, first, columns, (out.at(column), stride));
        // SAFETY: the sizes were checked above, bias and scales have 32 numbers for each panel, and no two units have a column in
        // common. A set of kernels is only given out where the processor has its instructions.
        unsafe { run(&tile) };
    });
}

/// Some rows times columns from the beginning of a panel on. `out` is where the numbers go, and how many there are from row to row.
pub(super) fn tile(
    a: &Operand,
    rows: Range<usize>,
    b: &Panels,
    panel: usize,
    columns: usize,
    out: (*mut f32, usize),
) -> Tile {
    assert!(rows.start <= rows.end && rows.end <= a.rows, "rows of the operand");
    assert!(panel * PANEL + columns <= b.outputs, "columns of the weights");
    let column = panel * PANEL;
    let scales = match b.format {
        Format::Byte => Scales {
            row_scales: a.scales[rows.start..].as_ptr(),
            row_zeros: a.zeros[rows.start..].as_ptr(),
            column_scales: b.scales[column..].as_ptr(),
            column_totals: b.totals[column..].as_ptr(),
        },
        _ => Scales::NONE,
    };
    Tile {
        a: a.pointer().wrapping_add(rows.start * a.stride),
        a_stride: a.stride,
        rows: rows.len(),
        b: b.panel(panel),
        b_stride: PANEL,
        panel_stride: b.words * PANEL,
        words: b.words,
        out: out.0,
        out_stride: out.1,
        columns,
        bias: b.bias[column..].as_ptr(),
        bias_step: 1,
        scales,
    }
}

/// What is added where a product has no bias.
pub(super) static NO_BIAS: [f32; PANEL] = [0.0; PANEL];

/// A matrix of floats that lies in a longer slice.
#[derive(Clone, Copy)]
pub(in crate::network::encoder) struct Strided<'a> {
    /// Beginning with the matrix' first number.
    pub numbers: &'a [f32],
    /// Numbers from row to row.
    pub stride: usize,
}

/// A place for a matrix of floats in a longer slice, which nobody else writes to.
pub(in crate::network::encoder) struct Cell<'a> {
    pub(super) first: *mut f32,
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

impl<'a> Cell<'a> {
    /// The whole slice: rows of `stride` numbers.
    pub fn of(numbers: &'a mut [f32], stride: usize) -> Self {
        let rows = numbers.len() / stride;
        Cell { first: numbers.as_mut_ptr(), stride, rows, columns: stride, borrowed: PhantomData }
    }

    /// Some of the rows.
    pub fn rows(&mut self, rows: Range<usize>) -> Cell<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows of the cell");
        let first = self.first.wrapping_add(rows.start * self.stride);
        Cell { first, rows: rows.len(), borrowed: PhantomData, ..*self }
    }
}

/// A matrix in cells that several threads write to: spans of rows by columns of one width.
pub(in crate::network::encoder) struct Cells<'a> {
    numbers: Shared<'a, f32>,
    spans: &'a [Range<usize>],
    stride: usize,
    width: usize,
    taken: Vec<AtomicBool>,
}

impl<'a> Cells<'a> {
    /// Rows of `stride` numbers, in columns of `width`. The spans stand one behind the other.
    pub fn new(numbers: &'a mut [f32], stride: usize, spans: &'a [Range<usize>], width: usize) -> Self {
        let apart = spans.windows(2).all(|pair| pair[0].end <= pair[1].start);
        let within = spans.iter().all(|span| span.start <= span.end && span.end * stride <= numbers.len());
        assert!(apart && within, "spans of the matrix that do not overlap");
        let taken = std::iter::repeat_with(AtomicBool::default).take(spans.len() * (stride / width)).collect();
        Cells { numbers: Shared::new(numbers), spans, stride, width, taken }
    }

    /// The cell of a span and a column, which is given out once.
    pub fn take(&self, span: usize, column: usize) -> Cell<'_> {
        let columns = self.stride / self.width;
        assert!(column < columns, "a column of the matrix");
        let again = self.taken[span * columns + column].swap(true, Ordering::Relaxed);
        assert!(!again, "a cell is taken once");
        let rows = &self.spans[span];
        let first = self.numbers.at(rows.start * self.stride + column * self.width);
        Cell { first, stride: self.stride, rows: rows.len(), columns: self.width, borrowed: PhantomData }
    }
}

/// `out = a·b` of floats, where `a` has `inner` numbers a row and `b` has `inner` rows. All rows and columns of `out` are
/// written. From each row of `b` as many numbers are read as make whole panels of 32.
pub(in crate::network::encoder) fn multiply(
    kernels: &Kernels,
    a: Strided<'_>,
    b: Strided<'_>,
    inner: usize,
    out: &mut Cell<'_>,
) {
    let read = out.columns.next_multiple_of(PANEL);
    assert!(out.rows == 0 || a.numbers.len() >= (out.rows - 1) * a.stride + inner, "rows of the first factor");
    assert!(inner == 0 || b.numbers.len() >= (inner - 1) * b.stride + read, "rows of the second factor");
    let tile = Tile {
        a: a.numbers.as_ptr().cast(),
        a_stride: 4 * a.stride,
        rows: out.rows,
        b: b.numbers.as_ptr().cast(),
        b_stride: b.stride,
        panel_stride: PANEL,
        words: inner,
        out: out.first,
        out_stride: out.stride,
        columns: out.columns,
        bias: NO_BIAS.as_ptr(),
        bias_step: 0,
        scales: Scales::NONE,
    };
    // SAFETY: the sizes were checked above, and the cell is nobody else's.
    unsafe { (kernels.float)(&tile) };
}
