//! Results as JavaScript objects, and the only place where a promise is made.

use napi::bindgen_prelude::{Either3, Env, Float32Array, Int8Array, Object, ToNapiValue, Uint8Array, Uint32Array};
use napi_derive::napi;

use super::calls::Short;
use super::model::Model;
use super::tokenizer::TextTokenizer;
use crate::error::Error;
use crate::head::OutputData;
use crate::loading::FileProgress;
use crate::products::Ragged;
use crate::products::embedder::Embeddings;
use crate::products::reranker::Scores;
use crate::products::token_classifier::TextSpans;
use crate::reply::Reply;

/// What went wrong.
#[napi(object, object_from_js = false)]
pub struct NativeError {
    /// A code of API.md, such as `ERR_MODEL_NOT_FOUND`.
    pub code: String,
    /// The sentence for the user.
    pub message: String,
    /// The sentences of the errors below, outermost first.
    pub causes: Vec<String>,
}

impl From<Error> for NativeError {
    fn from(error: Error) -> Self {
        NativeError { code: error.code().to_owned(), message: error.to_string(), causes: error.causes() }
    }
}

macro_rules! outcome {
    ($(#[$meta:meta])* $name:ident, $value:ty) => {
        $(#[$meta])*
        #[napi(object, object_from_js = false)]
        pub struct $name {
            /// The result, where there is one.
            pub value: Option<$value>,
            /// What went wrong, where something did.
            pub error: Option<NativeError>,
        }

        impl From<Result<$value, Error>> for $name {
            fn from(result: Result<$value, Error>) -> Self {
                match result {
                    Ok(value) => $name { value: Some(value), error: None },
                    Err(error) => $name { value: None, error: Some(error.into()) },
                }
            }
        }
    };
}
pub(super) use outcome;

outcome!(
    /// Of `load`.
    LoadOutcome,
    Model
);
outcome!(
    /// Of `Model.embed`.
    EmbedOutcome,
    EmbedReply
);
outcome!(
    /// Of `Model.score`.
    ScoreOutcome,
    ScoreReply
);
outcome!(
    /// Of `Model.classify`, `Model.embedSparse`, `Model.late` and `Model.forward`.
    RaggedOutcome,
    RaggedReply
);
outcome!(
    /// Of `Model.classifyTokens`.
    SpansOutcome,
    SpansReply
);
outcome!(
    /// Of `loadTokenizer`.
    TokenizerOutcome,
    TextTokenizer
);
outcome!(
    /// Of `TextTokenizer.encode`.
    EncodeOutcome,
    Encoded
);
outcome!(
    /// Of `TextTokenizer.tokens`.
    TokensOutcome,
    Vec<String>
);
outcome!(
    /// Of `TextTokenizer.decode` and `TextTokenizer.applyChatTemplate`.
    DecodeOutcome,
    String
);
outcome!(
    /// Of `Model.count`.
    CountOutcome,
    Uint32Array
);
outcome!(
    /// Of `order`.
    OrderOutcome,
    Ordered
);

outcome!(
    /// Of what answers with JSON.
    JsonOutcome,
    String
);

/// How far the download of a file is.
#[napi(object, object_from_js = false)]
pub struct Download {
    /// The repository.
    pub model: String,
    /// The path inside it.
    pub file: String,
    /// Bytes that are here.
    pub loaded: f64,
    /// Bytes in all.
    pub total: f64,
    /// Verified and in its place.
    pub done: bool,
}

#[allow(clippy::cast_precision_loss, reason = "no file has 2^53 bytes")]
impl From<FileProgress> for Download {
    fn from(file: FileProgress) -> Self {
        Download {
            model: file.model,
            file: file.file,
            loaded: file.loaded as f64,
            total: file.total as f64,
            done: file.done,
        }
    }
}

/// Vectors, or what is needed to go on.
#[napi(object, object_from_js = false)]
pub struct EmbedReply {
    /// The vectors one after the other; absent where `short` is there.
    pub data: Option<Either3<Float32Array, Int8Array, Uint8Array>>,
    /// How many vectors.
    pub rows: u32,
    /// Length of a vector, before bits are packed.
    pub dimensions: u32,
    /// Tokens that went into the network.
    pub tokens: f64,
    /// Texts that were cut.
    pub truncated: u32,
    /// More of some texts is needed.
    pub short: Option<Short>,
}

/// Scores, or what is needed to go on.
#[napi(object, object_from_js = false)]
pub struct ScoreReply {
    /// One score a pair; absent where `short` is there.
    pub scores: Option<Float32Array>,
    /// 1 for each pair that was cut; absent where `short` is there.
    pub truncated: Option<Uint8Array>,
    /// More of some texts is needed.
    pub short: Option<Short>,
}

/// Rows of numbers of their own count, or what is needed to go on.
#[napi(object, object_from_js = false)]
pub struct RaggedReply {
    /// The rows' numbers, one row after the other; absent where `short` is there.
    pub values: Option<Float32Array>,
    /// What each number belongs to; empty where its place says that.
    pub indices: Option<Uint32Array>,
    /// How many numbers each row has.
    pub lengths: Option<Uint32Array>,
    /// 1 for each row whose text was cut.
    pub truncated: Option<Uint8Array>,
    /// Tokens that went into the network.
    pub tokens: f64,
    /// More of some texts is needed.
    pub short: Option<Short>,
}

/// Spans with labels, text after text.
#[napi(object, object_from_js = false)]
pub struct SpansReply {
    /// Which label each span has.
    pub labels: Uint32Array,
    pub scores: Float32Array,
    /// Where each begins in its text, in UTF-16 units.
    pub starts: Uint32Array,
    pub ends: Uint32Array,
    /// How many spans each text has.
    pub lengths: Uint32Array,
    /// Tokens that went into the network.
    pub tokens: f64,
}

/// Token ids of a text or pair.
#[napi(object, object_from_js = false)]
pub struct Encoded {
    pub ids: Uint32Array,
    /// 0 for tokens of the first text, 1 for those of the second.
    pub type_ids: Uint32Array,
}

/// Scores from the best to the worst.
#[napi(object, object_from_js = false)]
pub struct Ordered {
    /// Where each score stood.
    pub indices: Uint32Array,
    /// The scores in their new order.
    pub scores: Float32Array,
}

/// A count as JavaScript's 32-bit one.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
fn tokens(number: usize) -> f64 {
    number as f64
}

impl From<Embeddings> for EmbedReply {
    fn from(embeddings: Embeddings) -> Self {
        let data = match embeddings.data {
            OutputData::Float32(data) => Either3::A(Float32Array::new(data)),
            OutputData::Int8(data) => Either3::B(Int8Array::new(data)),
            OutputData::Uint8(data) => Either3::C(Uint8Array::new(data)),
        };
        EmbedReply {
            data: Some(data),
            rows: count(embeddings.rows),
            dimensions: count(embeddings.dimensions),
            tokens: tokens(embeddings.tokens),
            truncated: count(embeddings.truncated),
            short: None,
        }
    }
}

impl From<Short> for EmbedReply {
    fn from(short: Short) -> Self {
        EmbedReply { data: None, rows: 0, dimensions: 0, tokens: 0.0, truncated: 0, short: Some(short) }
    }
}

fn flags(flags: Vec<bool>) -> Uint8Array {
    Uint8Array::new(flags.into_iter().map(u8::from).collect())
}

impl From<Scores> for ScoreReply {
    fn from(scores: Scores) -> Self {
        ScoreReply {
            scores: Some(Float32Array::new(scores.scores)),
            truncated: Some(flags(scores.truncated)),
            short: None,
        }
    }
}

impl From<Ragged> for RaggedReply {
    fn from(ragged: Ragged) -> Self {
        RaggedReply {
            values: Some(Float32Array::new(ragged.values)),
            indices: Some(Uint32Array::new(ragged.indices)),
            lengths: Some(Uint32Array::new(ragged.lengths.into_iter().map(count).collect())),
            truncated: Some(flags(ragged.truncated)),
            tokens: tokens(ragged.tokens),
            short: None,
        }
    }
}

impl From<TextSpans> for SpansReply {
    fn from(spans: TextSpans) -> Self {
        SpansReply {
            labels: Uint32Array::new(spans.labels),
            scores: Float32Array::new(spans.scores),
            starts: Uint32Array::new(spans.starts),
            ends: Uint32Array::new(spans.ends),
            lengths: Uint32Array::new(spans.lengths.into_iter().map(count).collect()),
            tokens: tokens(spans.tokens),
        }
    }
}

impl From<Short> for RaggedReply {
    fn from(short: Short) -> Self {
        RaggedReply { values: None, indices: None, lengths: None, truncated: None, tokens: 0.0, short: Some(short) }
    }
}

impl From<Short> for ScoreReply {
    fn from(short: Short) -> Self {
        ScoreReply { scores: None, truncated: None, short: Some(short) }
    }
}

/// A promise, and the reply that fulfils it. `convert` runs on the JavaScript thread.
pub(super) fn promise<'env, T, O>(
    env: &'env Env,
    convert: impl FnOnce(Result<T, Error>) -> O + Send + 'static,
) -> napi::Result<(Reply<T>, Object<'env>)>
where
    T: Send + 'static,
    O: ToNapiValue + 'static,
{
    type Resolver<O> = Box<dyn FnOnce(Env) -> napi::Result<O> + Send>;
    let (deferred, promise) = env.create_deferred::<O, Resolver<O>>()?;
    let reply = Reply::new(move |answer| deferred.resolve(Box::new(move |_| Ok(convert(answer)))));
    Ok((reply, promise))
}
