//! Attention: each head of each text is a unit of work. There is no padding and no mask: a unit sees its own text's rows only, and of
//! these the first ones where the last are seen by nobody.

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
    /// How many of each text's rows are seen: the first ones. All of them see.
    pub seen: &'a [usize],
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
                let counts = [rows.len(), texts.seen[text]];
                self.head(kernels, scratch, &projected[rows.start * width..], width, counts, head, cell);
            });
        });
    }

    /// One head of one text of so many rows, of which so many are seen.
    #[allow(clippy::too_many_arguments, reason = "a unit of `run`, which has them all")]
    fn head(
        &self,
        kernels: &Kernels,
        scratch: &mut Scratch,
        projected: &[f32],
        width: usize,
        [tokens, seen]: [usize; 2],
        head: usize,
        mut out: Cell<'_>,
    ) {
        let Attention { heads, key_heads, head_size, scale, causal, .. } = *self.attention;
        let key_head = head / (heads / key_heads);
        let key_column = (heads + key_head) * head_size;
        let value_column = (heads + key_heads + key_head) * head_size;
        let from = |row: usize, column: usize| Strided { numbers: &projected[row * width + column..], stride: width };
        let padded = seen.max(1).next_multiple_of(PANEL);
        let Scratch { keys, scores } = scratch;
        keys.resize(head_size * padded);
        transpose(kernels, from(0, key_column), [seen, head_size], scale, keys, padded);
        for first in (0..tokens).step_by(BLOCK_ROWS) {
            let rows = first..(first + BLOCK_ROWS).min(tokens);
            scores.resize(rows.len() * padded);
            let queries = from(first, head * head_size);
            let mut products = Cell::of(scores, padded);
            multiply(kernels, queries, Strided { numbers: keys, stride: padded }, head_size, &mut products);
            for (row, scores) in rows.clone().zip(scores.chunks_exact_mut(padded)) {
                let scores = &mut scores[..seen];
                if let Some(relative) = self.relative {
                    kernels.add(scores, relative.row(head, row, seen));
                }
                let keys = self.keys(row, seen, causal);
                kernels.softmax(&mut scores[keys.clone()]);
                scores[..keys.start].fill(0.0);
                scores[keys.end..].fill(0.0);
            }
            let scores = Strided { numbers: scores, stride: padded };
            multiply(kernels, scores, from(0, value_column), seen, &mut out.rows(rows));
        }
    }

    /// Which of the first `seen` keys a query sees: none where all of them are behind its window, and then it takes nothing from
    /// anybody, as with a mask that hides all keys from it.
    fn keys(&self, row: usize, seen: usize, causal: bool) -> Range<usize> {
        let end = if causal { seen.min(row + 1) } else { seen };
        match self.window {
            Some(far) => row.saturating_sub(far).min(end)..(row + far + 1).min(end),
            None => 0..end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::encoder::buffers::Buffers;
    use crate::network::encoder::kernel::Level;
    use crate::network::encoder::plan::Bias;

    const HEADS: usize = 2;
    const SIZE: usize = 8;
    const WIDTH: usize = 3 * HEADS * SIZE;

    fn number(place: usize) -> f32 {
        #[allow(clippy::cast_precision_loss, reason = "a small number")]
        let number = ((place * 7919) % 201) as f32;
        number / 50.0 - 2.0
    }

    /// The formula, with a mask over all pairs of tokens.
    fn expected(projected: &[f32], tokens: usize, sees: impl Fn(usize, usize) -> bool) -> Vec<f32> {
        let part = |row: usize, kind: usize, head: usize| {
            let start = row * WIDTH + (kind * HEADS + head) * SIZE;
            &projected[start..start + SIZE]
        };
        let mut attended = vec![0.0; tokens * HEADS * SIZE];
        for row in 0..tokens {
            for head in 0..HEADS {
                let seen: Vec<usize> = (0..tokens).filter(|key| sees(row, *key)).collect();
                let product = |key: &usize| {
                    let (query, key) = (part(row, 0, head), part(*key, 1, head));
                    (query.iter().zip(key).map(|(a, b)| a * b).sum::<f32>() * 0.5).exp()
                };
                let weights: Vec<f32> = seen.iter().map(product).collect();
                let total: f32 = weights.iter().sum();
                let start = (row * HEADS + head) * SIZE;
                for (key, weight) in seen.iter().zip(weights) {
                    for (sum, value) in attended[start..start + SIZE].iter_mut().zip(part(*key, 2, head)) {
                        *sum += weight / total * value;
                    }
                }
            }
        }
        attended
    }

    /// What is seen by nobody sees the others; where a window holds none of them, nothing is taken from anybody.
    #[test]
    fn tokens_at_the_end_may_be_seen_by_nobody() {
        // The second text shows nothing; of the third all is seen.
        let (lengths, seen) = ([70, 3, 5], [9, 0, 5]);
        let mut end = 0;
        let spans: Vec<Range<usize>> = lengths
            .iter()
            .map(|length| {
                end += length;
                end - length..end
            })
            .collect();
        let places: Vec<usize> = spans.iter().flat_map(|span| 0..span.len()).collect();
        let mut projected = Aligned::default();
        projected.resize(end * WIDTH + Buffers::SLACK);
        projected.iter_mut().enumerate().for_each(|(place, to)| *to = number(place));
        for (causal, window) in [(false, None), (true, None), (false, Some(4))] {
            let attention =
                Attention { heads: HEADS, key_heads: HEADS, head_size: SIZE, scale: 0.5, causal, bias: Bias::None };
            let attend = Attend { attention: &attention, window, norms: None, angles: None, relative: None };
            let texts = Texts { spans: &spans, places: &places, seen: &seen };
            for level in Level::available() {
                let mut attended = vec![f32::NAN; end * HEADS * SIZE];
                attend.run(&Kernels::of(level), Gang::solo(), texts, &projected, WIDTH, &mut attended);
                for (span, seen) in spans.iter().zip(seen) {
                    let own = &projected[span.start * WIDTH..span.end * WIDTH];
                    let sees = |row: usize, key: usize| {
                        key < seen && !(causal && key > row) && window.is_none_or(|far: usize| row.abs_diff(key) <= far)
                    };
                    let expected = expected(own, span.len(), sees);
                    let found = &attended[span.start * HEADS * SIZE..span.end * HEADS * SIZE];
                    let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(
                        far < 1e-5 && found.iter().all(|number| !number.is_nan()),
                        "{level:?} {causal} {window:?}: {far}"
                    );
                }
            }
        }
    }
}
