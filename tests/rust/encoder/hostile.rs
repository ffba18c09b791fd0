//! Files of weights that are damaged, or made to do harm: a typed error, no panic, and no more memory than the files have bytes.

use super::copies::{Copy, Tensor, file};
use super::{load, zoo};

use serde_json::json;
use vecrank::options::{DType, Product};

const TENSOR: &str = "encoder.layer.0.attention.self.query.weight";

fn copy() -> Copy {
    Copy::of(&zoo::root().join("tests/fixtures/encoder/weights-fp16"))
}

/// The code and the sentence of the error that a copy gives.
fn refused(copy: &Copy) -> (&'static str, String) {
    let error = load(&copy.0, Product::Embedder, DType::Fp32, 1).unwrap_err();
    (error.code(), format!("{error} {}", error.causes().join(" ")))
}

#[test]
fn files_that_are_no_safetensors() {
    let copy = copy();
    let whole = std::fs::read(copy.0.join("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(whole[8..8 + length].to_vec()).unwrap();
    let data = &whole[8 + length..];
    let entry =
        |start: u64, end: u64, shape: &[u64]| json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
    let two = |a, b| file(&json!({ "a": a, "b": b }).to_string(), &[0; 64]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 90868376\n";
    let with_length = |length: u64| [&length.to_le_bytes()[..], &whole[8..]].concat();
    let deep = "[".repeat(100_000);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "empty"),
        ("seven bytes", whole[..7].to_vec(), "safetensors"),
        ("a pointer of Git LFS", pointer.into(), "git lfs pull"),
        ("a web page", b"<!DOCTYPE html><html><body>Sign in</body></html>".to_vec(), "web page"),
        ("a header without end", with_length(u64::MAX), "safetensors"),
        ("a header of 2^40 bytes", with_length(1 << 40), "safetensors"),
        ("a header that is longer than the file", with_length(whole.len() as u64), "safetensors"),
        ("a header that is cut off", with_length(length as u64 - 1), "safetensors"),
        ("a header that is no JSON", file("{\"a\": [1, 2", data), "safetensors"),
        ("a header that is no object", file("[1, 2, 3]", data), "safetensors"),
        ("a header of brackets", file(&deep, data), "safetensors"),
        ("a header that is no UTF-8", [&4_u64.to_le_bytes()[..], b"{\"\xff\xfe", data].concat(), "safetensors"),
        ("a file that is cut off", whole[..whole.len() - 1].to_vec(), "safetensors"),
        ("a file with more behind it", [&whole[..], b"more"].concat(), "safetensors"),
        ("overlapping tensors", two(entry(0, 48, &[12]), entry(16, 64, &[12])), "safetensors"),
        ("tensors with a hole between them", two(entry(0, 16, &[4]), entry(32, 64, &[8])), "safetensors"),
        ("a tensor that ends before it begins", two(entry(0, 32, &[8]), entry(64, 32, &[8])), "safetensors"),
        ("a tensor beyond the end", two(entry(0, 32, &[8]), entry(32, 1 << 40, &[8])), "safetensors"),
        ("a shape without end", two(entry(0, 32, &[8]), entry(32, 64, &[1 << 62, 1 << 62])), "safetensors"),
        ("a shape that is 0 by overflow", two(entry(0, 64, &[16]), entry(64, 64, &[1 << 32, 1 << 32])), "safetensors"),
        ("a shape that is not the tensor's", two(entry(0, 32, &[8]), entry(32, 64, &[9])), "safetensors"),
        ("an unknown type", file(&header.replacen("F16", "F12", 1), data), "safetensors"),
    ];
    for (name, bytes, reason) in cases {
        copy.write("model.safetensors", bytes);
        let (code, said) = refused(&copy);
        assert_eq!(code, "ERR_MODEL_INVALID", "{name}: {said}");
        assert!(said.contains(reason), "{name}: {said}");
    }
}

#[test]
fn tensors_of_other_types_and_shapes() {
    let copy = copy();
    let tensors = copy.tensors();
    let spoil = |change: &dyn Fn(&mut Tensor)| {
        let mut others = tensors.clone();
        change(others.0.get_mut(TENSOR).unwrap());
        copy.write("model.safetensors", others.written());
        refused(&copy)
    };
    for (kind, bytes) in [("F64", 8), ("I8", 1), ("U8", 1), ("BOOL", 1), ("F8_E4M3", 1), ("I64", 8)] {
        let (code, said) = spoil(&|tensor| {
            kind.clone_into(&mut tensor.kind);
            tensor.bytes = vec![0; tensor.shape.iter().product::<u64>() as usize * bytes];
        });
        assert_eq!(code, "ERR_MODEL_UNSUPPORTED", "{kind}: {said}");
        assert!(said.contains(TENSOR) && said.contains(kind), "{kind}: {said}");
    }
    for shape in [vec![256], vec![16, 16, 1], vec![8, 32], vec![1, 256], vec![0, 0], vec![]] {
        let (code, said) = spoil(&|tensor| {
            let count = shape.iter().product::<u64>() as usize;
            tensor.bytes = vec![0; count * 2];
            tensor.shape.clone_from(&shape);
        });
        assert_eq!(code, "ERR_MODEL_INVALID", "{shape:?}: {said}");
        assert!(said.contains(TENSOR) && said.contains("config.json"), "{shape:?}: {said}");
    }
}

#[test]
fn tables_without_vectors() {
    let copy = copy();
    let tensors = copy.tensors();
    for table in ["word", "position", "token_type"] {
        let mut others = tensors.clone();
        let tensor = others.0.get_mut(&format!("embeddings.{table}_embeddings.weight")).unwrap();
        (tensor.shape[0], tensor.bytes) = (0, Vec::new());
        copy.write("model.safetensors", others.written());
        let (code, said) = refused(&copy);
        assert_eq!(code, "ERR_MODEL_INVALID", "{table}: {said}");
        assert!(said.contains("has vectors for 0"), "{table}: {said}");
    }
}

#[test]
fn numbers_that_are_none() {
    let copy = copy();
    let mut tensors = copy.tensors();
    // NaN, as bytes of 16 bits.
    tensors.0.get_mut(TENSOR).unwrap().bytes.fill(0xff);
    copy.write("model.safetensors", tensors.written());
    for dtype in [DType::Fp32, DType::Bf16, DType::Q8] {
        let engine = load(&copy.0, Product::Embedder, dtype, 1).unwrap();
        let error = super::vectors(&engine, vec!["hello world".into()], Default::default()).unwrap_err();
        assert_eq!(error.code(), "ERR_NUMERIC", "{}: {error}", dtype.as_str());
    }
}

#[test]
fn shards() {
    let copy = copy();
    let whole = std::fs::read(copy.0.join("model.safetensors")).unwrap();
    copy.remove("model.safetensors");
    let index = |files: &[&str]| {
        let map: serde_json::Map<_, _> =
            files.iter().enumerate().map(|(at, file)| (format!("tensor.{at}"), json!(file))).collect();
        copy.write("model.safetensors.index.json", json!({ "weight_map": map }).to_string());
        refused(&copy)
    };
    for outside in ["../x", "../../etc/passwd", "/etc/passwd", "a/../../x", "a\\..\\..\\x", "x\0y"] {
        let (code, said) = index(&[outside]);
        assert_eq!(code, "ERR_MODEL_INVALID", "{outside:?}: {said}");
        assert!(said.contains("leaves the model's folder"), "{outside:?}: {said}");
    }
    let (code, said) = index(&["model-00001-of-00002.safetensors"]);
    assert_eq!(code, "ERR_FILE_NOT_FOUND", "{said}");
    assert!(said.contains("model-00001-of-00002.safetensors"), "{said}");
    assert_eq!(index(&["1_Pooling"]).0, "ERR_FILE_NOT_FOUND", "a folder");
    assert_eq!(index(&["tokenizer.json"]).0, "ERR_MODEL_INVALID", "a file of another kind");
    copy.write("a.safetensors", &whole);
    copy.write("b.safetensors", &whole);
    let (code, said) = index(&["a.safetensors", "b.safetensors"]);
    assert_eq!(code, "ERR_MODEL_INVALID");
    assert!(said.contains("another file has too"), "{said}");
    let many: Vec<String> = (0..20_000).map(|number| format!("{number}.safetensors")).collect();
    assert_eq!(index(&many.iter().map(String::as_str).collect::<Vec<_>>()).0, "ERR_MODEL_INVALID", "too many");
    assert_eq!(index(&[]).0, "ERR_MODEL_INVALID", "none");
    for map in [json!(null), json!([]), json!({ "weight_map": [] }), json!({ "weight_map": { "a": 1 } })] {
        copy.write("model.safetensors.index.json", map.to_string());
        assert_eq!(refused(&copy).0, "ERR_MODEL_INVALID", "{map}");
    }
    copy.write("model.safetensors.index.json", b"<html>");
    assert_eq!(refused(&copy).0, "ERR_MODEL_INVALID");
}

#[test]
fn a_tensor_in_each_of_forty_shards() {
    let copy = copy();
    let tensors = copy.tensors();
    assert!(tensors.0.len() < 40);
    copy.remove("model.safetensors");
    let mut map = serde_json::Map::new();
    for (number, (name, tensor)) in tensors.0.iter().enumerate() {
        let one = super::copies::Tensors([(name.clone(), tensor.clone())].into());
        copy.write(&format!("{number}.safetensors"), one.written());
        map.insert(name.clone(), json!(format!("{number}.safetensors")));
    }
    for number in tensors.0.len()..40 {
        copy.write(&format!("{number}.safetensors"), file("{}", &[]));
        map.insert(format!("none.{number}"), json!(format!("{number}.safetensors")));
    }
    copy.write("model.safetensors.index.json", json!({ "weight_map": map }).to_string());
    let sharded = load(&copy.0, Product::Embedder, DType::Fp32, 1).unwrap();
    let whole =
        load(zoo::root().join("tests/fixtures/encoder/weights-fp16"), Product::Embedder, DType::Fp32, 1).unwrap();
    let [sharded, whole] =
        [sharded, whole].map(|engine| super::vectors(&engine, vec!["hello world".into()], Default::default()).unwrap());
    assert_eq!(super::bits(&sharded), super::bits(&whole));
}

/// The tests above once more, in a process that may have little memory.
#[cfg(target_os = "linux")]
#[test]
fn little_memory_suffices() {
    let program = std::env::current_exe().unwrap();
    for test in ["files_that_are_no_safetensors", "tensors_of_other_types_and_shapes", "shards"] {
        let output = std::process::Command::new("sh")
            .args(["-c", "ulimit -v 1000000 && exec \"$0\" --exact \"$1\" --test-threads 1"])
            .arg(&program)
            .arg(format!("encoder::hostile::{test}"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{test}: {said}");
    }
}
