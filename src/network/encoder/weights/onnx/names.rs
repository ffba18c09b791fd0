//! Which parameter of transformers a stored tensor is. Exporters keep the names of most parameters, but fold or transpose a
//! matrix into one without a name, and store equal tensors once. The node that works on a tensor then tells whose it is:
//! `/bert/encoder/layer.0/attention/self/query/MatMul` belongs to the module `bert.encoder.layer.0.attention.self.query`.

use std::collections::{BTreeMap, BTreeSet};

use super::Refusal;
use super::trace::short;
use super::value::View;

/// A place where a tensor works as a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Use<'file> {
    pub view: View<'file>,
    pub role: Role,
    /// The node's name.
    pub node: &'file str,
    /// The use of the bias that belongs to the weight.
    pub bias: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Table,
    Weight,
    Bias,
}

/// Whether it is the name of a parameter, not of a value in between.
pub(super) fn is_parameter(name: &str) -> bool {
    let known = [".weight", ".bias"].iter().any(|end| name.ends_with(end));
    known && !name.contains(['/', ':']) && name.split('.').all(|part| !part.is_empty())
}

/// A name of its own, if the tensor has one. Quantised ones are called after it.
fn own<'file>(of: &Use<'file>) -> Option<&'file str> {
    let name = of.view.name.strip_suffix("_quantized").unwrap_or(of.view.name);
    is_parameter(name).then_some(name)
}

/// The module that a node belongs to, if its name tells.
fn module(node: &str) -> Option<String> {
    let (path, _) = node.strip_prefix('/')?.rsplit_once('/')?;
    Some(path.replace('/', "."))
}

/// Whether a node of the module `found` may belong to `module`: what is called again gets a number at the end.
fn same(found: &str, module: &str) -> bool {
    let numbered = |found: &str, part: &str| {
        let rest = found.strip_prefix(part).and_then(|rest| rest.strip_prefix('_'));
        rest.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (found, module) = (found.split('.').collect::<Vec<_>>(), module.split('.').collect::<Vec<_>>());
    found.len() == module.len() && found.iter().zip(&module).all(|(found, part)| found == part || numbered(found, part))
}

/// The name of a linear layer's weight after the name of its bias. Heads of masked language models have the bias one level
/// above the weight.
fn weight_of(bias: &str) -> Option<String> {
    let module = bias.strip_suffix(".bias")?;
    let above = module == "lm_head" || [".lm_head", ".predictions"].iter().any(|end| module.ends_with(end));
    Some(if above { format!("{module}.decoder.weight") } else { format!("{module}.weight") })
}

/// The name for each use.
pub(super) fn names(uses: &[Use<'_>]) -> Result<Vec<String>, Refusal> {
    // The modules in which each tensor is at work.
    let mut modules: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for of in uses {
        modules.entry(of.view.index).or_default().extend(module(of.node));
    }
    // The name that the tensor has, unless it is at work for another module too.
    let kept = |of: &Use<'_>, taken: &BTreeMap<String, usize>| {
        let name = own(of)?;
        let Some(module) = module(of.node) else { return Some(name.to_owned()) };
        let (here, kind) = name.rsplit_once('.')?;
        let shared = modules.get(&of.view.index).is_some_and(|modules| modules.len() > 1);
        let other = taken.get(name).is_some_and(|index| *index != of.view.index);
        Some(if same(&module, here) || !(shared || other) { name.to_owned() } else { format!("{module}.{kind}") })
    };
    let given = |of: &Use<'_>| {
        let kind = if of.role == Role::Bias { "bias" } else { "weight" };
        let after_bias = of.bias.and_then(|bias| weight_of(&kept(&uses[bias], &BTreeMap::new())?));
        match (module(of.node), after_bias) {
            (Some(module), Some(weight)) => {
                let fits = weight.strip_suffix(".weight").is_some_and(|here| same(&module, here));
                Some(if fits { weight } else { format!("{module}.weight") })
            }
            (None, Some(weight)) => Some(weight),
            (Some(module), None) => Some(format!("{module}.{kind}")),
            (None, None) => None,
        }
    };
    let nameless = uses.iter().filter(|of| own(of).is_none());
    let taken: BTreeMap<String, usize> = nameless.filter_map(|of| Some((given(of)?, of.view.index))).collect();
    let unknown =
        |of: &Use<'_>| Refusal::new(format!("nothing tells which parameter the tensor \"{}\" is", short(of.view.name)));
    uses.iter().map(|of| kept(of, &taken).or_else(|| given(of)).ok_or_else(|| unknown(of))).collect()
}
