//! Pairs of texts to scores: raw logits, never a softmax of one number.

use std::sync::Arc;

use crate::engine::{Answer, Counted, Engine, Head, Inputs, Request, Rows, Ticket};
use crate::error::{Error, Result};
use crate::head::{activate, finite};
use crate::network::RunOutput;
use crate::options::{Activation, Overflow, Prompt, ScoreOptions};
use crate::reply::Reply;
use crate::spec::{ActivationFunction, DeclaredActivation, HeadSpec};
use crate::tokenizer::{Limit, Part, TokenRow};

/// The scores of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One a pair, in the order of the pairs.
    pub scores: Vec<f32>,
    /// Tokens that went into the network.
    pub tokens: usize,
    /// Whether each pair was cut, in the same order.
    pub truncated: Vec<bool>,
}

/// Scores `documents` against one query for all, or one for each. The answer comes on another thread.
pub fn score(
    engine: &Arc<Engine>,
    queries: Vec<Part>,
    documents: Vec<Part>,
    options: &ScoreOptions,
    ticket: Ticket,
    rows: Rows,
    reply: Reply<Answer<Scores>>,
) {
    match request(engine, queries, documents, options, ticket, rows) {
        Ok(request) => engine.submit(request, reply),
        Err(error) => reply.send(Err(error)),
    }
}

fn request(
    engine: &Arc<Engine>,
    queries: Vec<Part>,
    documents: Vec<Part>,
    options: &ScoreOptions,
    ticket: Ticket,
    rows: Rows,
) -> Result<Request<ScoreHead>> {
    let HeadSpec::Score(spec) = &engine.spec.head else {
        return Err(Error::InvalidArgument("Expected a model that was loaded as a reranker".into()));
    };
    if queries.len() != 1 && queries.len() != documents.len() {
        return Err(Error::InvalidArgument(format!(
            "Expected 1 query or {} but received {}",
            documents.len(),
            queries.len()
        )));
    }
    let prompt = engine.spec.prompt(&Prompt::Default)?.to_owned();
    let activation = match options.activation.unwrap_or(Activation::None) {
        Activation::None => ActivationFunction::Identity,
        Activation::Sigmoid => ActivationFunction::Sigmoid,
        Activation::Default => match &spec.activation {
            DeclaredActivation::Known(function) => *function,
            DeclaredActivation::Unsupported(found) => {
                return Err(Error::ModelUnsupported(format!(
                    "{found}, which is not supported. Use `activation: 'none'` or 'sigmoid'"
                )));
            }
        },
    };
    Ok(Request {
        inputs: Inputs::Pairs { prompt, queries, documents, windows: options.overflow == Overflow::Chunk },
        limit: Limit {
            tokens: engine.spec.max_length.of(options.max_length)?,
            truncation: engine.truncation(options.truncation),
        },
        head: ScoreHead { labels: spec.labels, activation },
        ticket,
        rows,
    })
}

/// From logits to a score.
#[derive(Debug)]
pub struct ScoreHead {
    labels: usize,
    activation: ActivationFunction,
}

impl Head for ScoreHead {
    type Output = Scores;
    type Row = f32;

    fn read(&self, output: &RunOutput<'_>, at: usize, _: &TokenRow) -> Result<f32> {
        let RunOutput::Rows(logits) = output else {
            return Err(Error::Internal("a reranker's output has three axes".into()));
        };
        // Two labels: second minus first is the log-odds; its sigmoid is the softmax probability.
        let logit = if self.labels == 1 { logits[[at, 0]] } else { logits[[at, 1]] - logits[[at, 0]] };
        let [logit] = finite([logit])?;
        Ok(activate(self.activation, logit))
    }

    fn read_nothing(&self) -> Result<f32> {
        Err(Error::InvalidArgument(
            "The pair has no tokens: both texts are empty and this model adds none. It has no score".into(),
        ))
    }

    fn finish(&self, scores: Vec<f32>, counted: Counted) -> Result<Scores> {
        // Of a pair in windows the best one counts.
        let (mut best, mut truncated) =
            (Vec::with_capacity(counted.rows.len()), Vec::with_capacity(counted.rows.len()));
        let mut first = 0;
        for rows in counted.rows {
            let windows = first..first + rows;
            best.push(scores[windows.clone()].iter().copied().fold(f32::NEG_INFINITY, f32::max));
            truncated.push(counted.truncated[windows].contains(&true));
            first += rows;
        }
        Ok(Scores { scores: best, tokens: counted.tokens, truncated })
    }
}
