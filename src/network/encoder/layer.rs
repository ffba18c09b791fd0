//! A layer with its weights, and its way from token vectors to token vectors.

use super::attention::{Attend, Texts};
use super::buffers::Buffers;
use super::config::Understood;
use super::kernel::{Format, Gang, Kernels, Panels, product};
use super::plan::{Activation, Attention, Layer, Norm, NormKind, Norms, Rotary};
use super::positions::Positions;
use super::weights::{LoadedNorm, Weights};

/// Rows that go through the feed-forward network at a time, so that their inner numbers stay in the processor's second cache.
const BLOCK_ROWS: usize = 64;
/// Rows that are one unit of work in what is done row by row.
const ROWS_PER_UNIT: usize = 8;

/// A layer, ready to run.
#[derive(Debug)]
pub(super) struct LoadedLayer {
    inputs: Panels,
    norms: Option<(LoadedNorm, LoadedNorm)>,
    rotary: Option<Rotary>,
    window: Option<usize>,
    attention_output: Panels,
    attention_norms: LoadedNorms,
    inner: Panels,
    gated: bool,
    activation: Activation,
    output: Panels,
    feed_forward_norms: LoadedNorms,
}

/// The norms of a branch.
#[derive(Debug)]
struct LoadedNorms {
    before: Option<LoadedNorm>,
    after: Option<LoadedNorm>,
    inside: Option<LoadedNorm>,
    sum: Option<LoadedNorm>,
}

impl LoadedNorms {
    fn new(norms: &Norms, weights: &Weights<'_>) -> Understood<Self> {
        let load = |norm: &Option<Norm>| norm.as_ref().map(|norm| weights.norm(norm)).transpose();
        Ok(LoadedNorms {
            before: load(&norms.before)?,
            after: load(&norms.after)?,
            inside: load(&norms.inside)?,
            sum: load(&norms.sum)?,
        })
    }
}

impl LoadedNorm {
    /// How long the rows are that it norms.
    pub fn width(&self) -> usize {
        self.gain.len()
    }

    /// Norms a row.
    pub fn apply(&self, kernels: &Kernels, row: &mut [f32]) {
        match self.kind {
            NormKind::Layer => kernels.layer_norm(row, &self.gain, &self.bias, self.epsilon),
            NormKind::RootMeanSquare | NormKind::RootMeanSquarePlusOne => {
                kernels.rms_norm(row, &self.gain, self.epsilon);
            }
        }
    }

    /// Norms all rows, each as long as the norm.
    pub fn apply_rows(&self, kernels: &Kernels, gang: Gang<'_>, rows: &mut [f32]) {
        let width = self.width();
        gang.split(rows, width * ROWS_PER_UNIT, |_, rows| {
            rows.chunks_exact_mut(width).for_each(|row| self.apply(kernels, row));
        });
    }
}

/// What a run has beside its buffers.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub kernels: &'a Kernels,
    pub gang: Gang<'a>,
    pub texts: Texts<'a>,
    pub attention: &'a Attention,
    pub positions: &'a Positions,
    pub hidden: usize,
}

impl LoadedLayer {
    pub fn new(layer: &Layer, format: Format, weights: &Weights<'_>) -> Understood<Self> {
        let norms = match &layer.attention.norms {
            Some((query, key)) => Some((weights.norm(query)?, weights.norm(key)?)),
            None => None,
        };
        Ok(LoadedLayer {
            inputs: weights.linear(&layer.attention.inputs, format)?,
            norms,
            rotary: layer.attention.rotary,
            window: layer.attention.window,
            attention_output: weights.linear(&layer.attention.output, format)?,
            attention_norms: LoadedNorms::new(&layer.attention_norms, weights)?,
            inner: weights.linear(&layer.feed_forward.inner, format)?,
            gated: layer.feed_forward.gated,
            activation: layer.feed_forward.activation,
            output: weights.linear(&layer.feed_forward.output, format)?,
            feed_forward_norms: LoadedNorms::new(&layer.feed_forward_norms, weights)?,
        })
    }

    /// Takes the token vectors in `buffers.states` one layer further.
    pub fn run(&self, run: Run<'_>, buffers: &mut Buffers) {
        self.attend(run, buffers);
        add_branch(run, &self.attention_norms, buffers);
        self.feed_forward(run, buffers);
        add_branch(run, &self.feed_forward_norms, buffers);
    }

    fn attend(&self, run: Run<'_>, buffers: &mut Buffers) {
        let Run { kernels, gang, texts, attention, positions, hidden } = run;
        let rows = texts.places.len();
        let normed = before(run, &self.attention_norms, &buffers.states, &mut buffers.normed);
        buffers.operand.fill(kernels, gang, normed, hidden, hidden);
        let width = self.inputs.outputs;
        buffers.projected.resize(rows * width + Buffers::SLACK);
        let projected = &mut buffers.projected[..rows * width];
        product(kernels, gang, &buffers.operand, &self.inputs, projected, width);
        let attend = Attend {
            attention,
            window: self.window,
            norms: self.norms.as_ref(),
            angles: self.rotary.map(|rotary| positions.angles(rotary)),
            relative: positions.relative(),
        };
        attend.prepare(kernels, gang, texts, projected, width);
        let inner = attention.heads * attention.head_size;
        buffers.attended.resize(rows * inner);
        attend.run(kernels, gang, texts, &buffers.projected, width, &mut buffers.attended);
        buffers.operand.fill(kernels, gang, &buffers.attended, inner, inner);
        buffers.branch.resize(rows * hidden);
        product(kernels, gang, &buffers.operand, &self.attention_output, &mut buffers.branch, hidden);
    }

    fn feed_forward(&self, run: Run<'_>, buffers: &mut Buffers) {
        let Run { kernels, gang, hidden, .. } = run;
        let normed = before(run, &self.feed_forward_norms, &buffers.states, &mut buffers.normed);
        let width = self.inner.outputs;
        let kept = if self.gated { width / 2 } else { width };
        for (from, to) in normed.chunks(BLOCK_ROWS * hidden).zip(buffers.branch.chunks_mut(BLOCK_ROWS * hidden)) {
            let rows = from.len() / hidden;
            buffers.operand.fill(kernels, gang, from, hidden, hidden);
            buffers.inner.resize(rows * width);
            product(kernels, gang, &buffers.operand, &self.inner, &mut buffers.inner, width);
            gang.split(&mut buffers.inner, width * ROWS_PER_UNIT, |_, rows| {
                for row in rows.chunks_exact_mut(width) {
                    let (row, factors) = row.split_at_mut(kept);
                    if self.gated {
                        kernels.gate(self.activation, row, factors);
                    } else {
                        kernels.activate(self.activation, row);
                    }
                }
            });
            buffers.inner_operand.fill(kernels, gang, &buffers.inner, kept, width);
            product(kernels, gang, &buffers.inner_operand, &self.output, to, hidden);
        }
    }
}

/// What goes into a branch: the states, or their norm.
fn before<'a>(
    run: Run<'_>,
    norms: &LoadedNorms,
    states: &'a [f32],
    normed: &'a mut super::kernel::Aligned<f32>,
) -> &'a [f32] {
    let Some(norm) = &norms.before else { return states };
    normed.resize(states.len());
    normed.copy_from_slice(states);
    norm.apply_rows(run.kernels, run.gang, normed);
    normed
}

/// Adds what came out of a branch to the states.
fn add_branch(run: Run<'_>, norms: &LoadedNorms, buffers: &mut Buffers) {
    let Run { kernels, gang, .. } = run;
    if let Some(norm) = &norms.after {
        norm.apply_rows(kernels, gang, &mut buffers.branch);
    }
    if norms.inside.is_some() {
        add_rows(run, &mut buffers.branch, &buffers.states, norms.inside.as_ref());
    }
    add_rows(run, &mut buffers.states, &buffers.branch, norms.sum.as_ref());
}

/// Adds rows to rows, and norms the sums.
fn add_rows(run: Run<'_>, rows: &mut [f32], added: &[f32], norm: Option<&LoadedNorm>) {
    let Run { kernels, gang, hidden, .. } = run;
    gang.split(rows, hidden * ROWS_PER_UNIT, |unit, rows| {
        let added = added[unit * hidden * ROWS_PER_UNIT..].chunks_exact(hidden);
        for (row, added) in rows.chunks_exact_mut(hidden).zip(added) {
            kernels.add(row, added);
            if let Some(norm) = norm {
                norm.apply(kernels, row);
            }
        }
    });
}
