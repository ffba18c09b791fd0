//! `modules.json` and the modules behind the transformer: pooling, dense layers, layer norm, normalisation.
//!
//! Classes are told apart by the last segment of their dotted name, because sentence-transformers moved them between
//! packages. Both pooling schemas are read: booleans (up to 5.3) and `pooling_mode` (from 5.4).

use super::{ActivationFunction, Configs, EmbeddingSpec};
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::{LoadOptions, Pooling};

/// A row of `modules.json`.
#[derive(Debug, Clone)]
pub(crate) struct Module {
    /// Folder inside the repository; `""` is the root.
    pub path: String,
    /// The full dotted name, for messages.
    pub type_name: String,
}

impl Module {
    fn class(&self) -> &str {
        self.type_name.rsplit('.').next().unwrap_or("")
    }

    fn config(&self, folder: &ModelFolder) -> Result<Option<Object>> {
        folder.object(&format!("{}/config.json", self.path))
    }

    fn required_config(&self, folder: &ModelFolder) -> Result<Object> {
        self.config(folder)?.ok_or_else(|| {
            Error::FileNotFound(format!(
                "{} has no {}/config.json, which modules.json names",
                folder.root().display(),
                self.path
            ))
        })
    }
}

/// What happens to the pooled vector, in order.
#[derive(Debug, Clone)]
pub enum ModuleStep {
    /// A linear layer with its activation.
    Dense(DenseSpec),
    /// Layer normalisation with learned weights.
    LayerNorm(LayerNormSpec),
    /// Scale to length 1, before another step. A final one is [`EmbeddingSpec::normalize`].
    Normalize,
}

/// A linear layer: `activation(W x + b)`, plus `x` (projected where sizes differ) where `residual` holds.
#[derive(Debug, Clone)]
pub struct DenseSpec {
    /// The file with `linear.weight` `[outputs, inputs]`, `linear.bias` and `residual.weight`.
    pub weights: String,
    /// Size of the input vector.
    pub inputs: usize,
    /// Size of the output vector.
    pub outputs: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// What follows the linear part.
    pub activation: ActivationFunction,
    /// Whether the input is added to the result.
    pub residual: bool,
}

/// Layer normalisation (`torch.nn.LayerNorm`, epsilon 1e-5).
#[derive(Debug, Clone)]
pub struct LayerNormSpec {
    /// The file with `norm.weight` and `norm.bias`.
    pub weights: String,
    /// Size of the vector.
    pub dimension: usize,
}

/// The rows of `modules.json` by `idx`, or `None` where the repository has no such file.
pub(super) fn read_list(folder: &ModelFolder) -> Result<Option<Vec<Module>>> {
    let Some(value) = folder.json("modules.json")? else { return Ok(None) };
    let rows = value.as_array().ok_or_else(|| Error::invalid_model("modules.json: expected a list of modules"))?;
    let mut modules = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        let text = |key: &str| row.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        let (Some(path), Some(type_name)) = (text("path"), text("type")) else {
            return Err(Error::invalid_model(format!("modules.json: module {position} lacks \"path\" or \"type\"")));
        };
        folder.path(&path)?;
        modules.push(Module { path, type_name });
    }
    if modules.is_empty() {
        return Err(Error::invalid_model("modules.json: the list of modules is empty"));
    }
    Ok(Some(modules))
}

/// What turns token vectors into one vector, with the user's overrides.
pub(super) fn embedding(
    folder: &ModelFolder,
    configs: &Configs,
    options: &LoadOptions,
    assumed: &mut Vec<String>,
) -> Result<EmbeddingSpec> {
    let mut spec = match &configs.modules {
        Some(modules) => declared(folder, configs, modules, assumed)?,
        None => undeclared(configs, options, assumed)?,
    };
    if let Some(pooling) = options.pooling {
        spec.pooling = vec![pooling];
    }
    if let Some(normalize) = options.normalize {
        spec.normalize = normalize;
    }
    Ok(spec)
}

/// A plain transformers repository, as the reference's `_load_default_modules` treats it: mean pooling, or the last
/// token for a causal language model; not normalised.
fn undeclared(configs: &Configs, options: &LoadOptions, assumed: &mut Vec<String>) -> Result<EmbeddingSpec> {
    let architecture = configs.architecture().unwrap_or("");
    if ["ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"]
        .iter()
        .any(|ending| architecture.ends_with(ending))
    {
        return Err(Error::ModelUnsupported(format!(
            "{}: \"architectures\" is [\"{architecture}\"], which gives no embeddings. Load a cross-encoder as a reranker",
            configs.config.file
        )));
    }
    let causal = architecture.ends_with("ForCausalLM") && configs.config.flag("is_causal")?.unwrap_or(true);
    if options.pooling.is_none() {
        assumed.push("pooling".into());
    }
    if options.normalize.is_none() {
        assumed.push("normalize".into());
    }
    Ok(EmbeddingSpec {
        pooling: vec![if causal { Pooling::Last } else { Pooling::Mean }],
        include_prompt: true,
        ..EmbeddingSpec::default()
    })
}

fn declared(
    folder: &ModelFolder,
    configs: &Configs,
    modules: &[Module],
    assumed: &mut Vec<String>,
) -> Result<EmbeddingSpec> {
    let mut spec = EmbeddingSpec { include_prompt: true, ..EmbeddingSpec::default() };
    if let Some(file) = &configs.sentence_transformers {
        if let Some(kind) = file.text("model_type")?
            && kind != "SentenceTransformer"
        {
            return Err(Error::ModelUnsupported(format!(
                "{}: \"model_type\" is \"{kind}\". An embedder needs \"SentenceTransformer\"{}",
                file.file,
                if kind == "CrossEncoder" { "; load this model as a reranker" } else { "" }
            )));
        }
        spec.dimensions = file.count("truncate_dim")?;
    }
    for (position, module) in modules.iter().enumerate() {
        let pooled = !spec.pooling.is_empty();
        match module.class() {
            "Transformer" if position == 0 => {}
            "Pooling" if position > 0 && !pooled => read_pooling(&module.required_config(folder)?, &mut spec)?,
            "Dense" if pooled => {
                spec.steps.push(ModuleStep::Dense(read_dense(folder, module, "sentence_embedding", assumed)?));
            }
            "Dense" if position > 0 => {
                spec.token_layers.push(ModuleStep::Dense(read_dense(folder, module, "token_embeddings", assumed)?));
            }
            "LayerNorm" if pooled => spec.steps.push(ModuleStep::LayerNorm(read_layer_norm(folder, module)?)),
            "Normalize" if pooled => {
                if let Some(config) = module.config(folder)? {
                    expect_feature(&config, "sentence_embedding")?;
                }
                spec.steps.push(ModuleStep::Normalize);
            }
            // Dropout does nothing at inference.
            "Dropout" if position > 0 => {}
            _ => {
                return Err(Error::ModelUnsupported(format!(
                    "modules.json: module {position} is \"{}\", which is not supported {}",
                    module.type_name,
                    if position == 0 || pooled { "in this version" } else { "before pooling" },
                )));
            }
        }
    }
    if spec.pooling.is_empty() {
        return Err(Error::ModelUnsupported(
            "modules.json: there is no Pooling module, so the repository does not say how token vectors become one"
                .into(),
        ));
    }
    // Several trailing Normalize modules are one.
    while matches!(spec.steps.last(), Some(ModuleStep::Normalize)) {
        spec.steps.pop();
        spec.normalize = true;
    }
    Ok(spec)
}

/// The old schema's booleans, in the order in which the reference concatenates them.
const POOLING_FLAGS: [(&str, Pooling); 6] = [
    ("pooling_mode_cls_token", Pooling::Cls),
    ("pooling_mode_max_tokens", Pooling::Max),
    ("pooling_mode_mean_tokens", Pooling::Mean),
    ("pooling_mode_mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
    ("pooling_mode_weightedmean_tokens", Pooling::WeightedMean),
    ("pooling_mode_lasttoken", Pooling::Last),
];

fn read_pooling(config: &Object, spec: &mut EmbeddingSpec) -> Result<()> {
    spec.include_prompt = config.flag("include_prompt")?.unwrap_or(true);
    spec.pooling = match config.get("pooling_mode") {
        Some(serde_json::Value::String(mode)) => vec![pooling_mode(config, mode)?],
        Some(serde_json::Value::Array(modes)) if !modes.is_empty() => modes
            .iter()
            .map(|mode| {
                let word = mode.as_str().ok_or_else(|| config.wrong("pooling_mode", "a list of strings"))?;
                pooling_mode(config, word)
            })
            .collect::<Result<_>>()?,
        Some(_) => return Err(config.wrong("pooling_mode", "a string or a list of strings")),
        None => {
            let mut pooling = Vec::new();
            for (key, mode) in POOLING_FLAGS {
                if config.flag(key)?.unwrap_or(false) {
                    pooling.push(mode);
                }
            }
            let unknown = config.entries().find(|(key, value)| {
                key.starts_with("pooling_mode_")
                    && value.as_bool() == Some(true)
                    && !POOLING_FLAGS.iter().any(|(known, _)| known == key)
            });
            if let Some((key, _)) = unknown {
                return Err(Error::ModelUnsupported(format!(
                    "{}: \"{key}\" is true, which is not supported",
                    config.file
                )));
            }
            if pooling.is_empty() { vec![Pooling::Mean] } else { pooling }
        }
    };
    Ok(())
}

fn pooling_mode(config: &Object, mode: &str) -> Result<Pooling> {
    Ok(match mode {
        "cls" => Pooling::Cls,
        "max" => Pooling::Max,
        "mean" => Pooling::Mean,
        "mean_sqrt_len_tokens" => Pooling::MeanSqrtLen,
        "weightedmean" => Pooling::WeightedMean,
        "lasttoken" => Pooling::Last,
        _ => {
            return Err(Error::ModelUnsupported(format!(
                "{}: \"pooling_mode\" is \"{mode}\". Known are cls, max, mean, mean_sqrt_len_tokens, weightedmean and lasttoken",
                config.file
            )));
        }
    })
}

/// Modules may name the feature that they read and write; without a name it is the sentence's vector.
fn expect_feature(config: &Object, feature: &str) -> Result<()> {
    let input = config.text("module_input_name")?.unwrap_or("sentence_embedding");
    let output = config.text("module_output_name")?.unwrap_or(input);
    for (key, name) in [("module_input_name", input), ("module_output_name", output)] {
        if name != feature {
            return Err(Error::ModelUnsupported(format!(
                "{}: \"{key}\" is \"{name}\". Here only \"{feature}\" is supported",
                config.file
            )));
        }
    }
    Ok(())
}

fn size(config: &Object, key: &str) -> Result<usize> {
    config
        .count(key)?
        .filter(|size| (1..=1 << 20).contains(size))
        .ok_or_else(|| config.wrong(key, "a size from 1 to 1048576"))
}

fn weights(folder: &ModelFolder, module: &Module) -> Result<String> {
    let weights = format!("{}/model.safetensors", module.path);
    if folder.has(&weights)? {
        return Ok(weights);
    }
    let pickled = format!("{}/pytorch_model.bin", module.path);
    if folder.has(&pickled)? {
        return Err(Error::ModelUnsupported(format!(
            "{pickled}: weights in PyTorch's pickle format are not read. Save the model again with sentence-transformers to get {weights}"
        )));
    }
    Err(Error::FileNotFound(format!("{} has no {weights}, which modules.json needs", folder.root().display())))
}

fn read_dense(folder: &ModelFolder, module: &Module, feature: &str, assumed: &mut Vec<String>) -> Result<DenseSpec> {
    let config = module.required_config(folder)?;
    expect_feature(&config, feature)?;
    let activation = match config.text("activation_function")? {
        // The reference's default.
        None => ActivationFunction::Tanh,
        // The reference runs only torch's own classes and takes its default for others, with a warning.
        Some(path) if !path.starts_with("torch.") => {
            assumed.push(format!("{}: activation_function", config.file));
            ActivationFunction::Tanh
        }
        Some(path) => ActivationFunction::from_path(path).ok_or_else(|| {
            Error::ModelUnsupported(format!(
                "{}: \"activation_function\" is \"{path}\", which is not supported",
                config.file
            ))
        })?,
    };
    Ok(DenseSpec {
        weights: weights(folder, module)?,
        inputs: size(&config, "in_features")?,
        outputs: size(&config, "out_features")?,
        bias: config.flag("bias")?.unwrap_or(true),
        activation,
        residual: config.flag("use_residual")?.unwrap_or(false),
    })
}

fn read_layer_norm(folder: &ModelFolder, module: &Module) -> Result<LayerNormSpec> {
    let config = module.required_config(folder)?;
    Ok(LayerNormSpec { weights: weights(folder, module)?, dimension: size(&config, "dimension")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooling(json: &str) -> Result<EmbeddingSpec> {
        let dir = std::env::temp_dir().join(format!("vecrank-pooling-{}-{:x}", std::process::id(), hash(json)));
        std::fs::create_dir_all(&dir).expect("temp dir");
        std::fs::write(dir.join("p.json"), json).expect("write");
        let object = ModelFolder::open(&dir).expect("folder").object("p.json").expect("json").expect("there");
        let mut spec = EmbeddingSpec::default();
        let result = read_pooling(&object, &mut spec);
        std::fs::remove_dir_all(&dir).expect("clean");
        result.map(|()| spec)
    }

    fn hash(text: &str) -> u64 {
        use std::hash::{Hash, Hasher};
        let mut hasher = std::hash::DefaultHasher::new();
        text.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn both_schemas_are_read() {
        let old =
            pooling(r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true, "include_prompt": false}"#);
        let old = old.expect("old schema");
        assert_eq!(old.pooling, [Pooling::Cls, Pooling::Mean]);
        assert!(!old.include_prompt);
        let new =
            pooling(r#"{"pooling_mode": ["lasttoken", "cls"], "pooling_mode_max_tokens": true}"#).expect("new schema");
        assert_eq!(new.pooling, [Pooling::Last, Pooling::Cls]);
        assert!(new.include_prompt);
        assert_eq!(pooling("{}").expect("empty").pooling, [Pooling::Mean]);
    }

    #[test]
    fn an_unknown_pooling_is_an_error_with_file_and_value() {
        let error = pooling(r#"{"pooling_mode": "attention"}"#).expect_err("unknown");
        assert_eq!(error.code(), "ERR_MODEL_UNSUPPORTED");
        assert!(error.to_string().contains("p.json") && error.to_string().contains("attention"), "{error}");
        assert_eq!(
            pooling(r#"{"pooling_mode_attention": true}"#).expect_err("unknown").code(),
            "ERR_MODEL_UNSUPPORTED"
        );
        assert_eq!(pooling(r#"{"pooling_mode_cls_token": 1}"#).expect_err("type").code(), "ERR_MODEL_INVALID");
    }
}
