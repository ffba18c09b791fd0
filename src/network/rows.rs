//! Which rows run together.

/// Orders `lengths` by size, longest first, and cuts the order into groups: a row joins the group before it where that
/// `fits(longest, rows, tokens)` with it, the numbers being those of the group with the row. A row that fits nowhere is a group of
/// its own. Rows of 0 tokens are left out: they have nothing to run.
pub(super) fn longest_first(lengths: &[usize], fits: impl Fn(usize, usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).filter(|row| lengths[*row] > 0).collect();
    order.sort_by_key(|row| (std::cmp::Reverse(lengths[*row]), *row));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for row in order {
        tokens += lengths[row];
        match groups.last_mut() {
            Some(group) if fits(lengths[group[0]], group.len() + 1, tokens) => group.push(row),
            _ => {
                tokens = lengths[row];
                groups.push(vec![row]);
            }
        }
    }
    groups
}
