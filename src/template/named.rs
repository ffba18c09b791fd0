//! The templates that a repository has, by their names, and which of them a call takes (`get_chat_template`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Chat, Template};
use crate::error::{Error, Result, shown};

/// Compiled templates that are kept: a program uses one or two.
const KEPT: usize = 4;

/// A template's source and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// For messages: `chat_template.jinja`, or `tokenizer_config.json: "chat_template"`.
    pub file: String,
    /// The source, in Jinja.
    pub source: String,
}

/// A repository's templates. They are compiled when they are first used.
#[derive(Debug, Default)]
pub struct Templates {
    named: BTreeMap<String, Named>,
    /// What every template is given, such as `eos_token`.
    variables: BTreeMap<String, String>,
    compiled: Mutex<Vec<Template>>,
}

impl Templates {
    /// The templates, and the variables that each is given.
    #[must_use]
    pub fn new(named: BTreeMap<String, Named>, variables: BTreeMap<String, String>) -> Self {
        Templates { named, variables, compiled: Mutex::default() }
    }

    /// The templates by their names.
    #[must_use]
    pub fn named(&self) -> &BTreeMap<String, Named> {
        &self.named
    }

    /// Renders messages with options, both as JSON; see [`Chat::parse`]. The option `chat_template` is the name of a template, or
    /// one in itself.
    ///
    /// # Errors
    /// Those of [`Chat::parse`], [`Template::compile`] and [`Template::render`]; [`Error::InvalidArgument`] where there is no
    /// template, or several and none that is meant.
    pub fn render(&self, messages: &str, options: &str) -> Result<String> {
        let chat = Chat::parse(messages, options)?;
        let template = self.compiled(self.chosen(&chat)?)?;
        template
            .render(&chat.with_variables(self.variables.iter().map(|(name, token)| (name.as_str(), token.as_str()))))
    }

    /// The template of a call: where it stands, and its source.
    fn chosen<'all>(&'all self, chat: &'all Chat) -> Result<(&'all str, &'all str)> {
        let known = |name: &str| self.named.get(name).map(|named| (named.file.as_str(), named.source.as_str()));
        if let Some(asked) = chat.template() {
            let by_source = || self.named.values().find(|named| named.source == asked);
            let place = || by_source().map_or("`chat_template`", |named| named.file.as_str());
            return Ok(known(asked).unwrap_or_else(|| (place(), asked)));
        }
        let names: Vec<String> = self.named.keys().map(|name| shown(name)).collect();
        let of_tools = known("tool_use").filter(|_| chat.has_tools());
        of_tools.or_else(|| known("default")).ok_or_else(|| {
            Error::InvalidArgument(if names.is_empty() {
                "The model has no chat template. Give one as `chat_template`, or build the prompt as the model card says".into()
            } else {
                format!("The model has several chat templates and none is the default. Name one in `chat_template`: {}", names.join(", "))
            })
        })
    }

    /// Whether a template goes by its name: several do, and one that is not the default.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.named.len() > 1 || !self.named.contains_key("default")
    }

    fn compiled(&self, (file, source): (&str, &str)) -> Result<Template> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = compiled.iter().find(|known| known.source() == source && known.file() == file) {
            return Ok(known.clone());
        }
        let template = Template::compile(file, source)?;
        compiled.truncate(KEPT - 1);
        compiled.insert(0, template.clone());
        Ok(template)
    }
}
