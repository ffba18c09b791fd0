//! The ways in which a file may hold the numbers of a tensor.

use super::super::OnnxWeights;
use super::edit::{Field, Message, edited, number};
use super::{fixture, floats, read, refusal, safetensors, steps};

const NAME: &str = "model.bert.embeddings.LayerNorm.weight";

fn bert() -> Vec<u8> {
    fixture("zoo/bert-mean/onnx/model.onnx")
}

/// The file with one initialiser stored in another way, made from what it is and its bytes.
fn stored(file: &[u8], name: &str, change: impl Fn(Message, &[u8]) -> Message) -> Vec<u8> {
    edited(file, number::INITIALISER, |tensor| {
        if !tensor.text(number::TENSOR_NAME).ends_with(name) {
            return vec![tensor];
        }
        let raw = tensor.all(number::RAW)[0].to_vec();
        vec![change(tensor.without(number::RAW), &raw)]
    })
}

fn numbers(file: &[u8]) -> Vec<f32> {
    let found = read(file).expect("weights");
    floats(found.tensors.iter().find(|(name, _)| name.ends_with("embeddings.LayerNorm.weight")).expect("a tensor").1)
}

#[test]
fn floats_may_be_packed_single_or_of_other_types() {
    let file = bert();
    let wanted = numbers(&file);
    let name = "embeddings.LayerNorm.weight";
    // `float_data`, packed.
    assert_eq!(numbers(&stored(&file, name, |tensor, raw| tensor.with(4, raw))), wanted);
    // One field for each number.
    let single = stored(&file, name, |mut tensor, raw| {
        tensor.0.extend(raw.chunks_exact(4).map(|bytes| (4, Field::Fixed(bytes.to_vec()))));
        tensor
    });
    assert_eq!(numbers(&single), wanted);
    // 16-bit floats in `int32_data`.
    let half: Vec<f32> = wanted.iter().map(|number| half::f16::from_f32(*number).to_f32()).collect();
    let int32 = stored(&file, name, |tensor, raw| {
        let mut tensor = tensor.without(number::TENSOR_TYPE).with_number(number::TENSOR_TYPE, 10);
        for bytes in raw.chunks_exact(4) {
            let float = f32::from_le_bytes(*bytes.first_chunk().expect("a number"));
            tensor = tensor.with_number(5, half::f16::from_f32(float).to_bits().into());
        }
        tensor
    });
    assert_eq!(numbers(&int32), half);
}

#[test]
fn numbers_may_lie_beside_the_file() {
    let file = bert();
    let wanted = numbers(&file);
    let entry = |key: &str, value: &str| Message::default().with(1, key).with(2, value).bytes();
    let place = |offset: &str, length: &str| {
        stored(&file, "embeddings.LayerNorm.weight", |tensor, _| {
            let entries = [entry("location", "model.onnx_data"), entry("offset", offset), entry("length", length)];
            entries.iter().fold(tensor, |tensor, entry| tensor.with(13, entry)).with_number(14, 1)
        })
    };
    let beside: Vec<u8> = [vec![7; 64], wanted.iter().flat_map(|number| number.to_le_bytes()).collect()].concat();
    let outside = place("64", &(wanted.len() * 4).to_string());
    fn find<'file>(beside: &'file [u8]) -> impl Fn(&str) -> Option<&'file [u8]> {
        move |name| (name == "model.onnx_data").then_some(beside)
    }
    let found = OnnxWeights::read(&outside, &find(&beside)).expect("weights");
    assert_eq!(floats(&found.tensors["model.embeddings.LayerNorm.weight"]), wanted);
    assert!(refusal(&outside).contains("missing or too short"));
    for (offset, length) in [("65", "128"), ("18446744073709551615", "128"), ("64", "4"), ("64", "-1"), ("x", "128")] {
        let outside = place(offset, length);
        OnnxWeights::read(&outside, &find(&beside)).expect_err("what does not fit");
    }
}

#[test]
fn bytes_must_be_as_many_as_the_shape_says() {
    let file = bert();
    let name = "embeddings.LayerNorm.weight";
    for change in [
        (|tensor, raw| tensor.with(number::RAW, &raw[4..])) as fn(Message, &[u8]) -> Message,
        |tensor, raw| tensor.with(number::RAW, raw).with_number(number::TENSOR_DIMS, 2),
        |tensor, raw| tensor.with(number::RAW, raw).with_number(number::TENSOR_DIMS, u64::MAX),
        |tensor, raw| tensor.with(number::RAW, raw).with_number(number::TENSOR_DIMS, 1 << 62),
        |tensor, raw| tensor.with(number::RAW, raw).with_number(number::TENSOR_TYPE, 8),
        |tensor, _| tensor,
    ] {
        refusal(&stored(&file, name, change));
    }
}

#[test]
fn a_tensor_that_two_parameters_share_has_both_names() {
    // Two norms with the same numbers, stored once, as exporters do it.
    let file = bert();
    let shared = edited(&file, number::NODE, |mut node| {
        if node.text(number::NODE_NAME) == "/model/encoder/layer.0/output/LayerNorm/LayerNormalization" {
            node.set(number::NODE_INPUT, 1, NAME.replace("bert.", ""));
        }
        vec![node]
    });
    let shared = edited(&shared, number::INITIALISER, |tensor| {
        let gone = tensor.text(number::TENSOR_NAME) == "model.encoder.layer.0.output.LayerNorm.weight";
        if gone { Vec::new() } else { vec![tensor] }
    });
    let found = read(&shared).expect("weights");
    let one = &found.tensors["model.embeddings.LayerNorm.weight"];
    assert_eq!(one, &found.tensors["model.encoder.layer.0.output.LayerNorm.weight"]);
    assert_eq!(steps(&shared), steps(&file));
}

#[test]
fn without_names_of_nodes_biases_tell_the_weights() {
    // Exporters before 1.13 numbered nodes and values.
    let file = bert();
    let plain = edited(&file, number::NODE, |mut node| {
        if !node.text(number::NODE_NAME).is_empty() {
            node.set(number::NODE_NAME, 0, format!("{}_12", node.text(number::OPERATION)));
        }
        vec![node]
    });
    assert_eq!(read(&plain).expect("weights"), read(&file).expect("weights"));
}

#[test]
fn a_safetensors_header_is_read() {
    let header = br#"{"a.b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let file =
        [&(header.len() as u64).to_le_bytes()[..], header, &1.5_f32.to_le_bytes(), &2.0_f32.to_le_bytes()].concat();
    assert_eq!(safetensors(&file)["a.b"], (vec![2], vec![1.5, 2.0]));
}
