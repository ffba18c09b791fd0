//! What a template is given: messages and variables, as `apply_chat_template` prepares them.

use std::collections::BTreeMap;

use minijinja::Value;
use minijinja::value::ValueKind;
use serde::Deserialize;

use crate::error::{Error, Result, shown};

/// Names under which a message's reasoning is passed; templates read the first.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];
/// Stands behind the text that is to go on, while it is rendered.
const UNFINISHED: &str = "CONTINUE_FINAL_MESSAGE_TAG ";
/// How a template reads a message's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `content` is the text.
    Flat,
    /// `content` is a list of parts: `[{"type": "text", "text": …}]`.
    Structured,
}

/// Messages and what else a template may ask for.
#[derive(Debug, Clone)]
pub struct Chat {
    messages: Vec<Message>,
    /// By the names that templates know them by.
    variables: BTreeMap<String, Value>,
    add_generation_prompt: bool,
    /// The field of the last message that is to go on.
    unfinished: Option<String>,
    /// The template that was asked for: its name, or its source.
    template: Option<String>,
    /// Bytes of all that was given.
    bytes: usize,
}

/// The fields of a message, in their order.
type Message = Vec<(String, Value)>;

impl Chat {
    /// Messages of one text each, by role.
    #[must_use]
    pub fn of_texts(texts: &[(&str, &str)], format: Format) -> Self {
        let bytes = texts.iter().map(|(_, text)| text.len()).sum();
        let content = |text: &str| match format {
            Format::Flat => Value::from(text),
            Format::Structured => {
                let part = [("type", Value::from("text")), ("text", Value::from(text))];
                Value::from(vec![Value::from_pairs(part)])
            }
        };
        let message = |(role, text): &(&str, &str)| -> Message {
            vec![("role".to_owned(), Value::from(*role)), ("content".to_owned(), content(text))]
        };
        Chat {
            messages: texts.iter().map(message).collect(),
            variables: BTreeMap::new(),
            add_generation_prompt: false,
            unfinished: None,
            template: None,
            bytes,
        }
    }

    /// Messages and options as JSON. The options are those of `apply_chat_template` by its names: `tools`, `documents`,
    /// `add_generation_prompt`, `continue_final_message`, `chat_template`; every other one is a variable of the template.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where they are not what `apply_chat_template` takes.
    pub fn parse(messages: &str, options: &str) -> Result<Self> {
        let list = json(messages, "messages")?;
        let list = items(&list).ok_or_else(|| wrong("messages", "a list of messages", &list))?;
        let mut chat = Chat {
            messages: list.iter().map(fields).collect::<Result<_>>()?,
            variables: BTreeMap::new(),
            add_generation_prompt: false,
            unfinished: None,
            template: None,
            bytes: messages.len() + options.len(),
        };
        for (name, value) in fields(&json(options, "options")?)? {
            let flag = || (value.kind() == ValueKind::Bool).then(|| value.is_true());
            match name.as_str() {
                _ if value.is_none() => {}
                "add_generation_prompt" => {
                    chat.add_generation_prompt = flag().ok_or_else(|| wrong(&name, "true or false", &value))?;
                }
                "continue_final_message" => {
                    chat.unfinished = match (flag(), value.as_str()) {
                        (Some(unfinished), _) => unfinished.then(|| "content".to_owned()),
                        (None, Some(field)) => Some(field.to_owned()),
                        (None, None) => return Err(wrong(&name, "true, false or the name of a field", &value)),
                    };
                }
                "tools" | "documents" => {
                    let expected = || wrong(&name, "a list of objects", &value);
                    let list = items(&value).ok_or_else(expected)?;
                    if !list.iter().all(|item| item.kind() == ValueKind::Map) {
                        return Err(expected());
                    }
                    chat.variables.insert(name, value);
                }
                // `render` would be given two of the name.
                "messages" => {
                    return Err(Error::InvalidArgument("`messages` cannot be a variable of the template".into()));
                }
                "chat_template" => {
                    let text = value.as_str().ok_or_else(|| wrong(&name, "a template or the name of one", &value))?;
                    chat.template = Some(text.to_owned());
                }
                _ => {
                    chat.variables.insert(name, value);
                }
            }
        }
        if chat.unfinished.is_some() && chat.add_generation_prompt {
            return Err(Error::InvalidArgument(
                "`continue_final_message` and `add_generation_prompt` exclude each other: the first goes on with the last message, the second begins a new one".into(),
            ));
        }
        Ok(chat)
    }

    /// The template that was asked for: its name, or its source.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    /// Whether there are tools, which may have a template of their own.
    #[must_use]
    pub fn has_tools(&self) -> bool {
        self.variables.contains_key("tools")
    }

    /// Adds variables that templates may use, such as `eos_token`. Those that the caller gave are stronger.
    #[must_use]
    pub fn with_variables<'a, V>(mut self, variables: impl IntoIterator<Item = (&'a str, V)>) -> Self
    where
        V: Into<serde_json::Value>,
    {
        for (name, value) in variables {
            // Whatever JSON holds, a template's value holds.
            self.variables
                .entry(name.to_owned())
                .or_insert_with(|| Value::deserialize(value.into()).unwrap_or_default());
        }
        self
    }

    /// Sets whether the beginning of an answer is rendered behind the messages.
    #[must_use]
    pub fn with_generation_prompt(mut self, wanted: bool) -> Self {
        self.add_generation_prompt = wanted;
        self
    }

    /// What the template of this source is rendered with.
    pub(super) fn prepared(&self, source: &str) -> Result<Prepared> {
        if self.messages.is_empty() {
            return Err(Error::InvalidArgument("Expected at least one message but received none".into()));
        }
        let mut messages: Vec<Message> = self.messages.iter().map(with_reasoning).collect();
        let last = messages.last_mut().filter(|_| self.unfinished.is_some());
        let unfinished = match (&self.unfinished, last) {
            (Some(field), Some(last)) => Some(Unfinished::mark(last, field, source)?),
            _ => None,
        };
        let mut context = self.variables.clone();
        let count = messages.len();
        let object = |message: Message| Value::from_pairs(message);
        context.insert("messages".into(), messages.into_iter().map(object).collect::<Value>());
        context.insert("add_generation_prompt".into(), self.add_generation_prompt.into());
        for name in ["tools", "documents"] {
            context.entry(name.into()).or_insert_with(|| Value::from(()));
        }
        Ok(Prepared { context: Value::from_pairs(context), messages: count, bytes: self.bytes, unfinished })
    }
}

/// What a template is rendered with.
pub(super) struct Prepared {
    pub context: Value,
    pub messages: usize,
    pub bytes: usize,
    pub unfinished: Option<Unfinished>,
}

/// A last message that is to go on: what follows its text is cut off.
pub(super) struct Unfinished {
    text: String,
}

impl Unfinished {
    /// Marks the end of the text in the field of the last message.
    fn mark(last: &mut Message, field: &str, source: &str) -> Result<Self> {
        let at = last.iter().position(|(name, _)| name == field).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "`continue_final_message`: the last message has no {} to go on with",
                shown(field)
            ))
        })?;
        let value = last[at].1.clone();
        // Reasoning stands under several names, and the template may read any of them.
        let is_same = |name: &str| name == field || (REASONING.contains(&field) && REASONING.contains(&name));
        let fields: Vec<usize> = (0..last.len()).filter(|at| is_same(&last[*at].0) && last[*at].1 == value).collect();
        if !fields.iter().any(|at| source.contains(&last[*at].0)) {
            return Err(Error::InvalidArgument(format!(
                "`continue_final_message`: the chat template does not read {}",
                shown(field)
            )));
        }
        if let Some(text) = value.as_str() {
            for at in fields {
                last[at].1 = Value::from(format!("{text}{UNFINISHED}"));
            }
            return Ok(Unfinished { text: text.to_owned() });
        }
        let no_text =
            || Error::InvalidArgument("`continue_final_message`: the last message holds no text to go on with".into());
        let mut parts = items(&value).ok_or_else(no_text)?;
        let part = parts.iter_mut().rev().find(|part| text_of(part).is_some()).ok_or_else(no_text)?;
        let text = text_of(part).ok_or_else(no_text)?;
        let marked = fields_of(part).into_iter().map(|(name, value)| {
            let value = if name == "text" { Value::from(format!("{text}{UNFINISHED}")) } else { value };
            (name, value)
        });
        *part = Value::from_pairs(marked);
        last[at].1 = Value::from(parts);
        Ok(Unfinished { text })
    }

    /// The rendered chat up to the end of the text.
    pub fn cut(&self, mut rendered: String) -> Result<String> {
        let tag = UNFINISHED.trim_end();
        let at = rendered.rfind(tag).filter(|_| rendered.contains(self.text.trim())).ok_or_else(|| {
            Error::InvalidArgument(
                "`continue_final_message`: the chat template does not render the last message as it is, so it cannot go on".into(),
            )
        })?;
        let is_kept = rendered[at..].starts_with(UNFINISHED);
        rendered.truncate(at);
        if !is_kept {
            // The template trims the text.
            rendered.truncate(rendered.trim_end().len());
        }
        Ok(rendered)
    }
}

/// The message without what is `null`, and its reasoning under every name.
fn with_reasoning(message: &Message) -> Message {
    let mut message: Message = message.iter().filter(|(_, value)| !value.is_none()).cloned().collect();
    let named = |message: &Message, wanted: &str| message.iter().position(|(name, _)| name == wanted);
    let Some(at) = REASONING.iter().find_map(|name| named(&message, name)) else { return message };
    let reasoning = message[at].1.clone();
    match named(&message, "reasoning_content") {
        Some(at) => message[at].1 = reasoning.clone(),
        None => message.push(("reasoning_content".into(), reasoning.clone())),
    }
    // First, as Python's dictionary then has it.
    let thinking = named(&message, "thinking").map_or(("thinking".to_owned(), reasoning), |at| message.remove(at));
    message.insert(0, thinking);
    message
}

fn json(text: &str, what: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| {
        Error::InvalidArgument(format!("Expected JSON for `{what}` but received something else: {error}"))
    })
}

fn items(value: &Value) -> Option<Vec<Value>> {
    (value.kind() == ValueKind::Seq).then(|| value.try_iter().ok().map(Iterator::collect))?
}

/// The fields of an object.
fn fields(value: &Value) -> Result<Message> {
    if value.kind() == ValueKind::Map { Ok(fields_of(value)) } else { Err(wrong("messages", "objects", value)) }
}

fn fields_of(value: &Value) -> Message {
    let names = value.try_iter().into_iter().flatten();
    names.map(|name| (name.to_string(), value.get_item(&name).unwrap_or_default())).collect()
}

fn text_of(part: &Value) -> Option<String> {
    (part.kind() == ValueKind::Map).then(|| part.get_attr("text").ok())??.as_str().map(str::to_owned)
}

fn wrong(name: &str, expected: &str, received: &Value) -> Error {
    Error::InvalidArgument(format!("Expected {expected} for `{name}` but received {}", shown(&received.to_string())))
}
