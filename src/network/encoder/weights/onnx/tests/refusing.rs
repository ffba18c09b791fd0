//! Graphs that compute something else than they seem to: refused, or the difference is in the steps.

use super::super::{Function, Index, Step};
use super::edit::{Message, constant, edited, node, number, with_floats, with_node, with_node_after};
use super::{fixture, read, refusal, steps};

const LAYER: &str = "/model/bert/encoder/layer.0";

fn bert() -> Vec<u8> {
    fixture("zoo/bert-ranker-1/onnx/model.onnx")
}

/// LayerNorm and all else in single operators.
fn old() -> Vec<u8> {
    fixture("encoder/bert-onnx/onnx/model.onnx")
}

fn scale_of(steps: &[Step]) -> Vec<f32> {
    let scales = steps.iter().filter_map(|step| match step {
        Step::Attention { scale, .. } => Some(*scale),
        _ => None,
    });
    scales.collect()
}

fn epsilons(steps: &[Step]) -> Vec<f32> {
    let found = steps.iter().filter_map(|step| match step {
        Step::Norm { epsilon, .. } => Some(*epsilon),
        _ => None,
    });
    found.collect()
}

#[test]
fn other_functions_are_refused() {
    let name = format!("{LAYER}/intermediate/intermediate_act_fn/Erf");
    let file = with_node(&bert(), &name, |node| node.set(number::OPERATION, 0, "Tanh"));
    assert!(refusal(&file).contains("function of numbers"), "{}", refusal(&file));
    // The constant 1.414 of GELU.
    let name = format!("{LAYER}/intermediate/intermediate_act_fn/Constant_output_0");
    let file = with_floats(&bert(), &name, &[1.43]);
    assert!(refusal(&file).contains("function of numbers"), "{}", refusal(&file));
    // A function that is known, but another one, is in the steps.
    let file = with_node(&bert(), "/model/bert/pooler/activation/Tanh", |node| node.set(number::OPERATION, 0, "Relu"));
    assert!(steps(&file).contains(&Step::Activation { of: 30, function: Function::Relu }));
}

#[test]
fn another_epsilon_is_in_the_steps() {
    let file = with_node(&bert(), &format!("{LAYER}/output/LayerNorm/LayerNormalization"), |node| {
        let attributes = node.all(number::ATTRIBUTE).into_iter().map(Message::read);
        let place = attributes.clone().position(|attribute| attribute.text(1) == "epsilon").expect("an epsilon");
        let attribute = Message::default().with(1, "epsilon").with_number(20, 1);
        let mut bytes = attribute.bytes();
        bytes.push(2 << 3 | 5);
        bytes.extend(1e-3_f32.to_le_bytes());
        node.set(number::ATTRIBUTE, place, bytes);
    });
    assert_eq!(epsilons(&steps(&file)), [1e-12, 1e-12, 1e-3, 1e-12, 1e-12]);
    let file = with_floats(&old(), "/encoder/layer.0/output/LayerNorm/Constant_1_output_0", &[1e-3]);
    assert_eq!(epsilons(&steps(&file)), [1e-12, 1e-12, 1e-3, 1e-12, 1e-12]);
    // The exponent 2 of the variance.
    let file = with_floats(&old(), "/encoder/layer.0/output/LayerNorm/Constant_output_0", &[3.0]);
    refusal(&file);
}

#[test]
fn another_scale_is_in_the_steps() {
    let mul = |file: &[u8]| {
        let mut name = String::new();
        edited(file, number::NODE, |node| {
            if node.text(number::NODE_NAME) == format!("{LAYER}/attention/self/Mul") {
                name = String::from_utf8_lossy(node.all(number::NODE_INPUT)[1]).into_owned();
            }
            vec![node]
        });
        name
    };
    let file = with_floats(&bert(), &mul(&bert()), &[0.5]);
    assert_eq!(scale_of(&steps(&file)), [0.5, 0.353_553_38]);
    // A factor on queries is a part of it too.
    let half = |before: &str, after: &str| vec![constant(0.5, "half"), node("Mul", &[before, "half"], after)];
    let file = with_node_after(&bert(), &format!("{LAYER}/attention/self/query/Add"), half);
    assert_eq!(scale_of(&steps(&file)), [0.353_553_38 / 2.0, 0.353_553_38]);
    // One on values is none.
    refusal(&with_node_after(&bert(), &format!("{LAYER}/attention/self/value/Add"), half));
}

#[test]
fn what_stands_between_the_steps_is_refused() {
    let times =
        |factor: f32| move |before: &str, after: &str| vec![constant(factor, "k"), node("Mul", &[before, "k"], after)];
    for name in
        ["output/LayerNorm/LayerNormalization", "intermediate/dense/Add", "output/Add", "attention/self/Reshape_3"]
    {
        let name = format!("{LAYER}/{name}");
        refusal(&with_node_after(&bert(), &name, times(1.5)));
        // What changes nothing is no step.
        assert_eq!(steps(&with_node_after(&bert(), &name, times(1.0))), steps(&bert()));
    }
    for operation in ["Exp", "Sigmoid", "Relu", "Neg", "Abs", "Ceil", "Softmax", "Flatten", "NoSuchOperator"] {
        let insert = |before: &str, after: &str| vec![node(operation, &[before], after)];
        let file = with_node_after(&bert(), &format!("{LAYER}/output/Add"), insert);
        match read(&file) {
            // Functions that are known are steps of their own.
            Ok(_) => assert_eq!(steps(&file).len(), steps(&bert()).len() + 1, "{operation}"),
            Err(_) => assert!(!matches!(operation, "Sigmoid" | "Relu"), "{operation}"),
        }
    }
    // An operator of another maker.
    let file = with_node(&bert(), &format!("{LAYER}/attention/self/Softmax"), |node| {
        *node = std::mem::take(node).with(number::DOMAIN, "com.microsoft");
    });
    assert!(refusal(&file).contains("is not known"), "{}", refusal(&file));
}

#[test]
fn another_structure_is_refused_or_in_the_steps() {
    // Twice the dense layer instead of the residual.
    let add = format!("{LAYER}/attention/output/Add");
    let file = with_node(&bert(), &add, |node| {
        let first = node.all(number::NODE_INPUT)[0].to_vec();
        node.set(number::NODE_INPUT, 1, first);
    });
    refusal(&file);
    // The residual of another place.
    let file = with_node(&bert(), &format!("{LAYER}/output/Add"), |node| {
        node.set(number::NODE_INPUT, 1, "/model/bert/embeddings/LayerNorm/LayerNormalization_output_0");
    });
    assert!(steps(&file).contains(&Step::Sum { of: vec![4, 14] }));
    // Keys and queries change places.
    let swap = |operation: &str| {
        with_node(&bert(), &format!("{LAYER}/attention/self/MatMul"), |node| {
            let inputs: Vec<Vec<u8>> = node.all(number::NODE_INPUT).into_iter().map(<[u8]>::to_vec).collect();
            node.set(number::NODE_INPUT, 0, &inputs[1]);
            node.set(number::NODE_INPUT, 1, &inputs[0]);
            node.set(number::OPERATION, 0, operation);
        })
    };
    refusal(&swap("MatMul"));
    // Heads that are not put back behind the tokens.
    let file = with_node(&bert(), &format!("{LAYER}/attention/self/Transpose_3"), |node| {
        node.set(number::OPERATION, 0, "Identity");
    });
    refusal(&file);
    // Softmax over the queries.
    let file = with_node(&bert(), &format!("{LAYER}/attention/self/Softmax"), |node| {
        node.set(number::ATTRIBUTE, 0, Message::default().with(1, "axis").with_number(3, 2).with_number(20, 2).bytes());
    });
    assert!(refusal(&file).contains("Softmax"));
    // The last row instead of the first.
    let file = with_node(&bert(), "/model/bert/pooler/Gather", |node| {
        node.set(number::NODE_INPUT, 1, "/model/bert/embeddings/Constant_output_0");
    });
    assert!(refusal(&file).contains("other rows than the first"), "{}", refusal(&file));
}

#[test]
fn other_masks_and_positions_are_refused() {
    // What is added to the scores of tokens that are not there.
    let file = with_floats(&bert(), "/model/bert/Constant_29_output_0", &[-1.0]);
    assert!(refusal(&file).contains("mask"), "{}", refusal(&file));
    // A mask that looks at the query's place too.
    let file = with_node(&bert(), "/model/bert/GreaterOrEqual", |node| node.set(number::OPERATION, 0, "LessOrEqual"));
    assert!(refusal(&file).contains("mask"), "{}", refusal(&file));
    // Without a mask the steps say so.
    let file = with_node(&bert(), &format!("{LAYER}/attention/self/Softmax"), |node| {
        node.set(number::NODE_INPUT, 0, format!("{LAYER}/attention/self/Mul_output_0"));
    });
    assert!(steps(&file).iter().any(|step| matches!(step, Step::Attention { masked: false, .. })));
    // Positions by the ids.
    let file = with_node(&bert(), "/model/bert/embeddings/position_embeddings/Gather", |node| {
        node.set(number::NODE_INPUT, 1, "attention_mask");
    });
    assert!(refusal(&file).contains("takes rows"), "{}", refusal(&file));
}

#[test]
fn weights_of_another_shape_are_refused() {
    let matmul = format!("{LAYER}/intermediate/dense/MatMul");
    let other = |name: &str| with_node(&bert(), &matmul, |node| node.set(number::NODE_INPUT, 1, name));
    assert!(refusal(&other("onnx::MatMul_332")).contains("columns"), "{}", refusal(&other("onnx::MatMul_332")));
    // One of the right shape is another layer's: then one tensor has no use, or two have one name.
    refusal(&other("onnx::MatMul_344"));
    let file = with_node(&bert(), &format!("{LAYER}/output/LayerNorm/LayerNormalization"), |node| {
        node.set(number::NODE_INPUT, 1, "model.bert.encoder.layer.0.intermediate.dense.bias");
    });
    assert!(refusal(&file).contains("another size"), "{}", refusal(&file));
}

#[test]
fn everything_in_the_file_is_accounted_for() {
    let file = edited(&bert(), number::INITIALISER, |tensor| {
        let mut more = tensor.clone();
        more.set(number::TENSOR_NAME, 0, format!("more.{}", tensor.text(number::TENSOR_NAME)));
        if tensor.text(number::TENSOR_NAME) == "model.classifier.weight" { vec![tensor, more] } else { vec![tensor] }
    });
    assert_eq!(refusal(&file), "nothing uses the tensor \"more.model.classifier.weight\" in a way that is known");
    // Nothing tells the names of these.
    assert!(refusal(&fixture("extra/no-modules-bert/onnx/model.onnx")).contains("nothing tells which parameter"));
}

#[test]
fn other_families_are_refused() {
    for name in ["modernbert-cls", "qwen3-lasttoken", "qwen3-yesno-reranker"] {
        refusal(&fixture(&format!("zoo/{name}/onnx/model.onnx")));
    }
    for name in ["ranker-deberta", "ranker-deberta-v2", "family-t5", "family-gemma"] {
        refusal(&fixture(&format!("extra/{name}/onnx/model.onnx")));
    }
}

#[test]
fn an_output_that_is_all_the_graph_has_must_be_known() {
    let file = fixture("zoo/mpnet-mean-sentence-embedding/onnx/model.onnx");
    let pooled =
        edited(
            &file,
            number::OUTPUT,
            |output| {
                if output.text(1) == "token_embeddings" { Vec::new() } else { vec![output] }
            },
        );
    assert!(refusal(&pooled).contains("/Mul"), "{}", refusal(&pooled));
    assert_eq!(refusal(&edited(&file, number::OUTPUT, |_| Vec::new())), "the graph has no output");
}

#[test]
fn inputs_are_told_with_their_axes() {
    let file = bert();
    let found = read(&file).expect("weights");
    let inputs: Vec<_> =
        found.inputs.iter().map(|input| (input.name.as_str(), input.element, input.dims.clone())).collect();
    let open = vec![None, None];
    let wanted = [("input_ids", 7, open.clone()), ("attention_mask", 7, open.clone()), ("token_type_ids", 7, open)];
    assert_eq!(inputs, wanted);
    // A fixed length: TypeProto.tensor_type.shape.dim.dim_value.
    let fixed = edited(&file, number::INPUT, |mut input| {
        let axis = |size: u64| Message::default().with_number(1, size).bytes();
        let shape = Message::default().with(1, axis(1)).with(1, axis(48));
        let tensor = Message::default().with_number(1, 7).with(2, shape.bytes());
        input.set(2, 0, Message::default().with(1, tensor.bytes()).bytes());
        vec![input]
    });
    assert_eq!(read(&fixed).expect("weights").inputs[0].dims, [Some(1), Some(48)]);
    let called = |name: &str| {
        edited(&file, number::INPUT, |mut input| {
            if input.text(1) == "token_type_ids" {
                input.set(1, 0, name);
            }
            vec![input]
        })
    };
    // Rows by `position_ids`.
    let gather = "/model/bert/embeddings/token_type_embeddings/Gather";
    let given = with_node(&called("position_ids"), gather, |node| node.set(number::NODE_INPUT, 1, "position_ids"));
    assert!(matches!(steps(&given)[1], Step::Embedding { index: Index::Positions, .. }));
    let other = called("inputs_embeds");
    assert_eq!(refusal(&other), "the graph has the input \"inputs_embeds\"");
}
