//! Texts to spans with labels: names, places and whatever else a model tags.
//!
//! A call goes in rounds: each reads some tokens of every text, runs them in windows and hands the scores on to the spans that are
//! open. So a text of any length needs little more memory than itself, and nothing is cut off. Which tokens share a window does not
//! matter to spans: one that reaches over a window's edge is one.

use std::sync::Arc;

use ndarray::Array2;

use crate::engine::{Answer, Counted, Engine, Head, Inputs, Reading, Request, Rows, Ticket};
use crate::error::{Error, Result};
use crate::head::{Grouping, Span, Spans, finite, score_labels};
use crate::network::RunOutput;
use crate::options::{TokenClassifyOptions, Truncation};
use crate::reply::Reply;
use crate::spec::{HeadSpec, Scoring};
use crate::tokenizer::{Limit, PlacedToken, TokenRow, Window, Windows};

/// Tokens of a text that are read in a round, at least: some dozens of windows, so that all workers have something to do.
const ROUND_TOKENS: usize = 16 << 10;

/// The spans of a call, text after text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TextSpans {
    /// Which label each span has.
    pub labels: Vec<u32>,
    /// From 0 to 1.
    pub scores: Vec<f32>,
    /// Where each span begins in its text, in UTF-16 units.
    pub starts: Vec<u32>,
    /// Where it ends.
    pub ends: Vec<u32>,
    /// How many spans each text has.
    pub lengths: Vec<usize>,
    /// Tokens that went into the network.
    pub tokens: usize,
}

/// Labels the tokens of `texts` and makes spans of them. The answer comes on another thread.
pub fn classify(
    engine: &Arc<Engine>,
    texts: Vec<String>,
    options: &TokenClassifyOptions,
    ticket: Ticket,
    rows: Rows,
    reply: Reply<TextSpans>,
) {
    match Call::new(engine, texts, options, ticket, rows) {
        Ok((call, readings)) => call.read(readings, reply),
        Err(error) => reply.send(Err(error)),
    }
}

/// A call on its way.
struct Call {
    engine: Arc<Engine>,
    ticket: Ticket,
    rows: Rows,
    /// Whether a round was accepted.
    is_accepted: bool,
    texts: Vec<Text>,
    tokens: usize,
}

/// What is known of a text.
struct Text {
    windows: Windows<PlacedToken>,
    spans: Spans,
}

/// A window that runs.
struct Running {
    text: usize,
    window: Window<PlacedToken>,
    /// Special tokens before its own.
    before: usize,
}

impl Call {
    fn new(
        engine: &Arc<Engine>,
        texts: Vec<String>,
        options: &TokenClassifyOptions,
        ticket: Ticket,
        rows: Rows,
    ) -> Result<(Self, Vec<Reading>)> {
        let names = match &engine.spec.head {
            HeadSpec::Labels(spec) if spec.of_tokens => &spec.names,
            _ => return Err(Error::InvalidArgument("Expected a model that was loaded as a token classifier".into())),
        };
        let room = engine.room(engine.spec.max_length.of(options.max_length)?)?;
        let grouping = Arc::new(Grouping::new(names, options.aggregation, &options.ignore));
        let text = |_: &String| Text { windows: Windows::new(room), spans: Spans::new(grouping.clone()) };
        let call = Call {
            engine: engine.clone(),
            ticket,
            rows,
            is_accepted: false,
            texts: texts.iter().map(text).collect(),
            tokens: 0,
        };
        Ok((call, texts.into_iter().map(|text| engine.reading(text)).collect()))
    }

    /// Reads some tokens of each text.
    fn read(mut self, readings: Vec<Reading>, reply: Reply<TextSpans>) {
        let engine = self.engine.clone();
        let rows = if self.is_accepted { self.rows.going_on() } else { self.rows.clone() };
        self.is_accepted = true;
        let ticket = self.ticket.clone();
        let next = Reply::new(move |readings: Result<Vec<Reading>>| match readings {
            Ok(readings) => self.run(readings, reply),
            Err(error) => reply.send(Err(error)),
        });
        engine.read(readings, ROUND_TOKENS, ticket, rows, next);
    }

    /// Runs the windows that the new tokens fill.
    fn run(mut self, mut readings: Vec<Reading>, reply: Reply<TextSpans>) {
        let (running, rows) = match self.windows(&mut readings) {
            Ok(windows) => windows,
            Err(error) => return reply.send(Err(error)),
        };
        if rows.is_empty() {
            return self.go_on(readings, reply);
        }
        self.tokens += rows.iter().map(|row| row.ids.len()).sum::<usize>();
        let engine = self.engine.clone();
        let request = Request {
            inputs: Inputs::Tokens(rows),
            limit: Limit { tokens: usize::MAX, truncation: Truncation::Error },
            head: WindowHead,
            ticket: self.ticket.clone(),
            rows: self.rows.going_on(),
        };
        let next = Reply::new(move |answer: Result<Answer<Vec<WindowScores>>>| {
            let added = answer.and_then(|answer| match answer {
                Answer::Done(scores) => self.add(&running, scores),
                Answer::Short(_) => Err(Error::Internal("tokens were called short".into())),
            });
            match added {
                Ok(()) => self.go_on(readings, reply),
                Err(error) => reply.send(Err(error)),
            }
        });
        engine.submit(request, next);
    }

    fn windows(&mut self, readings: &mut [Reading]) -> Result<(Vec<Running>, Vec<TokenRow>)> {
        let (mut running, mut rows) = (Vec::new(), Vec::new());
        for (at, (text, reading)) in self.texts.iter_mut().zip(readings).enumerate() {
            text.windows.extend(reading.tokens.drain(..));
            if reading.reader.is_over() {
                text.windows.end();
            }
            for window in text.windows.by_ref() {
                let (row, before) = self.engine.framed(window.tokens.iter().map(|token| token.id))?;
                running.push(Running { text: at, window, before });
                rows.push(row);
            }
        }
        Ok((running, rows))
    }

    /// Adds the scores of windows to the spans of their texts.
    fn add(&mut self, running: &[Running], scores: Vec<WindowScores>) -> Result<()> {
        for (Running { text, window, before }, scores) in running.iter().zip(scores) {
            let scores = scores.map_err(|error| error.of(self.rows.name(*text)))?;
            let spans = &mut self.texts[*text].spans;
            let own = window.tokens[window.own.clone()].iter();
            for (token, scores) in own.zip(scores.rows().into_iter().skip(before + window.own.start)) {
                spans.push(token, scores.as_slice().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Reads on, or ends where all texts are over.
    fn go_on(self, readings: Vec<Reading>, reply: Reply<TextSpans>) {
        if readings.iter().any(|reading| !reading.reader.is_over()) {
            return self.read(readings, reply);
        }
        let mut found = TextSpans { tokens: self.tokens, ..TextSpans::default() };
        for (text, reading) in self.texts.into_iter().zip(&readings) {
            found.add(reading.reader.text(), text.spans.finish());
        }
        reply.send(Ok(found));
    }
}

impl TextSpans {
    /// Adds the spans of a text.
    fn add(&mut self, text: &str, spans: Vec<Span>) {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.lengths.push(spans.len());
        let mut place = Place { text, byte: 0, units: 0 };
        for span in spans {
            self.labels.push(number(span.label));
            self.scores.push(span.score);
            self.starts.push(number(place.units_of(span.start)));
            self.ends.push(number(place.units_of(span.end)));
        }
    }
}

/// A place in a text that is passed once from its beginning to its end.
struct Place<'text> {
    text: &'text str,
    byte: usize,
    units: usize,
}

impl Place<'_> {
    /// UTF-16 units before `byte`, where it is not far from the last one.
    fn units_of(&mut self, byte: usize) -> usize {
        if byte >= self.byte {
            self.units += units(&self.text[self.byte..byte]);
        } else {
            self.units -= units(&self.text[byte..self.byte]);
        }
        self.byte = byte;
        self.units
    }
}

/// One for each character, and another for those of four bytes.
fn units(text: &str) -> usize {
    text.bytes().map(|byte| usize::from(byte & 0xC0 != 0x80) + usize::from(byte >= 0xF0)).sum()
}

/// The scores of a window's tokens, special ones included. An error is that of its text, which the head does not know.
type WindowScores = Result<Array2<f32>>;

/// From logits of tokens to their scores.
#[derive(Debug)]
struct WindowHead;

impl Head for WindowHead {
    type Output = Vec<WindowScores>;
    type Row = WindowScores;

    fn read(&self, output: &RunOutput<'_>, at: usize, _: &TokenRow) -> Result<WindowScores> {
        let RunOutput::Tokens(tokens) = output else {
            return Err(Error::Internal("a token classifier's output has two axes".into()));
        };
        let logits = tokens.row(at);
        let (rows, labels) = logits.dim();
        let mut scores: Vec<f32> = logits.iter().copied().collect();
        if let Err(error) = finite(&scores) {
            return Ok(Err(error));
        }
        scores.chunks_exact_mut(labels.max(1)).for_each(|scores| score_labels(Scoring::Softmax, scores));
        Ok(Array2::from_shape_vec((rows, labels), scores).map_err(|error| Error::Internal(error.to_string())))
    }

    fn read_nothing(&self) -> Result<WindowScores> {
        Ok(Ok(Array2::default((0, 0))))
    }

    fn finish(&self, rows: Vec<WindowScores>, _: Counted) -> Result<Vec<WindowScores>> {
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_javascript() {
        let text = "a\u{301}é👍🏽 \u{FFFD}日本 ﬁ";
        let mut place = Place { text, byte: 0, units: 0 };
        let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        // Forward, and with steps back.
        for byte in bytes.iter().chain(bytes.iter().rev()).chain(&bytes) {
            assert_eq!(place.units_of(*byte), text[..*byte].encode_utf16().count());
        }
    }
}
