//! Static embeddings: a table of vectors beside a tokenizer, and no network. `StaticEmbedding` of sentence-transformers 6.2, which also
//! reads what model2vec saves.
//!
//! Of the module only `tokenizer.json` and `model.safetensors` are read. The tokenizer is used as the file has it, without special tokens;
//! the truncation in the file is the only limit.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::modules::Module;
use super::network::{Choice, EngineKind, Place};
use super::tokenizer::TokenizerSpec;
use super::{Configs, MaxLength};
use crate::error::{Error, Result, shown};
use crate::files::{ModelFolder, Object};
use crate::options::{DType, EngineOption, LoadOptions, Truncation};

/// Used where no file names a limit: the most that the option takes.
const NO_LIMIT: usize = (1 << 31) - 1;

/// Whether the modules begin with a table.
pub(super) fn is_static(modules: Option<&[Module]>) -> bool {
    modules.and_then(<[Module]>::first).is_some_and(|module| module.class() == "StaticEmbedding")
}

/// The modules of a repository of model2vec that lacks `modules.json`: those that model2vec writes today.
///
/// # Errors
/// [`Error::ModelInvalid`] where `normalize` is neither true nor false.
pub(super) fn of_model2vec(config: &Object) -> Result<Option<Vec<Module>>> {
    if config.get("model_type").and_then(Value::as_str) != Some("model2vec") {
        return Ok(None);
    }
    let module = |class: &str, path: &str| Module {
        path: path.to_owned(),
        type_name: format!("sentence_transformers.models.{class}"),
    };
    let mut modules = vec![module("StaticEmbedding", "")];
    if config.flag("normalize")?.unwrap_or(false) {
        modules.push(module("Normalize", "1_Normalize"));
    }
    Ok(Some(modules))
}

/// The tokenizer, and how many tokens a text may have.
pub(super) fn tokenizer(
    folder: &ModelFolder,
    configs: &Configs,
    options: &LoadOptions,
) -> Result<(TokenizerSpec, MaxLength)> {
    let (mut json, file) = TokenizerSpec::json(folder, configs)?;
    let truncation = match json.pointer("/truncation/direction").and_then(Value::as_str) {
        Some("Left") => Truncation::Left,
        _ => Truncation::Right,
    };
    let declared = json.pointer("/truncation/max_length").and_then(Value::as_u64);
    let default = declared.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(NO_LIMIT);
    if let (Some(object), Some(nothing)) = (
        json.as_object_mut(),
        json!({ "padding": null, "truncation": null, "post_processor": null }).as_object().cloned(),
    ) {
        object.extend(nothing);
    }
    let spec = TokenizerSpec {
        unknown_id: None,
        named_tokens: BTreeMap::new(),
        json: json.into(),
        file,
        lower_case: false,
        token_types: false,
        special_tokens: false,
        split_special_tokens: false,
        truncation,
        pad_id: 0,
        pads_left: false,
        marks: Vec::new(),
        remembers: true,
    };
    let limits = MaxLength { default, positions: None, query: None, document: None };
    Ok((spec, MaxLength { default: limits.of(options.max_length)?, ..limits }))
}

/// The file of the table, for those places that read it.
pub(super) fn choices(
    folder: &ModelFolder,
    configs: &Configs,
    options: &LoadOptions,
    places: &[Place],
) -> Result<Vec<Choice>> {
    if options.engine != EngineOption::Auto {
        return Err(Error::ModelUnsupported(format!(
            "The model is a table of vectors without a network, so it does not run by the engine '{}'. Use `engine: 'auto'`",
            options.engine.as_str()
        )));
    }
    if !matches!(options.dtype, DType::Auto | DType::Fp32) {
        return Err(Error::ModelUnsupported(format!(
            "The model is a table of vectors, whose numbers are used as they are, so there is no dtype '{}'. Use `dtype: 'auto'`",
            options.dtype.as_str()
        )));
    }
    let relative = options.file.clone().unwrap_or_else(|| format!("{}model.safetensors", configs.transformer));
    if !relative.ends_with(".safetensors") || !folder.has(&relative)? {
        return Err(Error::FileNotFound(format!(
            "{} has no {} with the model's table. Weights in PyTorch's pickle format are not read: save the model again with \
             sentence-transformers",
            folder.root().display(),
            shown(&relative)
        )));
    }
    let on_processor = places.iter().enumerate().filter(|(_, place)| place.has_encoder);
    let choices: Vec<Choice> = on_processor
        .map(|(place, _)| Choice {
            place,
            engine: EngineKind::Table,
            relative: relative.clone(),
            dtype: Some(DType::Fp32),
        })
        .collect();
    if choices.is_empty() {
        return Err(Error::Device {
            message: format!(
                "The model is a table of vectors, which is read on the CPU and not on the device '{}'. Use `device: 'auto'` or 'cpu'",
                options.device.as_str()
            ),
            source: None,
        });
    }
    Ok(choices)
}
