//! Local text embeddings and reranking: the model's own files decide, the vectors are sentence-transformers'.
//!
//! ```text
//! node/*  →  embedder, reranker  →  engine  →  scheduler            our threads and queue
//!                                     ↓    →  network               what runs tokens: an encoder, or a graph (ort)
//!                                     ↓    →  head                  pure numbers
//!                                     ↓    →  tokenizer             texts to tokens (tokenizers)
//!                                     ↓    →  spec                 the model's JSON
//!                                   hub   →   files                a model's folder; models from the Hub (reqwest)
//! options, loading, digest, reply, panic, error, similarity: leaves
//! ```
//!
//! Imports only go down. `napi` is used in `node/` only, behind the feature `node`; `ort` in `network/graph/`, `tokenizers` in
//! `tokenizer/`. `tests/layers.rs` holds these rules.

pub mod digest;
pub mod embedder;
pub mod engine;
pub mod error;
pub mod files;
pub mod head;
pub mod hub;
pub mod loading;
pub mod network;
pub mod options;
mod panic;
pub mod pull;
pub mod registry;
pub mod reply;
pub mod reranker;
pub mod scheduler;
pub mod similarity;
pub mod spec;
pub mod tokenizer;

#[cfg(feature = "node")]
pub mod node;

pub use error::{Error, Result};
