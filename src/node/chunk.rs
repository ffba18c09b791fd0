//! A long text, handed over in parts, and its chunks.

use std::sync::{Mutex, PoisonError};

use napi::bindgen_prelude::{Env, Object, Uint32Array};
use napi_derive::napi;

use super::model::{Model, Ticket};
use super::outcome::{NativeError, count, outcome, promise};
use crate::chunking::Chunk;
use crate::error::{Error, Result};

outcome!(
    /// Of `Model.chunk`.
    ChunkOutcome,
    Chunks
);

/// Chunks of a text, in order.
#[napi(object, object_from_js = false)]
pub struct Chunks {
    /// Where each begins, in UTF-16 units.
    pub starts: Uint32Array,
    /// Where it ends.
    pub ends: Uint32Array,
    /// Its tokens, special ones included.
    pub tokens: Uint32Array,
}

impl From<Vec<Chunk>> for Chunks {
    fn from(chunks: Vec<Chunk>) -> Self {
        let of =
            |number: fn(&Chunk) -> usize| Uint32Array::new(chunks.iter().map(|chunk| count(number(chunk))).collect());
        Chunks { starts: of(|chunk| chunk.start), ends: of(|chunk| chunk.end), tokens: of(|chunk| chunk.tokens) }
    }
}

/// A text that is handed over in parts, so that the JavaScript thread is never busy for long.
#[napi]
#[derive(Default)]
pub struct LongText {
    inner: Mutex<String>,
}

#[napi]
impl LongText {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        LongText::default()
    }

    /// What follows.
    #[napi(catch_unwind)]
    pub fn push(&self, part: String) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).push_str(&part);
    }
}

#[napi]
impl Model {
    /// Cuts a text into chunks of so many tokens at most; by default of as many as the model's longest input. The text is
    /// used up.
    #[napi(catch_unwind, ts_return_type = "Promise<ChunkOutcome>")]
    pub fn chunk<'env>(
        &self,
        env: &'env Env,
        text: &LongText,
        max_tokens: Option<u32>,
        overlap: u32,
        ticket: &Ticket,
    ) -> napi::Result<Object<'env>> {
        let (reply, promise) =
            promise(env, |chunks: Result<Vec<Chunk>, Error>| ChunkOutcome::from(chunks.map(Chunks::from)))?;
        let text = std::mem::take(&mut *text.inner.lock().unwrap_or_else(PoisonError::into_inner));
        match self.engine() {
            Ok(engine) => {
                let tokens = max_tokens.map(|tokens| tokens as usize);
                engine.chunk(text, tokens, overlap as usize, ticket.inner.clone(), reply);
            }
            Err(error) => reply.send(Err(error)),
        }
        Ok(promise)
    }
}
