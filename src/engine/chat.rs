//! Texts of a model that reads chats: rendered by its template, then tokens. Rules: sentence-transformers 6.2,
//! `base/modules/transformer.py`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use super::encode::take_turn;
use super::request::{estimate, query_of};
use super::{Engine, Inputs, Rows, Ticket, lock};
use crate::error::{Error, Result};
use crate::options::{Task, Truncation};
use crate::reply::Reply;
use crate::scheduler::{Admission, Stage, Step};
use crate::spec::ChatSpec;
use crate::template::{Around, Chat, Format, Template};
use crate::tokenizer::{Limit, Reader, TokenRow, Tokenizer, Turn};

/// Frames that are remembered: one for each prompt, and programs may make prompts without end.
const MOST_FRAMES: usize = 64;
/// Texts in place of the real ones, by which what a template does with them is told.
pub(super) const PROBES: [&str; 2] = ["0", "1 2 3 4"];

/// What a call's texts are in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Setting {
    /// The roles of a row's texts.
    roles: &'static [&'static str],
    /// A message before them; empty for none.
    system: String,
    /// What the call is for, where it says so: a variable of the template.
    task: Option<Task>,
}

impl Setting {
    /// A call's setting, and the texts of each row, as many as there are roles: a text is a message of the user, a pair is two
    /// messages, and the prompt is one before them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where pairs are wanted in windows.
    pub fn of(inputs: Inputs) -> Result<(Self, Vec<Vec<Arc<str>>>)> {
        match inputs {
            Inputs::Texts { prompt: system, task, texts } => {
                let texts = texts.into_iter().map(|part| vec![part.text.into()]).collect();
                Ok((Setting { roles: &["user"], system, task }, texts))
            }
            Inputs::Pairs { windows: true, .. } => Err(Error::InvalidArgument(
                "Expected 'truncate' for `overflow` but received 'chunk': this model reads a query and a document as one chat".into(),
            )),
            Inputs::Pairs { prompt: system, queries, documents, .. } => {
                let queries: Vec<Arc<str>> = queries.into_iter().map(|query| query.text.into()).collect();
                let texts = documents.into_iter().enumerate().map(|(row, document)| {
                    vec![queries[query_of(queries.len(), row)].clone(), document.text.into()]
                });
                Ok((Setting { roles: &["query", "document"], system, task: None }, texts.collect()))
            }
            Inputs::Tokens(_) => Err(Error::Internal("tokens are no texts of a chat".into())),
        }
    }

    /// The message before the texts, if there is one.
    fn opening(&self) -> Option<(&str, &str)> {
        (!self.system.is_empty()).then_some(("system", &*self.system))
    }
}

/// A model's template, ready.
#[derive(Debug)]
pub(super) struct Chats {
    template: Template,
    spec: ChatSpec,
    frames: Mutex<HashMap<Setting, Arc<Frame>>>,
}

/// What is the same for all rows of a setting.
#[derive(Debug)]
struct Frame {
    /// What stands around the texts, where the template leaves them as they are.
    around: Option<Around>,
    /// The tokens of the template's end.
    tail: Vec<u32>,
}

impl Chats {
    /// # Errors
    /// Those of [`Template::compile`].
    pub fn new(spec: &ChatSpec) -> Result<Self> {
        let template = Template::compile(&spec.file, &spec.template)?;
        Ok(Chats { template, spec: spec.clone(), frames: Mutex::default() })
    }

    fn format(&self) -> Format {
        if self.spec.in_parts { Format::Structured } else { Format::Flat }
    }

    fn variables(&self, setting: &Setting) -> Vec<(&str, Value)> {
        let own = self.spec.variables.iter().map(|(name, value)| (name.as_str(), value.clone()));
        own.chain(setting.task.map(|task| ("task", task.as_str().into()))).collect()
    }

    fn chat(&self, setting: &Setting, texts: &[&str]) -> Chat {
        let own = setting.roles.iter().copied().zip(texts.iter().copied());
        let messages: Vec<(&str, &str)> = setting.opening().into_iter().chain(own).collect();
        Chat::of_texts(&messages, self.format())
            .with_variables(self.variables(setting))
            .with_generation_prompt(self.spec.generation_prompt)
    }

    fn frame(&self, setting: &Setting, tokenizer: &Tokenizer) -> Result<Arc<Frame>> {
        if let Some(frame) = lock(&self.frames).get(setting) {
            return Ok(frame.clone());
        }
        self.expect_all_read(setting)?;
        let around = if self.spec.generation_prompt {
            None
        } else {
            self.template.around(
                setting.roles,
                self.format(),
                setting.opening().as_slice(),
                &self.variables(setting),
            )?
        };
        let frame = Arc::new(Frame { around, tail: self.tail(setting, tokenizer)? });
        let mut frames = lock(&self.frames);
        if frames.len() >= MOST_FRAMES {
            frames.clear();
        }
        frames.insert(setting.clone(), frame.clone());
        Ok(frame)
    }

    /// A template that does not show one of a pair's texts would give every pair with the other one the same score.
    fn expect_all_read(&self, setting: &Setting) -> Result<()> {
        if setting.roles.len() < 2 {
            return Ok(());
        }
        let [one, other] = PROBES;
        let mut texts = vec![one; setting.roles.len()];
        let plain = self.template.render(&self.chat(setting, &texts))?;
        for slot in 0..texts.len() {
            texts[slot] = other;
            if self.template.render(&self.chat(setting, &texts))? == plain {
                return Err(Error::ModelUnsupported(format!(
                    "{} does not show the message of the role \"{}\": it is no template for pairs of a query and a document",
                    self.spec.file, setting.roles[slot]
                )));
            }
            texts[slot] = one;
        }
        Ok(())
    }

    /// The longest end that the tokens of two different chats share.
    fn tail(&self, setting: &Setting, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        if !self.spec.restores_tail {
            return Ok(Vec::new());
        }
        let ids = PROBES.map(|probe| self.tokens(setting, &vec![probe; setting.roles.len()], tokenizer));
        let [one, other] = ids;
        let (one, other) = (one?, other?);
        let shared = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
        let all_along = shared == one.len() || shared == other.len();
        Ok(if all_along { Vec::new() } else { one[one.len() - shared..].to_vec() })
    }

    /// Tokens of the chat of one text, behind a prompt if that is not empty.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the template or the tokenizer fails.
    pub fn count(&self, prompt: &str, task: Option<Task>, text: &str, tokenizer: &Tokenizer) -> Result<usize> {
        let setting = Setting { roles: &["user"], system: prompt.into(), task };
        Ok(self.tokens(&setting, &[text], tokenizer)?.len())
    }

    /// The tokens of a chat of short texts.
    fn tokens(&self, setting: &Setting, texts: &[&str], tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        Ok(tokenizer.encode(&self.template.render(&self.chat(setting, texts))?, None, false)?.ids)
    }

    fn rendered(&self, frame: &Frame, setting: &Setting, texts: &[&str]) -> Result<String> {
        match &frame.around {
            Some(around) => Ok(around.with(texts)),
            None => self.template.render(&self.chat(setting, texts)),
        }
    }
}

/// Turns the texts of chats into rows of tokens.
pub(super) struct ChatStage {
    engine: Arc<Engine>,
    setting: Setting,
    texts: Vec<Vec<Arc<str>>>,
    limit: Limit,
    /// Each text's reader, once it is rendered.
    readers: Vec<Mutex<Option<Reader>>>,
    rows: Mutex<Vec<TokenRow>>,
    ticket: Ticket,
    names: Rows,
    admission: Mutex<Option<Admission>>,
    reply: Mutex<Option<Reply<Vec<TokenRow>>>>,
}

impl ChatStage {
    pub fn submit(
        engine: &Arc<Engine>,
        setting: Setting,
        texts: Vec<Vec<Arc<str>>>,
        limit: Limit,
        (ticket, names): (Ticket, Rows),
        reply: Reply<Vec<TokenRow>>,
    ) {
        let bytes = texts.iter().map(|texts| texts.iter().map(|text| text.len()).sum::<usize>());
        let tokens = bytes.map(|bytes| estimate(bytes).min(limit.tokens)).fold(0, usize::saturating_add);
        let admission = match engine.scheduler.admit(tokens, names.is_continued()) {
            Ok(admission) => Mutex::new(Some(admission)),
            Err(error) => return reply.send(Err(error)),
        };
        let readers = texts.iter().map(|_| Mutex::new(None)).collect();
        let rows = Mutex::new(vec![TokenRow::default(); texts.len()]);
        let (engine, reply) = (engine.clone(), Mutex::new(Some(reply)));
        let stage =
            ChatStage { engine: engine.clone(), setting, texts, limit, readers, rows, ticket, names, admission, reply };
        engine.scheduler.submit(Arc::new(stage));
    }

    fn step(&self, row: usize) -> Result<Turn<TokenRow>> {
        let Engine { chats: Some(chats), tokenizer, .. } = &*self.engine else {
            return Err(Error::Internal("a model without a template was given chats".into()));
        };
        let frame = chats.frame(&self.setting, tokenizer)?;
        let mut reader = lock(&self.readers[row]);
        let reader = match &mut *reader {
            Some(reader) => reader,
            empty => {
                let texts: Vec<&str> = self.texts[row].iter().map(|text| &**text).collect();
                let rendered = chats.rendered(&frame, &self.setting, &texts)?;
                empty.insert(tokenizer.plain(rendered, self.limit))
            }
        };
        let turn = tokenizer.read_plain(reader, self.limit)?;
        if let Turn::Ready((_, true)) = turn
            && self.limit.truncation == Truncation::Error
        {
            return Err(Error::TooLong(format!(
                "The chat has more than {} tokens, which is `maxLength`. Shorten the text, or set `truncation: 'right'`",
                self.limit.tokens
            )));
        }
        Ok(turn.map(|(mut ids, truncated)| {
            // Also where a row just fits, which changes nothing.
            if ids.len() >= self.limit.tokens {
                let count = frame.tail.len().min(ids.len());
                let start = ids.len() - count;
                ids[start..].copy_from_slice(&frame.tail[frame.tail.len() - count..]);
            }
            TokenRow { type_ids: vec![0; ids.len()], ids, truncated, unseen: 0 }
        }))
    }
}

impl Stage for ChatStage {
    fn pieces(&self) -> usize {
        self.texts.len()
    }

    fn perform(&self, piece: usize) -> Result<Step> {
        drop(lock(&self.admission).take());
        let step = || self.step(piece).map_err(|error| error.of(self.names.name(piece)));
        let Turn::Ready(row) = take_turn(Instant::now(), &self.ticket, step)? else { return Ok(Step::Again) };
        lock(&self.rows)[piece] = row;
        *lock(&self.readers[piece]) = None;
        Ok(Step::Done)
    }

    fn finish(&self, outcome: Result<()>) {
        let rows = std::mem::take(&mut *lock(&self.rows));
        if let Some(reply) = lock(&self.reply).take() {
            reply.send(outcome.map(|()| rows));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.ticket.is_cancelled()
    }
}
