//! A repository's chat template, rendered as transformers 5.23 does (`utils/chat_template_utils.py`): Jinja in jinja2's dialect
//! with `trim_blocks` and `lstrip_blocks`. The crates `minijinja`, `minijinja-contrib` and `chrono` are used in this folder only.
//!
//! ```text
//! source        what is changed in a template before it is compiled
//! environment → methods, json, repr, clock     filters, tests, functions and methods of Python
//! chat          what a template is given
//! around        a template as the texts around its texts
//! named         a repository's templates, and which of them a call takes
//! ```
//!
//! **Templates are not trusted.** Steps and memory of a rendering are bounded (*fuel*), so are its recursion and the depth of
//! its values; compiling and rendering have a thread with a stack that holds the deepest of both. A template can fail, and
//! nothing else.

mod around;
mod chat;
mod clock;
mod environment;
mod json;
mod methods;
mod named;
mod repr;
mod source;
#[cfg(test)]
mod tests;

use minijinja::{Environment, ErrorKind};

pub use around::Around;
pub use chat::{Chat, Format};
pub use named::{Named, Templates};

use self::clock::Now;
use self::environment::{Refusal, environment};
use crate::error::{Error, Result, shown};
use crate::panic::quietly;

/// Steps of a rendering, before those that its input adds. A step is an instruction, or 64 bytes of new data; the largest
/// templates need some hundreds a message.
const STEPS: u64 = 1_000_000;
/// Further steps for each message, and for how many bytes of input there is one.
const STEPS_PER_MESSAGE: u64 = 1_000;
const BYTES_PER_STEP: u64 = 8;

/// Stack of the thread that compiles and renders. The deepest value that a template can make (`source.rs`, `environment.rs`)
/// needs half of it. It is address space: memory is used as far as a template goes.
const STACK: usize = 128 << 20;

/// The name that the environment knows the template by.
const NAME: &str = "template";

/// A compiled chat template.
#[derive(Clone)]
pub struct Template {
    /// Where it stands, for messages: `chat_template.jinja`, or `tokenizer_config.json: "chat_template"`.
    file: String,
    /// Strings that the template itself holds, each once, in their order.
    literals: Vec<String>,
    source: String,
    environment: Environment<'static>,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Template").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Template {
    /// Compiles the template that stands in `file`.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where it is not Jinja or larger than any real one; [`Error::ModelUnsupported`] where it uses
    /// something of Jinja that is not known here.
    pub fn compile(file: &str, source: &str) -> Result<Self> {
        Template::compile_at(file, source, Now::Clock)
    }

    fn compile_at(file: &str, source: &str, now: Now) -> Result<Self> {
        let prepared = source::prepare(source).map_err(|reason| Error::invalid_model(format!("{file}: {reason}")))?;
        let environment = on_deep_stack(|| {
            let mut environment = environment(now);
            environment.add_template_owned(NAME, prepared.source)?;
            Ok(environment)
        });
        let environment = environment?.map_err(|error| explained(file, &error))?;
        Ok(Template { file: file.to_owned(), literals: prepared.literals, source: source.to_owned(), environment })
    }

    /// Where the template stands.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The template as its file holds it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders a chat, as `apply_chat_template(…, tokenize=False)` does.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the template itself refuses the messages (`raise_exception`) or they are none;
    /// [`Error::ModelInvalid`] where it cannot be rendered with them, or does not end.
    pub fn render(&self, chat: &Chat) -> Result<String> {
        let mut all = self.render_all(std::slice::from_ref(chat))?;
        Ok(all.pop().unwrap_or_default())
    }

    /// Renders chats one after the other. One thread serves them all.
    ///
    /// # Errors
    /// As [`Template::render`], for the first chat that fails.
    pub fn render_all(&self, chats: &[Chat]) -> Result<Vec<String>> {
        on_deep_stack(|| chats.iter().map(|chat| self.render_here(chat)).collect())?
    }

    /// Renders on this thread, which must have the deep stack.
    fn render_here(&self, chat: &Chat) -> Result<String> {
        let prepared = chat.prepared(&self.source)?;
        let mut environment = self.environment.clone();
        let steps = STEPS + STEPS_PER_MESSAGE * prepared.messages as u64 + prepared.bytes as u64 / BYTES_PER_STEP;
        environment.set_fuel(Some(steps));
        let rendered = environment.get_template(NAME).and_then(|template| template.render(prepared.context));
        let rendered = rendered.map_err(|error| self.explain(&error, steps))?;
        match prepared.unfinished {
            Some(unfinished) => unfinished.cut(rendered),
            None => Ok(rendered),
        }
    }

    fn explain(&self, error: &minijinja::Error, steps: u64) -> Error {
        match error.kind() {
            ErrorKind::OutOfFuel => Error::invalid_model(format!(
                "{}: the chat template was stopped after {steps} steps. It does not come to an end, or makes far more text than it is given",
                self.file
            )),
            _ => explained(&self.file, error),
        }
    }
}

/// What a failure of Jinja means.
fn explained(file: &str, error: &minijinja::Error) -> Error {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(Refusal(reason)) = cause.downcast_ref() {
            return Error::InvalidArgument(format!("{file}: the chat template refuses these messages: {reason}"));
        }
        next = cause.source();
    }
    let line = error.line().map_or_else(String::new, |line| format!(", line {line}"));
    let said = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    match error.kind() {
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => {
            Error::ModelUnsupported(format!("{file}{line}: the chat template uses what is not supported: {said}"))
        }
        ErrorKind::SyntaxError => {
            Error::invalid_model(format!("{file}{line}: the chat template is not Jinja that is understood: {said}"))
        }
        _ => Error::invalid_model(format!("{file}{line}: the chat template fails with these messages: {said}")),
    }
}

/// Does work on a thread whose stack holds the deepest template and value. Everything that Jinja makes stays there: dropping a
/// deep value needs the stack too.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    let spawned = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("vecrank-template".into()).stack_size(STACK);
        thread.spawn_scoped(scope, || quietly(work)).map(std::thread::ScopedJoinHandle::join)
    });
    match spawned {
        Ok(Ok(Ok(outcome))) => Ok(outcome),
        Ok(Ok(Err(panic))) => {
            Err(Error::invalid_model(format!("The chat template made its engine fail: {}", shown(&panic))))
        }
        Ok(Err(_)) => Err(Error::Internal("a template's thread ended".into())),
        Err(error) => Err(Error::runtime("A thread to render the chat template could not be started", error)),
    }
}
