//! Texts, or pairs of texts, to labels with scores.

use std::sync::Arc;

use super::{Ragged, RaggedRow};
use crate::engine::{Answer, Counted, Engine, Head, Inputs, Request, Rows, Ticket};
use crate::error::{Error, Result};
use crate::head::{finite, score_labels};
use crate::network::RunOutput;
use crate::options::{ClassifyOptions, LabelActivation, Prompt};
use crate::reply::Reply;
use crate::similarity;
use crate::spec::{HeadSpec, Scoring};
use crate::tokenizer::{Limit, Part, TokenRow};

/// Classifies `texts`, each with the second text of its place in `pairs` where there are any. A row's numbers are the scores of
/// the best labels, the best first; its indices say which labels these are. The answer comes on another thread.
pub fn classify(
    engine: &Arc<Engine>,
    texts: Vec<Part>,
    pairs: Vec<Part>,
    options: &ClassifyOptions,
    ticket: Ticket,
    rows: Rows,
    reply: Reply<Answer<Ragged>>,
) {
    match request(engine, texts, pairs, options, ticket, rows) {
        Ok(request) => engine.submit(request, reply),
        Err(error) => reply.send(Err(error)),
    }
}

fn request(
    engine: &Arc<Engine>,
    texts: Vec<Part>,
    pairs: Vec<Part>,
    options: &ClassifyOptions,
    ticket: Ticket,
    rows: Rows,
) -> Result<Request<LabelHead>> {
    let HeadSpec::Labels(spec) = &engine.spec.head else {
        return Err(Error::InvalidArgument("Expected a model that was loaded as a classifier".into()));
    };
    let prompt = engine.spec.prompt(&Prompt::Default)?.to_owned();
    let inputs = if pairs.is_empty() {
        Inputs::Texts { prompt, task: None, texts }
    } else {
        if pairs.len() != texts.len() {
            let (texts, pairs) = (texts.len(), pairs.len());
            return Err(Error::InvalidArgument(format!("Expected {texts} second texts but received {pairs}")));
        }
        Inputs::Pairs { prompt, queries: texts, documents: pairs, windows: false }
    };
    let scoring = match options.activation.unwrap_or(LabelActivation::Default) {
        LabelActivation::Default => spec.scoring,
        LabelActivation::Softmax => Scoring::Softmax,
        LabelActivation::Sigmoid => Scoring::Sigmoid,
        LabelActivation::None => Scoring::Logits,
    };
    Ok(Request {
        inputs,
        limit: Limit {
            tokens: engine.spec.max_length.of(options.max_length)?,
            truncation: engine.truncation(options.truncation),
        },
        head: LabelHead { scoring, top_k: options.top_k.unwrap_or(usize::MAX) },
        ticket,
        rows,
    })
}

/// From logits to the best labels.
#[derive(Debug)]
pub struct LabelHead {
    scoring: Scoring,
    top_k: usize,
}

impl Head for LabelHead {
    type Output = Ragged;
    type Row = RaggedRow;

    fn read(&self, output: &RunOutput<'_>, at: usize, _: &TokenRow) -> Result<RaggedRow> {
        let RunOutput::Rows(logits) = output else {
            return Err(Error::Internal("a classifier's output has three axes".into()));
        };
        let mut scores = finite(logits.row(at).to_vec())?;
        score_labels(self.scoring, &mut scores);
        let best = similarity::order(&scores, self.top_k);
        Ok(RaggedRow {
            values: best.iter().map(|label| scores[*label]).collect(),
            indices: best.into_iter().map(|label| u32::try_from(label).unwrap_or(u32::MAX)).collect(),
        })
    }

    fn read_nothing(&self) -> Result<RaggedRow> {
        Err(Error::InvalidArgument(
            "The text has no tokens: it is empty and this model adds none. It has no label".into(),
        ))
    }

    fn finish(&self, rows: Vec<RaggedRow>, counted: Counted) -> Result<Ragged> {
        Ok(Ragged::of(rows, counted))
    }
}
