//! Vectors of tokens that are alike become their mean: Ward's clustering of cosine distances, as `HierarchicalTokenPooling` of
//! sentence-transformers 6.2 does it with scipy's `linkage` and `fcluster` (`maxclust`), ties and the order of clusters included.

use super::normalize;

/// A merge of two clusters. Clusters from `count` on are merges, by their place in the list.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Merge {
    parts: [usize; 2],
    distance: f64,
}

/// Joins vectors, each of `width` numbers and expected to have length 1, until there are about `1 / factor` of them. The first
/// `protected` stay as they are. With `unit`, all are scaled to length 1 afterwards.
#[must_use]
pub fn pool_tokens(mut vectors: Vec<f32>, width: usize, factor: f64, protected: usize, unit: bool) -> Vec<f32> {
    let count = vectors.len() / width.max(1);
    let first = protected.min(count);
    let rest = &vectors[first * width..];
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are small, and a cast saturates"
    )]
    let most = (((count - first) as f64 / factor).floor() as usize).max(1);
    if factor > 1.0 && most < count - first {
        let means = means(rest, width, most);
        vectors.truncate(first * width);
        vectors.extend(means);
    }
    if unit {
        vectors.chunks_exact_mut(width).for_each(normalize);
    }
    vectors
}

/// The means of `most` clusters, or of fewer where distances are equal.
fn means(vectors: &[f32], width: usize, most: usize) -> Vec<f32> {
    let rows: Vec<&[f32]> = vectors.chunks_exact(width).collect();
    let labels = labels(&merges(&mut distances(&rows), rows.len()), rows.len(), most);
    let clusters = labels.iter().max().map_or(0, |last| last + 1);
    let mut sums = vec![0.0; clusters * width];
    let mut sizes = vec![0.0_f32; clusters];
    for (row, label) in rows.iter().zip(&labels) {
        sizes[*label] += 1.0;
        sums[label * width..(label + 1) * width].iter_mut().zip(*row).for_each(|(sum, value)| *sum += value);
    }
    for (sum, size) in sums.chunks_exact_mut(width).zip(sizes) {
        sum.iter_mut().for_each(|value| *value /= size);
    }
    sums
}

/// 1 less the cosine, from 0 to 2, between all rows.
fn distances(rows: &[&[f32]]) -> Vec<f64> {
    let count = rows.len();
    let mut all = vec![0.0; count * count];
    for (at, row) in rows.iter().enumerate() {
        for (other, with) in rows.iter().enumerate().skip(at + 1) {
            let product: f32 = row.iter().zip(*with).map(|(a, b)| a * b).sum();
            let distance = f64::from((1.0 - product).clamp(0.0, 2.0));
            all[at * count + other] = distance;
            all[other * count + at] = distance;
        }
    }
    all
}

/// All merges of `count` rows, the nearest first (`linkage` with `method="ward"`: chains of nearest neighbours).
fn merges(distances: &mut [f64], count: usize) -> Vec<Merge> {
    let mut sizes = vec![1.0_f64; count];
    let mut chain: Vec<usize> = Vec::new();
    let mut found: Vec<Merge> = Vec::with_capacity(count.saturating_sub(1));
    while found.len() + 1 < count {
        if chain.is_empty() {
            chain.extend(sizes.iter().position(|size| *size > 0.0));
        }
        // Along nearest neighbours, until two are each other's.
        let (near, far, distance) = loop {
            let last = chain[chain.len() - 1];
            let before = chain.len().checked_sub(2).map(|at| chain[at]);
            // The one before comes first, so that equal distances make no circle.
            let mut nearest = before;
            let mut least = before.map_or(f64::INFINITY, |before| distances[last * count + before]);
            for other in (0..count).filter(|other| *other != last && sizes[*other] > 0.0) {
                let distance = distances[last * count + other];
                if distance < least {
                    (nearest, least) = (Some(other), distance);
                }
            }
            match nearest {
                Some(nearest) if before != Some(nearest) => chain.push(nearest),
                // Without a nearest one distances are no numbers; any end is as good.
                _ => break (last.min(nearest.unwrap_or(last)), last.max(nearest.unwrap_or(last)), least),
            }
        };
        chain.truncate(chain.len().saturating_sub(2));
        found.push(Merge { parts: [near, far], distance });
        if near == far {
            break;
        }
        let (of_near, of_far) = (sizes[near], sizes[far]);
        (sizes[near], sizes[far]) = (0.0, of_near + of_far);
        for other in (0..count).filter(|other| *other != far) {
            let own = sizes[other];
            if own == 0.0 {
                continue;
            }
            let share = 1.0 / (of_near + of_far + own);
            let [to_near, to_far] = [near, far].map(|part| distances[other * count + part]);
            let squares = (own + of_near) * share * to_near * to_near + (own + of_far) * share * to_far * to_far
                - own * share * distance * distance;
            distances[other * count + far] = squares.sqrt();
            distances[far * count + other] = squares.sqrt();
        }
    }
    found.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    name_clusters(&mut found, count);
    found
}

/// Rows stand for the clusters that they are in; here each merge gets its clusters' own names.
fn name_clusters(merges: &mut [Merge], count: usize) {
    let mut parents: Vec<usize> = (0..count + merges.len()).collect();
    let cluster_of = |parents: &[usize], mut row: usize| {
        while parents[row] != row {
            row = parents[row];
        }
        row
    };
    for (at, merge) in merges.iter_mut().enumerate() {
        let mut parts = merge.parts.map(|row| cluster_of(&parents, row));
        parts.sort_unstable();
        parts.iter().for_each(|part| parents[*part] = count + at);
        merge.parts = parts;
    }
}

/// Which of `most` clusters each row is in (`fcluster` with `criterion="maxclust"`): clusters are those that stand below the least
/// distance that leaves so many, numbered on a walk from the last merge, where a merge's merges come before its rows.
fn labels(merges: &[Merge], count: usize, most: usize) -> Vec<usize> {
    let left = |cut: f64| count - merges.iter().filter(|merge| merge.distance <= cut).count();
    let cut = merges.iter().map(|merge| merge.distance).find(|cut| left(*cut) <= most).unwrap_or(f64::INFINITY);
    let mut labels = vec![0; count];
    let mut clusters = 0;
    // What is left of the walk: clusters, the next one last, each with the label of the cluster that it is in.
    let mut walk = vec![(count + merges.len() - 1, None)];
    while let Some((cluster, mut inside)) = walk.pop() {
        let Some(merge) = cluster.checked_sub(count).map(|at| merges[at]) else {
            labels[cluster] = inside.unwrap_or(clusters);
            clusters += usize::from(inside.is_none());
            continue;
        };
        if inside.is_none() && merge.distance <= cut {
            inside = Some(clusters);
            clusters += 1;
        }
        let (rows, deeper): (Vec<usize>, Vec<usize>) = merge.parts.iter().rev().partition(|part| **part < count);
        walk.extend(rows.into_iter().chain(deeper).map(|part| (part, inside)));
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_joined_where_nothing_has_to_be() {
        let vectors = vec![1.0, 0.0, 0.0, 1.0, 2.0, 0.0];
        assert_eq!(pool_tokens(vectors.clone(), 2, 1.0, 1, false), vectors);
        assert_eq!(pool_tokens(vectors.clone(), 2, 2.0, 3, false), vectors);
        assert_eq!(pool_tokens(vectors, 2, 1.0, 0, true), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        assert!(pool_tokens(Vec::new(), 2, 2.0, 1, true).is_empty());
    }

    #[test]
    fn the_nearest_become_their_mean_and_the_first_stays() {
        let vectors = vec![0.0, 1.0, 1.0, 0.0, 0.0, -1.0, 0.8, 0.6, -0.6, -0.8];
        // Two pairs: the second with the fourth, the third with the fifth; 4 / 2 are left.
        let pooled = pool_tokens(vectors, 2, 2.0, 1, false);
        let mut means: Vec<_> = pooled[2..].chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
        means.sort_by(|a, b| a[0].total_cmp(&b[0]));
        assert_eq!(pooled[..2], [0.0, 1.0]);
        assert_eq!(means, [[-0.3, -0.9], [0.9, 0.3]]);
    }

    /// What scipy 1.17 gives for these distances.
    #[test]
    fn clusters_are_numbered_as_in_scipy() {
        let points = [0.0_f64, 1.0, 1.5, 5.0, 5.2, 9.0];
        let mut all: Vec<f64> = points.iter().flat_map(|a| points.iter().map(move |b| (a - b).abs())).collect();
        let merges = merges(&mut all, 6);
        let parts: Vec<_> = merges.iter().map(|merge| merge.parts).collect();
        assert_eq!(parts, [[3, 4], [1, 2], [0, 7], [5, 6], [8, 9]]);
        let expected =
            [[0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 2], [1, 0, 0, 2, 2, 3], [2, 0, 1, 3, 3, 4]];
        assert_eq!((1..=5).map(|most| labels(&merges, 6, most)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn numbers_that_are_none_end_it() {
        assert_eq!(pool_tokens(vec![f32::NAN; 8], 2, 2.0, 0, false).len() % 2, 0);
    }
}
