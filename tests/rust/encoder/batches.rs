//! A text has one vector, to the bit: alone, in any batch, in any order, with any number of threads.

use super::zoo::Random;
use super::{bits, load, taken};

use vecrank::options::DType;

#[test]
fn a_text_in_a_batch_has_the_vector_that_it_has_alone() {
    let mut random = Random(11);
    for dtype in [DType::Fp32, DType::Bf16, DType::Q8] {
        for repository in taken() {
            let engine = repository.load(dtype);
            let alone = bits(&repository.alone(&engine));
            for _ in 0..6 {
                let rows: Vec<usize> =
                    (0..1 + random.below(2 * alone.len())).map(|_| random.below(alone.len())).collect();
                let found = bits(&repository.numbers(&engine, &rows).unwrap());
                for (found, row) in found.iter().zip(&rows) {
                    assert!(
                        *found == alone[*row],
                        "{} {}: row {row} of the rows {rows:?}",
                        repository.name,
                        dtype.as_str()
                    );
                }
            }
        }
    }
}

#[test]
fn threads_do_not_change_vectors() {
    for dtype in [DType::Fp32, DType::Bf16, DType::Q8] {
        for repository in taken().into_iter().step_by(5) {
            let all: Vec<usize> = (0..repository.rows()).collect();
            let [one, four] = [1, 4].map(|threads| {
                let engine = load(&repository.folder, repository.product(), dtype, threads).unwrap();
                bits(&repository.numbers(&engine, &all).unwrap())
            });
            assert!(one == four, "{} {}", repository.name, dtype.as_str());
        }
    }
}
