//! What attention knows of positions: angles of rotary ones, and what is added for a distance.

use super::plan::{Attention, Bias, Rotary};
use super::table::Table;

/// Tables for texts of up to so many tokens.
#[derive(Debug, Default)]
pub(super) struct Positions {
    pub length: usize,
    angles: Vec<(Rotary, Angles)>,
    relative: Option<Relative>,
}

/// Cosines and sines, half a head of each for a position.
#[derive(Debug)]
pub(super) struct Angles {
    pub half: usize,
    pub cosines: Vec<f32>,
    pub sines: Vec<f32>,
}

/// What is added to the product of a query and a key, by their distance.
#[derive(Debug)]
pub(super) struct Relative {
    /// For each head, from the key furthest before to the one furthest behind.
    heads: Vec<Vec<f32>>,
    length: usize,
}

impl Positions {
    pub fn new(length: usize, rotary: &[Rotary], attention: &Attention, table: Option<&Table>) -> Self {
        let Attention { heads, head_size, bias, .. } = attention;
        let angles = rotary.iter().map(|rotary| (*rotary, Angles::new(length, *rotary, *head_size))).collect();
        let relative = match bias {
            Bias::None => None,
            Bias::Alibi => Some(Relative::alibi(length, *heads)),
            Bias::Relative { buckets, furthest, .. } => {
                table.map(|table| Relative::bucketed(length, *heads, table, *buckets, *furthest))
            }
        };
        Positions { length, angles, relative }
    }

    pub fn angles(&self, rotary: Rotary) -> &Angles {
        let found = self.angles.iter().find(|(of, _)| *of == rotary);
        &found.unwrap_or_else(|| unreachable!("the rotary positions of all layers are known")).1
    }

    pub fn relative(&self) -> Option<&Relative> {
        self.relative.as_ref()
    }
}

impl Angles {
    /// The angle of each pair at each position, see [`Rotary`].
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "angles are float32 in the reference"
    )]
    fn new(length: usize, rotary: Rotary, head_size: usize) -> Self {
        let half = head_size / 2;
        let frequency = |pair: usize| 1.0 / rotary.base.powf((2 * pair) as f32 / head_size as f32) / rotary.divisor;
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let angle = |position: usize| frequencies.iter().map(move |frequency| f64::from(position as f32 * frequency));
        let all: Vec<f64> = (0..length).flat_map(angle).collect();
        Angles {
            half,
            cosines: all.iter().map(|angle| angle.cos() as f32).collect(),
            sines: all.iter().map(|angle| angle.sin() as f32).collect(),
        }
    }
}

impl Relative {
    /// What is added in the row of the query at `query` of a text of `tokens`.
    pub fn row(&self, head: usize, query: usize, tokens: usize) -> &[f32] {
        let first = self.length - 1 - query;
        &self.heads[head][first..first + tokens]
    }

    fn of(length: usize, heads: usize, bias: impl Fn(usize, isize) -> f32) -> Self {
        let end = length.cast_signed();
        let row = |head: usize| (1 - end..end).map(|distance| bias(head, distance)).collect();
        Relative { heads: (0..heads).map(row).collect(), length }
    }

    fn bucketed(length: usize, heads: usize, table: &Table, buckets: usize, furthest: usize) -> Self {
        let mut rows = vec![vec![0.0; heads]; table.rows()];
        rows.iter_mut().enumerate().for_each(|(row, numbers)| table.read(row, numbers));
        Relative::of(length, heads, |head, distance| {
            rows[bucket(distance, buckets, furthest).min(rows.len() - 1)][head]
        })
    }

    /// The slopes of ALiBi: powers of `2^(-8 / heads)`; where `heads` is no power of two, every other one of the next power's is
    /// put behind those of the power below.
    #[allow(clippy::cast_precision_loss, reason = "heads and distances are small")]
    fn alibi(length: usize, heads: usize) -> Self {
        let powers = |count: usize| (1..=count).map(move |at| 2_f32.powf(-8.0 * at as f32 / count as f32));
        let below = 1 << heads.ilog2();
        let slopes: Vec<f32> = powers(below).chain(powers(2 * below).step_by(2).take(heads - below)).collect();
        Relative::of(length, heads, |head, distance| -slopes[head] * distance.unsigned_abs() as f32)
    }
}

/// T5's buckets as `MPNetEncoder.relative_position_bucket` has them: near distances have one each, further ones share by their
/// logarithm; half of the buckets are for keys behind the query.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the reference computes in float32 and cuts to whole numbers"
)]
pub(super) fn bucket(distance: isize, buckets: usize, furthest: usize) -> usize {
    let half = buckets / 2;
    let exact = half / 2;
    let far = distance.unsigned_abs();
    let behind = if distance > 0 { half } else { 0 };
    if far < exact {
        return behind + far;
    }
    let steps = (far as f32 / exact as f32).ln() / ((furthest as f64 / exact as f64).ln() as f32);
    behind + (exact + (steps * (half - exact) as f32) as usize).min(half - 1)
}
