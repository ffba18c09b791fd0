//! A model's `config.json`, every field of which is used or known to mean nothing here.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::plan::Activation;
use crate::error::{Error, shown};
use crate::files::Object;

/// Why the encoder does not take a model; another engine may.
#[derive(Debug)]
pub(super) enum Refusal {
    /// What was not understood, as the beginning of a sentence.
    Unknown(String),
    /// The files are broken, whoever reads them.
    Broken(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Broken(error)
    }
}

/// A result of reading.
pub(super) type Understood<T> = Result<T, Refusal>;

/// Fields that say nothing about what the network computes when a text is read.
const IGNORED: &str = "
    _attn_implementation_autoset _name_or_path _num_labels add_pooling_layer architectures attention_dropout
    attention_probs_dropout_prob auto_map bos_token_id classifier_dropout classifier_dropout_prob cls_token_id
    decoder_start_token_id directionality dropout dtype embedding_dropout eos_token_id finetuning_task
    gradient_checkpointing hidden_dropout_prob id2label initializer_cutoff_factor initializer_factor
    initializer_range is_encoder_decoder label2id language_model_type mask_token_id mlp_dropout model_max_length
    model_type num_labels output_attentions output_hidden_states output_past pad_token_id pooler_fc_size
    pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type problem_type qa_dropout
    reference_compile repad_logits_with_grad return_dict sbert_ce_default_activation_function sentence_transformers
    sep_token_id seq_classif_dropout sinusoidal_pos_embds sparse_pred_ignore_index sparse_prediction
    summary_activation summary_first_dropout summary_last_dropout summary_proj_to_labels summary_type
    summary_use_proj tie_weights_ tie_word_embeddings tokenizer_class torch_dtype torchscript transformers.js_config
    transformers_version unk_token_id use_cache vocab_size
";

/// Layers that a model may have. Real ones have up to about a hundred; a plan is made before any file of weights is there.
pub(super) const MOST_LAYERS: usize = 1000;

/// The fields of a `config.json`, or of an object inside it.
pub(super) struct Config<'a> {
    object: &'a Object,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Config<'a> {
    pub fn new(object: &'a Object) -> Self {
        Config { object, used: RefCell::default() }
    }

    fn take(&self, key: &str) -> Option<&'a serde_json::Value> {
        self.used.borrow_mut().insert(key.to_owned());
        self.object.get(key)
    }

    /// The field as it stands.
    pub fn value(&self, key: &str) -> Option<&'a serde_json::Value> {
        self.take(key)
    }

    /// The object that the field is.
    pub fn object(&self, key: &str) -> Understood<Option<Object>> {
        self.take(key);
        Ok(self.object.object(key)?)
    }

    /// Fields that mean nothing in this family.
    pub fn ignore(&self, keys: &[&str]) {
        self.used.borrow_mut().extend(keys.iter().map(|key| (*key).to_owned()));
    }

    /// A size of at least 1.
    pub fn size(&self, key: &str) -> Understood<usize> {
        self.size_where_given(key)?.ok_or_else(|| self.missing(key))
    }

    /// A number of layers.
    pub fn layers(&self, key: &str) -> Understood<usize> {
        let layers = self.size(key)?;
        if layers > MOST_LAYERS { Err(self.unknown(key, &layers.into())) } else { Ok(layers) }
    }

    /// A size that may be absent.
    pub fn size_where_given(&self, key: &str) -> Understood<Option<usize>> {
        match self.count(key)? {
            Some(0) => Err(self.object.wrong(key, "a size from 1 to 2^24").into()),
            size => Ok(size),
        }
    }

    /// A size that may be 0 or absent.
    pub fn count(&self, key: &str) -> Understood<Option<usize>> {
        self.take(key);
        match self.object.count(key)? {
            Some(size) if size > 1 << 24 => Err(self.object.wrong(key, "a whole number up to 2^24").into()),
            size => Ok(size),
        }
    }

    /// A number.
    #[allow(clippy::cast_possible_truncation, reason = "the network computes in float32")]
    pub fn number(&self, key: &str) -> Understood<Option<f32>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = value.as_f64().filter(|number| number.is_finite());
        Ok(Some(number.ok_or_else(|| self.object.wrong(key, "a number"))? as f32))
    }

    /// What is added to a variance.
    pub fn epsilon(&self, key: &str, default: f32) -> Understood<f32> {
        match self.number(key)? {
            Some(epsilon) if epsilon < 0.0 => Err(self.object.wrong(key, "a number of at least 0").into()),
            epsilon => Ok(epsilon.unwrap_or(default)),
        }
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Understood<Option<bool>> {
        self.take(key);
        Ok(self.object.flag(key)?)
    }

    /// Flags that are false where they are absent.
    pub fn flags<const N: usize>(&self, keys: [&str; N]) -> Understood<[bool; N]> {
        let mut flags = [false; N];
        for (flag, key) in flags.iter_mut().zip(keys) {
            *flag = self.flag(key)?.unwrap_or(false);
        }
        Ok(flags)
    }

    /// A token's id.
    pub fn id(&self, key: &str) -> Understood<Option<u32>> {
        Ok(self.count(key)?.and_then(|id| u32::try_from(id).ok()))
    }

    /// A word.
    pub fn text(&self, key: &str) -> Understood<Option<&'a str>> {
        self.take(key);
        Ok(self.object.text(key)?)
    }

    /// The fields mean what they must: absent, or one of the values.
    pub fn expect(&self, key: &str, values: &[serde_json::Value]) -> Understood<()> {
        match self.take(key) {
            Some(value) if !values.contains(value) => Err(self.unknown(key, value)),
            _ => Ok(()),
        }
    }

    /// A function by transformers' name for it.
    pub fn activation(&self, key: &str, default: &str) -> Understood<Activation> {
        let name = self.text(key)?.unwrap_or(default);
        Ok(match name {
            "gelu" | "gelu_python" => Activation::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh" => Activation::GeluTanh,
            "relu" => Activation::Relu,
            "silu" | "swish" => Activation::Silu,
            "tanh" => Activation::Tanh,
            _ => return Err(self.unknown(key, &name.into())),
        })
    }

    /// The model is made for more than what is read: an error that says so.
    pub fn unknown(&self, key: &str, value: &serde_json::Value) -> Refusal {
        let value = match value {
            serde_json::Value::String(text) => shown(text),
            // Without the quotes that are for texts.
            other => shown(&other.to_string()).trim_matches('"').replace("\\\"", "\""),
        };
        Refusal::Unknown(format!("{} has \"{key}\": {value}", self.object.file))
    }

    /// What else was not understood, as what the file does.
    pub fn refuse(&self, what: &str) -> Refusal {
        Refusal::Unknown(format!("{} {what}", self.object.file))
    }

    fn missing(&self, key: &str) -> Refusal {
        self.refuse(&format!("has no \"{key}\""))
    }

    /// Nothing is left that was not looked at.
    pub fn finish(&self) -> Understood<()> {
        self.expect("chunk_size_feed_forward", &[0.into()])?;
        self.expect("pruned_heads", &[serde_json::json!({})])?;
        for key in ["is_decoder", "add_cross_attention", "use_bfloat16"] {
            self.expect(key, &[false.into()])?;
        }
        let used = self.used.borrow();
        let left = self.object.entries().find(|(key, value)| {
            !value.is_null() && !used.contains(*key) && !IGNORED.split_ascii_whitespace().any(|ignored| ignored == *key)
        });
        left.map_or(Ok(()), |(key, value)| Err(self.unknown(key, value)))
    }
}
