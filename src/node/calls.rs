//! What a loaded model can be asked, a method for each product, and a call that needs longer texts.

use std::sync::{Mutex, PoisonError};

use napi::bindgen_prelude::{Env, Object, ToNapiValue, Uint8Array, Uint32Array};
use napi_derive::napi;

use super::model::{Model, Ticket};
use super::outcome::{
    EmbedOutcome, EmbedReply, RaggedOutcome, RaggedReply, ScoreOutcome, ScoreReply, SpansOutcome, SpansReply, count,
    promise,
};
use super::requests::{
    ClassifyRequest, ClassifyTokensRequest, EmbedRequest, ForwardRequest, LateRequest, ScoreRequest, SparseRequest,
    parts,
};
use crate::engine::{Answer, Waiting};
use crate::error::{Error, Result};
use crate::products::embedder::Embeddings;
use crate::products::reranker::Scores;
use crate::products::token_classifier::TextSpans;
use crate::products::{Ragged, classifier, embedder, late_embedder, network, reranker, sparse, token_classifier};

#[napi]
impl Model {
    /// Embeds texts.
    #[napi(catch_unwind, ts_return_type = "Promise<EmbedOutcome>")]
    pub fn embed<'env>(&self, env: &'env Env, request: EmbedRequest, ticket: &Ticket) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, embed_outcome)?;
        match self.engine().and_then(|engine| Ok((engine, request.resolve()?))) {
            Ok((engine, (texts, options, rows))) => {
                embedder::embed(&engine, texts, options, ticket.inner.clone(), rows, reply);
            }
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }

    /// Scores pairs.
    #[napi(catch_unwind, ts_return_type = "Promise<ScoreOutcome>")]
    pub fn score<'env>(&self, env: &'env Env, request: ScoreRequest, ticket: &Ticket) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, score_outcome)?;
        match self.engine().and_then(|engine| Ok((engine, request.resolve()?))) {
            Ok((engine, (queries, documents, options, rows))) => {
                reranker::score(&engine, queries, documents, &options, ticket.inner.clone(), rows, reply);
            }
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }

    /// Classifies texts or pairs: for each the scores of its best labels, and which labels these are.
    #[napi(catch_unwind, ts_return_type = "Promise<RaggedOutcome>")]
    pub fn classify<'env>(
        &self,
        env: &'env Env,
        request: ClassifyRequest,
        ticket: &Ticket,
    ) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, ragged_outcome)?;
        match self.engine().and_then(|engine| Ok((engine, request.resolve()?))) {
            Ok((engine, (texts, pairs, options, rows))) => {
                classifier::classify(&engine, texts, pairs, &options, ticket.inner.clone(), rows, reply);
            }
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }

    /// Embeds texts as sparse vectors: for each the numbers that are not 0, and their indices, ascending.
    #[napi(catch_unwind, ts_return_type = "Promise<RaggedOutcome>")]
    pub fn embed_sparse<'env>(
        &self,
        env: &'env Env,
        request: SparseRequest,
        ticket: &Ticket,
    ) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, ragged_outcome)?;
        match self.engine().and_then(|engine| Ok((engine, request.resolve()?))) {
            Ok((engine, (texts, options, rows))) => {
                sparse::embed(&engine, texts, options, ticket.inner.clone(), rows, reply);
            }
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }

    /// Labels the tokens of whole texts: for each text its spans.
    #[napi(catch_unwind, ts_return_type = "Promise<SpansOutcome>")]
    pub fn classify_tokens<'env>(
        &self,
        env: &'env Env,
        request: ClassifyTokensRequest,
        ticket: &Ticket,
    ) -> napi::Result<Object<'env>> {
        let (reply, promise) =
            promise(env, |spans: Result<TextSpans>| SpansOutcome::from(spans.map(SpansReply::from)))?;
        match self.engine().and_then(|engine| Ok((engine, request.resolve()?))) {
            Ok((engine, (texts, options, rows))) => {
                token_classifier::classify(&engine, texts, &options, ticket.inner.clone(), rows, reply);
            }
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }

    /// Embeds the tokens of texts: for each the vectors of its tokens; with a query the score of each text.
    #[napi(catch_unwind, ts_return_type = "Promise<RaggedOutcome>")]
    pub fn late<'env>(&self, env: &'env Env, request: LateRequest, ticket: &Ticket) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, ragged_outcome)?;
        match self.engine().and_then(|engine| Ok((engine, request.resolve()?))) {
            Ok((engine, (texts, options, rows))) => {
                late_embedder::embed(&engine, texts, options, ticket.inner.clone(), rows, reply);
            }
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }

    /// Each token as the vocabulary writes it; an empty name for an id that it does not have.
    #[napi(catch_unwind)]
    pub fn names(&self, ids: Uint32Array) -> Vec<String> {
        self.engine().map(|engine| engine.names(&ids)).unwrap_or_default()
    }

    /// Runs rows of tokens: for each what the network gives.
    #[napi(catch_unwind, ts_return_type = "Promise<RaggedOutcome>")]
    pub fn forward<'env>(
        &self,
        env: &'env Env,
        request: ForwardRequest,
        ticket: &Ticket,
    ) -> napi::Result<Object<'env>> {
        let (reply, promise) = promise(env, ragged_outcome)?;
        match self.engine().and_then(|engine| Ok((engine, request.resolve()?))) {
            Ok((engine, (tokens, rows))) => network::forward(&engine, tokens, ticket.inner.clone(), rows, reply),
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }
}

fn embed_outcome(answer: Result<Answer<Embeddings>>) -> EmbedOutcome {
    EmbedOutcome::from(answer.map(|answer| match answer {
        Answer::Done(embeddings) => EmbedReply::from(embeddings),
        Answer::Short(short) => EmbedReply::from(Short::new(ShortCall::Embed(short))),
    }))
}

fn score_outcome(answer: Result<Answer<Scores>>) -> ScoreOutcome {
    ScoreOutcome::from(answer.map(|answer| match answer {
        Answer::Done(scores) => ScoreReply::from(scores),
        Answer::Short(short) => ScoreReply::from(Short::new(ShortCall::Score(short))),
    }))
}

fn ragged_outcome(answer: Result<Answer<Ragged>>) -> RaggedOutcome {
    RaggedOutcome::from(answer.map(|answer| match answer {
        Answer::Done(ragged) => RaggedReply::from(ragged),
        Answer::Short(short) => RaggedReply::from(Short::new(ShortCall::Ragged(short))),
    }))
}

/// A call that needs more of some texts. Nothing has run.
#[napi]
pub struct Short {
    call: Mutex<Option<ShortCall>>,
}

enum ShortCall {
    Embed(Box<dyn Waiting<Embeddings>>),
    Score(Box<dyn Waiting<Scores>>),
    Ragged(Box<dyn Waiting<Ragged>>),
}

/// What goes on with a short call.
struct More {
    texts: Vec<String>,
    texts_cut: Uint8Array,
    queries: Vec<String>,
    queries_cut: Uint8Array,
}

fn indices(rows: &[usize]) -> Uint32Array {
    Uint32Array::new(rows.iter().map(|row| count(*row)).collect())
}

impl Short {
    fn new(call: ShortCall) -> Self {
        Short { call: Mutex::new(Some(call)) }
    }

    fn take(&self) -> Option<ShortCall> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Which texts and which queries are too short.
    fn rows(&self) -> (Uint32Array, Uint32Array) {
        let call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        let (texts, queries): (&[usize], &[usize]) = match &*call {
            Some(ShortCall::Embed(short)) => (short.texts(), short.queries()),
            Some(ShortCall::Score(short)) => (short.texts(), short.queries()),
            Some(ShortCall::Ragged(short)) => (short.texts(), short.queries()),
            None => (&[], &[]),
        };
        (indices(texts), indices(queries))
    }
}

/// Goes on with a call, or says that it was gone on with already.
fn resume<'env, T: Send + 'static, O: ToNapiValue + 'static>(
    env: &'env Env,
    call: Option<Box<dyn Waiting<T>>>,
    more: More,
    outcome: fn(Result<Answer<T>>) -> O,
) -> napi::Result<Object<'env>> {
    let (reply, promise) = promise(env, outcome)?;
    match call {
        Some(call) => {
            call.resume(parts(more.texts, &more.texts_cut), parts(more.queries, &more.queries_cut), reply);
        }
        None => reply.send(Err(Error::InvalidArgument(
            "Expected a call that waits for longer texts, but it was gone on with already".into(),
        ))),
    }
    Ok(promise)
}

#[napi]
impl Short {
    /// Indices of the texts, or documents, that were too short.
    #[napi(getter, catch_unwind)]
    pub fn texts(&self) -> Uint32Array {
        self.rows().0
    }

    /// Indices of the queries that were too short.
    #[napi(getter, catch_unwind)]
    pub fn queries(&self) -> Uint32Array {
        self.rows().1
    }

    /// Goes on with what follows the parts that were passed before, in the order of `queries` and `texts`.
    #[napi(catch_unwind, ts_return_type = "Promise<EmbedOutcome | ScoreOutcome | RaggedOutcome>")]
    pub fn resume<'env>(
        &self,
        env: &'env Env,
        queries: Vec<String>,
        queries_cut: Uint8Array,
        texts: Vec<String>,
        texts_cut: Uint8Array,
    ) -> napi::Result<Object<'env>> {
        let more = More { texts, texts_cut, queries, queries_cut };
        match self.take() {
            Some(ShortCall::Embed(call)) => resume(env, Some(call), more, embed_outcome),
            Some(ShortCall::Score(call)) => resume(env, Some(call), more, score_outcome),
            Some(ShortCall::Ragged(call)) => resume(env, Some(call), more, ragged_outcome),
            None => resume(env, None, more, ragged_outcome),
        }
    }
}
