//! Local text embeddings and reranking: the model's own files decide, the vectors are sentence-transformers'.
//!
//! ```text
//! node/*  →  products/*  →  engine  →  scheduler            our threads and queue
//!                             ↓    →  network               what runs tokens: an encoder, or a graph (ort)
//!                             ↓    →  head                  pure numbers
//!                             ↓    →  tokenizer             texts to tokens (tokenizers)
//!                             ↓    →  spec                 the model's JSON
//!                             ↓    →  template             chat templates (minijinja)
//!                           hub   →   files                a model's folder; models from the Hub (reqwest)
//! max_sim                 →  network
//! chunking, bm25, sparse, similarity: what is computed without a model
//! options, loading, digest, reply, panic, error: leaves
//! ```
//!
//! Imports only go down. `napi` is used in `node/` only, behind the feature `node`; `ort` in `network/graph/`, `tokenizers` in
//! `tokenizer/`, `minijinja` in `template/`. `tests/layers.rs` holds these rules.

pub mod bm25;
pub mod chunking;
pub mod digest;
pub mod engine;
pub mod error;
pub mod files;
pub mod head;
pub mod hub;
pub mod loading;
pub mod max_sim;
pub mod network;
pub mod options;
mod panic;
pub mod products;
pub mod pull;
pub mod registry;
pub mod reply;
pub mod scheduler;
pub mod similarity;
pub mod sparse;
pub mod spec;
pub mod template;
pub mod tokenizer;

#[cfg(feature = "node")]
pub mod node;

pub use error::{Error, Result};
