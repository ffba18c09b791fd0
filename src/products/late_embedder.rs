//! Texts to a vector a token, and scores of documents by these (late interaction, as in ColBERT).

use std::sync::Arc;

use super::{Ragged, RaggedRow};
use crate::engine::{Answer, Counted, Engine, Head, Inputs, Request, Rows, Ticket};
use crate::error::{Error, Result};
use crate::head::{finite, pool_tokens};
use crate::max_sim::MaxSim;
use crate::network::RunOutput;
use crate::options::{LateOptions, Prompt, Task};
use crate::reply::Reply;
use crate::spec::{Expansion, HeadSpec, LateSpec};
use crate::tokenizer::{Limit, Part, TokenRow};

/// Embeds `texts`: a row's numbers are the vectors of its tokens that count, one after the other. With `options.query` a row has one
/// number, the score of its text. The answer comes on another thread.
pub fn embed(
    engine: &Arc<Engine>,
    texts: Vec<Part>,
    options: LateOptions,
    ticket: Ticket,
    rows: Rows,
    reply: Reply<Answer<Ragged>>,
) {
    match request(engine, texts, options, ticket, rows) {
        Ok(request) => engine.submit(request, reply),
        Err(error) => reply.send(Err(error)),
    }
}

fn request(
    engine: &Arc<Engine>,
    texts: Vec<Part>,
    options: LateOptions,
    ticket: Ticket,
    rows: Rows,
) -> Result<Request<LateHead>> {
    let HeadSpec::Late(spec) = &engine.spec.head else {
        return Err(Error::InvalidArgument("Expected a model that was loaded as a late embedder".into()));
    };
    let width = engine.width;
    if options.query.as_ref().is_some_and(|query| query.len() % width != 0) {
        return Err(Error::InvalidArgument(format!(
            "Expected vectors of {width} numbers, as this model has them, for the query"
        )));
    }
    let expansion = spec.expansion.clone().filter(|_| options.task == Task::Query);
    let limit = Limit {
        tokens: limit(engine, expansion.as_ref(), &options)?,
        truncation: engine.truncation(options.truncation),
    };
    let prompt = engine.spec.prompt(&Prompt::Of(options.task))?.to_owned();
    let query = options.query.map(|query| Query::new(&query, width, spec.mean)).transpose()?;
    let head = LateHead { engine: engine.clone(), task: options.task, expansion, query };
    Ok(Request { inputs: Inputs::Texts { prompt, task: Some(options.task), texts }, limit, head, ticket, rows })
}

/// Tokens that a text may have. What queries are filled up to is stronger than other lengths of theirs.
fn limit(engine: &Engine, expansion: Option<&Expansion>, options: &LateOptions) -> Result<usize> {
    let max_length = engine.spec.max_length;
    let by_task = max_length.of_task(Some(options.task));
    let limit = max_length.of(options.max_length.or(by_task))?;
    let Some(Expansion { length, is_most, .. }) = expansion else { return Ok(limit) };
    match options.max_length {
        Some(given) if given < *length || (*is_most && given != *length) => Err(Error::InvalidArgument(format!(
            "Expected {}{length} for `maxLength`, the tokens that this model's queries are filled up to, but received {given}",
            if *is_most { "" } else { "at least " }
        ))),
        _ if *is_most => Ok(*length),
        // A limit of the model below the length that queries are filled up to cuts them all the same.
        None if by_task.is_none() => Ok(limit),
        _ => Ok(limit.max(*length)),
    }
}

/// From token vectors to those that count, or to their score.
#[derive(Debug)]
pub struct LateHead {
    engine: Arc<Engine>,
    task: Task,
    expansion: Option<Expansion>,
    query: Option<Query>,
}

/// A query that documents are scored against.
#[derive(Debug)]
struct Query {
    vectors: MaxSim,
    /// What scores are divided by.
    divisor: f32,
}

impl Query {
    /// Of vectors of `width` numbers; `mean` where scores are divided by their count.
    #[allow(clippy::cast_precision_loss, reason = "tokens of a query")]
    fn new(vectors: &[f32], width: usize, mean: bool) -> Result<Self> {
        let divisor = if mean { (vectors.len() / width).max(1) as f32 } else { 1.0 };
        Ok(Query { vectors: MaxSim::new(vectors, width)?, divisor })
    }
}

impl LateHead {
    fn spec(&self) -> Result<&LateSpec> {
        match &self.engine.spec.head {
            HeadSpec::Late(spec) => Ok(spec),
            _ => Err(Error::Internal("a late embedder's head is another one's".into())),
        }
    }

    /// The vectors, or what they score.
    fn row(&self, vectors: Vec<f32>) -> Result<RaggedRow> {
        let values = match &self.query {
            None => vectors,
            Some(query) => finite(vec![query.vectors.score(&vectors) / query.divisor])?,
        };
        Ok(RaggedRow { values, indices: Vec::new() })
    }
}

impl Head for LateHead {
    type Output = Ragged;
    type Row = RaggedRow;

    /// Fills up a query.
    fn complete(&self, mut row: TokenRow) -> TokenRow {
        let Some(expansion) = &self.expansion else { return row };
        let missing = expansion.length.saturating_sub(row.ids.len());
        row.ids.extend(std::iter::repeat_n(expansion.id, missing));
        row.type_ids.extend(std::iter::repeat_n(0, missing));
        row.unseen = if expansion.attend { 0 } else { missing };
        row
    }

    fn read(&self, output: &RunOutput<'_>, at: usize, tokens: &TokenRow) -> Result<RaggedRow> {
        let RunOutput::Tokens(vectors) = output else {
            return Err(Error::Internal("a late embedder's output has two axes".into()));
        };
        let spec = self.spec()?;
        let hidden = vectors.row(at);
        let seen = tokens.ids.len() - tokens.unseen;
        let mut kept = Vec::with_capacity(hidden.nrows() * self.engine.width);
        for (place, (id, vector)) in tokens.ids.iter().zip(hidden.rows()).enumerate() {
            let counts = match &spec.mask {
                Some(mask) => mask.counts(*id, self.task),
                None => place < seen,
            };
            if counts {
                kept.extend(self.engine.token_layers.apply(vector.to_vec()));
            }
        }
        let mut kept = finite(kept)?;
        if let Some(pooling) = spec.pooling(self.task) {
            kept = pool_tokens(kept, self.engine.width, pooling.factor, pooling.protected, pooling.normalize);
        }
        self.row(kept)
    }

    /// A text without tokens (an empty one where the model adds no special tokens) has no vectors.
    fn read_nothing(&self) -> Result<RaggedRow> {
        self.row(Vec::new())
    }

    fn finish(&self, rows: Vec<RaggedRow>, counted: Counted) -> Result<Ragged> {
        Ok(Ragged::of(rows, counted))
    }
}
