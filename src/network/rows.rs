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

#[cfg(test)]
mod tests {
    use super::longest_first;

    /// Rows whose padded size stays within so many tokens.
    fn plan(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
        longest_first(lengths, |longest, rows, _| rows * longest <= budget)
    }

    #[test]
    fn every_row_runs_once_and_budgets_hold() {
        let lengths: Vec<usize> = (0..500).map(|row| (row * 7919) % 97).collect();
        let batches = plan(&lengths, 256);
        let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
        seen.sort_unstable();
        let expected: Vec<usize> = (0..500).filter(|row| lengths[*row] > 0).collect();
        assert_eq!(seen, expected);
        for batch in &batches {
            let widest = batch.iter().map(|row| lengths[*row]).max().expect("not empty");
            assert!(batch.len() == 1 || batch.len() * widest <= 256);
        }
    }

    #[test]
    fn a_row_over_the_budget_runs_alone() {
        assert_eq!(plan(&[512, 3, 512, 4], 256), [vec![0], vec![2], vec![3, 1]]);
        assert!(plan(&[], 256).is_empty());
        assert!(plan(&[0, 0], 256).is_empty());
    }
}
