//! What an ONNX graph of a plan does, step by step, and whether a graph does just that.

use super::config::{Refusal, Understood};
use super::plan::{Activation, Bias, HeadPool, HeadStep, Linear, Norm, NormKind, Norms, Plan};
use super::positions;
use super::weights::onnx::{Function, Index, Input, Output, Step, path};
use crate::network::OutputKind;
use crate::spec::Wanted;

/// How far numbers that exporters write may be from those of the plan, in parts of them: some calculate in 32 bits.
const CLOSE: f32 = 1e-5;

/// Whether each row's token types take part, where the graph does what the plan says; else what stands in the way. `file` is for
/// messages, `same` tells whether a tensor's name in the graph is that of the plan.
pub(super) fn graph_uses_types(
    file: &str,
    plan: &Plan,
    inputs: &[Input],
    outputs: &[Output],
    same: &dyn Fn(&str, &str) -> bool,
) -> Understood<bool> {
    let refuse = |reason: &str| Refusal::Unknown(format!("{file} {reason}"));
    for input in inputs {
        if input.dims.iter().any(Option::is_some) {
            return Err(refuse(&format!("takes the input \"{}\" in one size only", input.name)));
        }
    }
    let output = wanted(plan, outputs).ok_or_else(|| refuse("has no output of token vectors or logits"))?;
    let steps = match &output.steps {
        Ok(steps) => steps,
        Err(refusal) => return Err(refuse(&format!("has a graph in which {}", refusal.reason))),
    };
    let expected = Expected::of(plan).ok_or_else(|| refuse("is of a family whose graphs are not read"))?;
    let expected = path(&expected.steps, expected.steps.len() - 1, String::clone);
    if steps.len() != expected.len() {
        return Err(refuse("has a graph of another form than its config.json"));
    }
    let odd = steps.iter().zip(&expected).find(|(found, expected)| !agrees(found, expected, plan, same));
    if let Some((found, _)) = odd {
        let mut found = format!("{found:?}");
        found.truncate(found.char_indices().nth(160).map_or(found.len(), |(at, _)| at));
        return Err(refuse(&format!("has a graph with a step that its config.json does not mean: {found}")));
    }
    let is_typed = |step: &Step| matches!(step, Step::Embedding { index: Index::Types, .. });
    Ok(steps.iter().any(is_typed))
}

fn wanted<'graph>(plan: &Plan, outputs: &'graph [Output]) -> Option<&'graph Output> {
    let wanted = match plan.head.as_ref().map(|head| head.pool) {
        Some(HeadPool::Each) => Wanted::TokenLogits,
        Some(HeadPool::First | HeadPool::Mean | HeadPool::Last(_)) => Wanted::Logits,
        None => Wanted::Vectors,
    };
    // What a graph pools by itself the plan does not hold.
    let mut names = crate::network::graph::outputs(&wanted).iter().filter(|(_, kind)| *kind != OutputKind::Sentences);
    names.find_map(|(name, _)| outputs.iter().find(|output| output.name == *name))
}

/// Steps in any order in which each stands behind those that it works on.
struct Expected {
    steps: Vec<Step>,
}

impl Expected {
    fn of(plan: &Plan) -> Option<Self> {
        let mut expected = Expected { steps: Vec::new() };
        let mut states = expected.embedding(plan)?;
        let attention = &plan.attention;
        if attention.causal || attention.key_heads != attention.heads {
            return None;
        }
        let bias = match &attention.bias {
            Bias::None => None,
            Bias::Relative { tensor, .. } => Some(
                expected.push(Step::Embedding { table: tensor.clone(), index: Index::Distances { rows: Vec::new() } }),
            ),
            Bias::Alibi => return None,
        };
        for layer in plan.order.iter().map(|layer| &plan.layers[*layer]) {
            let weights = &layer.attention;
            if weights.norms.is_some() || weights.rotary.is_some() || weights.window.is_some() {
                return None;
            }
            let [query, key, value] = weights.inputs.parts.as_slice() else { return None };
            let [query, key, value] = [query, key, value].map(|part| {
                let (weight, bias) = (part.weight.clone(), part.bias.clone());
                expected.push(Step::Linear { of: states, weight, bias })
            });
            let heads = attention.heads;
            let attended =
                expected.push(Step::Attention { query, key, value, heads, scale: attention.scale, masked: true, bias });
            let branch = expected.linear(&weights.output, attended)?;
            states = expected.sum(states, branch, &layer.attention_norms)?;
            let network = &layer.feed_forward;
            if network.gated {
                return None;
            }
            let inner = expected.linear(&network.inner, states)?;
            let inner = expected.push(Step::Activation { of: inner, function: function(network.activation) });
            let branch = expected.linear(&network.output, inner)?;
            states = expected.sum(states, branch, &layer.feed_forward_norms)?;
        }
        if plan.last_norm.is_some() {
            return None;
        }
        if let Some(head) = &plan.head {
            match head.pool {
                HeadPool::First => states = expected.push(Step::First { of: states }),
                HeadPool::Each => {}
                HeadPool::Mean | HeadPool::Last(_) => return None,
            }
            for step in &head.steps {
                states = match step {
                    HeadStep::Linear(linear) => expected.linear(linear, states)?,
                    HeadStep::Activation(of) => expected.push(Step::Activation { of: states, function: function(*of) }),
                    HeadStep::Norm(norm) => expected.norm(norm, states)?,
                };
            }
        }
        Some(expected)
    }

    fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// Embeddings in the order of [`Index`], as sums of them are written.
    fn embedding(&mut self, plan: &Plan) -> Option<usize> {
        let embedding = &plan.embedding;
        if embedding.scale != 1.0 {
            return None;
        }
        let mut of = vec![self.push(Step::Embedding { table: embedding.words.clone(), index: Index::Tokens })];
        if let Some(table) = &embedding.types {
            of.push(self.push(Step::Embedding { table: table.clone(), index: Index::Types }));
        }
        if let Some(places) = &embedding.positions {
            let index = places
                .padding
                .map_or(Index::Places { first: 0 }, |padding| Index::AfterPadding { padding: padding as usize });
            of.push(self.push(Step::Embedding { table: places.tensor.clone(), index }));
        }
        let mut states = if of.len() > 1 { self.push(Step::Sum { of }) } else { of[0] };
        if let Some(norm) = &embedding.norm {
            states = self.norm(norm, states)?;
        }
        match &embedding.projection {
            Some(linear) => self.linear(linear, states),
            None => Some(states),
        }
    }

    fn norm(&mut self, norm: &Norm, of: usize) -> Option<usize> {
        let (weight, bias) = (Some(norm.weight.clone()), norm.bias.clone());
        (norm.kind == NormKind::Layer).then(|| self.push(Step::Norm { of, weight, bias, epsilon: norm.epsilon }))
    }

    fn linear(&mut self, linear: &Linear, of: usize) -> Option<usize> {
        let [part] = linear.parts.as_slice() else { return None };
        let whole = part.rows == (0..part.of);
        whole.then(|| self.push(Step::Linear { of, weight: part.weight.clone(), bias: part.bias.clone() }))
    }

    fn sum(&mut self, states: usize, branch: usize, norms: &Norms) -> Option<usize> {
        let Norms { before: None, after: None, inside: None, sum: Some(norm) } = norms else { return None };
        let sum = self.push(Step::Sum { of: vec![states, branch] });
        self.norm(norm, sum)
    }
}

fn function(activation: Activation) -> Function {
    match activation {
        Activation::Gelu => Function::Gelu,
        Activation::GeluTanh => Function::GeluTanh,
        Activation::Relu => Function::Relu,
        Activation::Silu => Function::Silu,
        Activation::Tanh => Function::Tanh,
    }
}

/// Whether a graph's step is the expected one.
fn agrees(found: &Step, expected: &Step, plan: &Plan, same: &dyn Fn(&str, &str) -> bool) -> bool {
    let same_where_given = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    let close = |a: f32, b: f32| (a - b).abs() <= CLOSE * b.abs();
    // Converters to 16 bits make 1e-7 of smaller ones.
    let same_epsilon = |a: f32, b: f32| close(a, b) || (a - b).abs() < 1.1e-7;
    match (found, expected) {
        (Step::Embedding { table, index }, Step::Embedding { table: name, index: like }) => {
            same(table, name) && indexes_agree(index, like, plan)
        }
        (Step::Sum { of }, Step::Sum { of: like }) => of == like,
        (Step::Norm { of, weight, bias, epsilon }, Step::Norm { of: like, weight: w, bias: b, epsilon: e }) => {
            of == like && same_where_given(weight, w) && same_where_given(bias, b) && same_epsilon(*epsilon, *e)
        }
        (Step::Linear { of, weight, bias }, Step::Linear { of: like, weight: w, bias: b }) => {
            of == like && same(weight, w) && same_where_given(bias, b)
        }
        (Step::Activation { of, function }, Step::Activation { of: like, function: f }) => of == like && function == f,
        (
            Step::Attention { query, key, value, heads, scale, bias, .. },
            Step::Attention { query: q, key: k, value: v, heads: h, scale: s, bias: b, .. },
        ) => [query, key, value, heads] == [q, k, v, h] && bias == b && close(*scale, *s),
        (Step::First { of }, Step::First { of: like }) => of == like,
        _ => false,
    }
}

fn indexes_agree(found: &Index, expected: &Index, plan: &Plan) -> bool {
    match (found, expected) {
        // A graph that asks for no types gives all tokens the first one.
        (Index::Zero, Index::Types) => true,
        (Index::Distances { rows }, Index::Distances { .. }) => {
            let Bias::Relative { buckets, furthest, .. } = plan.attention.bias else { return false };
            let middle = (rows.len() / 2).cast_signed();
            let bucket = |at: usize| positions::bucket(at.cast_signed() - middle, buckets, furthest);
            rows.iter().enumerate().all(|(at, row)| *row == bucket(at))
        }
        // Positions that the caller gives are counted as ours.
        (Index::Positions, Index::Places { first: 0 }) => true,
        _ => found == expected,
    }
}
