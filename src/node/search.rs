//! Search without a model: BM25, sparse vectors, late interaction. All of it answers at once, as its callers do.

use std::sync::{Mutex, PoisonError};

use napi::bindgen_prelude::{Env, Float32Array, Float32ArraySlice, Float64Array, ObjectFinalize, Uint32Array};
use napi_derive::napi;

use super::functions::Nearest;
use super::outcome::{NativeError, count, outcome};
use crate::bm25::{self, Corpus, Method, Parameters, Sparse, Text};
use crate::error::Error;
use crate::max_sim::MaxSim;
use crate::similarity::best;
use crate::sparse;

outcome!(
    /// Of what gives nothing.
    DoneOutcome,
    u32
);
outcome!(
    /// Of `BM25.encode`.
    SparseOutcome,
    SparseRows
);
outcome!(
    /// Of `Corpus.weigh` and `restoreBm25`.
    Bm25Outcome,
    Bm25
);
outcome!(
    /// Of `sparseMatrix`.
    MatrixOutcome,
    SparseMatrix
);
outcome!(
    /// Of `maxSim`.
    ScoresOutcome,
    Float32Array
);

/// Sparse vectors one behind the other.
#[napi(object, object_from_js = false)]
pub struct SparseRows {
    /// How many numbers each has.
    pub lengths: Uint32Array,
    pub indices: Uint32Array,
    pub values: Float32Array,
}

impl From<Vec<Sparse>> for SparseRows {
    fn from(rows: Vec<Sparse>) -> Self {
        let lengths = rows.iter().map(|(indices, _)| count(indices.len())).collect();
        let (indices, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        SparseRows {
            lengths: Uint32Array::new(lengths),
            indices: Uint32Array::new(indices.concat()),
            values: Float32Array::new(values.concat()),
        }
    }
}

fn nearest(found: &[(usize, f64)]) -> Nearest {
    Nearest {
        indices: Uint32Array::new(found.iter().map(|(row, _)| count(*row)).collect()),
        scores: Float64Array::new(found.iter().map(|(_, score)| *score).collect()),
    }
}

// ---------- BM25 ---------------------------------------------------------------------------------------------------------

/// Texts, each with the number of its tokens where U+0000 parts these.
fn texts<'a>(texts: &'a [String], tokens: Option<&'a [u32]>) -> impl Iterator<Item = Text<'a>> {
    texts.iter().enumerate().map(move |(at, text)| match tokens {
        Some(counts) => Text::Tokens(text, counts.get(at).map_or(0, |count| *count as usize)),
        None => Text::Words(text),
    })
}

/// How scores are made.
#[napi(object, object_to_js = false)]
pub struct Bm25Parameters {
    #[napi(ts_type = "'lucene' | 'okapi'")]
    pub method: String,
    pub k1: f64,
    pub b: f64,
}

impl From<Bm25Parameters> for Parameters {
    fn from(parameters: Bm25Parameters) -> Self {
        let method = if parameters.method == "okapi" { Method::Okapi } else { Method::Lucene };
        Parameters { method, k1: parameters.k1, b: parameters.b }
    }
}

/// A corpus that is being counted.
#[napi]
#[derive(Default)]
pub struct Bm25Corpus {
    inner: Mutex<Corpus>,
}

#[napi]
impl Bm25Corpus {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Bm25Corpus::default()
    }

    /// Counts documents: by the words of Unicode, or of so many tokens each, which U+0000 parts. The value is how many.
    #[napi(catch_unwind)]
    pub fn add(&self, documents: Vec<String>, tokens: Option<Uint32Array>) -> DoneOutcome {
        let mut corpus = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let added = texts(&documents, tokens.as_deref()).try_for_each(|text| corpus.add(text));
        DoneOutcome::from(added.map(|()| count(documents.len())))
    }

    /// Weighs the terms. The corpus is empty after it.
    #[napi(catch_unwind)]
    pub fn weigh(&self, parameters: Bm25Parameters) -> Bm25 {
        let corpus = std::mem::take(&mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner));
        Bm25 { inner: bm25::Bm25::new(corpus, parameters.into()) }
    }
}

/// What BM25 knows of a corpus.
#[napi(object)]
pub struct Bm25State {
    pub terms: Vec<String>,
    pub frequencies: Uint32Array,
    pub documents: u32,
    pub tokens: f64,
}

/// BM25 of a corpus.
#[napi]
pub struct Bm25 {
    inner: bm25::Bm25,
}

#[napi]
impl Bm25 {
    /// The sparse vectors of texts, as queries or as documents. `tokens` as for `Bm25Corpus.add`.
    #[napi(catch_unwind)]
    pub fn encode(&self, given: Vec<String>, tokens: Option<Uint32Array>, as_query: bool) -> SparseOutcome {
        let encode = |text| if as_query { self.inner.query(text) } else { self.inner.document(text) };
        let rows: Result<Vec<Sparse>, Error> = texts(&given, tokens.as_deref()).map(encode).collect();
        SparseOutcome::from(rows.map(SparseRows::from))
    }

    /// What is needed to restore it.
    #[napi(catch_unwind)]
    pub fn state(&self) -> Bm25State {
        Bm25State {
            terms: self.inner.terms().into_iter().map(str::to_owned).collect(),
            frequencies: Uint32Array::new(self.inner.frequencies().to_vec()),
            documents: self.inner.documents(),
            tokens: whole(self.inner.tokens()),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
fn whole(number: u64) -> f64 {
    number as f64
}

/// BM25 of a corpus that was counted before.
#[napi(catch_unwind)]
pub fn restore_bm25(state: Bm25State, parameters: Bm25Parameters) -> Bm25Outcome {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "JavaScript has checked that it is a count"
    )]
    let tokens = state.tokens as u64;
    let corpus = Corpus::restore(state.terms, state.frequencies.to_vec(), state.documents, tokens);
    Bm25Outcome::from(corpus.map(|corpus| Bm25 { inner: bm25::Bm25::new(corpus, parameters.into()) }))
}

// ---------- sparse vectors -----------------------------------------------------------------------------------------------

/// Sparse vectors as one block to search.
#[napi(custom_finalize)]
pub struct SparseMatrix {
    inner: sparse::SparseMatrix,
}

#[napi]
impl SparseMatrix {
    /// The `k` vectors with the highest dot products with a query, best first.
    #[napi(catch_unwind)]
    pub fn top_k(&self, indices: Uint32Array, values: Float32Array, k: u32) -> Nearest {
        nearest(&self.inner.top_k(&indices, &values, k as usize))
    }

    fn size(&self) -> i64 {
        i64::try_from(self.inner.bytes()).unwrap_or(i64::MAX)
    }
}

/// JavaScript's collector sees how much memory goes with it.
impl ObjectFinalize for SparseMatrix {
    fn finalize(self, env: Env) -> napi::Result<()> {
        env.adjust_external_memory(-self.size()).map(|_| ())
    }
}

/// A block of vectors that stand one behind the other, so many numbers each.
#[napi(catch_unwind)]
pub fn sparse_matrix(
    env: &Env,
    lengths: Uint32Array,
    indices: Uint32Array,
    values: Float32Array,
) -> napi::Result<MatrixOutcome> {
    let matrix = sparse::SparseMatrix::new(&lengths, &indices, &values).map(|inner| SparseMatrix { inner });
    if let Ok(matrix) = &matrix {
        env.adjust_external_memory(matrix.size())?;
    }
    Ok(MatrixOutcome::from(matrix))
}

/// The `k` highest scores and where they stand, best first; ties keep their order, what is no number comes last.
#[napi(catch_unwind)]
pub fn best_of(scores: Float64Array, k: u32) -> Nearest {
    nearest(&best(&scores, k as usize))
}

// ---------- late interaction ----------------------------------------------------------------------------------------------

/// The score of a query with each of the documents: rows of `dimensions` numbers all.
#[napi(catch_unwind)]
pub fn max_sim(query: Float32ArraySlice, documents: Vec<Float32ArraySlice>, dimensions: u32) -> ScoresOutcome {
    let scores = MaxSim::new(&query, dimensions as usize)
        .map(|query| Float32Array::new(documents.iter().map(|document| query.score(document)).collect()));
    ScoresOutcome::from(scores)
}
