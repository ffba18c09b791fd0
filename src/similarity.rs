//! Comparing vectors and ordering scores.

use std::cmp::Ordering;

/// The sum of products, added up in double precision.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// The cosine of the angle between two vectors, from -1 to 1; 0 where one of them is zero.
#[must_use]
pub fn cosine_similarity(a: &[f32], b: &[f32]) -> f64 {
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths == 0.0 { 0.0 } else { (dot(a, b) / lengths).clamp(-1.0, 1.0) }
}

/// The `k` rows of `vectors` (each as long as `query`) with the highest cosine similarity, best first; ties keep order,
/// and a similarity that is no number comes last.
#[must_use]
pub fn top_k(query: &[f32], vectors: &[f32], k: usize) -> Vec<(usize, f64)> {
    if query.is_empty() {
        return Vec::new();
    }
    let scores: Vec<f64> = vectors.chunks_exact(query.len()).map(|row| cosine_similarity(query, row)).collect();
    best(&scores, k)
}

/// The `k` highest of many scores and where they stand, best first; ties keep order, and what is no number comes last.
#[must_use]
pub fn best(scores: &[f64], k: usize) -> Vec<(usize, f64)> {
    // A vector with a value that is no number is nearest to nothing.
    let rank = |score: f64| if score.is_nan() { f64::NEG_INFINITY } else { score + 0.0 };
    let compare = |a: &f64, b: &f64| rank(*a).total_cmp(&rank(*b));
    if k == 0 {
        return Vec::new();
    }
    // Some more than are wanted, from which the worst go now and then: most scores are only looked at.
    let room = k.saturating_mul(2).max(64);
    let mut kept: Vec<(usize, f64)> = Vec::with_capacity(room.min(scores.len()));
    let mut least = None;
    for (at, score) in scores.iter().enumerate() {
        // Of equal ones the first is the better one.
        if least.is_some_and(|least| compare(score, &least) != Ordering::Greater) {
            continue;
        }
        kept.push((at, *score));
        if kept.len() == room {
            keep_best(&mut kept, k, compare);
            least = kept.last().map(|(_, score)| *score);
        }
    }
    keep_best(&mut kept, k, compare);
    kept
}

/// Indices of the `k` highest scores, best first; ties keep order.
#[must_use]
pub fn order(scores: &[f32], k: usize) -> Vec<usize> {
    // Adding zero makes -0 and 0 equal, as they are to users.
    let mut scored: Vec<(usize, f32)> = scores.iter().map(|score| score + 0.0).enumerate().collect();
    keep_best(&mut scored, k, f32::total_cmp);
    scored.into_iter().map(|(index, _)| index).collect()
}

fn keep_best<S>(scored: &mut Vec<(usize, S)>, k: usize, compare: impl Fn(&S, &S) -> Ordering) {
    let best_first = |a: &(usize, S), b: &(usize, S)| compare(&b.1, &a.1).then_with(|| a.0.cmp(&b.0));
    if k < scored.len() {
        if k > 0 {
            scored.select_nth_unstable_by(k - 1, best_first);
        }
        scored.truncate(k);
    }
    scored.sort_unstable_by(best_first);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_agrees_with_a_stable_sort() {
        let scores: Vec<f32> = (0..200_u16).map(|index| f32::from((index * 37) % 17)).collect();
        let mut naive: Vec<usize> = (0..scores.len()).collect();
        naive.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).expect("numbers"));
        assert_eq!(order(&scores, usize::MAX), naive);
        for k in [0, 1, 7, 199, 200, 500] {
            assert_eq!(order(&scores, k), naive[..k.min(200)], "k = {k}");
        }
    }

    #[test]
    fn the_best_agree_with_a_stable_sort() {
        let scores: Vec<f64> = (0..2000_u16).map(|index| f64::from((index * 37) % 101)).collect();
        let mut naive: Vec<(usize, f64)> = scores.iter().copied().enumerate().collect();
        naive.sort_by(|a, b| b.1.partial_cmp(&a.1).expect("numbers"));
        for k in [0, 1, 7, 31, 32, 33, 500, 1999, 2000, 5000] {
            assert_eq!(best(&scores, k), naive[..k.min(2000)], "k = {k}");
        }
        let odd = [f64::NAN, 0.0, -0.0, f64::NEG_INFINITY, f64::INFINITY];
        let places = best(&odd, 5).into_iter().map(|(at, _)| at).collect::<Vec<_>>();
        assert_eq!(places, [4, 1, 2, 0, 3]);
    }

    #[test]
    fn cosine_of_a_zero_vector_is_zero() {
        assert_eq!(cosine_similarity(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
        assert!((cosine_similarity(&[1.0, 1.0], &[2.0, 2.0]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_vector_with_nan_comes_last_and_zeros_of_either_sign_are_equal() {
        for nan in [f32::NAN, -f32::NAN] {
            let found = top_k(&[1.0, 0.0], &[nan, 0.0, -1.0, 0.0, 1.0, 0.0], 3);
            assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2, 1, 0]);
        }
        let found = top_k(&[-1.0, 0.0], &[0.0, -1.0, 0.0, 1.0], 2);
        assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn top_k_finds_the_nearest_rows() {
        let found = top_k(&[1.0, 0.0], &[0.0, 1.0, 2.0, 0.0, 1.0, 1.0, 3.0, 0.0], 3);
        assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 3, 2]);
    }
}
