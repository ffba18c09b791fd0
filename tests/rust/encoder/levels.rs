//! The instruction sets give the same vectors. Which one is used is decided in the process, by a variable, so each has a process
//! of its own: this test program, which runs one test that writes what it computes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{bits, cosine, taken};

use vecrank::network::encoder::Level;
use vecrank::options::DType;

/// Where the child writes.
const PLACE: &str = "VECRANK_TEST_VECTORS";
/// How near bf16 is on one instruction set to another: they round sums of products at different places.
const BF16_COSINE: f64 = 0.9999;

type Vectors = BTreeMap<String, Vec<Vec<u32>>>;

#[test]
#[ignore = "run by the test below, in processes of their own"]
fn child() {
    let Some(place) = std::env::var_os(PLACE) else { return };
    let mut all = Vectors::new();
    for dtype in [DType::Fp32, DType::Bf16, DType::Q8] {
        for repository in taken() {
            let engine = repository.load(dtype);
            all.insert(format!("{} {}", dtype.as_str(), repository.name), bits(&repository.alone(&engine)));
        }
    }
    std::fs::write(place, serde_json::to_vec(&all).unwrap()).unwrap();
}

fn of_level(level: Level, place: &Path) -> Vectors {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "encoder::levels::child", "--ignored"])
        .env("VECRANK_CPU", level.as_str())
        .env(PLACE, place)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", level.as_str());
    let vectors = serde_json::from_slice(&std::fs::read(place).unwrap()).unwrap();
    std::fs::remove_file(place).unwrap();
    vectors
}

#[test]
fn all_instruction_sets_give_the_same_vectors() {
    let levels: Vec<Level> = Level::available().collect();
    let found: Vec<(Level, Vectors)> = levels
        .into_iter()
        .map(|level| {
            let name = format!("vecrank-levels-{}-{}", std::process::id(), level.as_str());
            let place: PathBuf = std::env::temp_dir().join(name);
            (level, of_level(level, &place))
        })
        .collect();
    let (first, expected) = &found[0];
    assert!(expected.len() > 100, "only {} sets of vectors were compared", expected.len());
    for (level, vectors) in &found[1..] {
        assert_eq!(expected.len(), vectors.len());
        let (mut least, mut differing) = (1.0_f64, Vec::new());
        for (name, of_first) in expected {
            let of_level = &vectors[name];
            if !name.starts_with("bf16") {
                if of_level != of_first {
                    differing.push(name.as_str());
                }
                continue;
            }
            let floats = |row: &[u32]| row.iter().map(|bits| f32::from_bits(*bits)).collect::<Vec<_>>();
            for (a, b) in of_first.iter().zip(of_level).filter(|(a, _)| a.len() > 1) {
                least = least.min(cosine(&floats(a), &floats(b)));
            }
        }
        eprintln!("{} and {}: bf16 has a cosine of {least:.7}", first.as_str(), level.as_str());
        assert!(least >= BF16_COSINE, "{} and {}: {least}", first.as_str(), level.as_str());
        assert!(differing.is_empty(), "{} and {} differ in {differing:?}", first.as_str(), level.as_str());
    }
}
