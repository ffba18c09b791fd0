//! Weights as the kernels read them.
//!
//! A panel holds 32 outputs (columns). For each step of the inputs it has a row of 32 words, one a column; see `tile`. Inputs
//! are filled up with zeros to a multiple of 64 bytes, outputs to a multiple of 32.

use super::Format;
use super::aligned::Aligned;
use super::tile::{PANEL, STEP_BYTES};

/// A matrix of weights, ready for products.
#[derive(Debug)]
pub(in crate::network::encoder) struct Panels {
    pub(super) format: Format,
    /// Numbers of a row that comes out.
    pub outputs: usize,
    /// Words of a column.
    pub(super) words: usize,
    data: Aligned<u32>,
    /// One an output; zeros where the layer has none.
    pub(super) bias: Vec<f32>,
    /// Scale of each output, for [`Format::Byte`].
    pub(super) scales: Vec<f32>,
    /// Sum of each output's weights, for [`Format::Byte`].
    pub(super) totals: Vec<i32>,
}

/// Where weights come from: output after output.
pub(in crate::network::encoder) enum Source<'a> {
    /// Floats: the function writes those of an output.
    Floats(&'a mut dyn FnMut(usize, &mut [f32])),
    /// 8-bit numbers and the scale of an output, which the function returns.
    Bytes(&'a mut dyn FnMut(usize, &mut [i8]) -> f32),
}

impl Panels {
    /// Packs `outputs` times `inputs` weights. `bias` has a number for each output or none at all.
    pub fn pack(format: Format, inputs: usize, outputs: usize, bias: &[f32], source: Source<'_>) -> Self {
        let per_word = format.per_word();
        let words = (inputs.div_ceil(per_word)).next_multiple_of(STEP_BYTES / 4);
        let count = outputs.div_ceil(PANEL);
        let mut panels = Panels {
            format,
            outputs,
            words,
            data: Aligned::zeros(count * words * PANEL),
            bias: bias.to_vec(),
            scales: vec![0.0; if format == Format::Byte { count * PANEL } else { 0 }],
            totals: vec![0; if format == Format::Byte { count * PANEL } else { 0 }],
        };
        panels.bias.resize(count * PANEL, 0.0);
        match source {
            Source::Floats(read) => {
                let mut row = vec![0.0; inputs];
                for output in 0..outputs {
                    read(output, &mut row);
                    panels.write_floats(output, &row);
                }
            }
            Source::Bytes(read) => {
                let mut row = vec![0; inputs];
                for output in 0..outputs {
                    panels.scales[output] = read(output, &mut row);
                    panels.write_bytes(output, &row);
                }
            }
        }
        panels
    }

    fn write_floats(&mut self, output: usize, row: &[f32]) {
        match self.format {
            Format::Float => self.write(output, row.iter().map(|number| number.to_bits())),
            Format::Half => {
                let bits = |number: f32| u32::from(half::bf16::from_f32(number).to_bits());
                let words = row.chunks(2).map(|pair| bits(pair[0]) | pair.get(1).map_or(0, |high| bits(*high) << 16));
                self.write(output, words);
            }
            Format::Byte => {
                let largest = row.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
                let broken = row.iter().any(|number| !number.is_finite());
                let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
                #[allow(clippy::cast_possible_truncation, reason = "from -127 to 127")]
                let bytes: Vec<i8> = row.iter().map(|number| (number / scale).round_ties_even() as i8).collect();
                self.scales[output] = if broken { f32::NAN } else { scale };
                self.write_bytes(output, &bytes);
            }
        }
    }

    fn write_bytes(&mut self, output: usize, row: &[i8]) {
        self.totals[output] = row.iter().map(|number| i32::from(*number)).sum();
        let word = |four: &[i8]| {
            let mut bytes = [0; 4];
            bytes.iter_mut().zip(four).for_each(|(byte, number)| *byte = number.cast_unsigned());
            u32::from_le_bytes(bytes)
        };
        self.write(output, row.chunks(4).map(word));
    }

    fn write(&mut self, output: usize, words: impl Iterator<Item = u32>) {
        let (panel, column) = (output / PANEL, output % PANEL);
        let panel = &mut self.data[panel * self.words * PANEL..];
        panel[column..].iter_mut().step_by(PANEL).zip(words).for_each(|(place, word)| *place = word);
    }

    /// How many panels there are.
    pub fn count(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// The words of a panel.
    pub(super) fn panel(&self, panel: usize) -> *const u32 {
        self.data[panel * self.words * PANEL..].as_ptr()
    }
}
