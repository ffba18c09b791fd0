//! Rotary positions and windows, as transformers 4 and 5 write them in `config.json`. A way of scaling them that is not known
//! here is refused by its name.

use super::{Config, Understood};
use crate::files::Object;
use crate::network::encoder::plan::Rotary;

/// Those of all layers: `rope_parameters`, or `rope_theta` beside the sizes.
pub(super) fn rotary(config: &Config<'_>, head_size: usize, default: f32) -> Understood<Rotary> {
    let beside = config.number("rope_theta")?;
    let base = base(config.object("rope_parameters")?.as_ref(), beside.unwrap_or(default))?;
    of_base(config, head_size, base)
}

/// Those of layers that see everything and of those that see a window, each by the name that transformers 4 has for its base,
/// and what it is where nothing is said.
pub(super) fn two(config: &Config<'_>, head_size: usize, old: [(&str, f32); 2]) -> Understood<[Rotary; 2]> {
    let parameters = config.object("rope_parameters")?;
    let parameters = parameters.as_ref().map(Config::new);
    let read = |name: &str, (old, default): (&str, f32)| -> Understood<Rotary> {
        let beside = config.number(old)?;
        let own = parameters.as_ref().map(|parameters| parameters.object(name)).transpose()?.flatten();
        of_base(config, head_size, base(own.as_ref(), beside.unwrap_or(default))?)
    };
    let both = [read("full_attention", old[0])?, read("sliding_attention", old[1])?];
    parameters.map_or(Ok(()), |parameters| parameters.finish())?;
    Ok(both)
}

/// Whether each layer sees a window only: `layer_types`, or what the layer's number says.
pub(super) fn windows(config: &Config<'_>, layers: usize, otherwise: impl Fn(usize) -> bool) -> Understood<Vec<bool>> {
    let Some(value) = config.value("layer_types") else { return Ok((0..layers).map(otherwise).collect()) };
    let kinds = value.as_array().filter(|kinds| kinds.len() == layers);
    let kinds: Option<Vec<bool>> = kinds.and_then(|kinds| {
        let windowed = kinds.iter().map(|kind| match kind.as_str()? {
            "full_attention" => Some(false),
            "sliding_attention" => Some(true),
            _ => None,
        });
        windowed.collect()
    });
    kinds.ok_or_else(|| config.unknown("layer_types", value))
}

fn base(parameters: Option<&Object>, otherwise: f32) -> Understood<f32> {
    let Some(parameters) = parameters.map(Config::new) else { return Ok(otherwise) };
    parameters.expect("rope_type", &["default".into()])?;
    let base = parameters.number("rope_theta")?;
    parameters.finish()?;
    Ok(base.unwrap_or(otherwise))
}

/// Pairs of a head's numbers turn, so there must be an even number of them.
pub(super) fn of_base(config: &Config<'_>, head_size: usize, base: f32) -> Understood<Rotary> {
    if !head_size.is_multiple_of(2) {
        return Err(config.refuse(&format!("has rotary positions and heads of {head_size} numbers")));
    }
    if base <= 0.0 {
        return Err(config.refuse(&format!("has rotary positions of the base {base}")));
    }
    Ok(Rotary { base, divisor: 1.0 })
}
