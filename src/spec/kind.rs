//! What a repository is, by its own files: which class serves it.

use super::{Configs, colbert, modules};
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Object};
use crate::options::Product;

/// What a model's files say it is. Where they say nothing of sentence-transformers and nothing of labels, it is an embedder.
///
/// # Errors
/// As [`super::ModelSpec::read`].
pub fn product_of(folder: &ModelFolder) -> Result<Product> {
    let sentence_transformers = folder.object("config_sentence_transformers.json")?;
    let modules = modules::read_list(folder)?;
    let config = folder.object("config.json")?.unwrap_or_default();
    kind(sentence_transformers.as_ref(), modules.as_deref(), &config)
}

fn kind(
    sentence_transformers: Option<&Object>,
    modules: Option<&[modules::Module]>,
    config: &Object,
) -> Result<Product> {
    let declared = sentence_transformers.map(|file| file.text("model_type")).transpose()?.flatten();
    let has = |class: &str| modules.into_iter().flatten().any(|module| module.class() == class);
    let of_colbert = colbert::is_of_stanford(config)
        || (modules.is_some() && sentence_transformers.is_some_and(colbert::is_of_pylate));
    let of_labels = || if labels(config) > 2 { Product::Classifier } else { Product::Reranker };
    Ok(match declared {
        Some("CrossEncoder") if has("LogitScore") => Product::Reranker,
        Some("CrossEncoder") => of_labels(),
        Some("SparseEncoder") => Product::SparseEmbedder,
        Some("MultiVectorEncoder" | "ColBERT") => Product::LateEmbedder,
        None | Some("SentenceTransformer") if of_colbert => Product::LateEmbedder,
        Some(_) => Product::Embedder,
        None if has("LogitScore") => Product::Reranker,
        None if has("SpladePooling") || has("SparseStaticEmbedding") => Product::SparseEmbedder,
        None if has("MultiVectorMask") => Product::LateEmbedder,
        None if modules.is_some() => Product::Embedder,
        None => match architecture(config).unwrap_or("") {
            name if name.ends_with("ForSequenceClassification") => of_labels(),
            name if name.ends_with("ForTokenClassification") => Product::TokenClassifier,
            _ => Product::Embedder,
        },
    })
}

/// The first of `architectures`.
pub(super) fn architecture(config: &Object) -> Option<&str> {
    config.get("architectures")?.as_array()?.first()?.as_str()
}

fn labels(config: &Object) -> usize {
    let named = config.get("id2label").and_then(|labels| labels.as_object()).map(serde_json::Map::len);
    config.count("num_labels").ok().flatten().or(named).unwrap_or(0)
}

impl Configs {
    /// Refuses a model that is not `wanted`, and names the class that serves it.
    pub(super) fn refuse(&self, wanted: Product, because: &str) -> Error {
        let found = kind(self.sentence_transformers.as_ref(), self.modules.as_deref(), &self.config);
        let advice = match found {
            Ok(found) if found != wanted => format!(". It is a model for `{}`", found.class()),
            _ => String::new(),
        };
        Error::ModelUnsupported(format!("{because}. `{}` needs {}{advice}", wanted.class(), wanted.needs()))
    }
}
