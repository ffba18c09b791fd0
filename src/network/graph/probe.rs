//! Whether a provider really works here: a graph of two nodes is run on it, and its numbers are compared with the right ones. That a
//! provider can be registered means little; many do so without a device.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use ort::value::Tensor;

use super::environment;
use super::provider::Provider;
use super::{report, session};

/// Rows and columns of the graph's input.
const SIZE: usize = 4;
/// fp16, bf16 and TF32 compute in fewer bits.
const TOLERANCE: f32 = 0.05;

/// Those that have worked, as they were described. Only a success is kept: what was missing may be there the next time.
static WORKING: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Brings a provider and runs a graph on it.
///
/// # Errors
/// Why it does not work, in words.
pub(in crate::network) fn works(provider: &dyn Provider) -> Result<(), String> {
    provider.prepare()?;
    // By all that it was asked for and found, before anything is measured.
    let key = format!("{provider:?}");
    if WORKING.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
        return Ok(());
    }
    run(provider)?;
    WORKING.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
    Ok(())
}

fn run(provider: &dyn Provider) -> Result<(), String> {
    let environment = environment::get().map_err(|error| error.to_string())?;
    let said = |error: ort::Error| {
        let words = error.message().trim_end_matches(['.', '\n', ' ']).to_owned();
        format!("{} does not run a graph of two nodes: {words}", provider.name())
    };
    let mut session = session::builder(environment, provider, None)
        .and_then(|mut builder| builder.commit_from_memory(&graph()))
        .map_err(said)?;
    let nodes = report::nodes(&session).map_err(said)?;
    let (taken, all) = session::on_device(&nodes, provider);
    if taken == 0 {
        return Err(format!("{} took none of the {all} nodes of a graph that every device can run", provider.name()));
    }
    let numbers: Vec<f32> = (0..SIZE * SIZE).map(|at| at as f32 / 8.0 - 1.0).collect();
    let input = Tensor::from_array(([SIZE, SIZE], numbers.clone())).map_err(said)?;
    let outputs = session.run(ort::inputs!["x" => input]).map_err(said)?;
    let (_, found) = outputs["y"].try_extract_tensor::<f32>().map_err(said)?;
    let expected = product_and_sum(&numbers);
    let is_right = found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < TOLERANCE);
    if is_right {
        Ok(())
    } else {
        Err(format!("{} gives wrong numbers: {found:?} and not {expected:?}", provider.name()))
    }
}

/// What the graph computes: x · x + x.
fn product_and_sum(x: &[f32]) -> Vec<f32> {
    let product =
        |row: usize, column: usize| -> f32 { (0..SIZE).map(|at| x[row * SIZE + at] * x[at * SIZE + column]).sum() };
    (0..SIZE * SIZE).map(|at| product(at / SIZE, at % SIZE) + x[at]).collect()
}

/// The graph as ONNX stores it (`onnx.proto`): a model of the format's version 8 with the operators of version 13.
fn graph() -> Vec<u8> {
    let node = |operator: &str, inputs: [&str; 2], output: &str| {
        let mut node = Vec::new();
        inputs.iter().for_each(|input| field(&mut node, 1, input.as_bytes()));
        field(&mut node, 2, output.as_bytes());
        field(&mut node, 4, operator.as_bytes());
        node
    };
    // ValueInfoProto { name, type { tensor_type { elem_type: FLOAT, shape { dim { dim_value } … } } } }
    let value = |name: &str| {
        let mut dimension = Vec::new();
        number(&mut dimension, 1, SIZE as u8);
        let mut shape = Vec::new();
        field(&mut shape, 1, &dimension);
        field(&mut shape, 1, &dimension);
        let mut tensor = Vec::new();
        number(&mut tensor, 1, 1);
        field(&mut tensor, 2, &shape);
        let mut kind = Vec::new();
        field(&mut kind, 1, &tensor);
        let mut value = Vec::new();
        field(&mut value, 1, name.as_bytes());
        field(&mut value, 2, &kind);
        value
    };
    let mut graph = Vec::new();
    field(&mut graph, 1, &node("MatMul", ["x", "x"], "p"));
    field(&mut graph, 1, &node("Add", ["p", "x"], "y"));
    field(&mut graph, 2, b"probe");
    field(&mut graph, 11, &value("x"));
    field(&mut graph, 12, &value("y"));
    let mut operators = Vec::new();
    number(&mut operators, 2, 13);
    let mut model = Vec::new();
    number(&mut model, 1, 8);
    field(&mut model, 7, &graph);
    field(&mut model, 8, &operators);
    model
}

/// A field of bytes, shorter than 16 KiB.
fn field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    if bytes.len() < 128 {
        message.push(bytes.len() as u8);
    } else {
        message.extend([(bytes.len() % 128) as u8 | 128, (bytes.len() / 128) as u8]);
    }
    message.extend(bytes);
}

/// A field of a small number.
fn number(message: &mut Vec<u8>, field: u8, number: u8) {
    message.extend([field << 3, number]);
}
