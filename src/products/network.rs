//! Rows of tokens to what the network gives for them: token vectors, or logits. For callers that do by themselves what comes
//! before the network and after it.

use std::sync::Arc;

use super::{Ragged, RaggedRow};
use crate::engine::{Answer, Counted, Engine, Head, Inputs, Request, Rows, Ticket};
use crate::error::{Error, Result};
use crate::head::finite;
use crate::network::RunOutput;
use crate::options::Truncation;
use crate::reply::Reply;
use crate::tokenizer::{Limit, TokenRow};

/// Runs rows of tokens, special ones included. A row's numbers are its tokens' vectors (or logits), one after the other, or its
/// text's logits. The answer comes on another thread.
pub fn forward(engine: &Arc<Engine>, tokens: Vec<TokenRow>, ticket: Ticket, rows: Rows, reply: Reply<Answer<Ragged>>) {
    match request(engine, tokens, ticket, rows) {
        Ok(request) => engine.submit(request, reply),
        Err(error) => reply.send(Err(error)),
    }
}

fn request(engine: &Arc<Engine>, tokens: Vec<TokenRow>, ticket: Ticket, rows: Rows) -> Result<Request<OutputHead>> {
    let longest = tokens.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    if let Some(most) = engine.spec.max_length.positions.filter(|most| *most < longest) {
        return Err(Error::InvalidArgument(format!(
            "Expected at most {most} tokens, the positions that this model's network has, but received {longest}. Truncate the text"
        )));
    }
    Ok(Request {
        inputs: Inputs::Tokens(tokens),
        limit: Limit { tokens: usize::MAX, truncation: Truncation::Error },
        head: OutputHead,
        ticket,
        rows,
    })
}

/// The numbers as they are.
#[derive(Debug)]
pub struct OutputHead;

impl Head for OutputHead {
    type Output = Ragged;
    type Row = RaggedRow;

    fn read(&self, output: &RunOutput<'_>, at: usize, _: &TokenRow) -> Result<RaggedRow> {
        let values = match output {
            RunOutput::Rows(rows) => rows.row(at).to_vec(),
            RunOutput::Tokens(tokens) => tokens.row(at).iter().copied().collect(),
        };
        Ok(RaggedRow { values: finite(values)?, indices: Vec::new() })
    }

    fn read_nothing(&self) -> Result<RaggedRow> {
        Ok(RaggedRow::default())
    }

    fn finish(&self, rows: Vec<RaggedRow>, counted: Counted) -> Result<Ragged> {
        Ok(Ragged::of(rows, counted))
    }
}
