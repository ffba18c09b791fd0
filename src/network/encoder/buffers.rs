//! The memory of a run, kept for the next one.

use super::kernel::{Aligned, Format, Operand, PANEL};

/// Numbers between the steps of a run.
#[derive(Debug)]
pub(super) struct Buffers {
    /// Token vectors `[tokens, hidden]`.
    pub states: Aligned<f32>,
    /// Their norm, where a branch begins with one.
    pub normed: Aligned<f32>,
    /// Queries, keys and values.
    pub projected: Aligned<f32>,
    /// What attention gives.
    pub attended: Aligned<f32>,
    /// What a branch adds.
    pub branch: Aligned<f32>,
    /// Inner numbers of the feed-forward network.
    pub inner: Aligned<f32>,
    pub operand: Operand,
    pub inner_operand: Operand,
}

impl Buffers {
    /// Numbers behind the last one that may be read: products read whole panels.
    pub const SLACK: usize = PANEL;

    pub fn new(format: Format) -> Self {
        Buffers {
            states: Aligned::default(),
            normed: Aligned::default(),
            projected: Aligned::default(),
            attended: Aligned::default(),
            branch: Aligned::default(),
            inner: Aligned::default(),
            operand: Operand::new(format),
            inner_operand: Operand::new(format),
        }
    }
}
