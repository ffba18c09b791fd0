//! Attention: each head of each text is a unit of work. There is no padding and no mask: a unit sees its own text's rows only.

use std::cell::RefCell;
use std::ops::Range;

use super::kernel::{Aligned, Cell, Cells, Gang, Kernels, PANEL, Strided, multiply, transpose};
use super::plan::Attention;
use super::positions::{Angles, Relative};
use super::weights::LoadedNorm;

/// Queries that are worked on at a time.
const BLOCK_ROWS: usize = 48;
/// Rows that are one unit of work in what is done before.
const ROWS_PER_UNIT: usize = 8;

/// Where texts are.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    /// Rows of each text, one text behind the other.
    pub spans: &'a [Range<usize>],
    /// The place of each row in its text.
    pub places: &'a [usize],
}

/// A layer's attention.
pub(super) struct Attend<'a> {
    pub attention: &'a Attention,
    pub window: Option<usize>,
    pub norms: Option<&'a (LoadedNorm, LoadedNorm)>,
    pub angles: Option<&'a Angles>,
    pub relative: Option<&'a Relative>,
}

/// Memory of a unit.
#[derive(Default)]
struct Scratch {
    /// A head's keys, a column each.
    keys: Aligned<f32>,
    /// Products of some queries with all keys.
    scores: Aligned<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Attend<'_> {
    /// Norms and turns the queries and keys in `projected`, rows of `width` numbers.
    pub fn prepare(&self, kernels: &Kernels, gang: Gang<'_>, texts: Texts<'_>, projected: &mut [f32], width: usize) {
        if self.norms.is_none() && self.angles.is_none() {
            return;
        }
        let Attention { heads, key_heads, head_size, .. } = *self.attention;
        gang.split(projected, width * ROWS_PER_UNIT, |unit, rows| {
            for (at, row) in rows.chunks_exact_mut(width).enumerate() {
                if let Some((query, key)) = self.norms {
                    let (queries, keys) = row[..(heads + key_heads) * head_size].split_at_mut(heads * head_size);
                    queries.chunks_exact_mut(query.width()).for_each(|part| query.apply(kernels, part));
                    keys.chunks_exact_mut(key.width()).for_each(|part| key.apply(kernels, part));
                }
                if let Some(angles) = self.angles {
                    let place = texts.places[unit * ROWS_PER_UNIT + at];
                    let range = place * angles.half..(place + 1) * angles.half;
                    for head in row.chunks_exact_mut(head_size).take(heads + key_heads) {
                        kernels.rotate(head, &angles.cosines[range.clone()], &angles.sines[range.clone()]);
                    }
                }
            }
        });
    }

    /// Writes what each token takes from the others: rows of all heads' numbers.
    pub fn run(
        &self,
        kernels: &Kernels,
        gang: Gang<'_>,
        texts: Texts<'_>,
        projected: &[f32],
        width: usize,
        attended: &mut [f32],
    ) {
        let Attention { heads, head_size, .. } = *self.attention;
        let cells = Cells::new(attended, heads * head_size, texts.spans, head_size);
        gang.each(texts.spans.len() * heads, &|unit| {
            let (text, head) = (unit / heads, unit % heads);
            let (rows, cell) = (&texts.spans[text], cells.take(text, head));
            SCRATCH.with_borrow_mut(|scratch| {
                self.head(kernels, scratch, &projected[rows.start * width..], width, rows.len(), head, cell);
            });
        });
    }

    /// One head of one text.
    #[allow(clippy::too_many_arguments, reason = "a unit of `run`, which has them all")]
    fn head(
        &self,
        kernels: &Kernels,
        scratch: &mut Scratch,
        projected: &[f32],
        width: usize,
        tokens: usize,
        head: usize,
        mut out: Cell<'_>,
    ) {
        let Attention { heads, key_heads, head_size, scale, causal, .. } = *self.attention;
        let key_head = head / (heads / key_heads);
        let key_column = (heads + key_head) * head_size;
        let value_column = (heads + key_heads + key_head) * head_size;
        let from = |row: usize, column: usize| Strided { numbers: &projected[row * width + column..], stride: width };
        let padded = tokens.next_multiple_of(PANEL);
        let Scratch { keys, scores } = scratch;
        keys.resize(head_size * padded);
        transpose(kernels, from(0, key_column), [tokens, head_size], scale, keys, padded);
        for first in (0..tokens).step_by(BLOCK_ROWS) {
            let rows = first..(first + BLOCK_ROWS).min(tokens);
            scores.resize(rows.len() * padded);
            let queries = from(first, head * head_size);
            let mut products = Cell::of(scores, padded);
            multiply(kernels, queries, Strided { numbers: keys, stride: padded }, head_size, &mut products);
            for (row, scores) in rows.clone().zip(scores.chunks_exact_mut(padded)) {
                let scores = &mut scores[..tokens];
                if let Some(relative) = self.relative {
                    kernels.add(scores, relative.row(head, row, tokens));
                }
                let seen = self.seen(row, tokens, causal);
                kernels.softmax(&mut scores[seen.clone()]);
                scores[..seen.start].fill(0.0);
                scores[seen.end..].fill(0.0);
            }
            let scores = Strided { numbers: scores, stride: padded };
            multiply(kernels, scores, from(0, value_column), tokens, &mut out.rows(rows));
        }
    }

    /// Which keys a query sees.
    fn seen(&self, row: usize, tokens: usize, causal: bool) -> Range<usize> {
        let end = if causal { row + 1 } else { tokens };
        match self.window {
            Some(far) => row.saturating_sub(far)..(row + far + 1).min(end),
            None => 0..end,
        }
    }
}
