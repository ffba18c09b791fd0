//! Late interaction (ColBERT): a vector for each token. The modules of a `MultiVectorEncoder` of sentence-transformers 6.2: `Dense` and
//! `Normalize` on tokens, `MultiVectorMask`, `HierarchicalTokenPooling`; and the `query_expansion` of its transformer.

use super::colbert::Older;
use super::layers::{expect_feature, read_dense};
use super::modules::{Module, SENTENCE, TOKENS};
use super::tokenizer::{TokenizerSpec, filling_tokens};
use super::{Configs, ModuleStep};
use crate::error::{Error, Result, shown};
use crate::files::{ModelFolder, Object};
use crate::options::{Product, Task};

/// From token vectors to the vectors that count.
#[derive(Debug, Clone, Default)]
pub struct LateSpec {
    /// What each token's vector goes through, in order.
    pub token_layers: Vec<ModuleStep>,
    /// What fills up short queries.
    pub expansion: Option<Expansion>,
    /// Which tokens count; `None`: those that are seen.
    pub mask: Option<ScoringMask>,
    /// What joins tokens' vectors at the end.
    pub pooling: Option<TokenPooling>,
    /// `similarity_fn_name` is `meanmaxsim`: a score is divided by the query's vectors.
    pub mean: bool,
}

/// `query_expansion`: queries are filled up to a length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// Tokens that a query has at least.
    pub length: usize,
    /// Whether that is the most as well (`fixed`, not `min`).
    pub is_most: bool,
    /// Whether the network sees what fills up.
    pub attend: bool,
    /// Names of the token that fills up: the first that the tokenizer has.
    tokens: Vec<String>,
    /// Its id, once the tokenizer is there.
    pub id: u32,
}

/// `MultiVectorMask`: tokens that do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoringMask {
    words: Vec<String>,
    /// Ids of tokens that do not count, once the tokenizer is there.
    skipped: Vec<u32>,
    skips: Vec<Task>,
    /// The only ids that count in documents; empty: all.
    kept: Vec<u32>,
}

/// `HierarchicalTokenPooling`: vectors that are alike become their mean.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenPooling {
    /// How many vectors become one, on average; 1 for none.
    pub factor: f64,
    /// The first vectors, which stay as they are.
    pub protected: usize,
    /// Whether all are scaled to length 1 afterwards.
    pub normalize: bool,
    tasks: Vec<Task>,
}

impl LateSpec {
    /// The same with the ids that `id_of` knows for tokens. Words that are no token of the vocabulary are left out, as in the
    /// reference.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the token that fills up queries is not known.
    pub fn of_tokenizer(&self, id_of: &dyn Fn(&str) -> Option<u32>) -> Result<Self> {
        let mut spec = self.clone();
        if let Some(expansion) = &mut spec.expansion {
            expansion.id = expansion.tokens.iter().find_map(|token| id_of(token)).ok_or_else(|| {
                Error::invalid_model(format!(
                    "Queries are filled up with the token {}, which the tokenizer does not have",
                    shown(&expansion.tokens.join(" or "))
                ))
            })?;
        }
        if let Some(mask) = &mut spec.mask {
            mask.skipped = mask.words.iter().filter_map(|word| id_of(word)).collect();
        }
        Ok(spec)
    }

    /// Refuses what cannot be done with this tokenizer.
    ///
    /// # Errors
    /// [`Error::ModelUnsupported`]
    pub(super) fn expect_of(&self, tokenizer: &TokenizerSpec) -> Result<()> {
        if self.expansion.is_some() && tokenizer.pads_left {
            return Err(Error::ModelUnsupported(format!(
                "{}: queries are filled up, and the tokenizer fills up on the left. Only filling up on the right is supported",
                tokenizer.file
            )));
        }
        Ok(())
    }

    /// The pooling of a text with this task, if there is one.
    #[must_use]
    pub fn pooling(&self, task: Task) -> Option<&TokenPooling> {
        self.pooling.as_ref().filter(|pooling| pooling.tasks.contains(&task))
    }
}

impl ScoringMask {
    /// Whether the token counts.
    #[must_use]
    pub fn counts(&self, id: u32, task: Task) -> bool {
        let skipped = self.skips.contains(&task) && self.skipped.contains(&id);
        let kept = task == Task::Query || self.kept.is_empty() || self.kept.contains(&id);
        kept && !skipped
    }

    fn of_words(words: Vec<String>) -> Self {
        ScoringMask { words, skipped: Vec::new(), skips: vec![Task::Document], kept: Vec::new() }
    }
}

/// Reads the modules. `older` is what a repository of an older format says instead of some of them.
pub(super) fn late(
    folder: &ModelFolder,
    configs: &Configs,
    older: Older,
    assumed: &mut Vec<String>,
) -> Result<LateSpec> {
    let mut spec = LateSpec { expansion: expansion(configs)?, mean: is_mean(configs)?, ..LateSpec::default() };
    spec.token_layers.extend(older.projection.map(ModuleStep::Dense));
    for (position, module) in configs.modules.iter().flatten().enumerate() {
        let unsupported = || {
            let name = &module.type_name;
            let because = format!("modules.json: module {position} is \"{name}\", which is not supported there");
            configs.refuse(Product::LateEmbedder, &because)
        };
        match module.class() {
            "Transformer" if position == 0 => {}
            "Dropout" if position > 0 => {}
            // What follows pooling works on vectors that are no token's any more.
            "Dense" if position > 0 && spec.pooling.is_none() => {
                spec.token_layers.push(ModuleStep::Dense(read_dense(folder, module, TOKENS, TOKENS, assumed)?));
            }
            "Normalize" if position > 0 => {
                // The reference's default is the sentence's vector, of which there is none.
                if reads_tokens(folder, module)? {
                    match &mut spec.pooling {
                        Some(pooling) => pooling.normalize = true,
                        None => spec.token_layers.push(ModuleStep::Normalize),
                    }
                }
            }
            "MultiVectorMask" if position > 0 && spec.mask.is_none() && spec.pooling.is_none() => {
                spec.mask = Some(read_mask(&module.config(folder)?.unwrap_or_default())?);
            }
            "HierarchicalTokenPooling" if position > 0 && spec.pooling.is_none() => {
                spec.pooling = Some(read_pooling(&module.config(folder)?.unwrap_or_default())?);
            }
            // A save of an embedder, from which a ColBERT model was trained.
            "Pooling" if older.words.is_some() && position > 0 => {}
            _ => return Err(unsupported()),
        }
    }
    if let Some(words) = older.words {
        spec.mask = Some(ScoringMask::of_words(words));
        spec.token_layers.push(ModuleStep::Normalize);
    }
    Ok(spec)
}

fn reads_tokens(folder: &ModelFolder, module: &Module) -> Result<bool> {
    let Some(config) = module.config(folder)? else { return Ok(false) };
    if config.text("module_input_name")?.unwrap_or(SENTENCE) == SENTENCE {
        return Ok(false);
    }
    expect_feature(&config, TOKENS, SENTENCE).map(|()| true)
}

fn is_mean(configs: &Configs) -> Result<bool> {
    let Some(file) = &configs.sentence_transformers else { return Ok(false) };
    // Names that are no late interaction's are passed over, as by the reference: older saves have them.
    Ok(file.text("similarity_fn_name")? == Some("meanmaxsim"))
}

/// Rules: `_normalize_query_expansion` and `Transformer.query_expansion`.
fn expansion(configs: &Configs) -> Result<Option<Expansion>> {
    let file = &configs.sentence_bert;
    let Some(declared) = file.object("query_expansion")? else { return Ok(None) };
    if let Some((key, _)) =
        declared.entries().find(|(key, _)| !["strategy", "attend", "token", "length"].contains(&key.as_str()))
    {
        return Err(declared.wrong(key, "nothing: such a key of \"query_expansion\" is not known"));
    }
    let is_most = match declared.text("strategy")? {
        Some("fixed") => true,
        Some("min") => false,
        _ => return Err(declared.wrong("strategy", "\"fixed\" or \"min\"")),
    };
    let length = declared.count("length")?.filter(|length| (1..=1 << 20).contains(length));
    let length = length.ok_or_else(|| declared.wrong("length", "a number of tokens"))?;
    if file.count("query_length")?.is_some_and(|most| most < length) {
        return Err(file.wrong("query_length", &format!("at least {length}, the length that queries are filled up to")));
    }
    let tokens = match declared.text("token")? {
        Some(token) => vec![token.to_owned()],
        None => filling_tokens(&configs.tokenizer),
    };
    Ok(Some(Expansion { length, is_most, attend: declared.flag("attend")?.unwrap_or(false), tokens, id: 0 }))
}

fn read_mask(config: &Object) -> Result<ScoringMask> {
    Ok(ScoringMask {
        words: strings(config, "skiplist_words")?.unwrap_or_default(),
        skipped: Vec::new(),
        skips: tasks(config, "skiplist_tasks")?,
        kept: ids(config, "keep_only_token_ids")?,
    })
}

fn read_pooling(config: &Object) -> Result<TokenPooling> {
    let factor = config.get("pool_factor").map_or(Some(1.0), serde_json::Value::as_f64);
    let factor = factor.filter(|factor| *factor >= 1.0);
    Ok(TokenPooling {
        factor: factor.ok_or_else(|| config.wrong("pool_factor", "a number of at least 1"))?,
        protected: config.count("num_protected_tokens")?.unwrap_or(1),
        // Saves without the key are older than it.
        normalize: config.flag("normalize_embeddings")?.unwrap_or(false),
        tasks: tasks(config, "tasks")?,
    })
}

/// A string or a list of strings.
fn strings(config: &Object, key: &str) -> Result<Option<Vec<String>>> {
    let Some(value) = config.get(key) else { return Ok(None) };
    let wrong = || config.wrong(key, "a list of strings");
    if let Some(only) = value.as_str() {
        return Ok(Some(vec![only.to_owned()]));
    }
    let list = value.as_array().ok_or_else(wrong)?;
    list.iter().map(|word| word.as_str().map(str::to_owned).ok_or_else(wrong)).collect::<Result<_>>().map(Some)
}

/// Tasks by name. Names of others are of no text here.
fn tasks(config: &Object, key: &str) -> Result<Vec<Task>> {
    let Some(names) = strings(config, key)? else { return Ok(vec![Task::Document]) };
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

fn ids(config: &Object, key: &str) -> Result<Vec<u32>> {
    let Some(value) = config.get(key) else { return Ok(Vec::new()) };
    let wrong = || config.wrong(key, "a list of token ids");
    let list = value.as_array().ok_or_else(wrong)?;
    list.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &serde_json::Value) -> Object {
        Object::new("test.json", value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn a_mask_skips_words_of_documents_and_keeps_to_its_list() {
        let mask = read_mask(&object(&json!({ "skiplist_words": [".", "none"] }))).expect("a mask");
        let spec = LateSpec { mask: Some(mask), ..LateSpec::default() };
        let id_of = |word: &str| (word == ".").then_some(7);
        let mask = spec.of_tokenizer(&id_of).expect("resolved").mask.expect("a mask");
        assert!(!mask.counts(7, Task::Document) && mask.counts(7, Task::Query) && mask.counts(8, Task::Document));
        let both = object(&json!({ "skiplist_tasks": ["query", "document"], "keep_only_token_ids": [3] }));
        let both = read_mask(&both).expect("a mask");
        assert!(both.counts(3, Task::Document) && !both.counts(4, Task::Document) && both.counts(4, Task::Query));
        assert_eq!(
            read_mask(&object(&json!({ "skiplist_words": [1] }))).expect_err("a number").code(),
            "ERR_MODEL_INVALID"
        );
    }

    #[test]
    fn pooling_of_older_saves_is_not_normalised() {
        let pooling = read_pooling(&object(&json!({ "pool_factor": 2 }))).expect("pooling");
        assert_eq!(pooling, TokenPooling { factor: 2.0, protected: 1, normalize: false, tasks: vec![Task::Document] });
        assert!(read_pooling(&object(&json!({ "pool_factor": 0.5 }))).is_err());
    }
}
