//! Files that are read: every tensor must be that of the safetensors file, and the steps those of the model.

use super::super::{Function, Index, Step};
use super::{fixture, floats, path, read, safetensors, steps};
use crate::network::encoder::weights::Numbers;

/// Compares every tensor with that of the same name, which may have a prefix. What is quantised may be off by half a step.
fn compare(graph: &str, weights: &str) {
    let (file, wanted) = (fixture(graph), safetensors(&fixture(weights)));
    let found = read(&file).unwrap_or_else(|refusal| panic!("{graph}: {refusal}"));
    for (name, tensor) in &found.tensors {
        let same =
            |own: &&String| name == *own || name.strip_suffix(own.as_str()).is_some_and(|rest| rest.ends_with('.'));
        let own = wanted.keys().filter(same).max_by_key(|own| own.len());
        // A head that is tied to the embeddings is not stored twice.
        let tied =
            || wanted.keys().find(|own| name.ends_with("decoder.weight") && own.ends_with("word_embeddings.weight"));
        let own = own.or_else(tied).unwrap_or_else(|| panic!("{graph}: no {name}"));
        let (shape, numbers) = &wanted[own];
        assert_eq!(&tensor.shape, shape, "{graph}: {name}");
        let step = |row: usize| match &tensor.numbers {
            Numbers::F32(_) => 0.0,
            Numbers::Int8 { scales, .. } => scales[if scales.len() == 1 { 0 } else { row }] * 0.51,
            _ => 1e-3,
        };
        let each = numbers.len() / shape[0];
        for (at, (found, wanted)) in floats(tensor).iter().zip(numbers).enumerate() {
            let close = found.to_bits() == wanted.to_bits() || (found - wanted).abs() <= step(at / each);
            assert!(close, "{graph}: {name} at {at} is {found}, not {wanted}");
        }
    }
    // Nothing is left out but a pooler that no output needs.
    for own in wanted.keys().filter(|own| !own.contains("pooler")) {
        assert!(found.tensors.keys().any(|name| name.ends_with(own.as_str())), "{graph}: {own} is missing");
    }
}

#[test]
fn the_weights_of_the_zoo_are_those_of_its_safetensors() {
    if !path("../shared/zoo/bert-cls").exists() {
        return eprintln!("skipped: the weights of the zoo (../shared/zoo) are not part of the repository");
    }
    let models = "bert-cls bert-matryoshka-64 bert-mean bert-multilabel-3 bert-ranker-1 bert-ranker-2label \
                  bert-token-classifier colbert-multi-vector distilbert-classifier-2 mpnet-mean-sentence-embedding \
                  splade-mlm xlmr-mean-prefix xlmr-ranker-1-undeclared";
    for name in models.split_ascii_whitespace() {
        compare(&format!("zoo/{name}/onnx/model.onnx"), &format!("../../../shared/zoo/{name}/model.safetensors"));
    }
}

#[test]
fn the_weights_of_graphs_of_all_kinds_are_those_they_were_exported_from() {
    for (name, files) in [
        ("bert", "model model_quantized"),
        ("bert-ranker", "model model_quantized"),
        ("roberta", "model model_quantized"),
        ("distilbert", "model model_quantized"),
        ("mpnet", "model"),
        ("electra", "model model_fp16"),
        ("xlm-roberta", "model model_quantized"),
    ] {
        for file in files.split_ascii_whitespace() {
            compare(&format!("encoder/{name}-onnx/onnx/{file}.onnx"), &format!("encoder/{name}/model.safetensors"));
        }
    }
}

#[test]
fn the_bundled_models_are_read() {
    for (name, layers) in [("all-MiniLM-L6-v2", 6), ("vecrank-reranker-mini", 6)] {
        let file = std::fs::read(path("models").join(name).join("onnx/model_quantized.onnx")).expect("a model");
        let found = read(&file).expect("weights");
        let attention = steps(&file).into_iter().filter(|step| {
            matches!(step, Step::Attention { heads: 12, masked: true, bias: None, scale, .. } if (scale - 0.176_776_7).abs() < 1e-6)
        });
        assert_eq!(attention.count(), layers);
        let bytes = found.tensors.values().filter(|tensor| matches!(tensor.numbers, Numbers::Int8 { .. }));
        assert!(bytes.count() >= 3 + 6 * layers);
        assert_eq!(found.buffers.len(), 1);
    }
}

#[test]
fn the_steps_of_a_reranker_are_those_of_bert() {
    let file = fixture("zoo/bert-ranker-1/onnx/model.onnx");
    let (steps, model) = (steps(&file), "model.bert");
    let layer = format!("{model}.encoder.layer.0");
    let linear = |of: usize, module: String| Step::Linear {
        of,
        weight: format!("{module}.weight"),
        bias: Some(format!("{module}.bias")),
    };
    let norm = |of: usize, module: String| Step::Norm {
        of,
        weight: Some(format!("{module}.weight")),
        bias: Some(format!("{module}.bias")),
        epsilon: 1e-12,
    };
    let embedding =
        |table: &str, index: Index| Step::Embedding { table: format!("{model}.embeddings.{table}.weight"), index };
    let wanted = [
        embedding("word_embeddings", Index::Tokens),
        embedding("token_type_embeddings", Index::Types),
        embedding("position_embeddings", Index::Places { first: 0 }),
        Step::Sum { of: vec![0, 1, 2] },
        norm(3, format!("{model}.embeddings.LayerNorm")),
        linear(4, format!("{layer}.attention.self.query")),
        linear(4, format!("{layer}.attention.self.key")),
        linear(4, format!("{layer}.attention.self.value")),
        Step::Attention { query: 5, key: 6, value: 7, heads: 4, scale: 0.353_553_38, masked: true, bias: None },
        linear(8, format!("{layer}.attention.output.dense")),
        Step::Sum { of: vec![4, 9] },
        norm(10, format!("{layer}.attention.output.LayerNorm")),
        linear(11, format!("{layer}.intermediate.dense")),
        Step::Activation { of: 12, function: Function::Gelu },
        linear(13, format!("{layer}.output.dense")),
        Step::Sum { of: vec![11, 14] },
        norm(15, format!("{layer}.output.LayerNorm")),
    ];
    assert_eq!(steps[..wanted.len()], wanted);
    let head = [
        Step::First { of: 28 },
        linear(29, format!("{model}.pooler.dense")),
        Step::Activation { of: 30, function: Function::Tanh },
        linear(31, "model.classifier".to_owned()),
    ];
    assert_eq!(steps[29..], head);
}

#[test]
fn positions_are_told_apart() {
    let index = |file: &str, table: &str| {
        let found = steps(&fixture(file)).into_iter().find_map(|step| match step {
            Step::Embedding { table: name, index } if name.contains(table) => Some(index),
            _ => None,
        });
        found.expect("an embedding")
    };
    let (bert, xlmr) = ("zoo/bert-mean/onnx/model.onnx", "zoo/xlmr-mean-prefix/onnx/model.onnx");
    assert_eq!(index(bert, "position_embeddings"), Index::Places { first: 0 });
    assert_eq!(index(bert, "token_type"), Index::Types);
    assert_eq!(index(xlmr, "position_embeddings"), Index::AfterPadding { padding: 1 });
    assert_eq!(index(xlmr, "token_type"), Index::Zero);
    let mpnet = "encoder/mpnet-onnx/onnx/model.onnx";
    let Index::Distances { rows } = index(mpnet, "relative_attention_bias") else { panic!("no distances") };
    let middle = rows.len() / 2;
    assert_eq!(rows[middle - 9..middle + 10], [8, 8, 7, 6, 5, 4, 3, 2, 1, 0, 17, 18, 19, 20, 21, 22, 23, 24, 24]);
}

#[test]
fn an_output_that_is_pooled_inside_is_known_as_such() {
    let file = fixture("zoo/mpnet-mean-sentence-embedding/onnx/model.onnx");
    let found = read(&file).expect("weights");
    let names: Vec<_> = found.outputs.iter().map(|output| (output.name.as_str(), output.steps.is_ok())).collect();
    assert_eq!(names, [("token_embeddings", true), ("sentence_embedding", false)]);
}
