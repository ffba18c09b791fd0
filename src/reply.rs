//! A one-shot answer that is always given.
//!
//! A promise whose answer is lost stays pending and keeps the process alive for ever. So a [`Reply`] that is dropped
//! unanswered, by a panic for instance, answers with an error.

use crate::error::{Error, Result};

/// Where an answer goes. Call [`Reply::send`] once.
pub struct Reply<T> {
    deliver: Option<Box<dyn FnOnce(Result<T>) + Send>>,
}

impl<T> Reply<T> {
    /// A reply that hands its answer to `deliver`.
    pub fn new(deliver: impl FnOnce(Result<T>) + Send + 'static) -> Self {
        Reply { deliver: Some(Box::new(deliver)) }
    }

    /// Gives the answer.
    pub fn send(mut self, answer: Result<T>) {
        if let Some(deliver) = self.deliver.take() {
            deliver(answer);
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(deliver) = self.deliver.take() {
            deliver(Err(Error::Internal("an answer was lost".into())));
        }
    }
}

impl<T> std::fmt::Debug for Reply<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reply").field("sent", &self.deliver.is_none()).finish()
    }
}

/// A reply and the place where its answer is waited for. For callers without an event loop, such as tests.
pub fn pair<T: Send + 'static>() -> (Reply<T>, impl FnOnce() -> Result<T>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let reply = Reply::new(move |answer| drop(sender.send(answer)));
    (reply, move || receiver.recv().unwrap_or_else(|_| Err(Error::Internal("an answer was lost".into()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_reply_is_an_error() {
        let (reply, wait) = pair::<()>();
        drop(reply);
        assert_eq!(wait().expect_err("lost").code(), "ERR_INTERNAL");
        let (reply, wait) = pair();
        reply.send(Ok(7));
        assert_eq!(wait().expect("sent"), 7);
    }
}
