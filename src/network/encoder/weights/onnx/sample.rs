//! Made-up inputs for which a graph's positions and masks are calculated.

use super::array::{Array, Kind, common};

/// A batch of token ids and what goes with them. Its numbers are such that the inputs cannot be taken for each other, and
/// the mask takes tokens away at the beginning of one row and at the end of another.
pub(super) struct Sample {
    pub batch: usize,
    pub length: usize,
    /// An id that stands for no token, if the graph compares ids with it. It occurs among the ids, also where the mask is 1.
    pub padding: usize,
    pub ids: Vec<usize>,
    pub types: Vec<usize>,
    pub positions: Vec<usize>,
    mask: Vec<bool>,
}

/// What takes a token away: `exp` of it is 0 beside any score that a network has.
pub(super) const GONE: f64 = -9_000.0;

impl Sample {
    pub(super) fn new(batch: usize, length: usize, padding: usize) -> Self {
        let all = 0..batch * length;
        let id = |at: usize| if at % 6 == 2 { padding } else { 1_000_003 + at * 7 };
        let seen = |at: usize| if at < length { at > 0 } else { at % length + 2 < length };
        Self {
            batch,
            length,
            padding,
            ids: all.clone().map(id).collect(),
            types: all.clone().map(|at| 3_000_017 + at * at % 11).collect(),
            positions: all.clone().map(|at| length - 1 - at % length).collect(),
            mask: all.map(seen).collect(),
        }
    }

    /// The values of an input, if it is one of those that are known.
    #[allow(clippy::cast_precision_loss, reason = "the numbers are below 2^53")]
    pub(super) fn input(&self, name: &str) -> Option<Array> {
        let floats = |numbers: &[usize]| numbers.iter().map(|number| *number as f64).collect();
        let numbers = match name {
            "input_ids" => floats(&self.ids),
            "attention_mask" => self.mask.iter().map(|seen| f64::from(u8::from(*seen))).collect(),
            "token_type_ids" => floats(&self.types),
            "position_ids" => floats(&self.positions),
            _ => return None,
        };
        Some(Array { shape: vec![self.batch, self.length], kind: Kind::Integer, numbers })
    }

    /// Whether the array, which is added to scores of the shape `[batch, heads, length, length]`, takes away the tokens
    /// that the mask takes away and changes nothing else.
    pub(super) fn hides(&self, array: &Array, scores: &[usize]) -> bool {
        self.matches(array, scores, |number| number == 0.0, |number| number <= GONE)
    }

    /// Whether the array says `seen` for the tokens that are seen and `gone` for the others.
    pub(super) fn matches(
        &self,
        array: &Array,
        scores: &[usize],
        seen: impl Fn(f64) -> bool,
        gone: impl Fn(f64) -> bool,
    ) -> bool {
        let [batch, _, queries, keys] = *scores else { return false };
        let fits = common(&array.shape, scores).is_ok_and(|shape| shape == scores);
        if fits && [batch, queries, keys] == [self.batch, self.length, self.length] {
            // What is the same for all heads is looked at once.
            let heads = array.shape.iter().rev().nth(2).copied().unwrap_or(1);
            let (shape, each) = ([batch, heads, queries, keys], heads * queries * keys);
            (0..batch * each).all(|at| {
                let number = array.broadcast(&shape, at);
                if self.mask[at / each * keys + at % keys] { seen(number) } else { gone(number) }
            })
        } else {
            false
        }
    }
}
