//! Qwen3 and Gemma 3, language models that give vectors: norms before the branches, norms of queries and keys, rotary positions,
//! heads that share keys and values.

use super::rotary::{rotary, two, windows};
use super::{Config, Plan, Purpose, Understood};
use crate::network::encoder::plan::{
    Activation, Attention, AttentionWeights, Embedding, FeedForward, Head, HeadPool, HeadStep, Layer, Linear, Norm,
    NormKind, Norms, Part, Rotary,
};

/// What both have in common.
struct Decoder {
    hidden: usize,
    heads: usize,
    key_heads: usize,
    head_size: usize,
    inner: usize,
    layers: usize,
    bias: bool,
    activation: Activation,
    norm: NormKind,
    epsilon: f32,
    /// Norms before and after attention, before and after the feed-forward network.
    norms: [Option<&'static str>; 4],
}

impl Decoder {
    /// `activation` is the name of the field.
    fn read(
        config: &Config<'_>,
        activation: (&str, &str),
        norm: NormKind,
        norms: [Option<&'static str>; 4],
    ) -> Understood<Self> {
        config.ignore(&["max_position_embeddings"]);
        let heads = config.size("num_attention_heads")?;
        let key_heads = config.size_where_given("num_key_value_heads")?.unwrap_or(heads);
        if !heads.is_multiple_of(key_heads) {
            return Err(config.unknown("num_key_value_heads", &key_heads.into()));
        }
        Ok(Decoder {
            hidden: config.size("hidden_size")?,
            heads,
            key_heads,
            head_size: config.size("head_dim")?,
            inner: config.size("intermediate_size")?,
            layers: config.layers("num_hidden_layers")?,
            bias: config.flag("attention_bias")?.unwrap_or(false),
            activation: config.activation(activation.0, activation.1)?,
            norm,
            epsilon: config.epsilon("rms_norm_eps", 1e-6)?,
            norms,
        })
    }

    fn attention(&self) -> Attention {
        Attention { key_heads: self.key_heads, ..Attention::new(self.heads, self.head_size) }
    }

    fn norm(&self, name: &str, width: usize) -> Norm {
        Norm::root_mean_square(self.norm, name, width, self.epsilon)
    }

    fn layer(&self, number: usize, rotary: Rotary, window: Option<usize>) -> Layer {
        let Decoder { hidden, inner, bias, head_size, .. } = *self;
        let (queries, keys) = (self.heads * head_size, self.key_heads * head_size);
        let name = |part: &str| format!("layers.{number}.{part}");
        let inputs = [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)];
        let inputs = inputs.map(|(part, outputs)| Part::new(&name(&format!("self_attn.{part}")), outputs, bias));
        let head_norm = |part: &str| self.norm(&name(&format!("self_attn.{part}")), head_size);
        let gate = ["mlp.gate_proj", "mlp.up_proj"].map(|part| Part::new(&name(part), inner, false));
        let [before, after, second_before, second_after] =
            self.norms.map(|part| part.map(|part| self.norm(&name(part), hidden)));
        Layer {
            attention: AttentionWeights {
                norms: Some((head_norm("q_norm"), head_norm("k_norm"))),
                rotary: Some(rotary),
                window,
                ..AttentionWeights::new(
                    Linear::joined(hidden, inputs),
                    Linear::new(name("self_attn.o_proj"), queries, hidden, bias),
                )
            },
            attention_norms: Norms { before, after, ..Norms::default() },
            feed_forward: FeedForward {
                inner: Linear::joined(hidden, gate),
                gated: true,
                activation: self.activation,
                output: Linear::new(name("mlp.down_proj"), inner, hidden, false),
            },
            feed_forward_norms: Norms { before: second_before, after: second_after, ..Norms::default() },
        }
    }

    /// The logits of some tokens of the vocabulary, whose rows are those of the embeddings where both are tied.
    fn next(&self, config: &Config<'_>, ids: [Option<u32>; 2]) -> Understood<Head> {
        let vocabulary = config.size("vocab_size")?;
        let tied = config.flag("tie_word_embeddings")?.unwrap_or(false);
        let name = if tied { "embed_tokens" } else { "lm_head" };
        let parts = ids.into_iter().flatten().map(|id| {
            let id = id as usize;
            if id >= vocabulary {
                return Err(config.refuse(&format!("has \"vocab_size\": {vocabulary}, and the token {id} is read")));
            }
            Ok(Part::new(name, vocabulary, false).rows(id..id + 1))
        });
        let last = Linear::joined(self.hidden, parts.collect::<Understood<Vec<_>>>()?);
        Ok(Head { pool: HeadPool::Last(None), steps: vec![HeadStep::Linear(last)], vocabulary: None })
    }

    /// The labels of a text: one layer on its last token's vector. Which token that is transformers 5.24 tells by the id of padding
    /// (`GenericForSequenceClassification`), also where a text ends with it.
    fn labels(&self, config: &Config<'_>, labels: usize) -> Understood<Head> {
        let pool = HeadPool::Last(config.id("pad_token_id")?);
        let last = Linear::new("score", self.hidden, labels, false);
        Ok(Head { pool, steps: vec![HeadStep::Linear(last)], vocabulary: None })
    }

    /// The labels of each token.
    fn token_labels(&self, config: &Config<'_>, labels: usize) -> Understood<Head> {
        let bias = config.flag("token_classification_bias")?.unwrap_or(true);
        let last = Linear::new("score", self.hidden, labels, bias);
        Ok(Head { pool: HeadPool::Each, steps: vec![HeadStep::Linear(last)], vocabulary: None })
    }

    fn plan(&self, scale: f32, attention: Attention, layers: Vec<Layer>) -> Plan {
        let embedding = Embedding { scale, ..Embedding::new("embed_tokens.weight", self.hidden) };
        Plan {
            last_norm: Some(self.norm("norm", self.hidden)),
            ignored: &["lm_head.", "score."],
            prefix: "model.",
            ..Plan::new(self.hidden, embedding, attention, layers)
        }
    }
}

/// Qwen3: each token sees those before it.
pub(super) fn qwen3(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    let norms = [Some("input_layernorm"), None, Some("post_attention_layernorm"), None];
    let decoder = Decoder::read(config, ("hidden_act", "silu"), NormKind::RootMeanSquare, norms)?;
    config.expect("use_sliding_window", &[false.into()])?;
    config.ignore(&["sliding_window", "max_window_layers"]);
    if windows(config, decoder.layers, |_| false)?.contains(&true) {
        return Err(config.refuse("has \"layer_types\" with \"sliding_attention\""));
    }
    let rotary = rotary(config, decoder.head_size, 10_000.0)?;
    let layers = (0..decoder.layers).map(|number| decoder.layer(number, rotary, None)).collect();
    let head = match purpose {
        Purpose::Next(ids) => Some(decoder.next(config, ids)?),
        Purpose::Labels(labels) => Some(decoder.labels(config, labels)?),
        Purpose::TokenLabels(labels) => Some(decoder.token_labels(config, labels)?),
        _ => {
            purpose.expect_tokens(config)?;
            None
        }
    };
    Ok(Plan { head, ..decoder.plan(1.0, Attention { causal: true, ..decoder.attention() }, layers) })
}

/// Gemma 3 where it was made for vectors: each token sees those on both sides.
#[allow(clippy::cast_precision_loss, reason = "sizes are small")]
pub(super) fn gemma3(config: &Config<'_>, purpose: Purpose) -> Understood<Plan> {
    purpose.expect_tokens(config)?;
    let norms =
        ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"];
    let activation = ("hidden_activation", "gelu_pytorch_tanh");
    let decoder = Decoder::read(config, activation, NormKind::RootMeanSquarePlusOne, norms.map(Some))?;
    if config.flag("use_bidirectional_attention")? != Some(true) {
        return Err(config.refuse("has no \"use_bidirectional_attention\": true"));
    }
    // A field of logits, and one that holds nothing but a softcap of scores, which no model of this family has.
    config.ignore(&["final_logit_softcapping"]);
    config.expect("attn_logit_softcapping", &[])?;
    let divisor = config.size_where_given("query_pre_attn_scalar")?.unwrap_or(256);
    let window = config.size_where_given("sliding_window")?.unwrap_or(4096) / 2;
    // What `layer_types` is made from where it is not there.
    let every = config.size_where_given("sliding_window_pattern")?.unwrap_or(6);
    config.ignore(&["_sliding_window_pattern"]);
    let windows = windows(config, decoder.layers, |number| !(number + 1).is_multiple_of(every))?;
    let old = [("rope_theta", 1_000_000.0), ("rope_local_base_freq", 10_000.0)];
    let [everywhere, nearby] = two(config, decoder.head_size, old)?;
    let layer = |(number, near): (usize, &bool)| {
        decoder.layer(number, if *near { nearby } else { everywhere }, near.then_some(window))
    };
    let layers = windows.iter().enumerate().map(layer).collect();
    let attention = Attention { scale: 1.0 / (divisor as f32).sqrt(), ..decoder.attention() };
    Ok(decoder.plan((decoder.hidden as f32).sqrt(), attention, layers))
}
