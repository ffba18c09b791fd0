//! Everything that can go wrong, as cases with a stable code.
//!
//! The sentence of each error says what was wrong, what was expected and what to do. Codes are the only strings that
//! JavaScript may match on (API.md lists them); sentences may change.

use std::path::Path;
use std::sync::Arc;

/// A foreign error kept as a source. Boxed, so that no dependency's type is part of this crate's interface.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. See [`Error::code`] for the string that JavaScript sees.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument has the wrong type, range or name. The caller can mend it.
    #[error("{0}")]
    InvalidArgument(String),

    /// There is no such folder, or no such repository or revision on the Hub.
    #[error("{0}")]
    ModelNotFound(String),

    /// The model's folder exists, but a file that it must have does not.
    #[error("{0}")]
    FileNotFound(String),

    /// The Hub wants a token, another one, or that its owner accepts the model's terms.
    #[error("{0}")]
    Unauthorized(String),

    /// A file is not in the cache and the network may not be used.
    #[error("{0}")]
    Offline(String),

    /// The Hub could not be reached, or answered something that cannot be used.
    #[error("{message}")]
    Download {
        /// What was asked for, what happened, how often it was tried.
        message: String,
        /// What the network said, where it spoke.
        #[source]
        source: Option<Source>,
    },

    /// A file or folder could not be read or written.
    #[error("{message}")]
    Disk {
        /// Which one, and what to do.
        message: String,
        /// What the system said, where it was asked.
        #[source]
        source: Option<std::io::Error>,
    },

    /// A file's bytes are not what they must be.
    #[error("{message}")]
    Corrupt {
        /// What was found and what was expected.
        message: String,
    },

    /// The model asks for something that this version does not do.
    #[error("{0}")]
    ModelUnsupported(String),

    /// A file of the model is damaged or contradicts another.
    #[error("{message}")]
    ModelInvalid {
        /// Which file, and what is wrong with it.
        message: String,
        /// What the parser said, where one spoke.
        #[source]
        source: Option<Source>,
    },

    /// ONNX Runtime could not be opened, or failed while it ran.
    #[error("{message}")]
    Runtime {
        /// What was being done.
        message: String,
        /// What ONNX Runtime or the system said.
        #[source]
        source: Option<Source>,
    },

    /// The device that was asked for cannot be used.
    #[error("{message}")]
    Device {
        /// Which one, what is missing, and the next step.
        message: String,
        /// What the system or ONNX Runtime said.
        #[source]
        source: Option<Source>,
    },

    /// A text has more tokens than the limit and `truncation` is `'error'`.
    #[error("{0}")]
    TooLong(String),

    /// The network gave NaN or an infinite number.
    #[error("{0}")]
    Numeric(String),

    /// The waiting queue is full.
    #[error("{0}")]
    Overloaded(String),

    /// The handle was disposed before or while the call ran.
    #[error("The model was disposed. Make a new instance to go on")]
    Disposed,

    /// The caller cancelled the request; nobody reads the answer.
    #[error("The request was cancelled")]
    Cancelled,

    /// A bug of ours: a panic that was caught, or a reply that was dropped.
    #[error("Internal error: {0}. This is a bug in vecrank; please report it")]
    Internal(String),

    /// A failure that several callers wait for, such as a shared load.
    #[error(transparent)]
    Shared(#[from] Arc<Error>),
}

impl Error {
    /// The stable code of API.md.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::InvalidArgument(_) => "ERR_INVALID_ARG",
            Error::ModelNotFound(_) => "ERR_MODEL_NOT_FOUND",
            Error::Unauthorized(_) => "ERR_UNAUTHORIZED",
            Error::Offline(_) => "ERR_OFFLINE",
            Error::Download { .. } => "ERR_DOWNLOAD",
            Error::FileNotFound(_) => "ERR_FILE_NOT_FOUND",
            Error::Disk { .. } => "ERR_DISK",
            Error::Corrupt { .. } => "ERR_CORRUPT",
            Error::ModelUnsupported(_) => "ERR_MODEL_UNSUPPORTED",
            Error::ModelInvalid { .. } => "ERR_MODEL_INVALID",
            Error::Runtime { .. } => "ERR_RUNTIME",
            Error::Device { .. } => "ERR_DEVICE",
            Error::TooLong(_) => "ERR_TOO_LONG",
            Error::Numeric(_) => "ERR_NUMERIC",
            Error::Overloaded(_) => "ERR_OVERLOADED",
            Error::Disposed => "ERR_DISPOSED",
            Error::Cancelled | Error::Internal(_) => "ERR_INTERNAL",
            Error::Shared(inner) => inner.code(),
        }
    }

    /// Whether the work was given up, rather than failed.
    pub(crate) fn is_cancelled(&self) -> bool {
        match self {
            Error::Cancelled => true,
            Error::Shared(inner) => inner.is_cancelled(),
            _ => false,
        }
    }

    /// The sentences of the errors below this one, outermost first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            causes.push(error.to_string());
            next = error.source();
        }
        causes
    }

    /// The error of one of the caller's texts or pairs, by its name (`texts[777]`): the sentence begins with it.
    #[must_use]
    pub(crate) fn of(self, row: impl std::fmt::Display) -> Self {
        let named = |sentence: String| format!("{row}: {sentence}");
        match self {
            Error::InvalidArgument(sentence) => Error::InvalidArgument(named(sentence)),
            Error::TooLong(sentence) => Error::TooLong(named(sentence)),
            Error::Numeric(sentence) => Error::Numeric(named(sentence)),
            Error::ModelInvalid { message, source } => Error::ModelInvalid { message: named(message), source },
            other => other,
        }
    }

    pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        Error::Disk { message: format!("Could not read {}", path.display()), source: Some(source) }
    }

    pub(crate) fn invalid_model(message: impl Into<String>) -> Self {
        Error::ModelInvalid { message: message.into(), source: None }
    }

    pub(crate) fn invalid_model_because(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Error::ModelInvalid { message: message.into(), source: Some(source.into()) }
    }

    pub(crate) fn runtime(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Error::Runtime { message: message.into(), source: Some(source.into()) }
    }
}

/// A name from outside for a message: quoted, without control characters, not endless.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// The words of a caught panic.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_error_keeps_the_code_and_the_causes() {
        let inner = Error::invalid_model_because("config.json is not JSON", "line 1");
        let shared = Error::Shared(Arc::new(inner));
        assert_eq!(shared.code(), "ERR_MODEL_INVALID");
        assert_eq!(shared.to_string(), "config.json is not JSON");
        assert_eq!(shared.causes(), ["line 1"]);
    }
}
