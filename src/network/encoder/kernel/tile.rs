//! A product as a kernel gets it: some rows times some panels of weights.

/// Columns of a panel.
pub(in crate::network::encoder) const PANEL: usize = 32;
/// Rows of numbers that kernels read are a multiple of so many bytes long.
pub(in crate::network::encoder) const STEP_BYTES: usize = 64;
/// Kernels may read (not write) rows behind the last one, up to the next multiple of this.
pub(in crate::network::encoder) const ROW_BLOCK: usize = 16;

/// `out[row][column] = scaled(Σ a[row][k]·b[k][column]) + bias[column]` for all rows and columns.
///
/// A *word* is 32 bits: one f32, two bf16, or four 8-bit numbers of consecutive `k`. The sum runs over `k` from first to last,
/// so it does not depend on which rows are beside a row.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// The rows' numbers: f32, bf16 or u8.
    pub a: *const u8,
    /// Bytes from row to row.
    pub a_stride: usize,
    /// How many rows.
    pub rows: usize,
    /// Words of 32 columns for each step of `k`.
    pub b: *const u32,
    /// Words from step to step: 32 in a panel of weights.
    pub b_stride: usize,
    /// Words from panel to panel.
    pub panel_stride: usize,
    /// Steps.
    pub words: usize,
    /// Where the first row's numbers go.
    pub out: *mut f32,
    /// Numbers from row to row.
    pub out_stride: usize,
    /// Columns that are written; the last panel may have fewer than 32.
    pub columns: usize,
    /// A number a column, 32 for each panel.
    pub bias: *const f32,
    /// Numbers of the bias from column to column: 1, or 0 where all panels have the same 32.
    pub bias_step: usize,
    /// What is needed to read 8-bit sums; null pointers in other formats.
    pub scales: Scales,
}

/// `(sum - zero[row]·total[column]) · (scale[row]·scale[column])`
#[derive(Clone, Copy)]
pub(super) struct Scales {
    /// One a row.
    pub row_scales: *const f32,
    /// One a row.
    pub row_zeros: *const i32,
    /// A number a column, 32 for each panel.
    pub column_scales: *const f32,
    /// Likewise: sums of the weights of a column.
    pub column_totals: *const i32,
}

impl Scales {
    pub const NONE: Scales = Scales {
        row_scales: std::ptr::null(),
        row_zeros: std::ptr::null(),
        column_scales: std::ptr::null(),
        column_totals: std::ptr::null(),
    };
}

impl Tile {
    /// The panels, each as a product of its own.
    #[inline(always)]
    pub fn panels(&self) -> impl Iterator<Item = Tile> {
        (0..self.columns.div_ceil(PANEL)).map(|panel| {
            let column = panel * PANEL;
            let scales = &self.scales;
            Tile {
                b: self.b.wrapping_add(panel * self.panel_stride),
                out: self.out.wrapping_add(column),
                columns: (self.columns - column).min(PANEL),
                bias: self.bias.wrapping_add(column * self.bias_step),
                scales: Scales {
                    column_scales: scales.column_scales.wrapping_add(column),
                    column_totals: scales.column_totals.wrapping_add(column),
                    ..*scales
                },
                ..*self
            }
        })
    }
}

/// A product.
///
/// # Safety
/// The processor has the kernel's instructions; all pointers are good for the rows, steps and columns that the tile states;
/// nobody else reads or writes the output's rows and columns.
pub(super) type Product = unsafe fn(&Tile);
