//! Files that are damaged or made to harm: refused at once, whatever is in them.

use std::time::{Duration, Instant};

use super::edit::{Message, edited, node, number};
use super::{fixture, read, refusal};

/// Far more than any of these takes, so that a busy machine does not fail the test.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn what_is_cut_off_or_no_graph_is_refused() {
    let file = fixture("zoo/bert-mean/onnx/model.onnx");
    for length in (0..file.len()).step_by(997) {
        read(&file[..length]).expect_err("a part of a file");
    }
    read(&fixture("zoo/bert-mean/tokenizer.json")).expect_err("no graph");
    for bytes in [&[0xff; 64][..], &[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f], &[0x3a, 0x80], &[0x0b], &[0x3a, 0]] {
        read(bytes).expect_err("no graph");
    }
}

/// Numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % limit
    }
}

const GRAPHS: [&str; 4] = [
    "zoo/mpnet-mean-sentence-embedding/onnx/model.onnx",
    "zoo/distilbert-classifier-2/onnx/model.onnx",
    "encoder/bert-onnx/onnx/model.onnx",
    "encoder/roberta-onnx/onnx/model_quantized.onnx",
];
/// 6,000 found nothing when this was written.
const ROUNDS: usize = 60;

#[test]
fn changed_bytes_do_no_harm() {
    let (begun, mut random) = (Instant::now(), Random(0x9e37_79b9_7f4a_7c15));
    for file in GRAPHS.map(fixture) {
        // Nodes come first in a graph; what follows is mostly weights, which may be any numbers.
        let mut nodes = 0;
        edited(&file, number::NODE, |node| {
            nodes += node.bytes().len();
            vec![node]
        });
        for round in 0..ROUNDS {
            let mut changed = file.clone();
            for _ in 0..=random.below(4) {
                let place = random.below(if round % 4 == 0 { changed.len() } else { nodes });
                changed[place] = random.below(256) as u8;
            }
            let _ = read(&changed);
        }
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn changed_nodes_do_no_harm() {
    let (begun, mut random) = (Instant::now(), Random(0x2545_f491_4f6c_dd1d));
    for file in GRAPHS.map(fixture) {
        let mut all = Vec::new();
        edited(&file, number::NODE, |node| {
            all.push(node.clone());
            vec![node]
        });
        for _ in 0..ROUNDS {
            let (target, kind) = (random.below(all.len()), random.below(4));
            let other = all[random.below(target + 1)].clone();
            let mut at = 0;
            let changed = edited(&file, number::NODE, |mut node| {
                at += 1;
                if at - 1 != target {
                    return vec![node];
                }
                let inputs = node.all(number::NODE_INPUT).len();
                match kind {
                    0 => node.set(number::OPERATION, 0, other.text(number::OPERATION)),
                    1 if inputs > 0 => {
                        node.set(number::NODE_INPUT, random.below(inputs), other.text(number::NODE_OUTPUT))
                    }
                    2 => node = node.without(number::ATTRIBUTE),
                    _ => {
                        let attributes = other.all(number::ATTRIBUTE).into_iter();
                        node = attributes
                            .fold(node.without(number::ATTRIBUTE), |node, one| node.with(number::ATTRIBUTE, one));
                    }
                }
                vec![node]
            });
            let _ = read(&changed);
        }
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

/// A graph of the given nodes with one input and one output.
fn graph(nodes: Vec<Message>) -> Vec<u8> {
    let port = |name: &str, element: u64| {
        let shape = Message::default().with(1, []).with(1, []);
        let tensor = Message::default().with_number(1, element).with(2, shape.bytes());
        Message::default().with(1, name).with(2, Message::default().with(1, tensor.bytes()).bytes()).bytes()
    };
    let graph = Message::default().with(number::INPUT, port("input_ids", 7)).with(number::OUTPUT, port("out", 1));
    let graph = nodes.into_iter().fold(graph, |graph, node| graph.with(number::NODE, node.bytes()));
    let opset = Message::default().with_number(2, 17);
    Message::default().with(8, opset.bytes()).with(number::GRAPH, graph.bytes()).bytes()
}

#[test]
fn sizes_of_0_hide_no_others() {
    let sizes = |sizes: &[i64]| {
        let raw: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
        let tensor = Message::default().with_number(number::TENSOR_DIMS, sizes.len() as u64);
        let tensor = tensor.with_number(number::TENSOR_TYPE, 7).with(number::RAW, raw);
        let attribute = Message::default().with(1, "value").with(5, tensor.bytes()).with_number(20, 4);
        node("Constant", &[], "sizes").with(number::ATTRIBUTE, attribute.bytes())
    };
    for shape in [&[0, 1 << 40, 1 << 40][..], &[1 << 40, 0, 1 << 40], &[1 << 62, 4, 0], &[-1], &[1 << 30]] {
        let axis = Message::default().with(1, "axis").with_number(3, 0).with_number(20, 2).bytes();
        let gather = node("Gather", &["made", "input_ids"], "out").with(number::ATTRIBUTE, axis);
        refusal(&graph(vec![sizes(shape), node("ConstantOfShape", &["sizes"], "made"), gather]));
    }
}

#[test]
fn cycles_and_values_that_are_not_there_are_refused() {
    let file = graph(vec![node("Neg", &["b"], "a"), node("Neg", &["a"], "b")]);
    assert!(refusal(&file).contains("no node before it makes"));
    let file = graph(vec![node("Neg", &["input_ids"], "a"), node("Neg", &["input_ids"], "a")]);
    assert!(refusal(&file).contains("made twice"));
    assert!(refusal(&graph(Vec::new())).contains("no node makes"));
}

#[test]
fn graphs_inside_and_functions_are_refused() {
    let inner = Message::default().with(1, "then_branch").with(6, Message::default().bytes());
    let file = graph(vec![node("If", &["input_ids"], "out").with(number::ATTRIBUTE, inner.bytes())]);
    assert!(refusal(&file).contains("a graph inside"));
    let file = Message::read(&graph(Vec::new())).with(25, []).bytes();
    assert!(refusal(&file).contains("functions of its own"));
    let file = Message::read(&graph(Vec::new())).with(number::GRAPH, []).bytes();
    assert!(refusal(&file).contains("two graphs"));
}

#[test]
fn work_without_end_is_refused() {
    let begun = Instant::now();
    // Every node makes twice as much of the one before it.
    let attribute = Message::default().with(1, "axis").with_number(3, 0).with_number(20, 2).bytes();
    let name = |at: usize| if at == 0 { "input_ids".to_owned() } else { format!("v{at}") };
    let double =
        (0..60).map(|at| node("Concat", &[&name(at), &name(at)], &name(at + 1)).with(number::ATTRIBUTE, &attribute));
    let last = node("Neg", &["v60"], "out");
    assert!(refusal(&graph(double.chain([last]).collect())).contains("more work"));
    // Many nodes, each of which makes much.
    let doubles =
        (0..15).map(|at| node("Concat", &[&name(at), &name(at)], &name(at + 1)).with(number::ATTRIBUTE, &attribute));
    let many = (0..20_000).map(|at| node("Neg", &["v15"], &format!("w{at}")));
    let last = node("Neg", &["w19999"], "out");
    assert!(refusal(&graph(doubles.chain(many).chain([last]).collect())).contains("more work"));
    // More nodes than any model has.
    let nodes = (0..300_000).map(|_| node("Neg", &[], ""));
    assert!(refusal(&graph(nodes.collect())).contains("larger than any"));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}
